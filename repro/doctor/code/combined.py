"""Combines the findings of log, versions, runs and code for each failure.  Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.doctor.code.code_answer import CodeAnswer, CodeFailure, CodePlace
from repro.doctor.code.decide import CodeFinding, Reached
from repro.doctor.diagnosis import Diagnosis, Finding
from repro.doctor.log.log_answer import FoundFailure, LogAnswer
from repro.model.errors import Exit, exit_of
from repro.model.failure import Failure

_ORDER = (Finding.SUFFERS, Finding.LISTED, Finding.UNKNOWN, Finding.NOT_SEEN, Finding.NOT_AFFECTED)


@dataclass(frozen=True)
class Combined:
    """One failure with the finding of the code and, if examined, those of the environment and the log."""

    reached: Reached
    diagnosis: Diagnosis | None = None
    logged: FoundFailure | None = None
    """The match in the log, certain or possible; None if there is none."""

    @property
    def failure(self) -> Failure:
        """The failure."""
        return self.reached.failure

    @property
    def is_named(self) -> bool:
        """True if the code names it."""
        return self.reached.finding is CodeFinding.NAMED

    @property
    def is_ruled_out(self) -> bool:
        """True if neither the environment has it nor the log shows it; code alone never rules a failure out."""
        return (
            self.logged is None
            and self.diagnosis is not None
            and self.diagnosis.finding in {Finding.NOT_AFFECTED, Finding.NOT_SEEN}
        )

    @property
    def is_alert(self) -> bool:
        """True if it is in the log, was seen here, or is named in the code and not ruled out by the versions."""
        if self.logged or (self.diagnosis and self.diagnosis.finding is Finding.SUFFERS):
            return True
        return self.is_named and not self.is_ruled_out

    @property
    def rank(self) -> tuple[int, int, int]:
        """The order: known by the log, possible by the log, seen and named, seen, listed and named, the rest."""
        logged = 2 if self.logged is None else int(self.logged.answer != "known")
        found = _ORDER.index(self.diagnosis.finding) if self.diagnosis else 0
        return logged, found, list(CodeFinding).index(self.reached.finding)


def combine(
    reached: Iterable[Reached], found: Iterable[Diagnosis] | None, log: LogAnswer | None = None
) -> list[Combined]:
    """Each failure once, the most important first; failures of public threads are not included."""
    diagnoses = {item.failure.id: item for item in found or ()}
    logged = {item.id: item for item in log.found if item.answer != "reported, unproved"} if log else {}
    together = [Combined(item, diagnoses.get(item.failure.id), logged.get(item.failure.id)) for item in reached]
    return sorted(together, key=lambda item: (*item.rank, item.failure.id))


def exit_of_combined(found: Iterable[Combined], *, static: bool) -> Exit:
    """CHANGED: seen here or in the log, or (if nothing is run) named and listed.

    UNKNOWN: one of these is undecided.
    """
    items = list(found)
    if any(item.logged and item.logged.answer == "known" for item in items):
        return Exit.CHANGED
    alerts = {Finding.SUFFERS, Finding.LISTED} if static else {Finding.SUFFERS}
    return exit_of(
        changed=any(
            item.is_alert and not item.logged and (item.diagnosis is None or item.diagnosis.finding in alerts)
            for item in items
        ),
        unknown=any(
            item.logged or (item.reached.finding is not CodeFinding.NOT_NAMED and not item.is_ruled_out)
            for item in items
        ),
    )


def code_answer(root: str, files: int, notes: Sequence[str], found: Iterable[Combined]) -> CodeAnswer:
    """The answer for scripts."""
    return CodeAnswer(root=root, files=files, notes=tuple(notes), failures=tuple(map(_code_failure, found)))


def _code_failure(item: Combined) -> CodeFailure:
    failure, reached = item.failure, item.reached
    places = (
        CodePlace(what=found.what, file=found.place.file, line=found.place.line, cell=found.place.cell)
        for found in reached.found
    )
    return CodeFailure(
        id=failure.id,
        title=failure.title,
        finding=reached.finding.value,
        who=failure.reach.who if failure.reach else "",
        places=tuple(places),
        why=reached.why,
    )
