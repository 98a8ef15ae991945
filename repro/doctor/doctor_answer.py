"""The answer of ``repro doctor`` for scripts."""

from collections.abc import Sequence
from typing import Literal

from repro.doctor.code.code_answer import CodeAnswer
from repro.doctor.diagnosis import Diagnosis, Finding
from repro.doctor.findings_table import in_order, spoken_of
from repro.doctor.log.log_answer import LogAnswer
from repro.doctor.stack.stack import Stack
from repro.model.base import Strict


class ExaminedFailure(Strict):
    """One failure in the answer."""

    id: str
    title: str
    kind: str
    finding: Finding
    why: str
    note: str = ""
    cures: tuple[str, ...]
    upstream: tuple[str, ...]


class DoctorAnswer(Strict):
    """The answer of ``repro doctor --json``."""

    format: Literal[1] = 1
    source: str
    """The interpreter or the file that was examined."""
    static: bool
    """True if nothing was run."""
    python: str | None
    versions: dict[str, str]
    """The versions of the distributions that records name, if they are certain."""
    denied: tuple[str, ...] = ()
    """Releases that must not be used but are installed or pinned: one line each, with what to do."""
    notes: tuple[str, ...] = ()
    """Notes on how the versions were read, one sentence each."""
    skipped: int = 0
    """The number of lines that were not understood."""
    failures: tuple[ExaminedFailure, ...]
    code: CodeAnswer | None = None
    """The answer of ``--code``; None without it."""
    log: LogAnswer | None = None
    """The answer of ``--log`` beside ``--code``; None without it."""


def examined(
    source: str, stack: Stack, found: Sequence[Diagnosis], *, static: bool, denied: Sequence[str] = ()
) -> DoctorAnswer:
    """The answer for scripts."""
    return DoctorAnswer(
        source=source,
        static=static,
        python=stack.python,
        versions={name: stack.versions[name] for name in spoken_of(found) if name in stack.versions},
        denied=tuple(denied),
        notes=stack.notes,
        skipped=stack.skipped,
        failures=tuple(
            ExaminedFailure(
                id=item.failure.id,
                title=item.failure.title,
                kind=item.failure.kind,
                finding=item.finding,
                why=item.why,
                note="; ".join(item.notes),
                cures=item.cures,
                upstream=item.failure.links,
            )
            for item in in_order(found)
        ),
    )
