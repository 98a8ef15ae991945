"""Output on a terminal: live progress, then a table."""

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from repro.report.format import (
    LEGEND,
    STATUS_STYLES,
    VERDICT_GLYPHS,
    format_count,
    format_evidence,
    format_verdict,
    format_where,
)

if TYPE_CHECKING:  # not loaded for a command that shows none of them
    from repro.model.cell import Cell
    from repro.report.rows import Row
    from repro.verdict.result import Result


class Progress:
    """Live progress on a terminal, plain lines elsewhere.  A context manager; thread-safe."""

    def __init__(self, out: Console, total: int | None = None) -> None:
        """``total`` is the number of cells.  Without it no line is printed for a finished cell, only for builds: a
        search does not know how many cells it will run, and prints its answer itself.
        """
        self.left_out: dict[str, str] = {}
        """Failure -> why its cell was not run."""
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
            parts = [f"{self._done} run" if self._total is None else f"{self._done}/{self._total}"]
            parts += [f"{label} ({now - began:.0f} s)" for label, began in self._running.items()]
            parts += [self._build] if self._build else []
        return Text("  ".join(parts), style="dim", overflow="ellipsis", no_wrap=True)

    def progress(self, text: str) -> None:
        if self._live:
            with self._lock:
                self._build = text
        else:
            self._out.print(Text(text))

    def started(self, cell: "Cell") -> None:
        with self._lock:
            self._running[cell.label] = time.monotonic()

    def finished(self, result: "Result") -> None:
        with self._lock:
            self._done += 1
            self._running.pop(result.cell.label, None)
            count = f"[{self._done}/{self._total}]"
        if self._total is None:
            return
        line = Text(f"{count} {VERDICT_GLYPHS[result.verdict]} {result.verdict:<11}")
        line.append(f"{result.status:<14}", style=STATUS_STYLES[result.status])
        line.append(f"{result.newest.seconds:5.1f} s  {result.cell.label}")
        if result.newest.shared_cores:
            line.append(f" ({result.newest.shared_cores})")
        self._out.print(line)

    def skipped(self, cell: "Cell", reason: str) -> None:
        with self._lock:
            self._done += 1
            self.left_out[cell.failure] = reason
        self._out.print(Text(f"not applicable  {cell.label}: {reason}", style="dim"))


def table(rows: "Sequence[Row]", width: int) -> Table:
    """A row for each failure and environment: verdict, status, and as much of the evidence as fits in ``width``."""
    heads = ("failure", "environment", "verdict", "status", "k of n", "s")
    made = Table(caption=LEGEND, caption_justify="left", pad_edge=False)
    cells = [
        (
            row.cell.failure,
            format_where(row),
            format_verdict(row),
            row.status or "—",
            format_count(row),
            f"{row.seconds:.0f}" if row.seconds is not None else "—",
        )
        for row in rows
    ]
    for index, head in enumerate(heads):
        needed = max(len(text[index]) for text in (heads, *cells))
        made.add_column(head, no_wrap=True, min_width=needed, justify="right" if head == "s" else "left")
        width -= needed + 3
    made.add_column("evidence", no_wrap=True, overflow="ellipsis", width=max(width - 2, 20))
    before = ""
    for row, (failure, *texts) in zip(rows, cells, strict=True):
        if before and failure != before:
            made.add_section()
        style = STATUS_STYLES.get(row.status or "", "dim")
        written = [Text(text, style=style if text == row.status else "") for text in texts]
        made.add_row(Text(failure if failure != before else ""), *written, Text(format_evidence(row)))
        before = failure
    return made
