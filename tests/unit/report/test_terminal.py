"""What a person at a terminal sees."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from repro.report.rows import Lookup
from repro.report.terminal import Progress, table
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.verdict.result import judge_repetitions
from tests.unit.factories import (
    FAILURE,
    cell,
    failed,
    failure,
    installed,
    observation,
    project,
    raised,
    script_frame,
)


def terminal(*, width: int = 200, tty: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, highlight=False, force_terminal=tty, color_system=None), out


class TestTable:
    """Failure x environment, as printed by ``run``, ``report`` and ``show``."""

    def test_table(self, tmp_path: Path) -> None:
        """Words of libraries are printed as they are, not as markup."""
        error = raised("RuntimeError", "[bold]not markup[/bold] [/]", script_frame())
        held = project(tmp_path)
        recipe = recipe_of(cell(), held.catalog[FAILURE], held.environments.lock("old").digest)
        run = observation(failed(0, error), failed(1, error), id=f"{recipe[:12]}-0001", recipe=recipe, cell=cell())
        Store(held.reports / "data").add(run)
        lookup = Lookup(held.catalog, held.environments, Store(held.reports / "data"))
        out, text = terminal()
        out.print(table([lookup.row(cell()), lookup.row(cell(environment="new"))], 200))
        shown = text.getvalue()
        assert "≠ different" in shown
        assert "drifted" in shown
        assert "[bold]not markup[/bold] [/]" in shown
        assert "· not run" in shown

    def test_empty_table(self) -> None:
        """No rows: the heads alone."""
        out, text = terminal()
        out.print(table([], 100))
        assert "verdict" in text.getvalue()


class TestProgress:
    """What is printed while cells run."""

    @pytest.mark.parametrize("tty", [True, False])
    def test_progress(self, tty: bool) -> None:
        """Each finished or skipped cell has a line with its count, on a terminal and in a file."""
        out, text = terminal(tty=tty)
        with Progress(out, 3) as progress:
            progress.progress("old: building")
            progress.started(cell())
            progress.finished(judge_repetitions(failure(), [observation()]))
            progress.skipped(cell(environment="new"), "needs [x]")
            progress.finished(judge_repetitions(failure(), [observation(failed(0), failed(1), installed=installed())]))
        shown = text.getvalue()
        assert "[1/3] ✓ absent" in shown
        assert "cured" in shown
        assert "needs [x]" in shown
        assert "[3/3] ✗ reproduced" in shown

    @pytest.mark.parametrize("tty", [True, False])
    def test_without_total(self, tty: bool) -> None:
        """A search prints its own answer: no line for a finished cell, but why one was left out."""
        out, text = terminal(tty=tty)
        with Progress(out) as progress:
            progress.started(cell())
            progress.finished(judge_repetitions(failure(), [observation()]))
            progress.skipped(cell(environment="new"), "needs torch>=3")
        assert "absent" not in text.getvalue()
        assert "needs torch>=3" in text.getvalue()
        assert progress.left_out == {FAILURE: "needs torch>=3"}
