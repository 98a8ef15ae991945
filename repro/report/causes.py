"""Groups the rows that are not as documented by root cause.  Pure.

Cells with the same first error have one cause, wherever in a library it is raised.  Cells that changed without an
error are grouped by the releases that they ran on.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from repro.report.answers import required_lines
from repro.report.format import format_count, format_evidence, format_verdict, format_versions, format_where
from repro.report.matrix_page import code, escape
from repro.report.rows import Row
from repro.store.answers import Turned

EXPECTED = frozenset({None, "as documented", "unjudged"})
_VOLATILE = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)*|<[a-z]+>/\S+")


@dataclass(frozen=True)
class Cause:
    """Rows with one root cause."""

    status: str
    text: str
    """The error in one line, or the releases."""
    rows: tuple[Row, ...]

    @property
    def slug(self) -> str:
        """A stable id: the same cause has the same slug in every run."""
        return f"repro-cause-{hashlib.sha256(f'{self.status} {_key(self.rows[0])}'.encode()).hexdigest()[:12]}"

    @property
    def title(self) -> str:
        """The title of an issue."""
        names = list(dict.fromkeys(row.cell.failure for row in self.rows))
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return " ".join(f"{self.status}: {names[0]}{more}: {self.text}".split())[:200]


def _erred(row: Row) -> bool:
    return bool(row.evidence) and row.verdict not in {"absent", None}


def _key(row: Row) -> str:
    """The key that rows of one cause share; numbers and addresses in an error are ignored."""
    if _erred(row):
        return f"{_VOLATILE.sub('#', row.evidence)} {row.where.rpartition(' in ')[2]}"
    if row.verdict == "unrunnable":
        return _VOLATILE.sub("#", row.reason)
    return format_versions(row)


def _described(row: Row) -> str:
    """The error in one line, or the releases."""
    if _erred(row):
        return row.evidence
    return row.reason if row.verdict == "unrunnable" else format_versions(row)


def causes(rows: Sequence[Row]) -> list[Cause]:
    """The groups of rows that are not as documented, the largest first."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.status is not None and row.status not in EXPECTED:
            grouped.setdefault((row.status, _key(row)), []).append(row)
    found = []
    for (status, _), held in grouped.items():
        found.append(Cause(status, _described(held[0]), tuple(held)))
    return sorted(found, key=lambda cause: (-len(cause.rows), cause.slug))


def cause_markdown(cause: Cause) -> str:
    """The body of an issue: every cell, and the marker by which `repro summary` finds the issue again."""
    lines = [f"{len(cause.rows)} cells are **{cause.status}**: {code(cause.text)}", ""]
    lines += _table(cause.rows)
    return "\n".join([*lines, "", f"Written by `repro summary` from stored runs; `{cause.slug}`", ""])


def release_slug(answer: Turned) -> str:
    """The marker of a release's issue: the same in every run."""
    text = f"{answer.failure} {answer.package} {answer.release}"
    return f"repro-release-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def release_markdown(answer: Turned) -> str:
    """The body of an issue: what a new release changed, the evidence, the proposed bound, and the issue's marker."""
    lines = [escape(answer.sentence), "", "| environment | verdict | runs | evidence |", "| --- | --- | --- | --- |"]
    for fact in answer.all_tried:
        evidence = code(fact.evidence or fact.reason)
        lines.append(f"| {escape(fact.environment)} | {fact.verdict} | {len(fact.runs)} | {evidence} |")
    lines += [line for text in required_lines(answer) for line in ("", f"{escape(text.strip())}.")]
    if answer.proposal:
        # Longer than any run of backticks in the record, so that no line of it closes the block.
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", answer.proposal))])
        lines += ["", "The record should say:", "", f"{fence}diff", answer.proposal.rstrip("\n"), fence]
    elif answer.proposal_problem:
        lines += ["", f"No bound is proposed: {escape(answer.proposal_problem)}."]
    return "\n".join([*lines, "", f"Written by `repro summary` from stored runs; `{release_slug(answer)}`", ""])


def summary_markdown(rows: Sequence[Row]) -> str:
    """The summary of a job: counts, then the causes of what is not as documented, then the cells that were not run."""
    run = [row for row in rows if row.verdict]
    found = causes(rows)
    lines = [
        "# Matrix",
        "",
        f"{len(run)} of {len(rows)} cells run; root causes of what is not as documented: {len(found)}.",
        "",
    ]
    for cause in found:
        lines += [f"## {escape(cause.title)}", "", *_table(cause.rows), ""]
    missing = [row for row in rows if not row.verdict]
    if missing:
        lines += ["## Not run", "", *(f"- {escape(row.cell.label)}" for row in missing), ""]
    return "\n".join(lines)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| failure | where | verdict | k of n | evidence | versions |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = [escape(text) for text in (row.cell.failure, format_where(row), format_verdict(row), format_count(row))]
        lines.append(f"| {' | '.join(cells)} | {code(format_evidence(row))} | {escape(format_versions(row))} |")
    return lines
