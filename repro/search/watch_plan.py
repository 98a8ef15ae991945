"""Plans the watch over new releases: which appeared, what was run on each, what must be run next.  Pure.

A floating environment is compared with *snapshots*: its own state on earlier days, and locked environments.  A release
is new if it was uploaded no earlier than the release in the newest complete snapshot.  It runs in today's floating
environment if that contains it, else in the same environment with this one library held at the release.  A
pre-release counts only if the floating environment contains it.

A release concerns every record that names its library, and a release of torch concerns all records.  This includes
fixed failures, since a relapse matters as much as a cure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from repro.model.affected import inapplicable, is_affected, is_open
from repro.model.base import Strict
from repro.model.failure import Failure
from repro.model.specifiers import covers
from repro.model.verdict import Side, Verdict, side_of
from repro.model.version import parsed_version
from repro.search.releases import PRERELEASE, Listing, Release
from repro.store.answers import SkippedRelease, Turned

WATCH_FILE = "watch.json"
"""The file of the last look, in the reports folder."""
TORCH = "torch"


class ReleaseState(StrEnum):
    """The progress on a new release."""

    RUN = "run"
    """Each record that it concerns has a conclusive run on it."""
    OWED = "owed"
    """Some record that it concerns has no conclusive run on it."""
    COOLING = "cooling"
    """It is younger than the cooling period, so nothing is owed yet."""
    UNRESOLVED = "does not resolve"
    """It does not resolve together with the other libraries, so nothing can be run on it."""


class WatchedRelease(Strict):
    """One new release of a watched distribution."""

    distribution: str
    version: str
    day: str
    """The upload day of its first file, in UTC."""
    state: ReleaseState
    reason: str = ""
    """Why it cannot be run now."""
    environment: str = ""
    """The environment in which it runs; empty while it is cooling."""
    run: dict[str, Verdict] = {}
    """Failure -> its conclusive verdict on this release."""
    owed: tuple[str, ...] = ()
    """The failures without a conclusive verdict, in the order in which they run."""
    undecided: dict[str, str] = {}
    """The failures in ``owed`` that were run without a verdict, each with the reason."""
    unexpected: tuple[str, ...] = ()
    """The failures in ``run`` whose verdict contradicts the record's specifiers."""

    @property
    def name(self) -> str:
        """``transformers 5.24.0``."""
        return f"{self.distribution} {self.version}"


class SeenChange(Strict):
    """A record whose verdict changed in a new environment."""

    failure: str
    before: str
    """The environment of the earlier verdict."""
    after: str
    was: Verdict
    found: Verdict
    searched: bool = False
    """True if the release to blame is known and stored."""


class WatchedFloat(Strict):
    """A floating environment and its new releases."""

    name: str
    environment: str = ""
    """Its name on that day; empty if nothing is known."""
    day: str
    """The last day whose uploads count."""
    base: str = ""
    """The snapshot with which new releases are compared."""
    problem: str = ""
    """Why nothing is known: it does not resolve, or the index cannot be read."""
    releases: tuple[WatchedRelease, ...] = ()
    left_out: dict[str, tuple[SkippedRelease, ...]] = {}
    """New releases that are never run, each with the reason, by distribution."""
    changes: tuple[SeenChange, ...] = ()

    @property
    def is_owed(self) -> bool:
        """True if a run is owed, or a change has not been searched."""
        return (
            bool(self.problem)
            or any(release.state is ReleaseState.OWED for release in self.releases)
            or any(not change.searched for change in self.changes)
        )


class Watched(Strict):
    """``watch.json``: the last answer of `repro watch` from the index."""

    format: Literal[1] = 1
    date: str
    """UTC, ISO 8601."""
    floats: tuple[WatchedFloat, ...]

    def beside(self, earlier: "Watched") -> "Watched":
        """An earlier look, updated with the environments of this one; the older day is kept."""
        newer = {held.name: held for held in self.floats}
        floats = tuple(newer.pop(held.name, held) for held in earlier.floats)
        return Watched(date=min(self.date, earlier.date), floats=(*floats, *newer.values()))

    @property
    def is_owed(self) -> bool:
        """True if something is owed, or nothing is known about a floating environment."""
        return any(held.is_owed for held in self.floats)

    @property
    def owed(self) -> int:
        """The number of runs owed on new releases."""
        return sum(len(release.owed) for held in self.floats for release in held.releases)

    @property
    def unexpected(self) -> int:
        """The number of verdicts on new releases that contradict the records."""
        return sum(len(release.unexpected) for held in self.floats for release in held.releases)

    @property
    def unsearched(self) -> int:
        """The number of changed verdicts that were not searched yet."""
        return sum(not change.searched for held in self.floats for change in held.changes)


@dataclass(frozen=True)
class ComparedEnvironment:
    """An environment with a lock, for comparison."""

    name: str
    day: str
    digest: str
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Seen:
    """The newest run of a record in a snapshot."""

    verdict: Verdict
    reason: str = ""

    @property
    def side(self) -> Side:
        return side_of(self.verdict)


Sightings = Mapping[tuple[str, str], Seen]
"""The newest runs by failure and digest of the lock."""


@dataclass(frozen=True)
class WatchFacts:
    """The input of a plan."""

    name: str
    """The name of the floating environment."""
    today: date
    cooling_days: int
    current: ComparedEnvironment
    """Today's floating environment."""
    others: Sequence[ComparedEnvironment]
    """Earlier snapshots of it, and the same environment with one library held at a release."""
    comparable: frozenset[str]
    """The digests of those ``others`` with which new releases may be compared."""
    listings: Mapping[str, Listing]
    """The releases of each watched distribution."""
    failures: Sequence[Failure]
    seen: Sightings
    unresolved: Mapping[str, str] = field(default_factory=dict)
    """Environments that do not resolve, each with the reason."""
    known: Sequence[Turned] = ()
    """The changes with a stored cause."""


@dataclass(frozen=True)
class OwedRun:
    """A record that must be run on a new release."""

    failure: str
    distribution: str
    version: str
    in_current: bool
    """True if today's floating environment contains the release."""


@dataclass(frozen=True)
class ChangeToSearch:
    """A change to be searched."""

    failure: str
    before: ComparedEnvironment
    after: ComparedEnvironment
    was: Seen
    found: Seen


@dataclass(frozen=True)
class WatchPlan:
    """The state of the watch and its next steps."""

    watched: WatchedFloat
    jobs: tuple[OwedRun, ...]
    turns: tuple[ChangeToSearch, ...]
    """The changes that were not searched yet."""


def concerns(failure: Failure, distribution: str, versions: Mapping[str, str]) -> bool:
    """True if a release of this distribution concerns the record, in an environment with these versions."""
    named = distribution == TORCH or distribution in failure.distributions
    return named and inapplicable(failure, versions) is None


def plan(facts: WatchFacts) -> WatchPlan:
    """The new releases, the runs that each owes, and the changed verdicts."""
    base = _base(facts)
    releases: list[WatchedRelease] = []
    left_out: dict[str, tuple[SkippedRelease, ...]] = {}
    for distribution, listing in facts.listings.items():
        held = base.versions.get(distribution)
        since = next((release.day for release in listing.releases if release.version == held), base.day)
        new = [release for release in listing.releases if release.day >= since]
        new = [release for release in new if _counts(release, facts.current.versions.get(distribution))]
        seen = [_watched(facts, distribution, release) for release in new]
        # On the first day, also if its runs were interrupted, the releases of that day are owed as well.
        is_first = base.digest == facts.current.digest
        releases += [
            release for release in seen if release.version != held or is_first or release.state is ReleaseState.OWED
        ]
        skipped = _skipped(listing, held)
        if skipped:
            left_out[distribution] = skipped
    # The newest stack matters most and comes first.
    releases.sort(key=lambda release: (release.environment != facts.current.name, release.day, release.name))
    changes = _changes(facts)
    watched = WatchedFloat(
        name=facts.name,
        environment=facts.current.name,
        day=facts.current.day,
        base=base.name,
        releases=tuple(releases),
        left_out=left_out,
        changes=tuple(
            SeenChange(
                failure=turn.failure,
                before=turn.before.name,
                after=turn.after.name,
                was=turn.was.verdict,
                found=turn.found.verdict,
                searched=_is_searched(facts, turn),
            )
            for turn in changes
        ),
    )
    unsearched = tuple(turn for turn in changes if not _is_searched(facts, turn))
    return WatchPlan(watched, tuple(_jobs(facts, releases)), unsearched)


def _counts(release: Release, current: str | None) -> bool:
    parsed = parsed_version(release.version)
    return release.version == current or (parsed is not None and not parsed.is_prerelease)


def _is_searched(facts: WatchFacts, turn: ChangeToSearch) -> bool:
    """True if a stored answer explains the change: the same two environments, or a release between them."""
    return any(
        known.failure == turn.failure
        and known.holds
        and known.after.side is turn.found.side
        and (
            known.locks == (turn.before.digest, turn.after.digest)
            or (known.exact and _lies_between(known.package, known.release, turn))
        )
        for known in facts.known
    )


def _lies_between(distribution: str, version: str, turn: ChangeToSearch) -> bool:
    texts = (turn.before.versions.get(distribution, ""), version, turn.after.versions.get(distribution, ""))
    first, middle, last = (parsed_version(text) for text in texts)
    return first is not None and middle is not None and last is not None and first < middle <= last


def _base(facts: WatchFacts) -> ComparedEnvironment:
    """The newest earlier snapshot whose releases owe nothing, else the oldest one."""
    earlier = sorted(
        (other for other in facts.others if other.digest in facts.comparable and other.day <= facts.current.day),
        key=lambda other: other.day,
    )
    complete = [other for other in earlier if _is_complete(facts, other)]
    return (complete or earlier[:1] or [facts.current])[-1]


def _is_complete(facts: WatchFacts, snapshot: ComparedEnvironment) -> bool:
    """True if each record has a verdict on the snapshot's release of each library that concerns it."""
    return all(
        any(_is_conclusive(facts, failure.id, place) for place in _places(facts, distribution, version))
        for distribution in facts.listings
        if (version := snapshot.versions.get(distribution)) is not None
        for failure in facts.failures
        if concerns(failure, distribution, snapshot.versions)
    )


def _places(facts: WatchFacts, distribution: str, version: str) -> list[ComparedEnvironment]:
    """The environments with a release, today's first."""
    return [place for place in (facts.current, *facts.others) if place.versions.get(distribution) == version]


def _is_conclusive(facts: WatchFacts, failure: str, snapshot: ComparedEnvironment) -> bool:
    seen = facts.seen.get((failure, snapshot.digest))
    return seen is not None and seen.side is not Side.SKIP


def _watched(facts: WatchFacts, distribution: str, release: Release) -> WatchedRelease:
    facts_of_it = {"distribution": distribution, "version": release.version, "day": release.day}
    if release.day > facts.current.day:
        wait = f"until {_thaws(release.day, facts.cooling_days)}"
        return WatchedRelease.model_validate({**facts_of_it, "state": ReleaseState.COOLING, "reason": wait})
    places = _places(facts, distribution, release.version)
    run: dict[str, Verdict] = {}
    owed: list[str] = []
    undecided: dict[str, str] = {}
    unexpected: list[str] = []
    versions = {**facts.current.versions, distribution: release.version}
    for failure in _ordered(facts.failures, distribution, versions):
        found = [facts.seen[failure.id, place.digest] for place in places if (failure.id, place.digest) in facts.seen]
        conclusive = next((seen for seen in found if seen.side is not Side.SKIP), None)
        if conclusive is not None:
            run[failure.id] = conclusive.verdict
            contradicts = (conclusive.side is Side.BAD) != is_affected(failure, versions)
            unexpected += [failure.id] if contradicts and not is_open(failure, versions) else []
            continue
        owed.append(failure.id)
        if found:
            undecided[failure.id] = f"{found[0].verdict}: {found[0].reason}"
    in_current = facts.current.versions.get(distribution) == release.version
    environment = facts.current.name if in_current else f"{facts.current.name} with {distribution} {release.version}"
    if owed and not run and environment in facts.unresolved:
        unresolved = {"state": ReleaseState.UNRESOLVED, "reason": facts.unresolved[environment]}
        return WatchedRelease.model_validate({**facts_of_it, "environment": environment, **unresolved})
    return WatchedRelease.model_validate(
        {
            **facts_of_it,
            "state": ReleaseState.OWED if owed else ReleaseState.RUN,
            "environment": environment,
            "run": run,
            "owed": tuple(owed),
            "undecided": undecided,
            "unexpected": tuple(unexpected),
        }
    )


def _thaws(day: str, cooling_days: int) -> str:
    """The first day on which a release of that day counts."""
    return (date.fromisoformat(day) + timedelta(days=cooling_days + 1)).isoformat()


def _ordered(failures: Iterable[Failure], distribution: str, versions: Mapping[str, str]) -> list[Failure]:
    """The records that a release concerns; those judged by this distribution come first."""
    concerned = [failure for failure in failures if concerns(failure, distribution, versions)]
    return sorted(concerned, key=lambda failure: distribution not in failure.judged_by)


def _skipped(listing: Listing, held: str | None) -> tuple[SkippedRelease, ...]:
    """The skipped releases above the one in the base, without pre-releases."""
    if held is None:
        return ()
    return tuple(
        entry
        for entry in listing.left_out
        if entry.reason != PRERELEASE and covers({"it": f">{held}"}, {"it": entry.version})
    )


def _jobs(facts: WatchFacts, releases: Sequence[WatchedRelease]) -> Iterable[OwedRun]:
    asked: set[tuple[str, str]] = set()
    for release in releases:
        in_current = release.environment == facts.current.name
        for failure in release.owed:
            key = (failure, release.environment)
            if key not in asked:
                asked.add(key)
                yield OwedRun(failure, release.distribution, release.version, in_current)


def _changes(facts: WatchFacts) -> list[ChangeToSearch]:
    """Each record whose verdict in today's environment, or in one with a held release, differs from before."""
    found = []
    held = [other for other in facts.others if other.digest not in facts.comparable]
    for after in (facts.current, *held):
        for failure in facts.failures:
            seen = facts.seen.get((failure.id, after.digest))
            before = _before(facts, failure.id, after)
            if seen is None or before is None or seen.side is Side.SKIP:
                continue
            was = facts.seen[failure.id, before.digest]
            if was.side is not seen.side:
                found.append(ChangeToSearch(failure.id, before, after, was, seen))
    return found


def _before(facts: WatchFacts, failure: str, after: ComparedEnvironment) -> ComparedEnvironment | None:
    """The newest earlier snapshot in which the record has a verdict and no watched library is newer.

    A patch release of an older series has none: a difference from the newest series is not a change.
    """
    earlier = [
        other
        for other in facts.others
        if other.digest in facts.comparable
        and other.digest not in {after.digest, facts.current.digest}
        and other.day <= after.day
        and _is_conclusive(facts, failure, other)
        and not any(_is_newer(other, after, distribution) for distribution in facts.listings)
    ]
    return max(earlier, key=lambda other: other.day, default=None)


def _is_newer(one: ComparedEnvironment, other: ComparedEnvironment, distribution: str) -> bool:
    first, second = (parsed_version(held.versions.get(distribution, "")) for held in (one, other))
    return first is not None and second is not None and first > second
