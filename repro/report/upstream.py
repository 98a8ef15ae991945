"""Compares upstream's statements about a failure with the runs.  Pure: a record, rows and stored answers in.

Upstream states whether its report is open and which release has the fix.  Runs are the default cells with a
conclusive verdict, and the points of stored searches.  Cells with a changed factor or a backport are ignored: they
are no evidence about a release.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from packaging.version import Version

from repro.model.failure import Failure
from repro.model.verdict import Expectation, Side, Verdict, side_of
from repro.model.version import parsed_version
from repro.report.format import VERDICT_GLYPHS
from repro.report.rows import Row
from repro.store.answers import Bisected, Stored


@dataclass(frozen=True)
class SeenRelease:
    """One stored run without a changed factor or backport, conclusive or not."""

    where: str
    """The environment, with the lane if it is not the default one."""
    versions: dict[str, str]
    """The versions of the packages that upstream's statement or the affected specifiers name."""
    verdict: str
    side: Side

    @property
    def text(self) -> str:
        """``lightning 2.6.6 (✓ absent)``; with the environment's name if no version is known."""
        held = " ".join(f"{name} {version}" for name, version in self.versions.items()) or self.where
        return f"{held} ({VERDICT_GLYPHS[self.verdict]} {self.verdict})"


class Rule(StrEnum):
    """The kind of contradiction."""

    OPEN_BUT_GONE = "open, but not seen in the newest release that was run"
    CLOSED_BUT_SEEN = "closed, but seen in the newest release that was run"
    FIXED_BUT_SEEN = "fixed, but seen in a release that has the fix"
    OTHER_BOUNDARY = "fixed in another release than the bisection found"
    UNREPORTED = "not reported, and seen in the newest release that was run"


@dataclass(frozen=True)
class Disagreement:
    """One contradiction between upstream and the runs."""

    rule: Rule
    text: str
    """One sentence that names the releases."""


class UpstreamAgreement(StrEnum):
    """The comparison of upstream's statements with all runs."""

    DISAGREES = "disagrees"
    AGREES = "agrees"
    NOT_JUDGED = "could not be judged"


@dataclass(frozen=True)
class UpstreamComparison:
    """One failure: upstream's statements, the newest releases that were run, and every disagreement."""

    failure: str
    declared: str
    """``closed, fixed in lightning 2.2.2``."""
    looked: str | None
    """The day on which a person last read upstream's issues."""
    newest: tuple[SeenRelease, ...]
    """The conclusive runs for which there is no newer run."""
    disagreements: tuple[Disagreement, ...]

    @property
    def reading(self) -> UpstreamAgreement:
        if self.disagreements:
            return UpstreamAgreement.DISAGREES
        return UpstreamAgreement.AGREES if self.newest else UpstreamAgreement.NOT_JUDGED

    @property
    def present(self) -> bool:
        """True if one of the newest runs shows the failure."""
        return any(point.side is Side.BAD for point in self.newest)


def compare_with_upstream(failure: Failure, rows: Iterable[Row], answers: Sequence[Stored] = ()) -> UpstreamComparison:
    """Compare upstream's statements with the rows and answers of one failure; those of others are ignored."""
    points = _points(failure, rows, answers)
    newest = _newest(points)
    found = [*_state(failure, newest), *_later(failure, points, newest), *_boundaries(failure, answers)]
    return UpstreamComparison(failure.id, format_declared(failure), failure.upstream.looked, newest, tuple(found))


def format_declared(failure: Failure) -> str:
    """``closed, fixed in lightning 2.2.2``."""
    fixed = " or ".join(f"{name} {version}" for name, version in failure.fixed_in.items())
    return f"{failure.upstream.state}{f', fixed in {fixed}' if fixed else ''}"


LOOK_DAYS = 90
"""After this many days an issue that was open may well be closed."""


def has_old_look(failure: Failure, day: date) -> bool:
    """True if upstream was last read more than ``LOOK_DAYS`` ago, or if the day was not recorded."""
    if not failure.upstream.issues and not failure.upstream.fixes:
        return False
    looked = failure.upstream.looked
    return looked is None or date.fromisoformat(looked) < day - timedelta(days=LOOK_DAYS)


def _points(failure: Failure, rows: Iterable[Row], answers: Iterable[Stored]) -> list[SeenRelease]:
    names = sorted({name for releases in failure.affected for name in releases} | set(failure.fixed_in))
    found: dict[tuple[object, ...], SeenRelease] = {}

    def add(where: str, versions: dict[str, str], verdict: str) -> None:
        held = {name: versions[name] for name in names if name in versions}
        point = SeenRelease(where, held, verdict, side_of(Verdict(verdict)))
        if point.side is not Side.SKIP:
            found.setdefault((*sorted(held.items()), where, verdict), point)

    for row in rows:
        # Where two environments decide together, only those say anything that should have it together.
        tells = row.expected == Expectation.REPRODUCED or not failure.depends_on_roles
        if row.cell.failure == failure.id and row.cell.is_default and not row.cell.backport and row.verdict and tells:
            lane = "" if row.cell.lane == "cpu" else f" [{row.cell.lane}]"
            add(f"{row.cell.environment.label}{lane}", row.versions, row.verdict)
    for answer in answers:
        for fact in answer.all_tried if answer.failure == failure.id and not failure.depends_on_roles else ():
            if fact.verdict:
                add(fact.environment, fact.versions, fact.verdict)
    return list(found.values())


@lru_cache(maxsize=4096)
def _version(text: str) -> Version | None:
    """The version without its local part, or None if the text is not a version."""
    parsed = parsed_version(text)
    return Version(parsed.public) if parsed else None


def _newer(one: SeenRelease, other: SeenRelease) -> bool:
    """True if no package of ``one`` is older than that of ``other``, and at least one is newer."""
    pairs = [
        (_version(one.versions[name]), _version(other.versions[name]))
        for name in one.versions
        if name in other.versions
    ]
    known = [(left, right) for left, right in pairs if left is not None and right is not None]
    return bool(known) and all(left >= right for left, right in known) and any(left > right for left, right in known)


def _newest(points: Sequence[SeenRelease]) -> tuple[SeenRelease, ...]:
    return tuple(point for point in points if not any(_newer(other, point) for other in points))


def _joined(points: Sequence[SeenRelease]) -> str:
    return ", ".join(dict.fromkeys(point.text for point in points))


def _state(failure: Failure, newest: Sequence[SeenRelease]) -> Iterator[Disagreement]:
    shown = [point for point in newest if point.side is Side.BAD]
    if failure.upstream.state == "open" and newest and not shown:
        words = f"Upstream's report is open; the newest release that was run does not show it: {_joined(newest)}."
        yield Disagreement(Rule.OPEN_BUT_GONE, words)
    if failure.upstream.state == "unreported" and shown:
        words = f"No report upstream is known; the newest release that was run shows it: {_joined(shown)}."
        yield Disagreement(Rule.UNREPORTED, words)


def _later(failure: Failure, points: Sequence[SeenRelease], newest: Sequence[SeenRelease]) -> Iterator[Disagreement]:
    """The releases that show the failure although upstream calls it fixed."""
    if failure.fixed_in:
        late = [point for point in points if point.side is Side.BAD and _has_fix(failure, point)]
        if late:
            words = f"Upstream says {format_declared(failure)}; these show it all the same: {_joined(late)}."
            yield Disagreement(Rule.FIXED_BUT_SEEN, words)
        return
    shown = [point for point in newest if point.side is Side.BAD]
    if failure.upstream.state == "closed" and shown:
        words = f"Upstream's report is closed and names no release; the newest that was run shows it: {_joined(shown)}."
        yield Disagreement(Rule.CLOSED_BUT_SEEN, words)


def _has_fix(failure: Failure, point: SeenRelease) -> bool:
    """True if a package is at the release that upstream names as fixed, or above."""
    for name, fixed in failure.fixed_in.items():
        held, stated = _version(point.versions.get(name, "")), _version(fixed)
        if held is not None and stated is not None and held >= stated:
            return True
    return False


def _boundaries(failure: Failure, answers: Iterable[Stored]) -> Iterator[Disagreement]:
    for answer in answers:
        if not isinstance(answer, Bisected) or answer.failure != failure.id or answer.older is not Side.BAD:
            continue
        fixed = failure.fixed_in.get(answer.package or "")
        # Upstream speaks of the release that shows the failure, which is that of the last stage.
        if fixed is None or (answer.role and answer.role != failure.roles[-1]):
            continue
        stated, last, first = _version(fixed), _version(answer.before.label), _version(answer.after.label)
        if stated is None or last is None or first is None or last < stated <= first:
            continue
        words = (
            f"Upstream says fixed in {answer.package} {fixed}; the bisection from {answer.base} found"
            f" {answer.before.label} the last bad and {answer.after.label} the first good release."
        )
        yield Disagreement(Rule.OTHER_BOUNDARY, words)
