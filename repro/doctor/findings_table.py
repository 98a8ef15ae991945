"""Prints the answer of ``repro doctor``: a table, and details on demand."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.doctor.diagnosis import Diagnosis, Finding
from repro.doctor.exposure import Exposure
from repro.doctor.stack.given import notes_of
from repro.doctor.stack.stack import Stack

STYLES = {
    Finding.SUFFERS: "bold red",
    Finding.LISTED: "yellow",
    Finding.NOT_SEEN: "cyan",
    Finding.UNKNOWN: "magenta",
    Finding.NOT_AFFECTED: "dim",
}
"""The findings in the order in which they are printed."""


def spoken_of(found: Iterable[Diagnosis]) -> list[str]:
    """The distributions that the failures need, or are decided by."""
    return sorted({name for item in found for name in item.failure.distributions})


def in_order(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """The diagnoses, the worst finding first."""
    order = list(STYLES)
    return sorted(found, key=lambda item: order.index(item.finding))


def format_stack(stack: Stack, names: Iterable[str]) -> str:
    """``Python 3.11.9, lightning 2.2.1, torch <2.4.0, transformers not installed``."""
    words = [f"Python {stack.python}"] if stack.python else []
    for name in names:
        held = stack.get(name)
        if held is None:
            words.append(f"{name} not installed")
        elif held.version:
            words.append(f"{name} {held.version}")
        elif name in stack.held and held.specifiers:
            words.append(f"{name} {held.specifiers}")
        else:
            words.append(f"{name} {held.why.partition(':')[0]}")
    return ", ".join(words)


def print_denied(out: Console, denied: Iterable[str]) -> None:
    """Print a prominent warning for each release that must not be used."""
    for text in denied:
        out.print(Text(f"DO NOT USE: {text}", style="bold white on red"))


def print_reading(out: Console, stack: Stack) -> None:
    """Print the notes on how the versions were read, and how many lines were not understood."""
    for note in notes_of(stack):
        out.print(Text(note, style="yellow"))


def print_examined(
    out: Console, source: str, stack: Stack, found: Sequence[Diagnosis], *, details: bool, denied: Sequence[str] = ()
) -> None:
    """Print the table, the undecided failures grouped by reason, the counts and, if asked for, the details."""
    print_environment(out, source, stack, found, denied)
    ordered = in_order(found)
    shown = [item for item in ordered if item.finding not in {Finding.NOT_AFFECTED, Finding.UNKNOWN}]
    if shown:
        out.print(_table(shown))
    for why, items in by_reason(item for item in ordered if item.finding is Finding.UNKNOWN).items():
        _print_unknown(out, why, items)
    others = [item for item in ordered if item.finding is Finding.NOT_AFFECTED]
    if others:
        out.print(Text(f"not affected: {', '.join(item.failure.id for item in others)}", style="dim"))
    for note, items in _by_note(ordered).items():
        out.print(Text(f"note: {note} ({', '.join(item.failure.id for item in items)})", style="dim"))
    counts = [(finding, sum(item.finding is finding for item in found)) for finding in STYLES]
    out.print(Text(", ".join(f"{finding}: {count}" for finding, count in counts if count)))
    if details:
        print_details(out, found)
    elif len(others) < len(found):
        out.print(Text("more: --details, or name a failure", style="dim"))


def print_environment(
    out: Console, source: str, stack: Stack, found: Sequence[Diagnosis], denied: Iterable[str]
) -> None:
    """Print what was examined: its versions, releases that must not be used, and how it was read."""
    print_denied(out, denied)
    out.print(Text(f"{source}: {format_stack(stack, spoken_of(found))}"))
    print_reading(out, stack)


def print_details(out: Console, found: Iterable[Diagnosis]) -> None:
    """Print everything about each failure."""
    for item in in_order(found):
        _print_details(out, item)


def by_reason(found: Iterable[Diagnosis]) -> dict[str, list[Diagnosis]]:
    """The diagnoses grouped by reason."""
    groups: dict[str, list[Diagnosis]] = {}
    for item in found:
        groups.setdefault(item.why, []).append(item)
    return groups


def _by_note(found: Iterable[Diagnosis]) -> dict[str, list[Diagnosis]]:
    groups: dict[str, list[Diagnosis]] = {}
    for item in found:
        for note in item.notes:
            groups.setdefault(note, []).append(item)
    return groups


_NEWEST = {
    Exposure.AFFECTED: "the newest release that this allows has",
    Exposure.CLEAR: "the newest release that this allows does not have",
    Exposure.UNKNOWN: "not known of the newest release that this allows either",
    None: "",
}


def _print_unknown(out: Console, why: str, found: Sequence[Diagnosis]) -> None:
    """Print one reason and its undecided failures, grouped by their exposure at the newest allowed release."""
    out.print(Text("could not tell", style=STYLES[Finding.UNKNOWN]).append(f": {why}", style="default"))
    for newest, head in _NEWEST.items():
        ids = ", ".join(item.failure.id for item in found if item.newest is newest)
        if ids:
            out.print(Text(f"  {head}: {ids}" if head else f"  {ids}", style="dim"))


def _table(shown: Sequence[Diagnosis]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("failure", overflow="fold")
    table.add_column("finding", overflow="fold")
    table.add_column("what, why, cure", overflow="fold")
    for item in shown:
        table.add_row(
            Text(item.failure.id),
            Text(item.finding, style=STYLES[item.finding]),
            Text(f"{item.failure.title}\n").append(item.why, style="dim"),
        )
        if item.cures and item.finding is not Finding.NOT_SEEN:
            more = f" (or {len(item.cures) - 1} other)" if len(item.cures) > 1 else ""
            table.add_row("", "", Text(f"cure: {item.cures[0]}{more}", style="green"))
    return table


def _print_details(out: Console, item: Diagnosis) -> None:
    failure = item.failure
    out.print()
    out.print(Text(failure.id, style="bold").append(f"  {item.finding}", style=STYLES[item.finding]))
    out.print(Text(f"  {failure.title}"))
    rows = [("what", failure.summary), ("kind", failure.kind), ("why", item.why)]
    rows += [("note", note) for note in item.notes]
    rows += [("cure", cure) for cure in item.cures]
    rows += [("upstream", link) for link in failure.links]
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    grid.add_column(overflow="fold", style="dim")
    grid.add_column(overflow="fold")
    for head, text in rows:
        grid.add_row(head, Text(text))
    out.print(grid)
