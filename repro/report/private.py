"""Redacted copies of stored runs and answers; reports are written from these alone."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.model.cell import Cell
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
    """A model with every text in it redacted."""

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
            self._redacted[cell.label] = redacted_result(found if self.output else _without_output(found), self.redact)
        return self._redacted[cell.label]

    def forget(self) -> None:
        super().forget()
        self._redacted.clear()

    def row(self, cell: Cell) -> Row:
        """The row of a cell; only the judgement is redacted, since a row shows no other text of a run."""
        return redacted_row(super().row(cell), self.redact)


def redacted_result(result: Result, redact: Redact) -> Result:
    """A result with its judgement and its runs redacted."""
    judgement = replace(
        result.judgement,
        reason=redact(result.judgement.reason),
        evidence=redact(result.judgement.evidence),
        where=redact(result.judgement.where),
    )
    observations = tuple(
        observation.model_copy(
            update={
                "ranks": tuple(redacted(rank, redact) for rank in observation.ranks),
                "fault": redact(observation.fault) if observation.fault else None,
                "launcher_tail": redact(observation.launcher_tail),
            }
        )
        for observation in result.observations
    )
    return replace(result, judgement=judgement, observations=observations)


def _without_output(result: Result) -> Result:
    """A result without the output of ranks and launcher."""
    observations = tuple(
        seen.model_copy(
            update={
                "ranks": tuple(rank.model_copy(update={"tail": ""}) for rank in seen.ranks),
                "launcher_tail": "",
            }
        )
        for seen in result.observations
    )
    return replace(result, observations=observations)


def redacted_history(history: History, redact: Redact) -> History:
    """A history with the results of its points redacted, all but the last without output: no page shows theirs."""
    *earlier, last = history.points
    shown = [*(replace(point, result=_without_output(point.result)) for point in earlier), last]
    points = tuple(replace(point, result=redacted_result(point.result, redact)) for point in shown)
    return replace(history, points=points)


def redactor_of(project: Project) -> Redactor:
    """The redactor for reports of a project on this machine."""
    folders = [(project.environments.built, "<environments>"), (project.cache, "<cache>")]
    return of_this_machine([*folders, (PACKAGE.parent, "<project>"), (Path.cwd(), "<folder>")])


def redacted_row(row: Row, redact: Redact) -> Row:
    """A row of a report with its texts redacted."""
    texts = {"reason": row.reason, "evidence": row.evidence, "where": row.where}
    changed = {name: redact(text) for name, text in texts.items() if text}
    return row.model_copy(update=changed | ({"not_run": redact(row.not_run)} if row.not_run else {}))
