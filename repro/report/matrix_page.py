"""``matrix.md``: the matrix, to be read on the repository's web page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from repro.catalog.catalog import Catalog
from repro.model.clean import clean_line
from repro.report.format import LEGEND, format_count, format_evidence, format_verdict, format_versions, format_where
from repro.report.rows import Row, gate_reasons
from repro.report.upstream import UpstreamAgreement, UpstreamComparison


def escape(text: str) -> str:
    """Text escaped for a cell of a Markdown table; text from upstream is never taken as markup."""
    flat = clean_line(text)
    for character in "\\`*_{}[]<>#|~":
        flat = flat.replace(character, "\\" + character)
    return flat


def code(text: str) -> str:
    """Text as code inside a Markdown table; the fence is longer than any run of backticks in the text."""
    flat = clean_line(text).replace("|", "\\|")
    if not flat:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    space = " " if flat[0] == "`" or flat[-1] == "`" else ""
    return f"{fence}{space}{flat}{space}{fence}"


def matrix_markdown(rows: Sequence[Row], catalog: Catalog, comparisons: Sequence[UpstreamComparison] = ()) -> str:
    """The whole page: a summary, a table for each failure, upstream's statements beside the runs, the lifted gates."""
    run = [row for row in rows if row.verdict]
    lines = ["# Matrix", ""]
    if run:
        dates = sorted(row.date for row in run)
        lines.append(f"{len(run)} of {len(rows)} cells run, {span(dates[0], dates[-1])}.")
    else:
        lines.append(f"None of {len(rows)} cells has been run.")
    changed = [row for row in run if row.status != "as documented"]
    lines += [
        "",
        "Every status is as documented." if run and not changed and len(run) == len(rows) else _changed(rows),
    ]
    lines += ["", LEGEND, ""]
    by_failure: dict[str, list[Row]] = {}
    for row in rows:
        by_failure.setdefault(row.cell.failure, []).append(row)
    for failure_id, own in by_failure.items():
        failure = catalog[failure_id].failure
        lines += [f"## {failure_id}", "", escape(failure.title), ""]
        lines += ["| environment | verdict | status | k of n | evidence | versions | s | date (UTC) |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
        lines += [_line(row) for row in own]
        lines.append("")
    lines += _standings(comparisons)
    gates = gate_reasons(rows)
    if gates:
        lines += ["## Gates lifted in the CPU lane", ""]
        lines += ["These refusals of the libraries have nothing to do with the failures.", ""]
        lines += ["| gate | what the library does without it | why lifting it cannot touch a failure | rows |"]
        lines += ["| --- | --- | --- | --- |"]
        for name, (refusal, reason) in gates.items():
            count = sum(name in row.gates for row in rows)
            lines.append(f"| {code(name)} | {escape(refusal)} | {escape(reason)} | {count} |")
        lines.append("")
    machines = sorted({f"{row.hardware}, Python {row.python}" for row in run if row.python})
    if machines:
        lines += ["## Machines", "", *(f"- {escape(machine)}" for machine in machines), ""]
    return "\n".join(lines)


def _standings(comparisons: Sequence[UpstreamComparison]) -> list[str]:
    """Upstream's statements beside the runs: a line for each failure, the disagreements first."""
    if not comparisons:
        return []
    order = list(UpstreamAgreement)
    disagree = sum(standing.reading is UpstreamAgreement.DISAGREES for standing in comparisons)
    lines = ["## What upstream says, and what runs show", ""]
    lines += [f"Not as upstream says: {disagree} of {len(comparisons)} failures.", ""]
    lines += ["| failure | upstream says | newest release that was run | runs and upstream | where they disagree |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for found in sorted(comparisons, key=lambda found: order.index(found.reading)):
        newest = ", ".join(dict.fromkeys(point.text for point in found.newest)) or "—"
        words = " ".join(item.text for item in found.disagreements)
        cells = (found.failure, found.declared, newest, found.reading.value, words)
        lines.append(f"| {' | '.join(escape(text) for text in cells)} |")
    return [*lines, ""]


def _changed(rows: Sequence[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        name = row.status or "not run"
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) + "."


def span(first: str, last: str) -> str:
    """``on 2024-03-01`` or ``from 2024-03-01 to 2024-03-02``, in UTC."""
    days = [datetime.fromisoformat(text).astimezone(UTC).date().isoformat() for text in (first, last)]
    return f"on {days[0]}" if days[0] == days[1] else f"from {days[0]} to {days[1]}"


def _line(row: Row) -> str:
    versions = format_versions(row)
    seconds = f"{row.seconds:.0f}" if row.seconds is not None else "—"
    date = row.date[:16].replace("T", " ") or "—"
    evidence = code(format_evidence(row)) if row.verdict else escape(format_evidence(row))
    cells = (format_where(row), format_verdict(row), row.status or "—", format_count(row))
    return f"| {' | '.join(escape(cell) for cell in cells)} | {evidence} | {escape(versions)} | {seconds} | {date} |"
