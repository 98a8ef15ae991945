"""The material of a draft: the record, the run that shows the failure, other runs, the environment's description.

Everything that came from a machine is redacted here, before anything is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from repro.catalog.catalog import Entry
from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.launch.describe import Described
from repro.model.cell import Cell, make_cell
from repro.model.errors import UndecidedError, unknown
from repro.model.failure import Failure, Lane
from repro.model.matrix import Environment
from repro.model.observation import Rank
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side, Verdict
from repro.report.private import Redact, RedactedLookup, redacted
from repro.report.rows import Lookup, Row, row_of
from repro.report.view import FailureView, failure_view
from repro.search.ablation import ablation_environment
from repro.store.answers import AnswerStore
from repro.store.observations import Store
from repro.verdict.result import Result


@dataclass(frozen=True)
class Case:
    """One failure in one environment, with everything that is stored about it."""

    entry: Entry
    script: str
    view: FailureView
    result: Result
    """The result of the cell that shows the failure."""
    environment: Environment
    """Its definition in the matrix."""
    described: Described
    missing: tuple[str, ...]
    """One sentence for each thing that was not run."""
    notes: tuple[str, ...] = ()
    """Further notes for the person who files it, one sentence each."""
    roles: Mapping[str, Environment] = field(default_factory=dict)
    """The environments of a staged run's other roles, as the matrix defines them."""

    @property
    def own(self) -> ScriptFailure | None:
        """The failure, if it is that of a user's script and has no record."""
        return self.failure if isinstance(self.failure, ScriptFailure) else None

    @property
    def failure(self) -> Failure:
        return self.entry.failure

    @property
    def row(self) -> Row:
        return row_of(self.result, self.failure.concerns)

    @property
    def root(self) -> Rank:
        """The rank whose output decided the verdict."""
        ranks = self.result.newest.ranks
        return next((rank for rank in ranks if rank.rank == self.result.judgement.rank), ranks[0])


@dataclass(frozen=True)
class ShowingRun:
    """The stored run that a draft is about, before its environment was asked to describe itself."""

    view: FailureView
    result: Result


def find(project: Project, failure_id: str, environment: str | None, lane: Lane, redact: Redact) -> ShowingRun:
    """The stored run that shows a failure: in the named environment, else in the newest one that shows it.

    Raises UsageError for an unknown name, UndecidedError if no stored run shows the failure.
    """
    entry = project.catalog[failure_id]
    if environment is not None and environment not in project.matrix.environments:
        raise unknown("environment", environment, project.matrix.environments)
    store = Store(project.reports / "data")
    lookup = RedactedLookup(project.catalog, project.environments, store, redact=redact)
    runs = project.matrix.runs.get(failure_id)
    cells = default_cells(project.matrix, project.catalog, [failure_id])
    answers = [redacted(answer, redact) for answer in AnswerStore(store.root).of(failure_id)]
    view = failure_view(entry, cells, lookup, None, answers)
    last = entry.failure.roles[-1] if entry.failure.roles else ""
    held = (*runs.environments, *(pair.environments[last] for pair in runs.pairs)) if runs else ()
    names = [environment] if environment else _newest_first(view, held)
    for name in names:
        result = _shown(lookup, entry, cells, name, lane)
        if result is not None:
            ablated = failure_view(entry, cells, lookup, name, answers)
            if ablated.ablation is None:
                ablated = failure_view(
                    entry, cells, lookup, ablation_environment(entry.failure, project.matrix), answers
                )
            return ShowingRun(ablated, result)
    raise UndecidedError(_nothing_shows(lookup, entry, names, lane))


def _shown(lookup: Lookup, entry: Entry, cells: Sequence[Cell], name: str, lane: Lane) -> Result | None:
    """The run that shows the failure where an environment is the last stage's: alone, or with those of a pair."""
    pairs = (cell.roles for cell in cells if cell.roles and cell.environment.label == name)
    for roles in ({}, *pairs):
        result = lookup.result(make_cell(entry.failure, name, lane=lane, roles=roles))
        if result is not None and result.verdict is Verdict.REPRODUCED:
            return result
    return None


def _newest_first(view: FailureView, environments: Sequence[str]) -> list[str]:
    newest = [point.where for point in view.upstream.newest if point.side is Side.BAD]
    return list(dict.fromkeys([*(name for name in newest if name in environments), *reversed(environments)]))


def _nothing_shows(lookup: Lookup, entry: Entry, names: Sequence[str], lane: Lane) -> str:
    """The message if no stored run shows the failure, with the command to run."""
    found = []
    for name in names:
        result = lookup.result(make_cell(entry.failure, name, lane=lane))
        found.append(f"{name} is {result.verdict}" if result else f"{name} was not run")
    seen = "; ".join(found) or "matrix.yaml runs it nowhere"
    chosen = f" --env {names[0]}" if len(names) == 1 else ""
    in_lane = f" --lane {lane}" if lane is not Lane.CPU else ""
    command = f"repro run {entry.failure.id}{chosen}{in_lane}{' '.join(['', *entry.catalog_option])}"
    return f"no stored run shows {entry.failure.id}: {seen}; run `{command}` first"


def describe_missing(found: ShowingRun) -> tuple[str, ...]:
    """Names the runs that a reader may expect but that are not stored."""
    view = found.view
    missing = [f"{row.cell.label}: not run" for row in view.rows if row.verdict is None]
    if not any(answer.kind == "bisect" for answer in view.answers):
        missing.append("No bisection over releases is stored.")
    if view.ablation is None:
        missing.append("No ablation of its conditions is stored.")
    lanes = {row.cell.lane for row in view.rows if row.verdict} | {found.result.cell.lane}
    if Lane.CUDA in view.failure.needs.lanes and Lane.CUDA not in lanes:
        missing.append("Not run on accelerators (NCCL): all runs are on CPU with gloo.")
    return tuple(missing)
