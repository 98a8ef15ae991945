"""A group of options as one frozen dataclass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from repro.cli.options import Ids, Launcher, RunOptions, grouped


@dataclass(frozen=True)
class Colours:
    red: Annotated[bool, typer.Option("--red", help="Paint it.")] = False
    shade: Annotated[int, typer.Option("--shade", min=1, help="How dark.")] = 3


class Called(list[tuple[object, ...]]):
    """What the command was called with."""


@pytest.fixture
def called() -> Called:
    return Called()


@pytest.fixture
def app(called: Called) -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @grouped
    def paint(
        ids: Ids = None, *, colours: Colours, how: RunOptions, own: Annotated[str, typer.Option("--own")]
    ) -> None:
        """Paint.  All of it."""
        called.append((ids, colours, how, own))

    return made


def test_values(app: typer.Typer, called: Called) -> None:
    """Every field is an option; the command sees the groups."""
    given = ["a", "b", "--red", "--shade", "7", "--launcher", "torchrun", "--reports", "out", "--own", "x"]
    assert CliRunner().invoke(app, given).exit_code == 0
    assert called == [(["a", "b"], Colours(True, 7), RunOptions(launcher=Launcher.TORCHRUN, reports=Path("out")), "x")]


def test_defaults(app: typer.Typer, called: Called) -> None:
    assert CliRunner().invoke(app, ["--own", "x"]).exit_code == 0
    assert called == [(None, Colours(), RunOptions(), "x")]


@pytest.mark.parametrize("given", [["--shade", "0", "--own", "x"], ["--own", "x", "--blue"], []])
def test_refused(app: typer.Typer, called: Called, given: list[str]) -> None:
    """Bounds, unknown names and missing options are refused as ever."""
    assert CliRunner().invoke(app, given).exit_code == 2
    assert called == []


def test_help(app: typer.Typer) -> None:
    out = CliRunner().invoke(app, ["--help"]).output
    assert "Paint.  All of it." in out
    assert "How dark." in out
    assert "--how" not in out
