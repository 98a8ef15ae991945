"""Small and large projects with stored runs, for the tests of the site."""

from pathlib import Path
from typing import Any

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.model.cell import Cell
from repro.model.observation import Rank
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from tests.unit.factories import (
    FAILURE,
    MATRIX,
    failed,
    frame,
    imported,
    installed,
    observation,
    project,
    raised,
    rank,
    write_failure,
)

HOSTILE = "<script>alert(1)</script> \"quoted\" 'single' & <img src=x onerror=alert(2)> {{ 7 * 7 }} \x1b[31m"
HOURS = 24


def stored(held: Project, cell: Cell, *ranks: Rank, at: int = 1, run: str = "", **changes: Any) -> str:
    """Store a run of a cell as its present sources and lock would make it, on that hour; returns its id."""
    recipe = recipe_of(cell, held.catalog[cell.failure], held.environments.lock(cell.environment.label).digest)
    identity = f"{recipe[:12]}-{at:04}"
    facts = {
        "id": identity,
        "recipe": recipe,
        "cell": cell,
        "run": run or f"run-{at:04}",
        "started": f"2026-01-{1 + at // HOURS:02}T{at % HOURS:02}:00:00+00:00",
        "installed": installed(held.matrix.environments[cell.environment.label].pins, name=cell.environment.label),
    }
    seen = {"imported": imported(held.matrix.environments[cell.environment.label].pins)}
    made = tuple(item.model_copy(update=seen) for item in ranks or passing())
    Store(held.reports / "data").add(observation(**{"ranks": made} | facts | changes))
    return identity


def passing(**changes: Any) -> tuple[Rank, Rank]:
    return rank(0, **changes), rank(1, **changes)


def failing(message: str = "'optimizer_states'", **changes: Any) -> tuple[Rank, Rank]:
    """The documented failure on both ranks, with twenty frames as libraries have them."""
    frames = tuple(frame(f"caller_{number}", line=number) for number in range(20))
    error = raised("KeyError", message, *frames, frame())
    return failed(0, error, tail=f"Traceback\nKeyError: {message}\n", **changes), failed(1, error, **changes)


def many(root: Path, failures: int, environments: int) -> Project:
    """A project of many failures, each on four environments with a backport, everything run twice."""
    pins = {
        f"lightning-2.{number}.1-torch-2.{number}": {"torch": f"2.{number}.2", "lightning": f"2.{number}.1"}
        for number in range(environments)
    }
    names = list(pins)
    ids = [f"lightning-{20000 + number}" for number in range(failures)]
    runs = {}
    for number, name in enumerate(ids):
        own = [names[(number + step) % environments] for step in range(4)]
        runs[name] = {"environments": own, "backports": {own[0]: ["cure"]}}
    content = {
        "format": 1,
        "environments": {name: {"cutoff": "2024-03-28", "pins": held, "why": "x"} for name, held in pins.items()},
        "runs": runs,
    }
    held = project(root, content=content, failures=False)
    for name in ids:
        title = "Sharded checkpoints of weights only cannot be saved by FSDPStrategy with more than one rank"
        write_failure(held.failures, id=name, title=title, summary=f"{title}. " * 4)
    for number, cell in enumerate(default_cells(held.matrix, held.catalog)):
        shows = number % 3 == 0 and not cell.backport
        for at in (1, 2):
            stored(held, cell, *(failing() if shows else passing(backport_applied=bool(cell.backport))), at=at)
    return held


def small(root: Path, **record: Any) -> Project:
    """A project of one failure on two environments: `old` shows it, `new` does not."""
    held = project(root, failures=False, content=MATRIX)
    write_failure(held.failures, **record)
    return held


def cell(environment: str = "old", **changes: Any) -> Cell:
    return Cell(**{"failure": FAILURE, "environment": environment} | changes)
