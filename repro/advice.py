"""What a change of versions would cure and bring, from the records' specifiers alone.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.catalog.records import Failure, covers
from repro.diagnosis import listed, specifiers_of
from repro.documents import Strict
from repro.stack import Stack
from repro.verdict import Verdict


class Standing(StrEnum):
    """How a record stands to a stack."""

    AFFECTED = "affected"
    CLEAR = "clear"
    UNKNOWN = "not known"
    """A version is not known, or lies below all that the record speaks of."""


def standing(failure: Failure, stack: Stack) -> Standing:
    """Affected or clear only where all versions that the stack allows agree."""
    found = {_of_versions(failure, versions) for versions in stack.readings(specifiers_of(failure))}
    return found.pop() if len(found) == 1 else Standing.UNKNOWN


def may_affect(failure: Failure, stack: Stack) -> bool:
    """Whether some versions that the stack allows are affected."""
    return any(listed(failure, versions) for versions in stack.readings(specifiers_of(failure)))


def _of_versions(failure: Failure, versions: Mapping[str, str]) -> Standing:
    if listed(failure, versions):
        return Standing.AFFECTED
    for name, text in failure.needs.distributions.items():
        if name in versions and not covers({name: text}, dict(versions)):
            return Standing.UNKNOWN
    return Standing.CLEAR


class Change(Strict):
    """One distribution at another version; None where it is not installed or not known."""

    distribution: str
    before: str | None
    after: str

    @property
    def is_downgrade(self) -> bool:
        return self.before is not None and Version(self.after) < Version(self.before)

    def __str__(self) -> str:
        return f"{self.distribution} {self.before or '(no version known)'} → {self.after}"


class Step(Strict):
    """What some changes would do, by failure."""

    changes: tuple[Change, ...]
    cured: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Affected before or maybe after, and one of the two is not known."""


def step(failures: Iterable[Failure], stack: Stack, versions: Mapping[str, str]) -> Step:
    """What moving to these versions would do."""
    after = stack.moved(versions)
    found: dict[str, list[str]] = {"cured": [], "brought": [], "kept": [], "unknown": []}
    for failure in failures:
        pair = standing(failure, stack), standing(failure, after)
        kinds = {
            (Standing.AFFECTED, Standing.CLEAR): "cured",
            (Standing.CLEAR, Standing.AFFECTED): "brought",
            (Standing.AFFECTED, Standing.AFFECTED): "kept",
        }
        kind = kinds.get(pair)
        if kind is None and (may_affect(failure, stack) or may_affect(failure, after)):
            kind = "unknown"
        if kind:
            found[kind].append(failure.id)
    changes = tuple(
        Change(distribution=name, before=stack.versions.get(name), after=version)
        for name, version in versions.items()
        if stack.versions.get(name) != version
    )
    return Step(changes=changes, **{kind: tuple(ids) for kind, ids in found.items()})


def steps(failures: Sequence[Failure], stack: Stack, versions: Mapping[str, str]) -> tuple[Step, ...]:
    """One step a package, and the whole set last where there are several."""
    single = [step(failures, stack, {name: version}) for name, version in versions.items()]
    return (*single, step(failures, stack, versions)) if len(single) > 1 else tuple(single)


class Reason(Strict):
    """A failure that begins beyond a cap."""

    failure: str
    first: str
    """The first release beyond the cap that has it."""
    fixed: str | None
    """The first release from which on none has it."""


class Cap(Strict):
    """Whether an upper bound is still needed, as far as the catalogue knows."""

    distribution: str
    specifiers: str
    newest_within: str | None
    newest: str
    since: str | None
    """The release from which on no failure that begins beyond the cap is left; None where the cap is needed."""
    reasons: tuple[Reason, ...] = ()
    costs: tuple[str, ...] = ()
    """Failures of the newest release within the cap that the release ``since``, or the newest one, has not."""

    @property
    def words(self) -> str:
        """One line."""
        name = f"{self.distribution}{self.specifiers}"
        held = f"; it keeps {', '.join(self.costs)}" if self.costs else ""
        left = [reason for reason in self.reasons if reason.fixed is None]
        if self.since is None and left:
            why = ", ".join(f"{reason.failure} begins with {reason.first}" for reason in left)
            return f"the cap {name} is still needed: {why}, and the newest release, {self.newest}, has it{held}"
        if self.since is None:
            return f"the cap {name} holds nothing back: {self.newest} is the newest release"
        if not self.reasons:
            return f"the cap {name} can go since {self.since}: no failure of the catalogue begins there{held}"
        gone = ", ".join(f"{reason.failure} ({reason.first} to before {reason.fixed})" for reason in self.reasons)
        return f"the cap {name} can go since {self.since}: past are {gone}{held}"


def upper_bound(specifiers: str) -> bool:
    """Whether a range ends somewhere."""
    return any(
        clause.operator in {"<", "<=", "~="} or clause.version.endswith(".*") for clause in SpecifierSet(specifiers)
    )


def cap(failures: Sequence[Failure], stack: Stack, distribution: str, specifiers: str, releases: Sequence[str]) -> Cap:
    """Judge an upper bound.

    ``releases`` are all of the distribution, the oldest first, and not empty.  A failure is a reason for the cap if
    it affects a release beyond it and not the newest one within; the other distributions are as the stack has them.
    """
    held = SpecifierSet(specifiers)
    inside = [version for version in releases if held.contains(version, prereleases=True)]
    last = Version(inside[-1]) if inside else None
    beyond = [v for v in releases if (last is None or Version(v) > last) and not held.contains(v, prereleases=True)]

    def affects(failure: Failure, version: str) -> bool:
        return may_affect(failure, stack.moved({distribution: version}))

    concerned = [failure for failure in failures if distribution in failure.distributions]
    reasons, since_index = [], 0
    for failure in concerned:
        if inside and affects(failure, inside[-1]):
            continue
        places = [index for index, version in enumerate(beyond) if affects(failure, version)]
        if places:
            after = places[-1] + 1
            fixed = beyond[after] if after < len(beyond) else None
            reasons.append(Reason(failure=failure.id, first=beyond[places[0]], fixed=fixed))
            since_index = max(since_index, after)
    since = beyond[since_index] if since_index < len(beyond) else None
    there = since or (beyond[-1] if beyond else None)
    costs = [
        failure.id
        for failure in concerned
        if inside and there and affects(failure, inside[-1]) and not affects(failure, there)
    ]
    return Cap(
        distribution=distribution,
        specifiers=specifiers,
        newest_within=inside[-1] if inside else None,
        newest=releases[-1],
        since=since,
        reasons=tuple(reasons),
        costs=tuple(costs),
    )


class Refused(Strict):
    """A set of changes that was proposed and is not the answer."""

    changes: tuple[Change, ...]
    why: str


GONE = frozenset({Verdict.ABSENT, Verdict.REJECTED})
"""What a run shows where a failure is not there."""


class Ran(Strict):
    """What a failure showed in the fresh environment of a set of changes."""

    failure: str
    verdict: Verdict
    why: str


class Found(Strict):
    """The smallest set of changes that leaves none of the failures that are cared about."""

    changes: tuple[Change, ...]
    distance: int
    """Releases between the old and the new versions, summed up."""
    carried: tuple[Change, ...] = ()
    """What the resolver moves besides."""
    ran: tuple[Ran, ...] = ()
    """Runs in a fresh environment; empty where it was not verified."""
    step: Step

    @property
    def verified(self) -> bool:
        """Whether runs showed that none of the failures is left."""
        return bool(self.ran) and {item.verdict for item in self.ran} <= GONE


class Sought(Strict):
    """The answer of a search for versions."""

    care: tuple[str, ...]
    open: tuple[str, ...] = ()
    """Cared about, and affecting every release there is."""
    found: Found | None = None
    refused: tuple[Refused, ...] = ()
    left_out: tuple[str, ...] = ()
    """Installed distributions that the resolver was not asked about, with the reason."""
    why_none: str = ""


class Advice(Strict):
    """The answer of ``repro advise --json``."""

    format: Literal[1] = 1
    source: str
    python: str | None
    versions: dict[str, str]
    affected: tuple[str, ...]
    unknown: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    caps: tuple[Cap, ...] = ()
    sought: Sought | None = None
