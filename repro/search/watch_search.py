"""Finds the release that changed a verdict: a blame over the moved packages, then a bisection of one of them.

The searches are those of ``repro blame`` and ``repro bisect``: each runs its ends again through torchrun, and refuses
an answer on which the runs disagree.
"""

import difflib
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from repro.catalog.catalog import RECORD
from repro.catalog.project import Project
from repro.environments.locks import Lock
from repro.launch.session import Listener, Options
from repro.launch.slurm.batches import SlurmOptions
from repro.model.errors import ReproError, StoreError, UsageError
from repro.model.failure import Lane
from repro.model.matrix import Environment
from repro.model.verdict import Side
from repro.search.companions import Requires
from repro.search.environments import Vector, vector
from repro.search.lead import lead_bisection, lead_blame
from repro.search.log import SUFFIX, SearchLog
from repro.search.question import Ends, question_of_releases, releases_to_search
from repro.search.releases import Fetch, Release, listing
from repro.search.start import digests_of
from repro.search.trials import Trials
from repro.search.verdict_source import VerdictSource
from repro.search.watch_plan import ChangeToSearch
from repro.search.write import amend_record
from repro.store.answers import AnswerStore, Bisected, Blamed, RequiredRelease, Role, Tried, Turned
from repro.store.kept_locks import KeptLock
from repro.store.resolve_float import holding_kept

Notify = Callable[[str], None]


class BudgetSpentError(ReproError):
    """The given time is over; finished runs are stored."""


@dataclass(frozen=True)
class WatchBudget:
    """The time limit of a watch."""

    minutes: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def is_spent(self) -> bool:
        return self.minutes is not None and time.monotonic() - self.began >= 60 * self.minutes

    def check(self) -> None:
        """Raise BudgetSpentError if the time is over."""
        if self.is_spent:
            raise BudgetSpentError(f"the {self.minutes:g} minutes are over")


@dataclass(frozen=True)
class Within:
    """A source of verdicts that begins no run after the time is over."""

    source: VerdictSource
    budget: WatchBudget

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Register environments by name."""
        self.source.define(definitions)

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Run an environment for the first time; raises BudgetSpentError."""
        self.budget.check()
        return self.source.ask(name, label, ahead)

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """More runs of an environment; raises BudgetSpentError."""
        self.budget.check()
        return self.source.repeat(name, label, runs)

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""
        return self.source.lock(name)

    def requirements(self, name: str) -> Requires:
        """The requirements of each release in an environment."""
        return self.source.requirements(name)


@dataclass(frozen=True)
class TurnSearch:
    """Searches the changes of one watch."""

    project: Project
    answers: AnswerStore
    fetch: Fetch
    budget: WatchBudget
    listener: Listener
    notify: Notify
    slurm: SlurmOptions | None = None
    """The cluster that runs the points; None to run them here."""

    def search(self, turn: ChangeToSearch, kept: tuple[KeptLock, KeptLock]) -> Turned | None:
        """Find and store the release to blame for a change between two environments; None if undecided.

        Raises BudgetSpentError; finished runs are stored.
        """
        began = time.monotonic()
        failure = self.project.catalog[turn.failure].failure
        self.notify(
            f"{failure.id}: {turn.was.verdict} on {turn.before.name}, {turn.found.verdict} on {turn.after.name}"
        )
        project = self.project
        for held in kept:
            project = project if held.name in project.matrix.environments else holding_kept(project, held)
        start, end = (vector(held.name, held.environment, held.lock) for held in kept)
        options = Options(repeat=1, warm=True, fresh=False)
        try:
            with Trials(project, failure, options, self.listener, Lane.CPU, slurm=self.slurm) as trials:
                source = Within(trials, self.budget)
                blamed = lead_blame(source, failure, start, end, notify=self.notify)
                self.answers.put(blamed)
                bisected = self._bisect(trials.project, source, blamed, (start, end))
                required = _required(source, blamed, bisected)
        except (BudgetSpentError, StoreError):
            raise
        except ReproError as error:
            self.notify(f"{failure.id}: no release can be blamed: {error}")
            return None
        turned = self._turned(blamed, bisected, turn, start.environment.python, time.monotonic() - began)
        turned = turned.model_copy(update={"required": required})
        self.answers.put(turned)
        return turned

    def _bisect(
        self, project: Project, source: VerdictSource, blamed: Blamed, ends: tuple[Vector, Vector]
    ) -> Bisected | None:
        """The neighbours between which one package changed the verdict; None if there is no such package or range."""
        if len(blamed.causes) != 1 or len(blamed.causes[0]) != 1:
            return None
        (package,) = blamed.causes[0]
        start, end = ends
        before, after = start.versions.get(package), end.versions.get(package)
        if before is None or after is None:
            return None
        entry = project.catalog[blamed.failure]
        releases = releases_to_search(project.matrix, entry.failure, start, package, self.fetch)
        fix = blamed.start.side is Side.BAD
        asked = Ends(good=after if fix else before, bad=before if fix else after, find_fix=fix)
        try:
            moving = blamed.required.get(package, ())
            question = question_of_releases(entry.failure, start, releases, asked, companions=moving)
            digests = digests_of(project, entry, start.name, Lane.CPU)
        except UsageError as error:
            self.notify(f"{package}: its releases cannot be bisected: {error}")
            return None
        name = f"bisect-{package}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}{SUFFIX}"
        journal = SearchLog.begin(
            self.answers.folder(blamed.failure) / name, question.model_copy(update={"digests": digests})
        )
        answer = lead_bisection(source, entry.failure, journal, self.notify, self.answers.of(blamed.failure))
        self.answers.put(answer)
        return answer

    def _turned(
        self, blamed: Blamed, bisected: Bisected | None, turn: ChangeToSearch, python: str, seconds: float
    ) -> Turned:
        cause = blamed.causes[0] if blamed.causes else ()
        changes = [change for change in blamed.changes if change.distribution in cause]
        before, after = (bisected.before, bisected.after) if bisected else (blamed.start, blamed.end)
        exact = bisected is not None and bisected.confirmed and not bisected.untested
        last, release = (
            (before.label, after.label)
            if bisected
            else (
                " and ".join(change.before or "not installed" for change in changes),
                " and ".join(change.after or "not installed" for change in changes),
            )
        )
        proposal, problem = self._proposal(blamed.failure, bisected)
        return Turned(
            failure=blamed.failure,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            package=" and ".join(cause),
            last=last,
            release=release,
            day=self._day(cause, release, python),
            before=before,
            after=after,
            exact=exact,
            locks=(turn.before.digest, turn.after.digest),
            proposal=proposal,
            proposal_problem=problem,
            seconds=round(seconds, 1),
        )

    def _day(self, cause: Sequence[str], version: str, python: str) -> str:
        """The upload day of a release; empty if the index does not state it."""
        if len(cause) != 1:
            return ""
        found: Sequence[Release] = listing(self.fetch(cause[0]), python).releases
        return next((release.day for release in found if release.version == version), "")

    def _proposal(self, failure_id: str, bisected: Bisected | None) -> tuple[str, str]:
        """The record's new bound as a patch, and if there is none, the reason."""
        if bisected is None:
            return "", "no single release is to blame"
        entry = self.project.catalog[failure_id]
        file = entry.folder / RECORD
        text = file.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / RECORD
            copy.write_text(text, encoding="utf-8")
            try:
                amend_record(copy, entry.failure, bisected, self.answers.of(failure_id))
            except ReproError as error:
                return "", str(error).replace(str(copy), f"{entry.shown_folder}/{RECORD}")
            amended = copy.read_text(encoding="utf-8")
        name = f"{entry.shown_folder}/{RECORD}"
        lines = difflib.unified_diff(
            text.splitlines(keepends=True), amended.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
        return "".join(lines), ""


def _required(source: VerdictSource, blamed: Blamed, bisected: Bisected | None) -> tuple[RequiredRelease, ...]:
    """The releases that moved with the one to blame because it requires them."""
    cause = blamed.causes[0] if blamed.causes else ()
    names = {name for member in cause for name in blamed.required.get(member, ())}
    changes = [change for change in blamed.changes if change.distribution in names]
    before = {change.distribution: change.before for change in changes}
    after = {change.distribution: change.after for change in changes}
    if bisected is not None:
        before |= source.lock(bisected.before.environment).versions
        after |= source.lock(bisected.after.environment).versions
    return tuple(
        RequiredRelease(
            distribution=change.distribution, version=held, tried=change.part is Role.INNOCENT, reason=change.reason
        )
        for change in changes
        if (held := after[change.distribution]) is not None and held != before[change.distribution]
    )


def write_bound(project: Project, turned: Turned) -> str:
    """Write the proposed bound of a change into its record; returns one line that says what was done."""
    entry = project.catalog[turned.failure]
    stored = AnswerStore(project.reports / "data").of(turned.failure)
    for answer in stored:
        if isinstance(answer, Bisected) and (answer.package, answer.after.label) == (turned.package, turned.release):
            try:
                return amend_record(entry.folder / RECORD, entry.failure, answer, stored)
            except UsageError as error:
                return f"{turned.failure}: nothing was written: {error}"
    return f"{turned.failure}: nothing was written: {turned.proposal_problem or 'no bisection is stored'}"
