"""The question of a search: the range, its ends and their sides.  Pure, except that the index is read when needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.utils import canonicalize_name

from repro.model.affected import is_affected
from repro.model.errors import UsageError
from repro.model.failure import Failure, Lane
from repro.model.matrix import Matrix
from repro.model.specifiers import covers
from repro.model.verdict import Side
from repro.search.environments import Vector, as_of, days_between, with_release
from repro.search.log import Question, SearchPoint
from repro.search.releases import Fetch, Release, Releases
from repro.store.answers import SkippedRelease


def releases_to_search(matrix: Matrix, failure: Failure, base: Vector, package: str, fetch: Fetch) -> Releases:
    """The releases of a package that may be tried for a failure in an environment."""
    distribution = canonicalize_name(package)
    needed = failure.needs.distributions.get(distribution)

    def refuse(version: str) -> str | None:
        denied = matrix.denied(distribution, version)
        if denied is not None:
            return f"denied: {denied.reason}"
        if needed is not None and not covers({distribution: needed}, {distribution: version}):
            return f"the failure needs {distribution}{needed}"
        return None

    return Releases(distribution, base.environment.python, refuse, fetch=fetch)


@dataclass(frozen=True)
class Ends:
    """The ends that the user gave."""

    good: str | None = None
    bad: str | None = None
    find_fix: bool | None = None
    """None if the order of the two ends, or the record, decides."""


def question_of_releases(
    failure: Failure,
    base: Vector,
    releases: Releases,
    asked: Ends,
    lane: Lane = Lane.CPU,
    *,
    companions: Sequence[str] = (),
) -> Question:
    """The question of a bisection over releases; raises UsageError if the ends make no range.

    ``companions`` are packages that some of the releases require to be newer than the pins of the base environment.
    """
    low, high, older, fixed = _ends(failure, base, releases, asked)
    points = [point_of(base, releases.distribution, release, companions) for release in releases[low : high + 1]]
    return Question(
        failure=failure.id,
        lane=lane,
        package=releases.distribution,
        base=base.name,
        older=older,
        fixed=fixed,
        points=tuple(points),
        left_out=left_out_between(releases, releases[low], releases[high]),
    )


def left_out_between(releases: Releases, first: Release, last: Release) -> tuple[SkippedRelease, ...]:
    """The skipped releases between two releases."""
    within = {"it": f">={first.version},<={last.version}"}
    return tuple(entry for entry in releases.left_out if covers(within, {"it": entry.version}))


def _ends(failure: Failure, base: Vector, releases: Releases, asked: Ends) -> tuple[int, int, Side, tuple[bool, bool]]:
    """The first and the last release, the side of the older one, and which of the two the user named."""
    if len(releases) < 2:  # noqa: PLR2004 - a range has two ends
        raise UsageError(f"{releases.distribution} has {len(releases)} releases that can be tried")
    affected = affected_releases(failure, base, releases)
    last = len(releases) - 1
    good = releases.place(asked.good) if asked.good else None
    bad = releases.place(asked.bad) if asked.bad else None
    if good is not None and good == bad:
        raise UsageError(f"--good {asked.good} --bad {asked.bad}: two different releases are expected")
    if good is not None and bad is not None:
        fix = bad < good
        if asked.find_fix is not None and asked.find_fix is not fix:
            wanted = "older" if asked.find_fix else "newer"
            raise UsageError(f"--bad {asked.bad} must be {wanted} than --good {asked.good} for this question")
    elif asked.find_fix is not None:
        fix = asked.find_fix
    else:
        # The record decides whether the newer end is good or bad.
        fix = last not in affected if good is None else not any(index > good for index in affected)
    if bad is None:
        own = _own(releases, base)
        usable = [index for index in affected if good is None or (index < good if fix else index > good)]
        if not usable:
            raise UsageError(f"the record names no affected release on that side of {asked.good}; give --bad")
        bad = own if own in usable else usable[-1] if fix else usable[0]
    if good is None:
        good = last if fix else 0
    low, high = (bad, good) if fix else (good, bad)
    if low >= high:
        raise UsageError(f"nothing lies {'after' if fix else 'before'} {releases[bad].version}; give --good and --bad")
    named = (bool(asked.bad), bool(asked.good)) if fix else (bool(asked.good), bool(asked.bad))
    return low, high, Side.BAD if fix else Side.GOOD, named


def affected_releases(failure: Failure, base: Vector, releases: Releases) -> list[int]:
    """The indices of the releases that the record covers, together with the base environment's other packages."""
    return [
        index
        for index, release in enumerate(releases)
        if is_affected(failure, base.of_record | {releases.distribution: release.version})
    ]


def _own(releases: Releases, base: Vector) -> int | None:
    held = base.versions.get(releases.distribution)
    return next((index for index, release in enumerate(releases) if release.version == held), None)


def question_of_days(
    failure: Failure, base: Vector, *, good: str, bad: str, keep: Mapping[str, str], lane: Lane = Lane.CPU
) -> Question:
    """The question of a bisection over days; raises UsageError if the days make no range."""
    for option, day in (("--good", good), ("--bad", bad)):
        try:
            datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise UsageError(f"{option} {day}: a day such as 2024-03-28 is expected") from None
    if good == bad:
        raise UsageError(f"--good {good} --bad {bad}: two different days are expected")
    first, final = sorted((good, bad))
    points = [
        SearchPoint.of(day, as_of(base.name, base.environment, day, keep), day) for day in days_between(first, final)
    ]
    return Question(
        failure=failure.id,
        lane=lane,
        package=None,
        base=base.name,
        older=Side.GOOD if good < bad else Side.BAD,
        fixed=(True, True),
        points=tuple(points),
    )


def point_of(base: Vector, distribution: str, release: Release, companions: Sequence[str] = ()) -> SearchPoint:
    """A release in the base environment, as a point of a search."""
    variant = with_release(base, distribution, release.version, release.day, companions)
    return SearchPoint.of(release.version, variant, release.day)


def describe_skipped(left_out: Sequence[SkippedRelease]) -> list[str]:
    """``left out, pre-release: 4.50.0rc1, 4.51.0rc1``: one line for each reason; long lists are abbreviated."""
    reasons: dict[str, list[str]] = {}
    for entry in left_out:
        reasons.setdefault(entry.reason, []).append(entry.version)
    return [f"left out, {reason}: {_few(versions)}" for reason, versions in reasons.items()]


def _few(versions: Sequence[str], limit: int = 6) -> str:
    if len(versions) <= limit:
        return ", ".join(versions)
    return f"{len(versions)} from {versions[0]} to {versions[-1]}"
