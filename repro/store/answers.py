"""What searches found, as it is stored: one JSON file a question, written whole, replaced by a newer answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from repro.errors import StoreError
from repro.files import path_inside, write_whole, writing
from repro.model.base import FileName, Strict
from repro.model.script_failure import ScriptFailure
from repro.model.specifiers import covers
from repro.model.verdict import Side, Verdict, side_of
from repro.model.version_change import VersionChange
from repro.store.observations import SEARCHES, read_stored


class Role(StrEnum):
    """What is known of one change."""

    GUILTY = "guilty"
    """It belongs to a smallest set that flips the answer."""
    NEEDED = "needed"
    """It belongs to that set, but only because what is left without it does not resolve."""
    REQUIRED = "required"
    """A guilty one requires it and moved with it; without that one it could not be tried."""
    INNOCENT = "innocent"
    """It was tried without the guilty ones, and the answer stayed."""
    UNTESTED = "untested"
    """No set with it and without the guilty ones resolves."""


class Run(Strict):
    """One run of a point."""

    observation: str
    verdict: Verdict
    launcher: Literal["warm", "torchrun"]
    """What started the ranks, or was meant to."""
    reused: bool = False
    """True if the run was stored before."""


class Tried(Strict):
    """One point that was tried, and the evidence."""

    fact: Literal["tried"] = "tried"
    label: str
    environment: str
    verdict: Verdict | None
    """None where the failure does not apply."""
    side: Side
    reason: str
    evidence: str = ""
    versions: dict[str, str] = {}
    """Of the distributions that the record speaks of, and torch."""
    affected: bool | None = None
    """Whether the record's specifiers cover the versions; None if nothing was installed."""
    observations: tuple[str, ...] = ()
    """Those that the verdict rests on."""
    runs: tuple[Run, ...] = ()
    """All runs, also those that do not count; empty in answers of older versions, which ran each point once."""
    reused: bool = False
    seconds: float = 0.0
    """Of the whole step: resolving, building, running."""

    @property
    def conclusive(self) -> int:
        """How many of its runs showed that the failure is there, or that it is not."""
        return sum(side_of(run.verdict) is not Side.SKIP for run in self.runs)

    @property
    def agrees(self) -> bool | None:
        """Whether the record says what was seen; None where either says nothing."""
        if self.affected is None or self.side is Side.SKIP:
            return None
        return self.affected == (self.side is Side.BAD)

    @property
    def text(self) -> str:
        """``reproduced: KeyError: ...``."""
        why = self.evidence or self.reason
        return f"{self.verdict or 'does not apply'}: {why}" if why else str(self.verdict)


class SkippedRelease(Strict):
    """A release that is not tried, and why."""

    version: str
    reason: str


class Every(StrEnum):
    """Which releases of a package."""

    MINOR = "minor"
    """The last one of every minor series."""
    ALL = "all"


FORMAT: Literal[1] = 1


class BlamedChange(VersionChange):
    """One package of a blame, with its role."""

    part: Role
    reason: str = ""
    """Why a required one could not be tried alone."""


class Blamed(Strict):
    """Which package changes turn the verdict round between two environments."""

    format: Literal[1] = FORMAT
    kind: Literal["blame"] = "blame"
    failure: FileName
    date: str
    start: Tried
    end: Tried
    causes: tuple[tuple[str, ...], ...]
    """Sets of distributions, each of which is enough alone, with what its members require."""
    required: dict[str, tuple[str, ...]] = {}
    """By member of a cause: the distributions whose old versions its release does not accept; they moved with it."""
    changes: tuple[BlamedChange, ...]
    tried: tuple[Tried, ...]
    seconds: float
    script: ScriptFailure | None = None
    """Of a user's script: how it fails, as it was learned from the end that does."""

    @property
    def slug(self) -> str:
        return _slug(f"blame-{self.start.environment}-{self.end.environment}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (self.start, self.end, *self.tried)

    def cause_text(self, cause: Sequence[str]) -> str:
        """``a and b``; ``transformers 5.2.0, with what it requires: huggingface-hub 1.4.1``."""
        after = {change.distribution: f"{change.distribution} {change.after or 'removed'}" for change in self.changes}
        texts = []
        for name in cause:
            required = ", ".join(after[other] for other in self.required.get(name, ()))
            texts.append(f"{after[name]}, with what it requires: {required}" if required else name)
        return " and ".join(texts)

    @property
    def untested(self) -> tuple[BlamedChange, ...]:
        return tuple(change for change in self.changes if change.part is Role.UNTESTED)


class Bisected(Strict):
    """Between which neighbours the answer changes."""

    format: Literal[1] = FORMAT
    kind: Literal["bisect"] = "bisect"
    failure: FileName
    date: str
    package: str | None
    base: str
    older: Side
    before: Tried
    """The last point that is as the older end is."""
    after: Tried
    """The first point that is as the newer end is."""
    untested: tuple[Tried, ...] = ()
    """Points between the two that have no answer."""
    confirmed: bool = False
    """True if both neighbours were run again through torchrun; older versions did not do so."""
    noisy: bool = False
    """True if the failure shows in some of the runs only."""
    launchers_disagree: bool = False
    """True if torchrun showed something else than the warm launcher at a point, and only its runs were counted."""
    other_changes: tuple[str, ...] = ()
    """Evidence that this is not the only change: a line each."""
    lower_end_open: bool = False
    """True if the search began at a bad release, and no older one was ever run."""
    between: tuple[str, str] | None = None
    """The older and the newer end, as verified."""
    tried: tuple[Tried, ...]
    """A fact a point, in the order in which they were first run."""
    points: int
    also_moved: tuple[str, ...] = ()
    """Other packages that differ between the two environments."""
    upstream: tuple[str, ...] = ()
    left_out: tuple[SkippedRelease, ...] = ()
    log: str
    seconds: float
    blame: Blamed | None = None
    """Of a bisection over days: which of the packages that changed it was."""

    @property
    def slug(self) -> str:
        direction = "fix" if self.older is Side.BAD else "break"
        return _slug(f"bisect-{self.package or 'days'}-{direction}-{self.ends[0]}-{self.ends[1]}")

    @property
    def ends(self) -> tuple[str, str]:
        """Between which points it was asked; older versions tried both before all others."""
        return self.between or (self.tried[0].label, self.tried[1].label)

    @property
    def boundary(self) -> tuple[str | None, Side, str, str]:
        """What was found: two bisections between other ends can find the same."""
        return self.package, self.older, self.before.label, self.after.label

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        # The ends of the blame are points of the bisection.
        return (*self.tried, *(self.blame.tried if self.blame else ()))

    @property
    def disagreeing(self) -> tuple[Tried, ...]:
        """Points where the record's specifiers say something else than what was seen."""
        return tuple(fact for fact in self.tried if fact.agrees is False)

    @property
    def agrees(self) -> bool | None:
        """Whether the record's specifiers agree; None for days, and where the change lies among untested points."""
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
    every: Every
    tried: tuple[Tried, ...]
    """The oldest release first."""
    latest: Tried | None = None
    """The newest releases of the whole stack, where they were asked for."""
    left_out: tuple[SkippedRelease, ...] = ()
    seconds: float

    @property
    def slug(self) -> str:
        return _slug(f"sweep-{self.package}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (*self.tried, *([self.latest] if self.latest else []))


class RequiredRelease(Strict):
    """A release that another one needs: the older one of before cannot be installed beside it."""

    distribution: str
    version: str
    tried: bool
    """True if this package was moved alone, and changed nothing."""
    reason: str = ""
    """Why it could not be tried alone."""

    @property
    def text(self) -> str:
        """``huggingface-hub 1.4.1, not tried alone``."""
        return f"{self.distribution} {self.version}{'' if self.tried else ', not tried alone'}"


class Turned(Strict):
    """What a new release changed for a failure: found by `repro watch --run`."""

    format: Literal[1] = FORMAT
    kind: Literal["release"] = "release"
    failure: FileName
    date: str
    package: str
    """The distribution to blame; several joined by `` and `` if only their changes together turn the verdict."""
    last: str
    """The last release as before."""
    release: str
    """The first release that is different."""
    day: str
    """Its upload day; empty if the index does not state it."""
    required: tuple[RequiredRelease, ...] = ()
    """What moved with it because it requires it."""
    before: Tried
    after: Tried
    exact: bool
    """True if a confirmed bisection found that no release lies between ``last`` and ``release``."""
    locks: tuple[str, str]
    """Digests of the locks of the two environments that were compared."""
    proposal: str = ""
    """A patch of the record as a unified diff; empty if the record needs none, or none can be proposed."""
    proposal_problem: str = ""
    """Why none can be proposed."""
    seconds: float

    @property
    def slug(self) -> str:
        return _slug(f"release-{self.package}-{self.release}-{self.before.environment}")

    @property
    def all_tried(self) -> tuple[Tried, ...]:
        return (self.before, self.after)

    @property
    def holds(self) -> bool:
        """True if the rules of today still see a change: judged again, both ends may show the same."""
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
    """True if an answer replaces one that is no newer: both have the same question or the same finding."""
    same = new.slug == old.slug or (
        isinstance(new, Bisected) and isinstance(old, Bisected) and new.boundary == old.boundary
    )
    return new.failure == old.failure and same and new.date >= old.date


def changes_in_strip(answers: Sequence[Stored], package: str) -> list[str]:
    """A line for every stored sweep over the package whose verdicts turn round more than once."""
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
    """True if a stored run of an older release of the package than ``lowest`` did not show the failure."""
    for answer in answers:
        for fact in answer.all_tried:
            held = fact.versions.get(package)
            if held is not None and fact.side is Side.GOOD and covers({package: f"<{lowest}"}, {package: held}):
                return True
    return False


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:150]


@dataclass(frozen=True)
class Stretch:
    """Neighbours with the same verdict."""

    first: Tried
    last: Tried
    count: int


def _alike(fact: Tried) -> tuple[object, ...]:
    return (fact.verdict, fact.agrees, fact.reason if fact.side is Side.SKIP else "")


def stretches(points: Sequence[Tried]) -> list[Stretch]:
    """A timeline as ranges of equal verdicts.

    Points stay apart if the record agrees with one and not with the other, or if the reasons of skips differ.
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
        """Store an answer in place of those that it replaces.

        A failure that was mended twice keeps both boundaries.  Raises StoreError.
        """
        file = path_inside(self.data, SEARCHES, answer.failure, f"{answer.slug}.json")
        with writing(file):
            write_whole(file, answer.model_dump_json(indent=1) + "\n")
            for place, held in self._of(answer.failure).items():
                if place != file and replaces(answer, held):
                    place.unlink(missing_ok=True)
        return file

    def of(self, failure: str) -> list[Stored]:
        """What is stored for a failure, by the name of the question."""
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
