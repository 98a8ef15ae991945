"""The project that command lines find, and how to call one."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments import build as building
from repro.environments.interpreter import Interpreter
from repro.launch import session
from tests.unit.cli.calls import Call, called
from tests.unit.factories import project
from tests.unit.launch.test_session import Played, provide


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a folder of its own, which the command line finds."""
    made = project(tmp_path)
    monkeypatch.setattr(Project, "here", classmethod(lambda *_, **__: made))
    return made


@pytest.fixture
def call(held: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a command line in this process, on ``held`` and never on the real project; returns code, output, error."""
    assert Project.here() is held

    return lambda *arguments: called(arguments, capsys, monkeypatch)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Plays every run, on environments that nobody builds."""
    play = Played()
    monkeypatch.setattr(session, "run_cell", play)

    def interpreter(environments: building.Environments, name: str, *_: Any) -> Interpreter:
        return provide(name, environments.lock(name).digest)

    monkeypatch.setattr(building.Environments, "interpreter", interpreter)
    return play
