"""Prints the answer of ``repro advise``."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.catalog.catalog import Catalog
from repro.doctor.advice import GONE, Advice, Remedy, RemedySearchResult
from repro.doctor.findings_table import print_denied
from repro.doctor.remedy import format_changes
from repro.doctor.upgrade import Step


def print_advice(out: Console, advice: Advice, catalog: Catalog) -> None:
    """Print the installed versions, the effect of each change, the remedy that was found, and the caps."""
    print_denied(out, advice.denied)
    stated = [f"{name} {version}" for name, version in sorted({**advice.ranges, **advice.versions}.items())]
    python = f"Python {advice.python}, " if advice.python else ""
    versions = ", ".join(stated) or "none of the distributions that the records speak of"
    out.print(Text(f"{advice.source}: {python}{versions}"))
    for note in advice.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    if advice.affected:
        _line(out, "you have", ", ".join(advice.affected), "yellow")
    elif advice.unknown:
        _line(out, "you have", "not known", "magenta")
    else:
        _line(out, "you have", "no documented failure", "green")
    if advice.unknown:
        _line(out, "not known", ", ".join(advice.unknown), "magenta")
    if advice.steps:
        out.print(_steps(advice.steps))
    elif advice.sought is None:
        for failure_id in advice.affected:
            cures = catalog[failure_id].failure.cure_lines
            _line(out, "cure", f"{failure_id}: {cures[0] if cures else 'none is known'}", "green")
    for cap in advice.caps:
        out.print(Text(cap.text))
    if advice.sought:
        _print_sought(out, advice.sought, catalog)


def _line(out: Console, head: str, text: str, style: str = "") -> None:
    out.print(Text(f"{head:<11}").append(text, style=style))


def _steps(steps: tuple[Step, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("move", overflow="fold")
    table.add_column("cures", style="green", overflow="fold")
    table.add_column("brings", style="red", overflow="fold")
    table.add_column("keeps", overflow="fold")
    if any(step.unknown for step in steps):
        table.add_column("not known", style="magenta", overflow="fold")
    for step in steps:
        move = (
            format_changes(step.changes) if len(step.changes) == 1 else "all of them" if step.changes else "no change"
        )
        groups = [step.cured, step.brought, step.kept, step.unknown][: len(table.columns) - 1]
        table.add_row(Text(move), *(Text("\n".join(group) or "—") for group in groups))
    return table


def _print_sought(out: Console, sought: RemedySearchResult, catalog: Catalog) -> None:
    _line(out, "care", ", ".join(sought.care) or "nothing: no documented failure covers these versions")
    for failure_id in sought.open:
        cures = catalog[failure_id].failure.cure_lines
        other = f"; without an upgrade: {cures[0]}" if cures else ""
        _line(out, "open", f"{failure_id}: every release has it{other}", "red")
    for refused in sought.refused:
        _line(out, "refused", f"{format_changes(refused.changes)}: {refused.why}", "dim")
    for left_out in sought.left_out:
        _line(out, "left out", left_out, "dim")
    if sought.found:
        _print_found(out, sought, sought.found, catalog)
    elif sought.why_none:
        _line(out, "no set", sought.why_none, "red")


def _print_found(out: Console, sought: RemedySearchResult, found: Remedy, catalog: Catalog) -> None:
    count = f"{_several(len(found.changes), 'package')}, {_several(found.distance, 'release')} away"
    _line(out, "smallest", f"{format_changes(found.changes)} ({count})", "bold")
    down = [change.distribution for change in found.changes if change.is_downgrade]
    for failure_id in sought.care if down else ():
        others = [cure for cure in catalog[failure_id].failure.cure_lines if not cure.startswith("upgrade")]
        if others and failure_id not in sought.open:
            _line(out, "instead", f"of an older {' and '.join(down)}, for {failure_id}: {others[0]}", "yellow")
    if found.carried:
        _line(out, "also moves", format_changes(found.carried))
    if found.step.kept:
        _line(out, "keeps", ", ".join(found.step.kept), "yellow")
    if found.step.unknown:
        _line(out, "not known", ", ".join(found.step.unknown), "yellow")
    for item in found.ran:
        verified = item.verdict in GONE
        shown = f"{item.failure} {item.verdict}, in a fresh environment"
        _line(out, "verified" if verified else "unverified", shown if verified else f"{shown}: {item.why}")
    if not found.ran:
        _line(out, "not run", "resolved with uv; --verify runs the failures in a fresh environment")
    pins = " ".join(f'"{change.distribution}=={change.after}"' for change in found.changes)
    _line(out, "install", f"pip install {pins}")


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
