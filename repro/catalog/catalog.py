"""Finds and loads the records of a catalogue folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.catalog import yaml_reader
from repro.errors import Fault, RecordError, UsageError, unknown
from repro.model.failure import Failure

RECORD = "failure.yaml"
SCRIPT = "repro.py"
NOT_FAILURES = ("locks", "reports", "tests")
"""Folders that a catalogue outside the package may hold besides its failures."""


@dataclass(frozen=True)
class Entry:
    """A failure and the folder that holds it."""

    failure: Failure
    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / SCRIPT

    def backport_file(self, name: str) -> Path:
        """The file of a backport of this failure; raises UsageError for an unknown name."""
        backport = self.failure.backport(name)
        if backport is None:
            names = [known.name for known in self.failure.backports]
            raise unknown(f"backport of {self.failure.id}", name, names)
        return self.folder / backport.file


@dataclass(frozen=True)
class Catalog:
    """All failures by id."""

    root: Path
    entries: dict[str, Entry]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __getitem__(self, failure_id: str) -> Entry:
        """The failure of that id; raises UsageError that names the nearest one."""
        try:
            return self.entries[failure_id]
        except KeyError:
            raise unknown("failure", failure_id, self.entries) from None


def load(root: Path) -> Catalog:
    """Load every record below ``root``.

    Raises RecordError with the faults of all records, UsageError if the folder is missing.
    """
    if not root.is_dir():
        raise UsageError(f"no catalogue at {root}: a folder with one folder a failure is expected")
    entries: dict[str, Entry] = {}
    faults: list[Fault] = []
    folders = (path for path in root.iterdir() if path.is_dir() and path.name not in NOT_FAILURES)
    for folder in sorted(path for path in folders if not path.name.startswith(("_", "."))):
        file = folder / RECORD
        try:
            failure = yaml_reader.read_yaml(Failure, file)
        except RecordError as error:
            faults += error.faults
            continue
        if failure.id != folder.name:
            faults.append(
                Fault(file, 1, "id", f"{failure.id!r} differs from the folder's name", f"write {folder.name}")
            )
        entries[folder.name] = Entry(failure, folder)
    if faults:
        raise RecordError(faults)
    return Catalog(root, entries)
