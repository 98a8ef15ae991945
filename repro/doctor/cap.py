"""Judges upper bounds of versions: which failures a cap avoids, and whether it can be removed."""

from collections.abc import Sequence

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.doctor.exposure import may_affect
from repro.doctor.stack.stack import Stack
from repro.model.base import Strict
from repro.model.failure import Failure


class Reason(Strict):
    """A failure that begins at a release above the cap."""

    failure: str
    first: str
    """The first release above the cap that has it."""
    fixed: str | None
    """The first release without it again; None if the newest release has it."""


class Cap(Strict):
    """The judgement whether an upper bound is still needed, by the failures of the catalogue."""

    distribution: str
    specifiers: str
    newest_within: str | None
    newest: str
    since: str | None
    """The first release without any failure that begins above the cap; None if the cap is still needed."""
    reasons: tuple[Reason, ...] = ()
    costs: tuple[str, ...] = ()
    """Failures of the newest release within the cap that the release ``since`` (or the newest) does not have."""

    @property
    def text(self) -> str:
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
    """True if a range has an upper end."""
    return any(
        clause.operator in {"<", "<=", "~="} or clause.version.endswith(".*") for clause in SpecifierSet(specifiers)
    )


def cap(failures: Sequence[Failure], stack: Stack, distribution: str, specifiers: str, releases: Sequence[str]) -> Cap:
    """Judge an upper bound.

    ``releases`` are the distribution's releases, the oldest first, at least one.  A failure is a reason for the cap if
    it affects a release above the cap but not the newest one within.  Other distributions keep their versions.
    """
    held = SpecifierSet(specifiers)
    inside = [version for version in releases if held.contains(version, prereleases=True)]
    last = Version(inside[-1]) if inside else None
    beyond = [v for v in releases if (last is None or Version(v) > last) and not held.contains(v, prereleases=True)]

    def affects(failure: Failure, version: str) -> bool:
        return may_affect(failure, stack.moved({distribution: version}))

    concerned = [failure for failure in failures if distribution in failure.concerns]
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
