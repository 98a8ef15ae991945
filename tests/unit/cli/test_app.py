"""The command line: one line for a user's mistake, JSON that parses, exit codes that are promised."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro import cli
from repro.catalog.project import Project
from repro.environments import build as building
from repro.environments.interpreter import Interpreter
from repro.launch import processes, session
from repro.launch.session import Session
from repro.model.cell import make_cell
from repro.model.verdict import Status, Verdict
from repro.report import write as writing
from repro.report.rows import Report, Row
from tests.unit.factories import FAILURE, MATRIX, failure, project, write_failure
from tests.unit.launch.fake import environment
from tests.unit.launch.test_run_cell import PASSING, SCRIPT
from tests.unit.launch.test_session import Played, provide

Call = Callable[..., tuple[int, str, str]]


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

    return lambda *arguments: _called(arguments, capsys, monkeypatch)


def _called(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(sys, "argv", ["repro", *arguments])
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    out, err = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0 if code is None else 1), out, err


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

    def test_runs_nowhere(self, held: Project, call: Call) -> None:
        """A failure that the matrix does not run needs an environment: told, not crashed."""
        write_failure(held.failures, id="torch-1")
        for arguments in (
            ["run", "torch-1"],
            ["run", "torch-1", "--set", "state-dict-type=full"],
            ["run", "torch-1", "--backport"],
        ):
            code, _, err = call(*arguments)
            assert code == 2, arguments
            assert "torch-1" in err
            assert "--env" in err

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

    def test_stale_lock(self, held: Project, call: Call) -> None:
        """A stale lock is refused before anything is run."""
        file = held.locks / "new.txt"
        file.write_text(file.read_text().replace("2024-04-12", "2024-04-11"))
        code, _, err = call("run")
        assert code == 2
        assert "run `repro lock new`" in err

    def test_damaged_store(self, held: Project, call: Call) -> None:
        """A damaged observation is named; its exit code is that of what cannot be told."""
        code, _, _ = call("report")
        assert code == 0
        data = held.reports / "data" / FAILURE
        data.mkdir(parents=True)
        from repro.model.cell import Cell  # noqa: PLC0415
        from repro.store.recipe import recipe_of  # noqa: PLC0415

        recipe = recipe_of(
            Cell(failure=FAILURE, environment="old"), held.catalog[FAILURE], held.environments.lock("old").digest
        )
        (data / f"{recipe[:12]}-x.json").write_text("{")
        code, _, err = call("report")
        assert code == 3
        assert "remove or restore the file" in err


@pytest.mark.usefixtures("held")
class TestRun:
    """``repro run`` with the runs played."""

    @pytest.fixture(autouse=True)
    def played(self, monkeypatch: pytest.MonkeyPatch) -> Played:
        play = Played()
        monkeypatch.setattr(session, "run_cell", play)

        def interpreter(environments: building.Environments, name: str, *_: Any) -> Interpreter:
            return provide(name, environments.lock(name).digest)

        monkeypatch.setattr(building.Environments, "interpreter", interpreter)
        return play

    def test_default(self, held: Project, call: Call, played: Played) -> None:
        """All default cells, as documented: 0, a table, and the reports."""
        code, out, _ = call("run")
        assert code == 0, out
        assert [item.label for item in sorted(played.cells, key=lambda item: item.label)] == [
            f"{FAILURE} new", f"{FAILURE} old", f"{FAILURE} old +cure",
        ]  # fmt: skip
        assert "✗ reproduced" in out
        assert "✓ absent" in out
        assert "Every status is as documented." in (held.reports / "matrix.md").read_text()

    def test_json(self, call: Call) -> None:
        """Standard output is JSON alone, of a stated format."""
        code, out, err = call("run", FAILURE, "--json")
        assert code == 0
        report = Report.model_validate_json(out)
        assert [row.verdict for row in report.rows] == ["reproduced", "absent", "absent"]
        assert json.loads(out)["format"] == 1
        assert "✗" in err

    @pytest.mark.parametrize(
        ("arguments", "labels"),
        [
            (["--env", "new"], ["new"]),
            (["--env", "new", "--env", "old"], ["new", "old"]),
            (["--backport"], ["new +cure", "old +cure"]),
            (["--backport-named", "placebo", "--env", "old"], ["old +placebo"]),
            (["--set", "state-dict-type=full", "--env", "old"], ["old state-dict-type=full"]),
            (["--set", "world-size=1", "--env", "old"], ["old world-size=1"]),
            (["--nodes", "2"], ["new nodes=2", "old +cure nodes=2", "old nodes=2"]),
            (["--nodes", "2", "--env", "new", "--backport"], ["new +cure nodes=2"]),
        ],
    )
    def test_choice(self, call: Call, played: Played, arguments: list[str], labels: list[str]) -> None:
        """What is named is what is run."""
        call("run", *arguments)
        assert sorted(item.label.removeprefix(f"{FAILURE} ") for item in played.cells) == labels

    def test_everywhere(self, held: Project, call: Call, played: Played) -> None:
        """All failures on all environments, those that matrix.yaml does not run too; what does not apply is told."""
        write_failure(held.failures, id="torch-1", needs={"distributions": {"lightning": ">=2.2.2"}})
        code, out, _ = call("run", "--all-environments")
        assert code in {0, 1}
        assert sorted(cell.label for cell in played.cells) == [f"{FAILURE} new", f"{FAILURE} old", "torch-1 new"]
        assert "skipped: torch-1 on old: needs lightning>=2.2.2, found 2.2.1" in out
        for more in (["--env", "old"], ["--nodes", "2"]):
            code, _, err = call("run", "--all-environments", *more)
            assert code == 2
            assert "--all-environments goes with ids" in err

    @pytest.mark.parametrize(
        ("spoil", "code"), [("kind: crash", 3), ("title: Sharded", 0)], ids=["a broken record", "a draft"]
    )
    def test_others_run(self, held: Project, call: Call, played: Played, spoil: str, code: int) -> None:
        """One record that is not valid or has a question stops no other; what is left out is named in one line.

        A verdict on the whole is not known where a record could not be read: code 3.
        """
        folder = write_failure(held.failures, id="torch-1")
        record = folder / "failure.yaml"
        to = {"kind: crash": "kind: crsh", "title: Sharded": "title: ANSWER Sharded"}[spoil]
        record.write_text(record.read_text().replace(spoil, to))
        held.matrix_file.write_text(held.matrix_file.read_text() + "  torch-1: {environments: [old]}\n")
        for command, expected in ((["run"], code), (["list"], 0), (["report"], 0), (["matrix"], 0), (["rejudge"], 0)):
            ended, out, err = call(*command)
            assert ended == expected, (command, err)
            assert "torch-1" not in out, command
            (line,) = [line for line in err.splitlines() if "torch-1" in line]
            assert line.startswith(f"skipped torch-1: {record}:"), command
        assert all(cell.failure == FAILURE for cell in played.cells)
        ended, _, err = call("check")
        assert ended == 2
        assert str(record) in err
        ended, _, err = call("show", "torch-1")
        assert ended == (2 if code else 0)

    def test_changed(self, call: Call, played: Played) -> None:
        """A status that changed: 1."""
        from tests.unit.factories import observation  # noqa: PLC0415

        played.answer = lambda cell, under_test: observation(cell=cell, installed=under_test.installed)
        code, out, _ = call("run", "--env", "old")
        assert (code, "cured" in out) == (1, True)

    def test_unknown(self, call: Call, played: Played) -> None:
        """What could not be told: 3."""
        from tests.unit.factories import observation  # noqa: PLC0415

        played.answer = lambda cell, _: observation(cell=cell, fault="no slots")
        assert call("run", "--env", "old")[0] == 3

    def test_factors_are_not_judged(self, call: Call, played: Played) -> None:
        """A changed factor has a verdict and no status to fail by: 0."""
        code, out, _ = call("run", "--env", "old", "--set", "state-dict-type=full")
        assert (code, "unjudged" in out) == (0, True)
        assert len(played.cells) == 1

    def test_nothing_applies(self, held: Project, call: Call) -> None:
        """No cell was run: 3, not success."""
        record = held.failures / FAILURE / "failure.yaml"
        record.write_text(record.read_text() + "needs: {distributions: {accelerate: '>=1'}}\n")
        code, out, _ = call("run", "--env", "old")
        assert code == 3
        assert "no cell was run" in out

    def test_interrupted(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C: 130, one line."""

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Session, "run", interrupt)
        code, _, err = call("run")
        assert code == 130
        assert err.splitlines()[-1].startswith("repro: interrupted")

    def test_reports_cannot_be_written(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk is one line, not a traceback."""

        def fail(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(writing, "write_whole", fail)
        code, _, err = call("run", "--env", "old")
        assert code in {2, 3}
        assert "No space left on device" in err


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
        code, out, err = _called([*command, "--catalog", str(tmp_path)], capsys, monkeypatch)
        if command[0] in {"list", "show"}:
            assert "x-1" in out
        else:
            assert code == 2
            assert f"{tmp_path}/matrix.yaml" in err

    def test_summary(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """The reports of a catalogue elsewhere lie where one works."""
        monkeypatch.chdir(tmp_path)
        row = Row(cell=make_cell(failure(id="mine-1"), "old"), verdict=Verdict.ABSENT, status=Status.CURED, k=1, n=1)
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports" / "matrix.json").write_text(Report(rows=(row,)).model_dump_json())
        code, out, _ = _called(["summary", "--catalog", str(tmp_path)], capsys, monkeypatch)
        assert code == 0
        assert "mine-1" in out


class TestOthers:
    """The other commands."""

    def test_list(self, held: Project, call: Call) -> None:
        """Ids, kinds, affected releases; the same in JSON."""
        code, out, _ = call("list")
        assert code == 0
        assert FAILURE in out
        assert "lightning >=2.1.0,<2.2.2" in out
        listed = json.loads(call("list", "--json")[1])
        assert listed["format"] == 1
        assert [item["id"] for item in listed["failures"]] == [FAILURE]
        assert held.catalog

    def test_show(self, held: Project, call: Call) -> None:
        """One failure in words and in JSON."""
        code, out, _ = call("show", FAILURE)
        assert code == 0
        assert "KeyError /optimizer_states/ in save_checkpoint" in out
        assert json.loads(call("show", FAILURE, "--json")[1])["id"] == FAILURE
        assert held.catalog

    def test_show_lane(self, held: Project, call: Call) -> None:
        """A lane in which it shows in another way, and why."""
        record = held.failures / FAILURE / "failure.yaml"
        other = {"kind": "hang", "function": "all_gather", "ranks": 1}
        record.write_text(
            record.read_text() + yaml.safe_dump({"differs_in": {"cuda": {"signature": other, "why": "No."}}})
        )
        lines = call("show", FAILURE)[1].splitlines()
        assert "in cuda    hangs in all_gather, on rank 1 only" in lines
        assert "in cuda    No." in lines

    def test_check(self, held: Project, call: Call) -> None:
        """A project without a fault: 0; with one: 2 and the fault."""
        code, out, err = call("check")
        assert (code, err) == (0, "")
        assert "no fault" in out
        (held.locks / "extra.txt").write_text("")
        (held.failures / FAILURE / "placebo.py").unlink()
        code, _, err = call("check")
        assert code == 2
        assert "belongs to no environment" in err
        assert "placebo.py is missing" in err

    def test_new(self, held: Project, call: Call) -> None:
        """A new failure can be parsed, and check names its questions; a second time nothing is overwritten."""
        address = "https://github.com/pytorch/pytorch/issues/1"
        code, out, err = call("new", "pytorch-1", "--upstream", address, "--kind", "silent")
        assert (code, err) == (0, "")
        assert {path.name for path in (held.failures / "pytorch-1").iterdir()} < {
            Path(line).name for line in out.split()
        }
        code, _, err = call("check")
        assert code == 2
        assert "failure.yaml:3: title: not answered: What goes wrong, in one line?" in err
        assert "matrix.yaml:" in err
        code, _, err = call("new", "pytorch-1", "--upstream", address)
        assert code == 2
        assert "is there already; nothing was written" in err

    def test_envs(self, held: Project, call: Call) -> None:
        """Environments, built or not, in words and in JSON."""
        code, out, _ = call("envs")
        assert code == 0
        assert "missing" in out
        listed = json.loads(call("envs", "list", "--json")[1])
        assert [(item["name"], item["state"]) for item in listed["environments"]] == [
            ("old", "missing"),
            ("new", "missing"),
        ]
        assert not (held.cache / "environments").exists()

    def test_remove(self, held: Project, call: Call) -> None:
        """Removing what was not built is no error."""
        assert call("envs", "remove") == (0, "old: was not built\nnew: was not built\n", "")
        assert held.locks.is_dir()

    def test_build_fails(self, held: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each environment that cannot be built is one line; the others are built: 3."""
        from repro.errors import EnvironmentFailure  # noqa: PLC0415

        def interpreter(_self: Any, name: str, *_: Any) -> None:
            if name == "old":
                raise EnvironmentFailure("no such release")

        monkeypatch.setattr(building.Environments, "interpreter", interpreter)
        assert call("envs", "build") == (3, "new: ready\n", "repro: old: no such release\n")
        assert held.locks.is_dir()

    def test_report(self, held: Project, call: Call) -> None:
        """From an empty store: every cell not run, 0, JSON that parses."""
        code, out, _ = call("report", "--json")
        assert code == 0
        assert {row["not_run"] is not None for row in json.loads(out)["rows"]} == {True}
        assert (held.reports / "matrix.md").is_file()

    def test_help(self, held: Project, call: Call) -> None:
        """Every command has a help with an example; no command at all shows the list."""
        code, out, err = call()
        assert code == 2 or "Commands" in out + err
        for command in ("list", "show", "check", "run", "report", "lock"):
            code, out, _ = call(command, "--help")
            assert code == 0
            assert "Example: repro" in out
        assert held.matrix_file.is_file()


def catalogue(root: Path, script: str) -> dict[str, str]:
    """A catalogue outside the package, as a user would have it; returns the variables that name it."""
    made = project(root, content={**MATRIX, "runs": {FAILURE: {"environments": ["old"]}}}, failures=False)
    write_failure(made.failures, script=script)
    made.matrix_file.rename(made.failures / "matrix.yaml")
    made.locks.rename(made.failures / "locks")
    return {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}},
        "REPRO_CATALOG": str(made.failures), "REPRO_CACHE": str(made.cache), "REPRO_RANKS": "2", "HOME": str(root),
    }  # fmt: skip


class TestWhole:
    """The real command as a process, on an existing interpreter with a small torch of ours."""

    def install(self, root: Path) -> Path:
        """An interpreter that says itself that it holds torch and lightning."""
        under_test = environment(root)
        (site,) = under_test.libraries
        for name, version in {"torch": "2.2.2+cpu", "lightning": "2.2.1"}.items():
            info = Path(site) / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (info / "RECORD").write_text(f"{name}/__init__.py,,\n")
        return under_test.executable

    def test_run(self, tmp_path: Path) -> None:
        """From the command line to the verdict and the exit code, and nothing is left running or lying about."""
        variables = catalogue(tmp_path / "project", SCRIPT)
        python = self.install(tmp_path / "env")
        command = [
            sys.executable,
            "-m",
            "repro",
            "run",
            FAILURE,
            "--python",
            str(python),
            "--json",
            "--reports",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(
            command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        (row,) = json.loads(done.stdout)["rows"]
        assert (row["verdict"], row["status"], row["launcher"]) == ("reproduced", "as documented", "warm")

    def test_misspelt(self, tmp_path: Path) -> None:
        """A mistake is one line on standard error."""
        variables = catalogue(tmp_path / "project", PASSING)
        command = [sys.executable, "-m", "repro", "show", "lightning-1949"]
        done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "repro: no failure 'lightning-1949'; did you mean 'lightning-19492'?\n"

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted(self, tmp_path: Path, number: signal.Signals) -> None:
        """Ctrl-C and a request to end: 130 soon, and no rank is left running."""
        note = tmp_path / "pid"
        script = (
            f"import lightning, os, time, torch\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
        )
        variables = catalogue(tmp_path / "project", script)
        python = self.install(tmp_path / "env")
        command = [sys.executable, "-m", "repro", "run", "--python", str(python), "--reports", str(tmp_path / "out")]
        with subprocess.Popen(
            command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            from tests.unit.launch.ranks import gone, wait_for  # noqa: PLC0415

            wait_for(lambda: note.exists() and note.read_text() != "")
            began = time.monotonic()
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
            assert time.monotonic() - began < 8
            assert process.returncode == 130, err
            assert err.decode().splitlines()[-1].startswith("repro: interrupted")
            wait_for(lambda: gone(int(note.read_text())))
        assert not list((tmp_path / "out").rglob("*.json"))
        assert processes.TERM_GRACE_SECONDS
