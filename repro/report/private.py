"""Redacted copies of stored runs and answers; reports are written from these alone."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import is_
from pathlib import Path
from types import NoneType
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.model.cell import Cell, Named
from repro.model.observation import Rank
from repro.model.verdict import Judgement
from repro.report.redaction import Redactor, of_this_machine
from repro.report.rows import Lookup, Row
from repro.verdict.history import History
from repro.verdict.result import Result

Redact = Callable[[str], str]
Model = TypeVar("Model", bound=BaseModel)


def as_it_is(text: str) -> str:
    """The text unchanged."""
    return text


def redacted(model: Model, redact: Redact) -> Model:
    """A model with every text in it redacted; where nothing is replaced, the values are those of the model."""
    try:
        found: Model = _redacted(model, redact)
    except _OtherTypeError:
        return _redacted_as_json(model, redact)
    return found


class _OtherTypeError(TypeError):
    """A value of a type that is not known here, and that may hold text."""


_WITHOUT_TEXT = (bool, int, float, NoneType)


def _redacted(value: Any, redact: Redact) -> Any:
    """A value with its texts redacted: the very value if none is replaced.  Raises _OtherTypeError."""
    kind = type(value)
    if not value or kind in _WITHOUT_TEXT:
        return value
    if kind is str:
        text = redact(value)
        return value if text == value else text
    if isinstance(value, Enum):
        return value
    if kind in {tuple, list}:
        items = [_redacted(item, redact) for item in value]
        return value if all(map(is_, items, value)) else kind(items)
    if kind is dict:
        held = {key: _redacted(item, redact) for key, item in value.items()}
        return value if all(map(is_, held.values(), value.values())) else held
    if isinstance(value, BaseModel):
        held = value.__dict__
        changed = {
            name: text for name in kind.model_fields if (text := _redacted(old := held[name], redact)) is not old
        }
        return value.model_copy(update=changed) if changed else value
    raise _OtherTypeError(kind)


def _redacted_as_json(model: Model, redact: Redact) -> Model:
    """The same for a model with values of other types."""

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return redact(value)
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return type(model).model_validate(walk(model.model_dump(mode="json")))


@dataclass(frozen=True)
class RedactedLookup(Lookup):
    """A lookup whose results are redacted.

    A run is judged before it is redacted, since a label in a message must not change the verdict.
    """

    redact: Redact = field(default=as_it_is)
    output: bool = True
    """True if the results include what the ranks and the launcher printed."""
    _redacted: dict[str, Result] = field(default_factory=dict, repr=False, compare=False)

    def result(self, cell: Cell) -> Result | None:
        found = self.as_stored(cell)
        if found is None:
            return None
        if cell.label not in self._redacted:
            self._redacted[cell.label] = redacted_result(found, self.redact, output=self.output)
        return self._redacted[cell.label]

    def with_output(self, result: Result) -> Result:
        """A result of this lookup with what its ranks printed, redacted."""
        found = self.as_stored(result.cell)
        return result if found is None else redacted_result(found, self.redact)

    def of(self, failure: str) -> Self:
        return replace(super().of(failure), _redacted={})

    def row(self, cell: Cell) -> Row:
        """The row of a cell; only the judgement is redacted, since a row shows no other text of a run."""
        return redacted_row(super().row(cell), self.redact)


def redacted_result(result: Result, redact: Redact, *, output: bool = True) -> Result:
    """A result with its judgement and its runs redacted; without ``output``, what they printed is left out."""
    observations = tuple(
        observation.model_copy(
            update={
                "ranks": tuple(redacted(rank if output else _silent(rank), redact) for rank in observation.ranks),
                "fault": redact(observation.fault) if observation.fault else None,
                "launcher_tail": redact(observation.launcher_tail) if output else "",
            }
        )
        for observation in result.observations
    )
    shown = result.shown and next(seen for seen in observations if seen.id == result.newest.id)
    judgement = _redacted_judgement(result.judgement, redact)
    return replace(result, judgement=judgement, observations=observations, shown=shown)


def _silent(rank: Rank) -> Rank:
    """A rank without what it printed."""
    return rank.model_copy(update={"tail": ""}) if rank.tail else rank


def redacted_history(history: History, redact: Redact) -> History:
    """A history as the site shows it: what happened in the runs stands only where nothing else shows the last one."""
    *earlier, last = history.points
    # The runs of a named environment are shown from the lookup.
    whole = not isinstance(history.cell.environment, Named)
    shown = redacted_result(last.result, redact) if whole else without_runs(last.result, redact)
    before = (replace(point, result=without_runs(point.result, redact)) for point in earlier)
    return replace(history, points=(*before, replace(last, result=shown)))


def without_runs(result: Result, redact: Redact) -> Result:
    """A result with a redacted judgement and nothing that its ranks did, which no history shows."""
    nothing = {"ranks": (), "launcher_tail": "", "fault": None, "earlier": ()}
    observations = tuple(seen.model_copy(update=nothing) for seen in result.observations)
    return replace(
        result,
        judgement=_redacted_judgement(result.judgement, redact),
        observations=observations,
        shown=result.shown and result.shown.model_copy(update=nothing),
    )


def _redacted_judgement(judgement: Judgement, redact: Redact) -> Judgement:
    return replace(
        judgement,
        reason=redact(judgement.reason),
        evidence=redact(judgement.evidence),
        where=redact(judgement.where),
    )


def redactor_of(project: Project) -> Redactor:
    """The redactor for reports of a project on this machine."""
    folders = [(project.environments.built, "<environments>"), (project.cache, "<cache>")]
    return of_this_machine([*folders, (PACKAGE.parent, "<project>"), (Path.cwd(), "<folder>")])


def redacted_row(row: Row, redact: Redact) -> Row:
    """A row of a report with its texts redacted."""
    texts = {"reason": row.reason, "evidence": row.evidence, "where": row.where}
    changed = {name: redact(text) for name, text in texts.items() if text}
    return row.model_copy(update=changed | ({"not_run": redact(row.not_run)} if row.not_run else {}))
