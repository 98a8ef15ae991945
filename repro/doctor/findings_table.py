"""What ``repro doctor`` says: a table first, details on demand, JSON for scripts."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from repro.doctor.diagnosis import Diagnosis, Finding
from repro.doctor.stack.stack import Stack
from repro.model.base import Strict

STYLES = {
    Finding.SUFFERS: "bold red",
    Finding.LISTED: "yellow",
    Finding.NOT_SEEN: "cyan",
    Finding.UNKNOWN: "magenta",
    Finding.NOT_AFFECTED: "dim",
}
"""In the order in which they are told."""


class ExaminedFailure(Strict):
    """One failure of the answer."""

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
    """The interpreter or the file that was looked at."""
    static: bool
    """Whether nothing was run."""
    python: str | None
    versions: dict[str, str]
    """Of the distributions that the records speak of, where they are sure."""
    failures: tuple[ExaminedFailure, ...]


def examined(source: str, stack: Stack, found: Sequence[Diagnosis], *, static: bool) -> DoctorAnswer:
    """The answer for scripts."""
    return DoctorAnswer(
        source=source,
        static=static,
        python=stack.python,
        versions={name: stack.versions[name] for name in _spoken_of(found) if name in stack.versions},
        failures=tuple(
            ExaminedFailure(
                id=item.failure.id,
                title=item.failure.title,
                kind=item.failure.kind,
                finding=item.finding,
                why=item.why,
                note=item.note,
                cures=item.cures,
                upstream=(*item.failure.upstream.issues, *item.failure.upstream.fixes),
            )
            for item in _ordered(found)
        ),
    )


def _spoken_of(found: Iterable[Diagnosis]) -> list[str]:
    return sorted({name for item in found for name in item.failure.distributions})


def _ordered(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    order = list(STYLES)
    return sorted(found, key=lambda item: order.index(item.finding))


def format_stack(stack: Stack, names: Iterable[str]) -> str:
    """``Python 3.11.9, lightning 2.2.1, torch 2.2.2, transformers not installed``."""
    words = [f"Python {stack.python}"] if stack.python else []
    for name in names:
        held = stack.get(name)
        if held is None:
            words.append(f"{name} not installed")
        else:
            words.append(f"{name} {held.version}" if held.version else f"{name} {held.why}")
    return ", ".join(words)


def print_examined(out: Console, source: str, stack: Stack, found: Sequence[Diagnosis], *, details: bool) -> None:
    """The table, a line that counts, and the details if they are asked for."""
    out.print(Text(f"{source}: {format_stack(stack, _spoken_of(found))}"))
    ordered = _ordered(found)
    told = [item for item in ordered if item.finding is not Finding.NOT_AFFECTED]
    if told:
        out.print(_table(told))
    others = [item for item in ordered if item.finding is Finding.NOT_AFFECTED]
    if others:
        out.print(Text(f"not affected: {', '.join(item.failure.id for item in others)}", style="dim"))
    for item in ordered:
        if item.note:
            out.print(Text(f"note: {item.failure.id}: {item.note}", style="dim"))
    counts = [(finding, sum(item.finding is finding for item in found)) for finding in STYLES]
    out.print(Text(", ".join(f"{finding}: {count}" for finding, count in counts if count)))
    if details:
        for item in ordered:
            _print_details(out, item)
    elif told:
        out.print(Text("more: --details, or name a failure", style="dim"))


def _table(told: Sequence[Diagnosis]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("failure", no_wrap=True)
    table.add_column("finding", no_wrap=True)
    table.add_column("what, why, cure", overflow="fold")
    for item in told:
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
    rows += [("note", item.note)] if item.note else []
    rows += [("cure", cure) for cure in item.cures]
    rows += [("upstream", link) for link in (*failure.upstream.issues, *failure.upstream.fixes)]
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for head, text in rows:
        grid.add_row(head, Text(text))
    out.print(grid)
