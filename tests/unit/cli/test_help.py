"""``repro --help`` and ``repro --version``: whole summaries, by what a user wants, and fast."""

import subprocess
import sys

import pytest

from repro import __version__
from repro.cli.app import COMMANDS, GROUPS, command_of, summary_of
from repro.errors import Exit
from tests.unit.cli.calls import Call

WIDEST = 60
"""A longer summary does not fit on one line of a terminal of 80 columns."""
HEAVY = ("repro.catalog", "repro.launch", "repro.report", "repro.store", "pydantic", "rich", "jinja2", "yaml")


@pytest.mark.parametrize("command", COMMANDS)
def test_summary(command: str) -> None:
    """One sentence on one line, the same in the list of commands and in the command's own help."""
    summary = summary_of(command)
    assert 0 < len(summary) <= WIDEST
    assert summary.endswith(".")
    assert ". " not in summary
    assert " ".join(command_of(command).help.split("\n\n")[0].split()) == summary


def test_groups(call: Call) -> None:
    """Every command once, below its group, whole; then every exit code with its meaning."""
    code, out, _ = call("--help")
    assert code == 0
    assert "…" not in out
    for group, names in GROUPS.items():
        lines = out.split(f"\n{group}:\n")[1].split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in lines] == list(names)
        assert [line.split(maxsplit=1)[1] for line in lines] == [summary_of(name) for name in names]
    for exit_code in Exit:
        assert f"{int(exit_code)}" in out
        assert exit_code.meaning in out


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"repro {__version__}\n", "")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_light(option: str) -> None:
    """Neither imports a command, or a library that takes long to import."""
    code = f"import sys; sys.argv = ['repro', {option!r}]\n"
    code += "from repro.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.rsplit("\n", 2)[-2].split())
    assert "repro.cli.app" in loaded
    assert not {name for name in loaded if name.startswith(HEAVY)}
    assert not loaded & {f"repro.cli.{name}" for name in COMMANDS}
