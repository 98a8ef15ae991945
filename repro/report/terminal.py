"""What a person at a terminal sees: live progress, then a table."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from repro.cell import Cell
from repro.report.rows import Row
from repro.report.words import (
    LEGEND,
    STATUS_STYLES,
    VERDICT_GLYPHS,
    count_words,
    evidence_words,
    verdict_words,
    where_words,
)
from repro.result import Result


def console(*, error: bool = False) -> Console:
    """A console on standard output or error; plain and wide enough where it is no terminal."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else 160
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


class Progress:
    """Live progress on a terminal, plain lines elsewhere.  Used as a context; safe for several threads."""

    def __init__(self, out: Console, total: int) -> None:
        self._out = out
        self._total = total
        self._done = 0
        self._running: dict[str, float] = {}
        self._build = ""
        self._lock = threading.Lock()
        self._live = Live(get_renderable=self._line, console=out, transient=True) if out.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def _line(self) -> Text:
        now = time.monotonic()
        with self._lock:
            parts = [f"{self._done}/{self._total}"]
            parts += [f"{label} ({now - began:.0f} s)" for label, began in self._running.items()]
            parts += [self._build] if self._build else []
        return Text("  ".join(parts), style="dim", overflow="ellipsis", no_wrap=True)

    def told(self, text: str) -> None:
        if self._live:
            with self._lock:
                self._build = text
        else:
            self._out.print(Text(text))

    def started(self, cell: Cell) -> None:
        with self._lock:
            self._running[cell.label] = time.monotonic()

    def finished(self, result: Result) -> None:
        with self._lock:
            self._done += 1
            self._running.pop(result.cell.label, None)
            count = f"[{self._done}/{self._total}]"
        line = Text(f"{count} {VERDICT_GLYPHS[result.verdict]} {result.verdict:<11}")
        line.append(f"{result.status:<14}", style=STATUS_STYLES[result.status])
        line.append(f"{result.newest.seconds:5.1f} s  {result.cell.label}")
        self._out.print(line)

    def skipped(self, cell: Cell, reason: str) -> None:
        with self._lock:
            self._done += 1
        self._out.print(Text(f"not applicable  {cell.label}: {reason}", style="dim"))


def table(rows: Sequence[Row]) -> Table:
    """Failure x environment: verdict, status and the evidence line."""
    made = Table(caption=LEGEND, caption_justify="left", show_lines=False, pad_edge=False)
    made.add_column("failure", no_wrap=True)
    made.add_column("environment", no_wrap=True)
    made.add_column("verdict", no_wrap=True)
    made.add_column("status", no_wrap=True)
    made.add_column("k of n", no_wrap=True)
    made.add_column("s", justify="right", no_wrap=True)
    made.add_column("evidence", overflow="ellipsis", no_wrap=True, ratio=1)
    before = ""
    for row in rows:
        name = row.cell.failure
        if before and name != before:
            made.add_section()
        style = STATUS_STYLES.get(row.status or "", "dim")
        made.add_row(
            Text(name if name != before else ""),
            Text(where_words(row)),
            Text(verdict_words(row)),
            Text(row.status or "—", style=style),
            Text(count_words(row)),
            Text(f"{row.seconds:.0f}" if row.seconds is not None else "—"),
            Text(evidence_words(row)),
        )
        before = name
    return made
