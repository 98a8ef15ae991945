"""What determines a run, as a digest."""

import hashlib
from functools import cache
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.files import BOOTSTRAP, GATES
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.observation import Installed


@cache
def _content(file: Path, _modified: int) -> bytes:
    """A source's bytes: a report asks for the recipes of hundreds of cells that share a few files."""
    return file.read_bytes()


def recipe_of(cell: Cell, entry: Entry, environment_key: str) -> str:
    """SHA-256 of all that determines a run: its sources, the environment's lock, the cell."""
    sources = [entry.script, BOOTSTRAP]
    if cell.lane is Lane.CPU:
        sources.append(GATES)
    if cell.backport:
        sources.append(entry.backport_file(cell.backport))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(_content(source, source.stat().st_mtime_ns))
        digest.update(b"\0")
    # One node, as nearly all runs have, is not named: keys from before there were several hold.
    left_out = {"environment"} if cell.nodes > 1 else {"environment", "nodes"}
    digest.update(environment_key.encode() + b"\0" + cell.model_dump_json(exclude=left_out).encode())
    return digest.hexdigest()


def environment_key(installed: Installed) -> str:
    """The lock's digest; for an existing interpreter, its version, its distributions, and what is laid over it."""
    if installed.lock:
        return installed.lock
    held = "".join(f"{name}=={version}\n" for name, version in sorted(installed.distributions.items()))
    overlay = installed.overlay.digest if installed.overlay else ""
    return hashlib.sha256(f"{installed.implementation} {installed.python}\n{held}{overlay}".encode()).hexdigest()
