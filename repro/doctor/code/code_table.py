"""Prints the answer of ``repro doctor --code``: what the code names first, the rest in one line each."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.doctor.code.combined import Combined
from repro.doctor.code.decide import CodeFinding
from repro.doctor.code.examine import ExaminedCode
from repro.doctor.diagnosis import Finding
from repro.doctor.findings_table import STYLES

CAVEAT = (
    "named: the code holds what the failure needs; whether it suffers, only a run shows (repro run, doctor --python)"
)
UNNAMED = "not named in the code, though a library or code that was not read may reach them"


def _printable(text: str) -> str:
    """File names and foreign text without control characters."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def print_combined(out: Console, read: ExaminedCode, found: Sequence[Combined]) -> None:
    """The table of alerts, and a line for each group of the others."""
    out.print(Text(f"{_printable(read.root)}: {read.files} files of code and configuration read"))
    for note in read.notes:
        out.print(Text(f"note: {_printable(note)}", style="yellow"))
    alerts = [item for item in found if item.is_alert]
    if alerts:
        out.print(_table(alerts))
        out.print(Text(CAVEAT, style="dim"))
    for head, items, style in _rest(found):
        if items:
            ids = ", ".join(item.failure.id for item in items)
            out.print(Text(f"{head}: {ids}", style=style))
    _print_reasons(out, found)
    out.print(Text(_counts(found)))


def _table(alerts: Iterable[Combined]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head, style in (("failure", "bold"), ("finding", ""), ("named here", ""), ("cure", "green")):
        table.add_column(head, style=style, overflow="fold")
    for item in alerts:
        finding = item.diagnosis.finding if item.diagnosis else None
        logged = f"{item.logged.answer} by the log, line {item.logged.line}" if item.logged else ""
        words = ", ".join(filter(None, (logged, finding, item.reached.finding)))
        where = "\n".join(_printable(f"{found.place} {found.what}") for found in item.reached.found)
        cures = item.diagnosis.cures if item.diagnosis else item.failure.cure_lines
        table.add_row(
            Text(item.failure.id),
            Text(words, style="bold red" if logged else STYLES[finding] if finding else "yellow"),
            Text(where or _printable(item.reached.why) or "—"),
            Text(next(iter(cures), "none is known")),
        )
    return table


def _rest(found: Sequence[Combined]) -> list[tuple[str, list[Combined], str]]:
    others = [item for item in found if not item.is_alert]
    listed = [item for item in others if not item.is_ruled_out and item.reached.finding is CodeFinding.NOT_NAMED]
    cleared = [item for item in others if item.is_ruled_out]
    if not any(item.diagnosis for item in found):
        return [(UNNAMED, listed, "dim")]
    sure = [item for item in listed if item.diagnosis and item.diagnosis.finding is Finding.LISTED]
    open_ones = [item for item in listed if item not in sure]
    return [
        (f"listed for these versions, {UNNAMED}", sure, ""),
        (f"could not tell by the versions, {UNNAMED}", open_ones, "dim"),
        ("not affected by these versions", cleared, "dim"),
    ]


def _print_reasons(out: Console, found: Sequence[Combined]) -> None:
    """One line for each reason why the code leaves failures undecided."""
    reasons: dict[str, list[str]] = {}
    for item in found:
        if item.reached.finding is CodeFinding.UNKNOWN and not item.is_ruled_out and not item.is_alert:
            reasons.setdefault(item.reached.why, []).append(item.failure.id)
    for why, ids in reasons.items():
        out.print(Text(f"could not tell by the code: {', '.join(ids)}: {_printable(why)}", style="magenta"))


def _counts(found: Sequence[Combined]) -> str:
    live = [item for item in found if not item.is_ruled_out]
    words = [f"{finding}: {sum(item.reached.finding is finding for item in live)}" for finding in CodeFinding]
    ruled_out = len(found) - len(live)
    return ", ".join([*words, *([f"not affected by the versions: {ruled_out}"] if ruled_out else [])])
