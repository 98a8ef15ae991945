"""Stored answers of searches: one JSON file for each question, written atomically, replaced by newer answers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from repro.files import path_inside, write_whole, writing
from repro.model.base import FileName, Strict
from repro.model.errors import StoreError
from repro.model.script_failure import ScriptFailure
from repro.model.specifiers import covers
from repro.model.verdict import Side, Verdict, side_of
from repro.model.version_change import VersionChange
from repro.store.observations import SEARCHES, read_stored


class Role(StrEnum):
    """The role of one change."""

    GUILTY = "guilty"
    """It belongs to a smallest set that flips the verdict."""
    NEEDED = "needed"
    """It belongs to that set, but only because the set does not resolve without it."""
    REQUIRED = "required"
    """A guilty change requires it, and it could not be tried alone."""
    INNOCENT = "innocent"
    """It was tried without the guilty changes, and the verdict stayed."""
    UNTESTED = "untested"
    """No set with it and without the guilty changes resolves."""


class Run(Strict):
    """One run of a point."""

    observation: str
    verdict: Verdict
    launcher: Literal["warm", "torchrun"]
    """The launcher that started the ranks, or should have."""
    reused: bool = False
    """True if a stored run was reused."""


class Tried(Strict):
    """One point that was tried, with the evidence."""

    fact: Literal["tried"] = "tried"
    label: str
    environment: str
    verdict: Verdict | None
    """None if the failure does not apply."""
    side: Side
    reason: str
    evidence: str = ""
    versions: dict[str, str] = {}
    """The versions of torch and of the distributions that the record names."""
    affected: bool | None = None
    """True if the record's specifiers cover the versions; None if nothing was installed."""
    observations: tuple[str, ...] = ()
    """The ids of the observations behind the verdict."""
    runs: tuple[Run, ...] = ()
    """All runs, including those that do not count; empty in answers of older versions, which ran each point once."""
    reused: bool = False
    seconds: float = 0.0
    """The seconds of the whole step: resolving, building, running."""

    @property
    def conclusive(self) -> int:
        """The number of runs that showed the failure or its absence."""
        return sum(side_of(run.verdict) is not Side.SKIP for run in self.runs)

    @property
    def agrees(self) -> bool | None:
        """True if the record agrees with the verdict; None if either is inconclusive."""
        if self.affected is None or self.side is Side.SKIP:
            return None
        return self.affected == (self.side is Side.BAD)

    @property
    def text(self) -> str:
        """``reproduced: KeyError: ...``."""
        why = self.evidence or self.reason
        return f"{self.verdict or 'does not apply'}: {why}" if why else str(self.verdict)


class SkippedRelease(Strict):
    """A release that is not tried, with the reason."""

    version: str
    reason: str


class Every(StrEnum):
    """Which releases of a package."""

    MINOR = "minor"
    """The last release of every minor series."""
    ALL = "all"


FORMAT: Literal[1] = 1


class BlamedChange(VersionChange):
    """One changed package of a blame, with its role."""

    part: Role
    reason: str = ""
    """Why a required change could not be tried alone."""


class Blamed(Strict):
    """The package changes that flip the verdict between two environments."""

    format: Literal[1] = FORMAT
    kind: Literal["blame"] = "blame"
    failure: FileName
    date: str
    start: Tried
    end: Tried
    causes: tuple[tuple[str, ...], ...]
    """Sets of distributions; each set is sufficient alone, together with what its members require."""
    required: dict[str, tuple[str, ...]] = {}
    """For each member of a cause: the distributions that moved with it, whose old versions it does not accept."""
    changes: tuple[BlamedChange, ...]
    tried: tuple[Tried, ...]
    seconds: float
    script: ScriptFailure | None = None
    """For a user's script: how it fails, learned from the failing end."""

    @property
    def slug(self) -> str:
        return _slug(f"blame-{self.start.environment}-{self.end.environment}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (self.start, self.end, *self.tried)

    def cause_text(self, cause: Sequence[str]) -> str:
        """``a and b``; ``transformers 5.2.0, with what it requires: huggingface-hub 1.4.1``."""
        after = {change.distribution: change.text_after for change in self.changes}
        texts = []
        for name in cause:
            required = ", ".join(after[other] for other in self.required.get(name, ()))
            texts.append(f"{after[name]}, with what it requires: {required}" if required else name)
        return " and ".join(texts)

    @property
    def untested(self) -> tuple[BlamedChange, ...]:
        return tuple(change for change in self.changes if change.part is Role.UNTESTED)


class Bisected(Strict):
    """The answer of a bisection: the neighbours between which the verdict changes."""

    format: Literal[1] = FORMAT
    kind: Literal["bisect"] = "bisect"
    failure: FileName
    date: str
    package: str | None
    base: str
    role: str = ""
    """In a record with stages, the role whose environment was moved; empty for that of all stages."""
    roles: dict[str, str] = {}
    """The environments of the other roles."""
    older: Side
    before: Tried
    """The last point with the verdict of the older end."""
    after: Tried
    """The first point with the verdict of the newer end."""
    untested: tuple[Tried, ...] = ()
    """Points between the two without an answer."""
    confirmed: bool = False
    """True if both neighbours were run again through torchrun; older versions did not do this."""
    noisy: bool = False
    """True if only some of the runs show the failure."""
    launchers_disagree: bool = False
    """True if torchrun and the warm launcher differed at a point, so that only torchrun's runs were counted."""
    other_changes: tuple[str, ...] = ()
    """Evidence of further changes, one line each."""
    lower_end_open: bool = False
    """True if the search began at a bad release and no older one was ever run."""
    between: tuple[str, str] | None = None
    """The verified older and newer end."""
    tried: tuple[Tried, ...]
    """One fact for each point, in the order of their first runs."""
    points: int
    also_moved: tuple[str, ...] = ()
    """Other packages that differ between the two environments."""
    upstream: tuple[str, ...] = ()
    left_out: tuple[SkippedRelease, ...] = ()
    log: str
    seconds: float
    blame: Blamed | None = None
    """For a bisection over days: which of the changed packages is to blame."""

    @property
    def slug(self) -> str:
        direction = "fix" if self.older is Side.BAD else "break"
        return _slug(f"bisect-{_of_role(self.package or 'days', self.role)}-{direction}-{self.ends[0]}-{self.ends[1]}")

    @property
    def ends(self) -> tuple[str, str]:
        """The two ends of the search; older versions stored them as the first two points."""
        return self.between or (self.tried[0].label, self.tried[1].label)

    @property
    def boundary(self) -> tuple[str | None, str, Side, str, str]:
        """The finding, without the ends: bisections between different ends can find the same."""
        return self.package, self.role, self.older, self.before.label, self.after.label

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        # The ends of the blame are points of the bisection.
        return (*self.tried, *(self.blame.tried if self.blame else ()))

    @property
    def disagreeing(self) -> tuple[Tried, ...]:
        """Points where the record's specifiers disagree with the verdict."""
        return tuple(fact for fact in self.tried if fact.agrees is False)

    @property
    def agrees(self) -> bool | None:
        """True if the record's specifiers agree; None for days, or if the change lies among untested points."""
        if self.package is None:
            return None
        if self.disagreeing:
            return False
        return None if self.untested else True


class Swept(Strict):
    """The verdicts of a failure over the releases of a package."""

    format: Literal[1] = FORMAT
    kind: Literal["sweep"] = "sweep"
    failure: FileName
    date: str
    package: str
    base: str
    role: str = ""
    """In a record with stages, the role whose environment was moved; empty for that of all stages."""
    roles: dict[str, str] = {}
    """The environments of the other roles."""
    every: Every
    tried: tuple[Tried, ...]
    """The oldest release first."""
    latest: Tried | None = None
    """The newest releases of the whole stack, if requested."""
    left_out: tuple[SkippedRelease, ...] = ()
    seconds: float

    @property
    def slug(self) -> str:
        return _slug(f"sweep-{_of_role(self.package, self.role)}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (*self.tried, *([self.latest] if self.latest else []))


class RequiredRelease(Strict):
    """A release that moved because another release does not accept its old version."""

    distribution: str
    version: str
    tried: bool
    """True if this package was moved alone and changed nothing."""
    reason: str = ""
    """Why it could not be tried alone."""

    @property
    def text(self) -> str:
        """``huggingface-hub 1.4.1, not tried alone``."""
        return f"{self.distribution} {self.version}{'' if self.tried else ', not tried alone'}"


class Turned(Strict):
    """A change of a failure's verdict by a new release, found by `repro watch --run`."""

    format: Literal[1] = FORMAT
    kind: Literal["release"] = "release"
    failure: FileName
    date: str
    package: str
    """The distribution to blame; several, joined by `` and ``, if only their changes together flip the verdict."""
    last: str
    """The last release before the change."""
    release: str
    """The first release with the change."""
    day: str
    """Its upload day; empty if the index does not state it."""
    required: tuple[RequiredRelease, ...] = ()
    """The releases that moved with it because it requires them."""
    before: Tried
    after: Tried
    exact: bool
    """True if a confirmed bisection found ``last`` and ``release`` to be neighbours."""
    locks: tuple[str, str]
    """The digests of the locks of the two compared environments."""
    proposal: str = ""
    """A patch of the record as a unified diff; empty if none is needed or none can be proposed."""
    proposal_problem: str = ""
    """Why no patch can be proposed."""
    seconds: float

    @property
    def slug(self) -> str:
        return _slug(f"release-{self.package}-{self.release}-{self.before.environment}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (self.before, self.after)

    @property
    def holds(self) -> bool:
        """True if today's rules still see a change; judged again, both ends may show the same."""
        return self.before.side is not Side.SKIP and self.after.side is self.before.side.opposite

    @property
    def is_cure(self) -> bool:
        return self.after.side is Side.GOOD

    @property
    def sentence(self) -> str:
        """``transformers 5.24.0 of 2026-11-21: X is cured (5.23.0 shows it, 5.24.0 does not, 2 of 2), ...``."""
        agreeing = sum(side_of(run.verdict) is self.after.side for run in self.after.runs)
        count = f"{agreeing} of {len(self.after.runs)}"
        shown = f"{self.last} {'shows' if self.is_cure else 'does not show'} it"
        shown += f", {self.release} does{' not' if self.is_cure else ''}"
        if self.after.agrees:
            advice = "as the record says"
        elif not self.exact:
            advice = "the release between them is not known exactly"
        else:
            advice = "the cap can go" if self.is_cure else f"stay below {self.release}"
        name = f"{self.package} {self.release}{f' of {self.day}' if self.day else ''}"
        if self.required:
            name += f", with what it requires ({'; '.join(release.text for release in self.required)})"
        return f"{name}: {self.failure} {'is cured' if self.is_cure else 'is back'} ({shown}, {count}), {advice}"


Stored = Bisected | Blamed | Swept | Turned
_STORED: TypeAdapter[Stored] = TypeAdapter(Annotated[Stored, Field(discriminator="kind")])


def replaces(new: Stored, old: Stored) -> bool:
    """True if an answer replaces an older one: both have the same question or the same finding."""
    same = new.slug == old.slug or (
        isinstance(new, Bisected) and isinstance(old, Bisected) and new.boundary == old.boundary
    )
    return new.failure == old.failure and same and new.date >= old.date


def changes_in_strip(answers: Sequence[Stored], package: str) -> list[str]:
    """One line for every stored sweep over the package whose verdict changes more than once."""
    lines = []
    for answer in answers:
        if not isinstance(answer, Swept) or answer.package != package:
            continue
        conclusive = [fact for fact in answer.tried if fact.side is not Side.SKIP]
        turns = [(one, other) for one, other in pairwise(conclusive) if one.side is not other.side]
        if len(turns) > 1:
            places = ", ".join(f"{one.label} {one.side} to {other.label} {other.side}" for one, other in turns)
            lines.append(f"the sweep of {answer.date[:10]} turns {len(turns)} times: {places}")
    return lines


def lower_end_tried(answers: Sequence[Stored], package: str, lowest: str) -> bool:
    """True if a stored run of a release older than ``lowest`` did not show the failure."""
    for answer in answers:
        for fact in answer.all_tried:
            held = fact.versions.get(package)
            if held is not None and fact.side is Side.GOOD and covers({package: f"<{lowest}"}, {package: held}):
                return True
    return False


def _of_role(package: str, role: str) -> str:
    return f"{package}-{role}" if role else package


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:150]


@dataclass(frozen=True)
class Stretch:
    """A range of neighbouring points with the same verdict."""

    first: Tried
    last: Tried
    count: int


def _alike(fact: Tried) -> tuple[object, ...]:
    return (fact.verdict, fact.agrees, fact.reason if fact.side is Side.SKIP else "")


def stretches(points: Sequence[Tried]) -> list[Stretch]:
    """Split a timeline into ranges of equal verdicts.

    Points are also separated if the record agrees with only one of them, or if the reasons of skips differ.
    """
    grouped = groupby(points, key=_alike)
    held = [list(group) for _, group in grouped]
    return [Stretch(group[0], group[-1], len(group)) for group in held]


@dataclass(frozen=True)
class AnswerStore:
    """The stored answers of a project: ``<data>/searches/<failure>/<question>.json``."""

    data: Path

    def folder(self, failure: str) -> Path:
        return self.data / SEARCHES / failure

    def put(self, answer: Stored) -> Path:
        """Store an answer, and remove those that it replaces.

        A failure that was fixed twice keeps both boundaries.  Raises StoreError.
        """
        file = path_inside(self.data, SEARCHES, answer.failure, f"{answer.slug}.json")
        with writing(file):
            write_whole(file, answer.model_dump_json(indent=1) + "\n")
            for place, held in self._of(answer.failure).items():
                if place != file and replaces(answer, held):
                    place.unlink(missing_ok=True)
        return file

    def of(self, failure: str) -> list[Stored]:
        """The stored answers for a failure, sorted by question."""
        return list(self._of(failure).values())

    def _of(self, failure: str) -> dict[Path, Stored]:
        folder = self.folder(failure)
        return {file: read_answer(file) for file in sorted(folder.glob("*.json"))} if folder.is_dir() else {}

    def __iter__(self) -> Iterator[Stored]:
        root = self.data / SEARCHES
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            yield from self.of(folder.name)


def read_answer(file: Path) -> Stored:
    """One stored answer; raises StoreError if it is damaged, of an unknown format, or of another failure."""
    content = read_stored(file)
    try:
        return _STORED.validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{file}: {where}: {first['msg'].lower()}; remove it and ask again") from None
