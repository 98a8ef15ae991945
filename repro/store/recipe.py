"""The digest of everything that determines a run."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.files import BOOTSTRAP, GATES, RECORD, SPAWNED, ZYGOTE
from repro.model.cell import Cell, stage_cells, variables_of
from repro.model.failure import Lane
from repro.model.observation import Installed
from repro.model.rank_launcher import TORCHRUN


@cache
def _content(file: Path, _modified: int) -> bytes:
    """A source's bytes; cached, since a report needs the recipes of hundreds of cells that share a few files."""
    return file.read_bytes()


@lru_cache(maxsize=256)
def _digest_of(sources: tuple[tuple[Path, int], ...]) -> "hashlib._Hash":
    """The digest of the contents of sources, each with its time of change, to be copied and continued."""
    digest = hashlib.sha256()
    for source, modified in sources:
        digest.update(_content(source, modified))
        digest.update(b"\0")
    return digest


def recipe_of(
    cell: Cell, entry: Entry, environment_key: str, timeout: int | None = None, beside: Sequence[Path] | None = None
) -> str:
    """SHA-256 of everything that determines a run: its sources, the environment's lock, the cell.

    ``timeout`` is the run's; it is part of the recipe only if it differs from the record's.  ``beside`` is what
    ``helpers`` returns, if available.
    """
    sources = [entry.script, BOOTSTRAP]
    if cell.lane is Lane.CPU:
        sources.append(GATES)
    if cell.backport:
        sources.append(entry.backport_file(cell.backport))
    launcher = entry.failure.launcher(cell.factors)
    if launcher.program == "python":
        sources.append(SPAWNED)
    sources += helpers(entry) if beside is None else beside
    digest = _digest_of(tuple((source, source.stat().st_mtime_ns) for source in sources)).copy()
    # One node, as nearly all runs have, is not named: keys from before there were several hold.  What the roles hold
    # is part of the environment's key.
    left_out = {"environment", "roles", "stage"} | (set() if cell.nodes > 1 else {"nodes"})
    digest.update(environment_key.encode() + b"\0" + cell.model_dump_json(exclude=left_out).encode())
    if variables := variables_of(entry.failure, cell):
        digest.update(f"\0variables {json.dumps(variables)}".encode())
    if launcher.program != TORCHRUN.program:
        digest.update(f"\0launcher {launcher.model_dump_json(exclude={'name'})}".encode())
    if stages := entry.failure.stages:
        jobs = [job.model_dump_json(exclude={"environment", "roles"}) for job in stage_cells(entry.failure, cell)]
        own = [stage.model_dump(include={"role", "timeout"}) for stage in stages]
        digest.update(f"\0stages {json.dumps([jobs, own])}".encode())
    if timeout not in {None, entry.failure.timeout}:
        digest.update(f"\0timeout {timeout}".encode())
    return digest.hexdigest()


def helpers(entry: Entry) -> list[Path]:
    """The files beside a script that it may read or import: all except the script, the record, backports and tests."""
    known = {entry.script.name, RECORD, *(backport.file for backport in entry.failure.backports)}
    # Path.rglob takes ten times as long, and a report needs hundreds of recipes.
    found = (
        Path(folder, name)
        for folder, _, names in os.walk(entry.folder)
        for name in names
        if not name.startswith(("test_", ".")) and not name.endswith((".md", ".pyc"))
    )
    return sorted(file for file in found if str(file.relative_to(entry.folder)) not in known and file.is_file())


def launcher_key(launcher: str) -> str | None:
    """SHA-256 of what else determines a run with this launcher; None if only the recipe does."""
    if launcher != "warm":
        return None
    return hashlib.sha256(_content(ZYGOTE, ZYGOTE.stat().st_mtime_ns)).hexdigest()


def environment_key(installed: Installed, roles: Mapping[str, Installed] | None = None) -> str:
    """What decides what a run finds installed, in the environments of a staged run's other roles too."""
    return key_of_roles(_key(installed), {role: _key(held) for role, held in (roles or {}).items()})


def key_of_roles(own: str, roles: Mapping[str, str]) -> str:
    """The key of an environment, or of several: of the last stage's and those of the other roles."""
    return own + "".join(f"\0{role} {key}" for role, key in sorted(roles.items()))


def _key(installed: Installed) -> str:
    """The lock's digest; for an existing interpreter: its version, its distributions, and the pack laid over it."""
    if installed.lock:
        return installed.lock
    held = "".join(f"{name}=={version}\n" for name, version in sorted(installed.distributions.items()))
    overlay = installed.overlay.digest if installed.overlay else ""
    return hashlib.sha256(f"{installed.implementation} {installed.python}\n{held}{overlay}".encode()).hexdigest()
