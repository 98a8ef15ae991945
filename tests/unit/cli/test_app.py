"""What all commands share: one line for a mistake, exit code 2, and ``--catalog``."""

import sys
from pathlib import Path

import pytest

from repro.catalog.project import Project
from tests.unit.cli.calls import Call, called
from tests.unit.factories import FAILURE, write_failure


class TestMistakes:
    """A misspelt name is one line with the nearest one, exit code 2, and no traceback."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["show", "lightnig-19492"], "no failure 'lightnig-19492'; did you mean 'lightning-19492'?"),
            (["run", "lightnig-19492"], "no failure 'lightnig-19492'; did you mean 'lightning-19492'?"),
            (["run", "--env", "odl"], "no environment 'odl'; did you mean 'old'?"),
            (
                ["run", "--set", "state-dict=full"],
                f"no factor of {FAILURE} 'state-dict'; did you mean 'state-dict-type'?",
            ),
            (
                ["run", "--set", "state-dict-type=ful"],
                "no value of factor 'state-dict-type' 'ful'; did you mean 'full'?",
            ),
            (["run", "--set", "state-dict-type"], "--set state-dict-type: FACTOR=VALUE is expected"),
            (["run", "--set", "world-size=0"], "world-size: a number of ranks is expected, not '0'"),
            (["run", "--nodes", "3"], f"{FAILURE} has 2 ranks: they cannot be divided among 3 nodes"),
            (["run", "--backport-named", "cuer"], f"no backport of {FAILURE} 'cuer'; did you mean 'cure'?"),
            (["envs", "build", "odl"], "no environment 'odl'; did you mean 'old'?"),
            (["envs", "remove", "odl"], "no environment 'odl'; did you mean 'old'?"),
            (["lock", "odl"], "no environment 'odl'; did you mean 'old'?"),
            (["ablate", "lightnig-19492"], "no failure 'lightnig-19492'; did you mean 'lightning-19492'?"),
            (["claims", "lightnig-19492"], "no failure 'lightnig-19492'; did you mean 'lightning-19492'?"),
        ],
    )
    def test_names(self, held: Project, call: Call, arguments: list[str], message: str) -> None:
        """Failure, environment, factor, value and backport, in every command that takes one."""
        code, out, err = call(*arguments)
        assert (code, out, err) == (2, "", f"repro: {message}\n")
        assert not held.reports.exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            ["rnu"],
            ["run", "--evn", "old"],
            ["run", "--repeat", "0"],
            ["run", "--nodes", "0"],
            ["run", "--timeout", "x"],
            ["run", "--lane", "gpu"],
            ["show"],
        ],
    )
    def test_usage(self, held: Project, call: Call, arguments: list[str]) -> None:
        """Unknown commands, options and impossible values: 2, in words."""
        code, _, err = call(*arguments)
        assert code == 2
        assert "Error" in err
        assert "Traceback" not in err
        assert held.failures.is_dir()

    def test_broken_record(self, held: Project, call: Call) -> None:
        """All faults, one line each, with file, line and remedy."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text().replace("kind: crash", "kind: crsh").replace("cures: true", "cures: ture"))
        for command in (["check"], ["show", FAILURE], ["run", FAILURE], ["doctor", "--static", FAILURE]):
            code, out, err = call(*command)
            assert (code, out) == (2, ""), command
            assert f"{record}:5: kind: unknown value 'crsh'; did you mean 'crash'?" in err
            assert f"{record}:" in err.splitlines()[1]
            assert "Traceback" not in err

    def test_broken_matrix(self, held: Project, call: Call) -> None:
        """An environment that nothing defines, in the matrix itself."""
        held.matrix_file.write_text(held.matrix_file.read_text().replace("- new", "- nwe"))
        code, _, err = call("run")
        assert code == 2
        assert "environment 'nwe' is not defined" in err


COMMANDS = ["list", "show", "check", "new", "run", "claims", "ablate", "bisect", "blame", "sweep", "doctor", "draft"]
COMMANDS += ["advise", "report", "rejudge", "lock", "envs", "envs list", "envs build", "envs remove"]
COMMANDS += ["store list", "store show", "store verify", "store merge", "store prune"]
COMMANDS += ["matrix", "watch", "rot", "pack", "summary"]


DOCTOR = ["doctor", "--static", "--python", sys.executable]


class TestCatalog:
    """``--catalog`` in every command that reads the catalogue."""

    @pytest.mark.parametrize("command", COMMANDS)
    def test_option(self, call: Call, command: str) -> None:
        """It is there, and said of."""
        code, out, _ = call(*command.split(), "--help")
        assert code == 0
        assert "--catalog" in out

    @pytest.mark.parametrize(
        "command",
        [["list"], ["check"], ["show", "x-1"], ["run"], ["envs", "build"], ["pack", "--env=x", "--out=p"], DOCTOR],
    )
    def test_missing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        """The folder that is named is the one that is read."""
        write_failure(tmp_path, id="x-1", title="mine")
        (tmp_path / "matrix.yaml").write_text("format: 2\n")
        code, out, err = called([*command, "--catalog", str(tmp_path)], capsys, monkeypatch)
        if command[0] in {"list", "show"}:
            assert "x-1" in out
        else:
            assert code == 2
            assert f"{tmp_path}/matrix.yaml" in err


def test_help(held: Project, call: Call) -> None:
    """Every command has a help with an example; no command at all shows the list."""
    code, out, err = call()
    assert code == 2 or "Commands" in out + err
    for command in ("list", "show", "check", "run", "report", "lock"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert "Example: repro" in out
    assert held.matrix_file.is_file()
