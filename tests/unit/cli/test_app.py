"""What all commands share: mistakes, exit codes, ``--catalog``, ``--help`` and ``--version``."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from repro import __version__
from repro.catalog.project import Project
from repro.cli import app
from repro.cli.app import COMMANDS, GROUPS, command_of, summary_of
from repro.files import PACKAGE
from repro.model.errors import Exit
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


SUBCOMMANDS = ["list", "show", "check", "new", "run", "claims", "ablate", "bisect", "blame", "sweep", "doctor", "draft"]
SUBCOMMANDS += ["advise", "report", "rejudge", "lock", "envs", "envs list", "envs build", "envs remove"]
SUBCOMMANDS += ["store list", "store show", "store verify", "store merge", "store prune"]
SUBCOMMANDS += ["matrix", "watch", "rot", "pack", "summary"]


DOCTOR = ["doctor", "--static", "--python", sys.executable]


class TestCatalog:
    """``--catalog`` in every command that reads the catalogue."""

    @pytest.mark.parametrize("command", SUBCOMMANDS)
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


WIDEST = 60
"""A longer summary does not fit on one line of a terminal of 80 columns."""
HEAVY = ("repro.catalog", "repro.launch", "repro.report", "repro.store", "pydantic", "rich", "jinja2", "yaml")
READERS = ("repro.catalog.catalog", "repro.model.failure", "pydantic", "yaml", "re2", "importlib.metadata", "email")


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


def loaded(*arguments: str, first: str = "") -> set[str]:
    """The modules that a command line imports, in a process of its own; ``first`` is run before."""
    code = f"import sys; sys.argv = ['repro', *{arguments!r}]\n{first}\n"
    code += "from repro.cli import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return set(done.stdout.rsplit("\n", 2)[-2].split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_light(option: str) -> None:
    """Neither imports a command, or a library that takes long to import."""
    found = loaded(option)
    assert "repro.cli.app" in found
    assert not {name for name in found if name.startswith(HEAVY)}
    assert not found & {f"repro.cli.{name}" for name in COMMANDS}


@pytest.mark.parametrize(
    ("arguments", "others"),
    [
        (("list",), ("packaging",)),
        (("list", "--json"), ("packaging",)),
        (("show", "lightning-19492"), ("packaging",)),
        (DOCTOR, ("jinja2", "repro.model.observation", "repro.model.matrix", "repro.launch")),
    ],
)
def test_light_while_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], others: tuple[str, ...]
) -> None:
    """From the second time on they import no model, and no library that reads or checks records."""
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    settled = "from repro.catalog import known_texts; known_texts.SETTLED_SECONDS = float('-inf')"
    assert loaded(*arguments, first=settled) >= {"pydantic", "repro.model.failure"}
    found = loaded(*arguments, first=settled)
    assert f"repro.cli.{arguments[0]}" in found
    assert not {name for name in found if name.startswith((*READERS, *others))}


class TestPlainValues:
    """What is not converted by Typer is what Typer would make of it."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["show", "", "--catalog", "."],
            ["show", "two\nlines"],
            ["list", "--catalog", "no-such-folder"],
            ["list", "--catalog", ""],
            ["doctor", "--static", "--lane", "cuda", "--python", "no-such-python"],
            ["doctor", "--static", "--lane", "gpu"],
            ["doctor", "--env", "x"],
            ["run", "--set", "a=b", "--repeat", "2", "--nodes", "1", "no-such-failure"],
            ["run", "--repeat", "no-number"],
            ["new"],
            ["show"],
        ],
    )
    def test_same_answer(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        ours = called(arguments, capsys, monkeypatch)
        monkeypatch.setattr(app, "_plain_value", lambda *_: app._OTHER)
        assert called(arguments, capsys, monkeypatch) == ours

    def test_types(self, tmp_path: Path) -> None:
        """Paths become paths, several values none, and what cannot be read is left to Typer."""
        command = command_of("doctor")
        by_name = {parameter.name: parameter for parameter in command.params}

        def plain(name: str, value: object) -> object:
            return app._plain_value(command, by_name[name], value)

        assert plain("python", str(tmp_path)) == tmp_path
        assert plain("python", str(tmp_path / "none")) == tmp_path / "none"
        assert plain("python", None) is None
        assert plain("ids", None) == ()
        assert plain("env", "text") == "text"
        assert plain("env", "bytes \udcff") is plain("ids", ("x",)) is plain("static", True) is app._OTHER

    def test_no_other_rule(self) -> None:
        """No option asks Typer for a rule on paths or texts that only its conversion would hold."""
        rules = r"exists|file_okay|dir_okay|writable|readable|resolve_path|allow_dash|parser|click_type"
        files = (PACKAGE / "cli").glob("*.py")
        assert not [file.name for file in files if re.search(rf"\b({rules})=", file.read_text(encoding="utf-8"))]
