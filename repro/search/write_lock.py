"""Updates a locked environment to today's floating environment of the same name."""

from pathlib import Path

from packaging.utils import canonicalize_name

from repro.catalog import yaml_reader
from repro.catalog.amend import replaced
from repro.catalog.project import Project
from repro.environments.floats import Float
from repro.environments.locks import Lock, header_of
from repro.files import read_text_file, write_whole, writing
from repro.model.base import Location
from repro.model.errors import UsageError
from repro.model.matrix import Matrix
from repro.store.kept_locks import KeptLock


def write_lock(project: Project, held: Float, kept: KeptLock) -> str:
    """Write today's releases into ``matrix.yaml`` and the lock beside it; returns one line that says what was done.

    Raises UsageError or RecordError, with both files unchanged, if the pins cannot be changed in place.
    """
    name = held.name
    if name not in project.own_matrix.environments:
        return f"{name}: no locked environment has this name: nothing to write"
    before = project.own_matrix.environments[name]
    changes: dict[Location, str] = {("environments", name, "cutoff"): held.day}
    for pin in before.pins:
        version = kept.lock.versions.get(canonicalize_name(pin))
        if version is None:
            raise UsageError(f"{name} pins {pin}, which {kept.name} does not hold: write matrix.yaml by hand")
        changes["environments", name, "pins", pin] = version
    file: Path = project.matrix_file
    amended = replaced(read_text_file(file), changes, file)
    after = yaml_reader.parse(Matrix, amended, file).environments[name]
    lock = Lock(header_of(name, after), kept.lock.packages)
    with writing(file):
        write_whole(project.locks / f"{name}.txt", lock.text)
        write_whole(file, amended)
    return f"{name}: {', '.join(f'{pin} {version}' for pin, version in after.pins.items())}, as of {held.day}"
