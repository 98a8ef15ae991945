"""What versions, runs and code say of each failure together.  Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from repro.doctor.code.code_answer import CodeAnswer, CodeFailure, CodePlace
from repro.doctor.code.decide import CodeFinding, Reached
from repro.doctor.diagnosis import Diagnosis, Finding
from repro.errors import Exit, exit_of
from repro.model.failure import Failure

_ORDER = (Finding.SUFFERS, Finding.LISTED, Finding.UNKNOWN, Finding.NOT_SEEN, Finding.NOT_AFFECTED)


@dataclass(frozen=True)
class Combined:
    """One failure: what the environment says of it, if one was examined, and what the code says."""

    reached: Reached
    diagnosis: Diagnosis | None = None

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
        """True if the environment does not have it.  Code alone never rules a failure out."""
        return self.diagnosis is not None and self.diagnosis.finding in {Finding.NOT_AFFECTED, Finding.NOT_SEEN}

    @property
    def is_alert(self) -> bool:
        """True if it comes first: seen here, or named in the code and not ruled out by the versions."""
        if self.diagnosis and self.diagnosis.finding is Finding.SUFFERS:
            return True
        return self.is_named and not self.is_ruled_out

    @property
    def rank(self) -> tuple[int, int]:
        """By what matters: seen and named, seen, listed and named, the rest."""
        found = _ORDER.index(self.diagnosis.finding) if self.diagnosis else 0
        return found, list(CodeFinding).index(self.reached.finding)


def combine(reached: Iterable[Reached], found: Iterable[Diagnosis] | None) -> list[Combined]:
    """Each failure once, by what matters."""
    diagnoses = {item.failure.id: item for item in found or ()}
    together = [Combined(item, diagnoses.get(item.failure.id)) for item in reached]
    return sorted(together, key=lambda item: (*item.rank, item.failure.id))


def exit_of_combined(found: Iterable[Combined], *, static: bool) -> Exit:
    """CHANGED: seen, or (where nothing is run) named and listed; UNKNOWN: either of the two could not be told."""
    items = list(found)
    alerts = {Finding.SUFFERS, Finding.LISTED} if static else {Finding.SUFFERS}
    return exit_of(
        changed=any(item.is_alert and (item.diagnosis is None or item.diagnosis.finding in alerts) for item in items),
        unknown=any(item.reached.finding is not CodeFinding.NOT_NAMED and not item.is_ruled_out for item in items),
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
