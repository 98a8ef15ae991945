"""``repro run``: with runs that are played, and as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.launch import processes
from repro.launch.session import Session
from repro.report import write as writing
from repro.report.rows import Report
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, MATRIX, project, write_failure
from tests.unit.launch.fake import environment
from tests.unit.launch.test_run_cell import PASSING, SCRIPT
from tests.unit.launch.test_session import Played


def test_runs_nowhere(held: Project, call: Call) -> None:
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


def test_stale_lock(held: Project, call: Call) -> None:
    """A stale lock is refused before anything is run."""
    file = held.locks / "new.txt"
    file.write_text(file.read_text().replace("2024-04-12", "2024-04-11"))
    code, _, err = call("run")
    assert code == 2
    assert "run `repro lock new`" in err


@pytest.mark.usefixtures("held", "played")
class TestRun:
    """``repro run`` with the runs played."""

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


def catalogue(root: Path, script: str) -> dict[str, str]:
    """A catalogue outside the package, as a user would have it; returns the variables that name it."""
    made = project(root, content={**MATRIX, "runs": {FAILURE: {"environments": ["old"]}}}, failures=False)
    write_failure(made.failures, script=script)
    made.matrix_file.rename(made.failures / "matrix.yaml")
    made.locks.rename(made.failures / "locks")
    return {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "LANG"}},
        "REPRO_CATALOG": str(made.failures), "REPRO_CACHE": str(made.cache), "REPRO_RANKS": "2", "HOME": str(root),
        "PYTHONPATH": str(PACKAGE.parent),  # the code that is tested, not the one that is installed
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
