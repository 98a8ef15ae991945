"""The project that command lines find, and how to call one."""

from pathlib import Path

import pytest

from repro.catalog.project import Project
from tests.unit.cli.calls import Call, called
from tests.unit.factories import project


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
