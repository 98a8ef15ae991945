"""Judges the environment of this process by the catalogue."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.project import Project
from repro.doctor.diagnosis import Diagnosis, Finding, diagnose
from repro.doctor.stack.stack import ALIASES, Stack
from repro.model.cell import Adopted, make_cell
from repro.model.failure import Failure, Lane
from repro.model.specifiers import installed_versions
from repro.verdict.result import Result

_SAID = {Finding.LISTED, Finding.SUFFERS, Finding.NOT_SEEN, Finding.UNKNOWN}


@dataclass(frozen=True)
class ExpectedFailure:
    """A failure that a test waits for."""

    expected: bool
    """True if the installed releases have it."""
    gone: bool
    """True if the releases are installed and do not have it."""
    text: str


@dataclass(frozen=True)
class ThisEnvironment:
    """A catalogue, and the versions of this process's environment."""

    project: Project
    stack: Stack

    @classmethod
    def here(cls, catalog: Path | None = None) -> "ThisEnvironment":
        """Examine this process; raises UsageError or RecordError if the catalogue cannot be read."""
        project = Project.here(catalog=catalog)
        known = (*project.catalog, *project.catalog.drafts.values())
        names = {name for entry in known for name in entry.failure.distributions}
        names |= {ALIASES[name] for name in names & ALIASES.keys()}
        return cls(project, Stack.of(installed_versions(names)))

    def known(self, failure_id: str) -> ExpectedFailure:
        """Judge a failure by specifiers; raises UsageError, with the nearest id, for an unknown one."""
        failure = self.project.catalog[failure_id].failure
        (found,) = diagnose([failure], self.stack)
        if found.finding is Finding.LISTED:
            return ExpectedFailure(expected=True, gone=False, text=f"{failure.id}: {failure.title} ({found.why})")
        at_fault = set(failure.judged_by)
        at_fault |= {ALIASES[name] for name in at_fault & ALIASES.keys()}
        there = bool(at_fault & self.stack.versions.keys())
        words = f"{failure.id}: the installed releases do not have it; remove the mark ({found.why})"
        return ExpectedFailure(expected=False, gone=there and found.finding is Finding.NOT_AFFECTED, text=words)

    def report(self, *, run: bool) -> tuple[str, list[str]]:
        """A title, and lines on every failure that this environment has or may have.

        With ``run``, listed failures are run on this interpreter; the runs are not kept.
        """
        failures = [entry.failure for entry in self.project.catalog]
        found = diagnose(failures, self.stack)
        if run:
            found = diagnose(failures, self.stack, self._seen(found))
        said = [item for item in found if item.finding in _SAID]
        lines = [line for item in said for line in _lines(item)] + self.project.catalog.skipped
        return f"repro doctor: {len(said)} of {len(found)} documented failures concern this environment", lines

    def _seen(self, found: list[Diagnosis]) -> dict[str, Result]:
        from repro.launch.session import Options, Session  # noqa: PLC0415 - a static answer needs neither
        from repro.store.observations import Store  # noqa: PLC0415

        named = {item.failure.id for item in found if item.finding is Finding.LISTED and item.runs}
        listed = [entry.failure for entry in self.project.catalog if entry.failure.id in named]
        cells = [make_cell(failure, Adopted(sys.executable)) for failure in listed if _has_cpu(failure)]
        with tempfile.TemporaryDirectory() as folder:
            results = Session(self.project, Store(Path(folder)), Options()).run(cells)
        return {result.cell.failure: result for result in results}


def _has_cpu(failure: Failure) -> bool:
    return Lane.CPU in failure.needs.lanes


def _lines(item: Diagnosis) -> list[str]:
    head = f"{item.failure.id} ({item.failure.kind}): {item.failure.title}"
    return [head, f"    {item.finding}: {item.why}", *(f"    cure: {cure}" for cure in item.cures[:1])]
