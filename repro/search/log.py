"""The log of a search, from which it can be resumed and replayed: one JSON line for each fact, append-only.

The first line is the question with everything that its answer depends on; each further line is a point that was
tried.  Only whole lines count, so a line that a crash cut off is ignored.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from repro.environments.development import check_sources, with_addresses
from repro.files import writing
from repro.model.affected import is_affected
from repro.model.base import Strict
from repro.model.development_version import read_source
from repro.model.errors import StoreError
from repro.model.failure import Failure, Lane
from repro.model.matrix import Environment
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side, Verdict, side_of
from repro.search.bisection import SearchRange
from repro.search.confirm import Counts, PointRuns
from repro.search.environments import Variant
from repro.search.metric import MetricRule
from repro.store.answers import Run, SkippedRelease, Tried
from repro.verdict.judge import judge
from repro.verdict.result import Result

FORMAT: Literal[1] = 1
SUFFIX = ".jsonl"


class SearchPoint(Strict):
    """One point of a search, with its environment."""

    label: str
    """``4.50.0`` or ``2024-03-28``."""
    environment: str
    definition: Environment | None = None
    """None for an environment of the matrix."""
    day: str = ""

    @classmethod
    def of(cls, label: str, variant: Variant, day: str = "") -> "SearchPoint":
        return cls(label=label, environment=variant.name, definition=variant.definition, day=day)


class Digests(Strict):
    """Further dependencies of the answers in a log; a log with other digests must not be resumed."""

    script: str
    """The digest of the script and of what runs it."""
    record: str
    environment: str
    """The digest of the base environment with its lock."""

    def changed(self, other: "Digests") -> list[str]:
        """The names of the parts that differ."""
        return [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]


class Question(Strict):
    """The question of a bisection."""

    fact: Literal["question"] = "question"
    format: Literal[1] = FORMAT
    failure: str
    lane: Lane = Lane.CPU
    package: str | None
    """None for a bisection over days."""
    base: str
    """The environment from which the others are derived."""
    role: str = ""
    """In a record with stages, the role whose environment is moved; empty for that of all stages."""
    roles: dict[str, str] = {}
    """The environments of the other roles."""
    older: Side
    """The side of the older end."""
    fixed: tuple[bool, bool]
    """True if the user named the older end, and the newer end."""
    points: tuple[SearchPoint, ...]
    left_out: tuple[SkippedRelease, ...] = ()
    digests: Digests | None = None
    """None in logs of older versions."""
    metric: MetricRule | None = None
    """For a user's script that is judged by a number: the rule learned from both ends."""
    script: ScriptFailure | None = None
    """For a user's script: how it fails, learned from the bad end."""

    @property
    def range(self) -> SearchRange:
        return SearchRange(len(self.points), self.older, self.fixed)

    @property
    def find_fix(self) -> bool:
        return self.older is Side.BAD

    def on_this_machine(self, sources: Mapping[str, str]) -> "Question":
        """The question with the folders of local development versions, which no log names.

        Raises SourceError for one that ``sources`` does not have, or that is not here.
        """
        points = tuple(
            point.model_copy(update={"definition": with_addresses(point.definition, sources)})
            if point.definition
            else point
            for point in self.points
        )
        for definition in filter(None, (point.definition for point in points)):
            check_sources(definition)
        return self.model_copy(update={"points": points})

    @property
    def has_local_sources(self) -> bool:
        """True if a repository or a wheel of this machine is part of the question."""
        held = (point.definition.sources.values() for point in self.points if point.definition)
        return any(read_source(text).is_local for texts in held for text in texts)

    def describe(self, index: int) -> str:
        """``transformers 4.50.0``, or ``the stack of 2024-03-28``."""
        label = self.points[index].label
        return f"{self.package} {label}" if self.package else f"the stack of {label}"


def tried(
    label: str,
    environment: str,
    failure: Failure,
    result: Result,
    seconds: float,
    *,
    torchrun: bool = False,
    role: str = "",
) -> Tried:
    """The fact that a result gives for a point; ``torchrun`` is True if only torchrun was to start its ranks.

    ``role`` is that whose environment the search moves, where it is not the last stage's.
    """
    newest = result.newest
    own = newest.installed.versions if newest.installed else {}
    roles = {name: installed.versions for name, installed in newest.roles.items()}
    held = roles.get(role, own)
    return Tried(
        label=label,
        environment=environment,
        verdict=result.verdict,
        side=side_of(result.verdict),
        reason=result.judgement.reason,
        evidence=result.judgement.evidence,
        versions={name: held[name] for name in sorted({*failure.concerns, "torch"}) if name in held},
        # No record states with which versions a user's script should fail.
        affected=is_affected(failure, own, roles) if held and not isinstance(failure, ScriptFailure) else None,
        observations=tuple(observation.id for observation in result.observations),
        runs=tuple(
            Run(
                observation=observation.id,
                verdict=judge(failure, observation).verdict,
                launcher="torchrun" if torchrun or observation.is_cold else "warm",
                reused=number < result.reused,
            )
            for number, observation in enumerate(result.observations)
        ),
        reused=result.reused == result.n,
        seconds=round(seconds, 1),
    )


_LINE: TypeAdapter[Question | Tried] = TypeAdapter(Annotated[Question | Tried, Field(discriminator="fact")])


@dataclass
class SearchLog:
    """A log on disk."""

    file: Path
    question: Question
    tried: list[Tried] = field(default_factory=list)

    @classmethod
    def begin(cls, file: Path, question: Question) -> "SearchLog":
        """Start a log; raises StoreError if it exists or cannot be written."""
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.close(descriptor)
        journal = cls(file, question)
        journal._append(question)
        return journal

    @classmethod
    def new(cls, folder: Path, question: Question, facts: Iterable[Tried]) -> "SearchLog":
        """Start the log of a bisection in a folder, named by the time, with the facts so far."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        journal = cls.begin(folder / f"bisect-{question.package or 'days'}-{stamp}{SUFFIX}", question)
        for fact in facts:
            journal.add(fact)
        return journal

    @classmethod
    def read(cls, file: Path) -> "SearchLog":
        """Read a log; raises StoreError if it is missing, damaged or of an unknown format."""
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{file}: cannot be read: {getattr(error, 'strerror', 'is not UTF-8 text')}") from None
        lines = text.split("\n")[:-1]
        facts: list[Question | Tried] = []
        for number, line in enumerate(lines, 1):
            try:
                facts.append(_LINE.validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise StoreError(f"{file}:{number}: {where}: {first['msg'].lower()}") from None
        if not facts or not isinstance(facts[0], Question):
            raise StoreError(f"{file}: does not begin with a question")
        if len(text.rsplit("\n", 1)[-1]) > 0:
            _cut(file, len("".join(f"{line}\n" for line in lines).encode()))
        return cls(file, facts[0], [fact for fact in facts[1:] if isinstance(fact, Tried)])

    def add(self, fact: Tried) -> None:
        """Append a fact."""
        self._append(fact)
        self.tried.append(fact)

    def _append(self, fact: Strict) -> None:
        line = fact.model_dump_json() + "\n"
        with writing(self.file):
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def evidence(self) -> dict[int, PointRuns]:
        """The results of the runs, by the index of their points."""
        places = {point.label: index for index, point in enumerate(self.question.points)}
        labels = dict.fromkeys(fact.label for fact in self.tried if fact.label in places)
        return {places[label]: evidence_of(self.facts(label)) for label in labels}

    def facts(self, label: str) -> list[Tried]:
        """All facts of a point, the oldest first."""
        return [fact for fact in self.tried if fact.label == label]

    @property
    def labels(self) -> tuple[str, ...]:
        """The tried points, in the order of their first runs."""
        return tuple(dict.fromkeys(fact.label for fact in self.tried))


def describe_fact(fact: Tried) -> str:
    """``bad, reproduced: KeyError ...``; a fact without an answer is ``skipped``, with the reason."""
    side = "skipped" if fact.side is Side.SKIP else fact.side
    return f"{side}, {fact.text}"


def runs_of(facts: Sequence[Tried]) -> list[Run]:
    """The runs of several facts; a run that a later fact reused counts once."""
    found: dict[str, Run] = {}
    for fact in facts:
        for run in fact.runs:
            found.setdefault(run.observation, run)
    return list(found.values())


def evidence_of(facts: Sequence[Tried]) -> PointRuns:
    """The combined results of the facts of one point."""
    sides = {"warm": [fact.side for fact in facts if not fact.runs], "torchrun": []}
    for run in runs_of(facts):
        sides[run.launcher].append(side_of(run.verdict))
    warm, torchrun = (
        Counts(held.count(Side.BAD), held.count(Side.GOOD), held.count(Side.SKIP)) for held in sides.values()
    )
    return PointRuns(warm, torchrun)


def summary(facts: Sequence[Tried], side: Side, *, torchrun_only: bool) -> Tried:
    """One fact that combines all facts of a point, with the verdict of the runs that count."""
    runs = runs_of(facts)
    newest = next((fact for fact in reversed(facts) if fact.side is side), facts[-1])
    counted = [
        run
        for run in runs
        if side_of(run.verdict) is not Side.SKIP and (run.launcher == "torchrun" or not torchrun_only)
    ]
    changes: dict[str, object] = {
        "side": side,
        "runs": tuple(runs),
        "reused": all(run.reused for run in runs) if runs else newest.reused,
        "seconds": round(sum(fact.seconds for fact in facts), 1),
    }
    if counted and side is not Side.SKIP:
        verdicts = Counter(run.verdict for run in counted)
        changes["observations"] = tuple(run.observation for run in counted)
        changes["verdict"] = counted[0].verdict if len(verdicts) == 1 else Verdict.FLAKY
        if len(verdicts) > 1:
            changes["reason"] = ", ".join(f"{verdict} in {k} of {len(counted)} runs" for verdict, k in verdicts.items())
    elif runs:
        changes["observations"] = tuple(run.observation for run in runs)
    return newest.model_copy(update=changes)


def _cut(file: Path, size: int) -> None:
    """Remove a line that a crash left unfinished, so that the next one starts on a new line."""
    with writing(file):
        os.truncate(file, size)


def environments_of(points: Sequence[SearchPoint]) -> dict[str, Environment]:
    """The definitions of all points that are not environments of the matrix."""
    return {point.environment: point.definition for point in points if point.definition is not None}
