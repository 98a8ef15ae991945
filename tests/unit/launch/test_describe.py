"""An environment describes itself by upstream's own command, or says why not."""

import os
import sys
from pathlib import Path

import pytest

from repro.launch.describe import DescribeCommand, describe
from tests.unit.factories import interpreter


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    return folder


def asked(place: Path, *ways: DescribeCommand) -> tuple[str, str, str | None]:
    found = describe(interpreter(executable=place / "python"), ways)
    return found.command, found.text, found.problem


NEW, OLD = DescribeCommand("new env", "new", ("env",)), DescribeCommand("old-cli env", "old-cli", ("env",))


class TestDescribe:
    """The first command that the environment has."""

    def test_own_command(self, place: Path) -> None:
        """Its arguments go on, and the first way that is there is asked."""
        program(place, "old-cli", "import sys; print('said', sys.argv[1:])")
        assert asked(place, NEW, OLD) == ("old-cli env", "said ['env']", None)

    def test_not_there(self, place: Path) -> None:
        """No command at all is said."""
        assert asked(place, NEW, OLD) == ("new env", "", "the environment has no command new or old-cli")

    def test_fails(self, place: Path) -> None:
        """A command that fails is told with its last words, and no other is asked in its place."""
        program(place, "new", "raise ModuleNotFoundError('No module named rich')")
        program(place, "old-cli", "print('other')")
        command, text, problem = asked(place, NEW, OLD)
        assert (command, text) == ("new env", "")
        assert problem == "ended with exit code 1: ModuleNotFoundError: No module named rich"

    def test_variables(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a rank sees them: no secret of ours, a home of its own; the environment's commands on the path."""
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        program(place, "new", "import os; print(os.environ.get('HF_TOKEN'), os.environ['HOME'], os.environ['PATH'])")
        told, home, path = asked(place, NEW)[1].split(" ", 2)
        assert told == "None"
        assert home != os.environ.get("HOME")
        assert path.startswith(f"{place}{os.pathsep}")

    def test_interpreter(self, place: Path) -> None:
        """A way without a program is the interpreter's."""
        assert asked(place, DescribeCommand("x", arguments=("-c", "print(3)"))) == ("x", "3", None)
