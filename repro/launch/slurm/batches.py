"""Divides cells among Slurm jobs, decides what each asks for, and what is sent again.  Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.catalog.catalog import Catalog
from repro.catalog.plan import Weights, plan
from repro.model.cell import Adopted, Cell, Overlaid, most_ranks
from repro.model.errors import UsageError
from repro.model.failure import Failure, Lane

MOST_JOBS = 8
"""The greatest number of jobs unless the user says otherwise."""
MOST_ATTEMPTS = 2
"""A cell whose job was lost is sent once more."""


@dataclass(frozen=True)
class SlurmOptions:
    """What the user asks of Slurm."""

    partition: str | None = None
    account: str | None = None
    gpus: int | None = None
    """GPUs of a job on each node; None for one a rank in the CUDA lane."""
    cpus: int | None = None
    """Cores of a job on each node; None for one a rank."""
    jobs: int = MOST_JOBS
    raw: tuple[tuple[str, str], ...] = ()
    """Further options of sbatch, by name."""


@dataclass(frozen=True)
class Allocation:
    """What a job asks for."""

    nodes: int
    cpus: int
    """On each node."""
    gpus: int
    """On each node."""


@dataclass(frozen=True)
class Batch:
    """The cells of one job."""

    cells: tuple[Cell, ...]
    allocation: Allocation


OWN = ("array", "error", "job-name", "nodes", "no-requeue", "ntasks", "ntasks-per-node", "output", "requeue", "signal")
"""Options of sbatch that decide how results come back."""
NAMED = ("account", "cpus-per-task", "gpus-per-node", "partition")
"""Options of sbatch that have an option of ours."""


def parse_raw(settings: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``["time=60"]`` as pairs; raises UsageError for what is no option of sbatch, or is ours to decide."""
    found = []
    for setting in settings:
        name, _, value = setting.removeprefix("--").partition("=")
        if not (name.isascii() and name.replace("-", "").isalnum()) or "\n" in value:
            raise UsageError(f"--slurm {setting}: NAME=VALUE or NAME is expected, such as time=60")
        if name in OWN:
            raise UsageError(f"--slurm {setting}: {name} is decided by repro")
        if name in NAMED:
            ours = {"cpus-per-task": "cpus", "gpus-per-node": "gpus"}.get(name, name)
            raise UsageError(f"--slurm {setting}: use --{ours}")
        found.append((name, value))
    return tuple(found)


def refuse_elsewhere(cells: Sequence[Cell]) -> None:
    """Raise UsageError for a cell whose environment is of this machine alone."""
    for cell in cells:
        if any(isinstance(environment, Adopted | Overlaid) for environment in cell.environments):
            raise UsageError(
                f"--on slurm runs on environments with a lock; {cell.environment.label} is of this machine alone"
            )


def allocation_of(failure: Failure, cell: Cell, options: SlurmOptions) -> Allocation:
    """What the job of one cell asks for."""
    ranks = -(-most_ranks(failure, cell) // cell.nodes)
    gpus = (options.gpus or ranks) if cell.lane is Lane.CUDA else 0
    return Allocation(cell.nodes, options.cpus or ranks, gpus)


def divide(cells: Sequence[Cell], catalog: Catalog, options: SlurmOptions, weights: Weights) -> list[Batch]:
    """The jobs for these cells, as `plan` divides them.

    Cells on different numbers of nodes, or with and without GPUs, have jobs of their own.
    """
    groups: dict[tuple[int, bool], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.nodes, cell.lane is Lane.CUDA), []).append(cell)
    seconds = weights.by_label(cells, catalog)
    total = sum(seconds[cell.label] for cell in cells)
    made = []
    for held in groups.values():
        share = sum(seconds[cell.label] for cell in held) / total if total else 1.0
        parts = plan(held, max(1, int(options.jobs * share)), weights, catalog)
        made += [batch_of(part.cells, catalog, options) for part in parts]
    return made


def batch_of(cells: Sequence[Cell], catalog: Catalog, options: SlurmOptions) -> Batch:
    """One job for cells on equally many nodes: it asks for what the largest one needs."""
    asked = [allocation_of(catalog[cell.failure].failure, cell, options) for cell in cells]
    most = Allocation(asked[0].nodes, max(one.cpus for one in asked), max(one.gpus for one in asked))
    return Batch(tuple(cells), most)


@dataclass(frozen=True)
class Again:
    """What follows when the job of some cells was lost."""

    sent: tuple[tuple[Cell, ...], ...]
    """The cells that are sent again, a job for each group."""
    given_up: tuple[Cell, ...]
    """The cells that were sent often enough: nothing is known of them."""


def again(lost: Sequence[Cell], began: Sequence[str], attempts: Mapping[str, int]) -> Again:
    """What is sent again of a lost job's cells; ``began`` and ``attempts`` are by label.

    Cells that had begun may be why the job was lost, so that each has a job of its own.
    """
    more = [cell for cell in lost if attempts[cell.label] < MOST_ATTEMPTS]
    alone = [(cell,) for cell in more if cell.label in began]
    together = tuple(cell for cell in more if cell.label not in began)
    given_up = tuple(cell for cell in lost if attempts[cell.label] >= MOST_ATTEMPTS)
    return Again((*alone, *((together,) if together else ())), given_up)
