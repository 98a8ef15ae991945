"""Runs a watch over new releases: asks the index, runs what is owed, and searches what changed.

``watch_plan`` decides what is new, owed or changed, ``Session`` runs cells, and ``watch_search`` finds the release to
blame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from repro.catalog.project import Project
from repro.environments.floats import HELD, Float, float_of, is_held, is_of, libraries_of
from repro.environments.resolve import resolve
from repro.launch.session import Listener, Options, Session
from repro.launch.slurm.batches import SlurmOptions
from repro.launch.slurm.spread import Spread
from repro.model.cell import make_cell
from repro.model.errors import EnvironmentFailure, UsageError
from repro.model.failure import Failure
from repro.model.version import parsed_version
from repro.search.environments import vector
from repro.search.releases import Fetch, Listing, listing
from repro.search.watch_plan import (
    ChangeToSearch,
    ComparedEnvironment,
    OwedRun,
    ReleaseState,
    Seen,
    Watched,
    WatchedFloat,
    WatchFacts,
    WatchPlan,
    plan,
)
from repro.search.watch_search import BudgetSpentError, Notify, TurnSearch, WatchBudget
from repro.store.answers import AnswerStore, Turned
from repro.store.kept_locks import KeptLock, KeptLocks
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.store.resolve_float import holding_kept, resolve_float
from repro.verdict.result import Result, judge_repetitions

BATCH = 4
"""The number of cells that are run between two checks of the time, on this machine or by each job of a cluster."""


@dataclass
class Watch:
    """The watch of one floating environment."""

    project: Project
    name: str
    today: date
    fetch: Fetch
    failures: Sequence[Failure]
    keep: bool = True
    """True to keep new locks in the store; a watch that runs nothing leaves no trace."""
    superseded: bool = True
    """True to also run new releases that younger ones have replaced in the floating environment."""
    unresolved: dict[str, str] = field(default_factory=dict)
    """Environments that do not resolve, each with the reason."""
    slurm: SlurmOptions | None = None
    """The cluster that runs the cells; None to run them here."""

    def __post_init__(self) -> None:
        self.store = Store(self.project.reports / "data")
        self.locks = KeptLocks(self.store.root)
        self.answers = AnswerStore(self.store.root)
        self.float: Float = float_of(self.project.matrix, self.name, self.today)
        self._current: KeptLock | None = None
        self._listings: dict[str, Listing] | None = None

    def in_project(self, project: Project) -> "Watch":
        """The same watch in a project with changed files."""
        failures = [project.catalog[failure.id].failure for failure in self.failures]
        return replace(self, project=project, failures=failures)

    def look(self) -> WatchPlan:
        """What is new and owed, by the current store.

        Raises EnvironmentFailure if the floating environment does not resolve or the index cannot be read.
        """
        current = self.current()
        held = self._snapshots(current)
        digests = {snapshot.digest for snapshot in [*held, _snapshot(current)]}
        return plan(
            WatchFacts(
                name=self.name,
                today=self.today,
                cooling_days=self.project.matrix.floating[self.name].cooling_days,
                current=_snapshot(current),
                others=held,
                comparable=frozenset(other.digest for other in held if not is_held(other.name)),
                listings=self._listed(),
                failures=self.failures,
                seen={
                    (failure.id, digest): seen
                    for failure in self.failures
                    for digest in digests
                    if (seen := self._seen(failure, digest)) is not None
                },
                unresolved=self.unresolved,
                known=[
                    answer
                    for failure in self.failures
                    for answer in self.answers.of(failure.id)
                    if isinstance(answer, Turned)
                ],
            )
        )

    def current(self) -> KeptLock:
        """Today's floating environment with its lock."""
        if self._current is None:
            label, definition = self.float.label, self.float.definition
            if self.keep:
                self._current = resolve_float(self.project, self.locks, label, definition)
            else:
                self._current = KeptLock(label, definition, resolve(label, definition, self.project.matrix))
        return self._current

    def _listed(self) -> dict[str, Listing]:
        if self._listings is None:
            self._listings = {name: self._listing(name) for name in libraries_of(self.project.matrix, self.name)}
        return self._listings

    def _listing(self, distribution: str) -> Listing:
        stated = self.float.definition

        def refuse(version: str) -> str | None:
            denied = self.project.matrix.denied(distribution, version)
            return f"denied: {denied.reason}" if denied else None

        try:
            files = self.fetch(distribution)
        except UsageError as error:
            raise EnvironmentFailure(str(error)) from None
        found = listing(files, stated.python, refuse, prereleases=stated.prereleases)
        # An environment with a fixed day never sees later releases.
        days = self.project.matrix.floating[self.name].as_of or self.today.isoformat()
        # A day in the past is seen as it was, except for files that were removed or yanked since.
        return Listing(tuple(release for release in found.releases if release.day <= days), found.left_out)

    def _snapshots(self, current: KeptLock) -> list[ComparedEnvironment]:
        """The environments to compare: the locked ones, and every kept lock of the floating one.

        A lock that two floating environments share is kept under the name of one of them.
        """
        found: dict[str, ComparedEnvironment] = {}
        for name in self._locked_names:
            locked = _snapshot(self._locked(name))
            found[locked.digest] = locked
        for kept in self.locks:
            if kept.environment.cutoff <= self.float.day and self._may_be_ours(kept):
                found.setdefault(kept.lock.digest, _snapshot(kept))
        found.pop(current.lock.digest, None)
        return list(found.values())

    def _may_be_ours(self, kept: KeptLock) -> bool:
        """True if a kept lock is of the floating environment, or of another one with the same content then."""
        if is_of(kept.name.partition(HELD)[0], self.name):
            return True
        ours, theirs = self.float.definition, kept.environment
        stacks = [(held.python, held.pins, held.cutoffs, {*held.floating}) for held in (ours, theirs)]
        if is_held(kept.name) or stacks[0] != stacks[1]:
            return False
        versions = [
            parsed_version(kept.lock.versions.get(name, "")) for name in libraries_of(self.project.matrix, self.name)
        ]
        return ours.prereleases or not any(held is not None and held.is_prerelease for held in versions)

    def _seen(self, failure: Failure, digest: str) -> Seen | None:
        """The newest run of a record on a lock, with today's sources; None if there is none."""
        cell = make_cell(failure, self.float.label)
        recipe = recipe_of(cell, self.project.catalog[failure.id], digest)
        observations = self.store.deciding(failure, recipe)
        if not observations:
            return None
        result = judge_repetitions(failure, observations)
        return Seen(result.verdict, result.judgement.reason)

    @property
    def _locked_names(self) -> tuple[str, ...]:
        """The locked environment of the same name, else those of the other floating environments."""
        matrix = self.project.matrix
        names = [name for name in matrix.floating if name in matrix.environments]
        return (self.name,) if self.name in names else tuple(names)

    def environment(self, job: OwedRun) -> KeptLock | None:
        """The environment of a job; None if it does not resolve, which ``look`` then knows."""
        if job.in_current:
            return self.current()
        name, definition = self.float.holding(job.distribution, job.version)
        if name in self.unresolved:
            return None
        try:
            return resolve_float(self.project, self.locks, name, definition)
        except EnvironmentFailure as error:
            self.unresolved[name] = str(error)
            return None

    def run(self, budget: WatchBudget, listener: Listener, notify: Notify) -> list[Turned]:
        """Run what is owed, then search each changed verdict; returns what was found.

        Stops when the budget is spent; the next call continues with what is left.
        """
        found: list[Turned] = []
        done: set[tuple[str, str]] = set()
        try:
            while True:
                steps = self.look()
                for turn in steps.turns:
                    key = (turn.failure, turn.after.digest)
                    if key not in done:
                        done.add(key)
                        budget.check()
                        turned = self._search(turn, budget, listener, notify)
                        found += [turned] if turned else []
                batch = self._batch(steps, done)
                if not batch:
                    return found
                budget.check()
                for result in self._run(batch, listener):
                    notify(f"{result.cell.label}: {result.verdict}")
        except BudgetSpentError as spent:
            notify(f"{spent}: runs are still owed; repeat the command to continue")
            return found

    def _batch(self, steps: WatchPlan, done: set[tuple[str, str]]) -> list[tuple[OwedRun, KeptLock]]:
        """The next cells that this command has not tried: of one environment, or of all those that fill the cluster."""
        most = BATCH if self.slurm is None else BATCH * self.slurm.jobs
        batch: list[tuple[OwedRun, KeptLock]] = []
        for job in [job for job in steps.jobs if job.in_current or self.superseded]:
            kept = self.environment(job)
            key = (job.failure, f"cell {kept.lock.digest}") if kept else None
            if kept is None or key is None or key in done:
                continue
            if self.slurm is None and batch and batch[0][1].name != kept.name:
                break
            done.add(key)
            batch.append((job, kept))
            if len(batch) == most:
                break
        return batch

    def _run(self, batch: Sequence[tuple[OwedRun, KeptLock]], listener: Listener) -> list[Result]:
        environments = {kept.name: kept for _, kept in batch}
        project = self.project
        for kept in environments.values():
            project = holding_kept(project, kept)
        cells = [make_cell(self.project.catalog[job.failure].failure, kept.name) for job, kept in batch]
        # As in the default matrix, each verdict also has a run through torchrun.
        options = Options(fresh=False, confirm=True)
        if self.slurm is None:
            return Session(project, self.store, options, listener).run(cells)
        return Spread(project, self.store, options, listener, self.slurm).run(cells)

    def _search(self, turn: ChangeToSearch, budget: WatchBudget, listener: Listener, notify: Notify) -> Turned | None:
        ends = (self._kept(turn.before), self._kept(turn.after))
        searching = TurnSearch(self.project, self.answers, self.fetch, budget, listener, notify, self.slurm)
        return searching.search(turn, ends)

    def _kept(self, snapshot: ComparedEnvironment) -> KeptLock:
        if snapshot.name in self.project.matrix.environments:
            return self._locked(snapshot.name)
        return self.locks.get(snapshot.digest)

    def _locked(self, name: str) -> KeptLock:
        return KeptLock(name, self.project.matrix.environments[name], self.project.environments.lock(name))


def _snapshot(kept: KeptLock) -> ComparedEnvironment:
    held = vector(kept.name, kept.environment, kept.lock)
    return ComparedEnvironment(kept.name, kept.environment.cutoff, kept.lock.digest, held.of_record)


def look_at_all(watches: Sequence[Watch]) -> Watched:
    """The state of all watches; an environment that does not resolve has the reason."""
    floats = []
    for watch in watches:
        try:
            floats.append(watch.look().watched)
        except EnvironmentFailure as error:
            floats.append(WatchedFloat(name=watch.name, day=watch.float.day, problem=str(error)))
    return Watched(date=datetime.now(UTC).isoformat(timespec="seconds"), floats=tuple(floats))


def known_unresolved(watched: Watched | None, label: str) -> dict[str, str]:
    """The environments derived from today's floating one that did not resolve at the last look."""
    if watched is None:
        return {}
    return {
        release.environment: release.reason
        for held in watched.floats
        if held.environment == label
        for release in held.releases
        if release.state is ReleaseState.UNRESOLVED
    }
