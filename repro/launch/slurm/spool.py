"""The files between the machine that submits and a node: what to run, and what has happened.

``<folder>/batch.json`` says what to run, ``<folder>/store`` is a store of what was observed, and ``events.jsonl`` has
a line for each step, appended by the node.  A node is another machine: its files are bounded and validated.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from repro.files import read_text_file, write_whole, writing
from repro.model.base import FileName, Strict
from repro.model.cell import Cell
from repro.model.errors import StoreError, UnreadableFileError
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.store.observations import Store, read_observation
from repro.store.upkeep import inconsistency

BATCH = "batch.json"
EVENTS = "events.jsonl"
STORE = "store"
BATCH_BYTES = 64 << 20
EVENT_BYTES = 16 << 20
"""What a node writes beyond this is not read: its cells count as lost."""


class HeldLock(Strict):
    """An environment that is not in the matrix, with its lock."""

    environment: Environment
    text: str


class BatchFile(Strict):
    """What a node runs."""

    format: Literal[1] = 1
    run: FileName
    """The name of the run."""
    cells: tuple[Cell, ...]
    nodes: int
    catalog: str | None
    """The folder of another catalogue; None for our own."""
    cache: str
    data: str
    """The store of the machine that submits, whose runs count as earlier ones."""
    held: dict[str, HeldLock] = {}
    repeat: int
    timeout: int | None
    warm: bool
    fresh: bool
    confirm: bool
    full_deadline: bool


class NodeEvent(Strict):
    """One line of the events."""

    event: Literal["progress", "started", "finished", "skipped", "ended"]
    cell: str = ""
    """The label of the cell."""
    text: str = ""
    observations: tuple[FileName, ...] = ()
    """The ids of the runs that decide the verdict, in order."""
    reused: int = 0
    """How many of them were stored before."""


def write_batch(folder: Path, batch: BatchFile) -> None:
    """Write what a node runs; raises StoreError."""
    with writing(folder):
        write_whole(folder / BATCH, batch.model_dump_json())


def read_batch(folder: Path) -> BatchFile:
    """What this node runs; raises StoreError."""
    try:
        return BatchFile.model_validate_json(read_text_file(folder / BATCH, BATCH_BYTES))
    except (UnreadableFileError, ValidationError) as error:
        raise StoreError(f"{folder / BATCH}: {error}") from None


def append_event(folder: Path, event: NodeEvent) -> None:
    """Append one line, which readers see whole; raises StoreError."""
    line = json.dumps(event.model_dump(exclude_defaults=True, mode="json")) + "\n"
    with writing(folder / EVENTS):
        descriptor = os.open(folder / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


@dataclass
class EventReader:
    """Reads the events of a node as they come."""

    folder: Path
    _read: int = 0
    _rest: bytes = field(default=b"")

    def new(self) -> list[NodeEvent]:
        """The whole lines since the last call; a line that is no event is passed over."""
        try:
            with (self.folder / EVENTS).open("rb") as file:
                file.seek(self._read)
                content = file.read(max(0, EVENT_BYTES - self._read))
        except OSError:
            return []
        self._read += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        found = []
        for line in lines:
            try:
                found.append(NodeEvent.model_validate_json(line))
            except ValidationError:
                continue
        return found


def observed(folder: Path, run: str) -> dict[str, Observation]:
    """The whole observations that a node has left so far, by id; those of another run are passed over."""
    found = {}
    for file in Store(folder / STORE).files():
        try:
            observation = read_observation(file)
        except StoreError:
            continue
        if inconsistency(file, observation) is None and observation.run.startswith(run):
            found[observation.id] = observation
    return found
