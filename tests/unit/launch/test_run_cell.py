"""One cell, run for real by both launchers with a small torch of ours: facts in, facts out."""

import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import Entry
from repro.launch import job as job_module
from repro.launch import processes, standstill, warm
from repro.launch.guard import Limits
from repro.launch.run_cell import Launch, run_cell, torchrun
from repro.launch.warm import WarmLauncher
from repro.model.observation import Observation, Origin, Phase
from repro.model.verdict import Verdict
from repro.store import recipe
from repro.store.recipe import environment_key, recipe_of
from repro.verdict.judge import judge
from tests.unit.factories import HANG, cell, entry, interpreter
from tests.unit.launch.fake import LIGHTNING, environment
from tests.unit.launch.ranks import gone

SCRIPT = """\
import argparse
import json
import os

import lightning
import torch

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state-dict-type", choices=["sharded", "full"], default="sharded")
    flags = parser.parse_args()
    print("measured world =", json.dumps([os.environ["RANK"], os.environ["WORLD_SIZE"]]))
    state = {"optimizer_states": 1} if flags.state_dict_type == "full" else {}
    lightning.save_checkpoint(state)
    print("oracle passed: all is equal")

if __name__ == "__main__":
    main()
"""
PASSING = "import lightning, torch\nprint('oracle passed: yes')\n"
CURE = """\
def apply():
    import lightning
    save = lightning.save_checkpoint
    lightning.save_checkpoint = lambda state: save({"optimizer_states": [], **state})
"""


@pytest.fixture(params=["torchrun", "warm"])
def launch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    """Both launchers, with short waits."""
    monkeypatch.setattr(job_module, "GRACE_SECONDS", 0.6)
    for name, seconds in (("DUMP_PAUSE_SECONDS", 1.6), ("SETTLE_SECONDS", 0.2)):
        monkeypatch.setattr(standstill, name, seconds)
    monkeypatch.setattr(processes, "TERM_GRACE_SECONDS", 3.0)
    monkeypatch.setattr(warm, "TERM_GRACE_SECONDS", 3.0)
    if request.param == "torchrun":
        yield torchrun
    else:
        with WarmLauncher() as launcher:
            yield launcher.run


def run(
    root: Path,
    launch: Launch,
    script: str,
    *,
    lightning: str = LIGHTNING,
    stop: threading.Event | None = None,
    timeout: int = 20,
    still: float | None = None,
    backport: str | None = None,
    source: str = CURE,
    factors: dict[str, str] | None = None,
    nodes: int = 1,
    **record: Any,
) -> tuple[Observation, Entry]:
    held = entry(root / "failures", script=script, backport=source, **record)
    wanted = cell(backport=backport, factors=factors or {}, nodes=nodes)
    under_test = environment(root, lightning=lightning)
    limits = Limits(timeout, stop or threading.Event(), still=still)
    return run_cell(wanted, held, under_test, run="r", limits=limits, launch=launch), held


class TestVerdicts:
    """From a script to its verdict, through every part but torch."""

    def test_reproduced(self, tmp_path: Path, launch: Launch, request: pytest.FixtureRequest) -> None:
        """The library's error on both ranks is reproduced, with all that a report needs."""
        seen, held = run(tmp_path, launch, SCRIPT)
        judged = judge(held.failure, seen)
        assert judged.verdict is Verdict.REPRODUCED, judged
        assert judged.where == "lightning/__init__.py:4 in save_checkpoint"
        assert seen.launcher == request.node.callspec.params["launch"]
        assert (seen.launcher_code, seen.fault, seen.deadline_passed) == (1, None, False)
        for number, rank in enumerate(seen.ranks):
            assert rank.rank == number
            assert (rank.started, rank.reached, rank.finished, rank.ended) == (True, True, False, True)
            assert (rank.exit_code, rank.stopped, rank.phase) == (1, False, Phase.RUN)
            assert rank.measured == {"world": [str(number), "2"]}
            assert rank.imported["lightning"].inside
            assert rank.peak_bytes
            error = rank.error
            assert error is not None
            origins = [frame.origin for frame in error.frames]
            assert origins[-3:] == [Origin.SCRIPT, Origin.SCRIPT, Origin.LIBRARY]
            assert error.frames[-2].file == "repro.py"
            assert error.frames[-2].line == 14

    def test_absent(self, tmp_path: Path, launch: Launch) -> None:
        """The other factor passes: its flag reached the script."""
        seen, held = run(tmp_path, launch, SCRIPT, factors={"state-dict-type": "full"})
        judged = judge(held.failure, seen)
        assert (judged.verdict, judged.evidence) == (Verdict.ABSENT, "all is equal"), (judged, seen)

    def test_backport(self, tmp_path: Path, launch: Launch) -> None:
        """The backport cures, and the observation says that it was applied."""
        seen, held = run(tmp_path, launch, SCRIPT, backport="cure")
        assert judge(held.failure, seen).verdict is Verdict.ABSENT
        assert all(rank.backport_applied for rank in seen.ranks)

    def test_backport_fails(self, tmp_path: Path, launch: Launch) -> None:
        """A backport that raises makes the run unrunnable."""
        seen, held = run(
            tmp_path, launch, SCRIPT, backport="cure", source="def apply():\n    raise KeyError('optimizer_states')\n"
        )
        assert judge(held.failure, seen).verdict is Verdict.UNRUNNABLE
        assert seen.ranks[0].phase is Phase.BACKPORT

    def test_one_rank_fails(self, tmp_path: Path, launch: Launch) -> None:
        """After the grace the launcher ends the others, which is marked: the failing rank's words decide."""
        script = (
            "import lightning, os, time, torch\n"
            "lightning.save_checkpoint({}) if os.environ['RANK'] == '0' else time.sleep(60)\n"
        )
        seen, held = run(tmp_path, launch, script, signature={**_signature(), "ranks": 0})
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert (seen.ranks[1].stopped, seen.ranks[1].signal) == (True, signal.SIGTERM)
        assert not seen.deadline_passed

    def test_hang(self, tmp_path: Path, launch: Launch) -> None:
        """A hang in the documented function, on both ranks, at the deadline."""
        lightning = "import time\n__version__ = '2.2.1'\ndef all_gather():\n    time.sleep(60)\n"
        script = "import lightning, torch\nlightning.all_gather()\n"
        seen, held = run(
            tmp_path, launch, script, lightning=lightning, timeout=1, signature={**HANG, "library": "lightning"}
        )
        assert seen.deadline_passed
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert seen.ranks[0].stacks[0][-1].file == "lightning/__init__.py"

    def test_hang_is_seen_before_the_deadline(
        self, tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A warm run may end once all of its ranks stand still; torchrun waits for the deadline, and says the same."""
        monkeypatch.setattr(standstill, "LOOK_SECONDS", 0.2)
        lightning = "import time\n__version__ = '2.2.1'\ndef all_gather():\n    time.sleep(60)\n"
        seen, held = run(
            tmp_path,
            launch,
            "import lightning, torch\nlightning.all_gather()\n",
            lightning=lightning,
            timeout=4 if launch is torchrun else 60,
            still=1.0,
            signature={**HANG, "library": "lightning"},
        )
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert seen.deadline_passed is (launch is torchrun)
        assert (seen.stood_still is None) is (launch is torchrun)
        assert seen.seconds < 30

    @pytest.mark.parametrize(
        ("script", "lightning", "verdict"),
        [
            ("import nothing_here\n", LIGHTNING, Verdict.UNRUNNABLE),
            ("def x(:\n", LIGHTNING, Verdict.UNRUNNABLE),
            ("", "raise ImportError('no library')\n", Verdict.UNRUNNABLE),
            ("print('oracle passed: yes')\n", "__version__ = '2.2.2'\n", Verdict.UNRUNNABLE),
            ("print('passed: yes')\n", LIGHTNING, Verdict.UNRUNNABLE),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", LIGHTNING, Verdict.UNRUNNABLE),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", LIGHTNING, Verdict.DIFFERENT),
            ("import os\nos._exit(3)\n", LIGHTNING, Verdict.DIFFERENT),
            ("raise KeyError('optimizer_states')\n", LIGHTNING, Verdict.DIFFERENT),
            ("raise ValueError('\\udcff')\n", LIGHTNING, Verdict.DIFFERENT),
        ],
        ids=["import", "syntax", "library", "version", "oracle", "SIGKILL", "SIGSEGV", "_exit", "own", "surrogate"],
    )
    def test_others(self, tmp_path: Path, launch: Launch, script: str, lightning: str, verdict: Verdict) -> None:
        """Whatever a script does, the run ends, can be stored, and never passes for the failure or its absence."""
        seen, held = run(tmp_path, launch, f"import lightning, torch\n{script}", lightning=lightning)
        assert judge(held.failure, seen).verdict is verdict, seen
        assert Observation.model_validate_json(seen.model_dump_json(exclude_defaults=True)) == seen


def _signature() -> dict[str, Any]:
    return {"type": "KeyError", "message": "optimizer_states", "function": "save_checkpoint", "library": "lightning"}


class TestSide:
    """What a run leaves, shows and takes."""

    def test_stop(self, tmp_path: Path, launch: Launch) -> None:
        """A run that is broken off ends soon and says so."""
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        began = time.monotonic()
        seen, held = run(tmp_path, launch, "import lightning, time, torch\ntime.sleep(60)\n", stop=stop)
        assert time.monotonic() - began < 10
        assert seen.fault == "interrupted"
        assert judge(held.failure, seen).verdict is Verdict.UNRUNNABLE

    def test_what_ranks_forked_is_ended(self, tmp_path: Path, launch: Launch) -> None:
        """A fork of a rank that detached itself is ended with the run."""
        note = tmp_path / "pid"
        script = (
            "import lightning, os, time, torch\n"
            "if os.environ['RANK'] == '0' and os.fork() == 0:\n"
            f"    os.setsid()\n    open({str(note)!r}, 'w').write(str(os.getpid()))\n"
            "    time.sleep(60)\n    os._exit(0)\n"
            f"while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)\n"
            "print('oracle passed: yes')\n"
        )
        seen, _ = run(tmp_path, launch, script)
        assert seen.launcher_code == 0
        assert gone(int(note.read_text()))

    def test_what_ranks_started_is_ended(self, tmp_path: Path, launch: Launch) -> None:
        """A process that a rank left behind is ended with the run."""
        note = tmp_path / "pid"
        child = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
        script = (
            "import lightning, os, subprocess, sys, time, torch\n"
            "if os.environ['RANK'] == '0':\n"
            f"    subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
            f"    while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)\n"
            "print('oracle passed: yes')\n"
        )
        seen, _ = run(tmp_path, launch, script)
        assert seen.launcher_code == 0
        assert gone(int(note.read_text()))

    def test_nothing_names_the_machine(self, tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
        """No folder of this machine is in what is stored, and the run's own folder is gone."""
        script = (
            "import lightning, os, sys, torch\n"
            "print(os.getcwd(), __file__, lightning.__file__, os.environ['TMPDIR'])\nraise ValueError(os.getcwd())\n"
        )
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        seen, _ = run(tmp_path, launch, script)
        assert [path for path in temporary.iterdir() if (path / "job.json").exists()] == []
        text = seen.model_dump_json()
        assert str(tmp_path) not in text
        assert "/repro-" not in text
        assert "<run> repro.py <environment>/lightning/__init__.py <run>" in seen.ranks[0].tail

    def test_lane_gates_are_told(self, tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
        """A gate that is lifted only in the middle of the run is in the observation of its rank."""
        gates = tmp_path / "gates.py"
        gates.write_text(
            "import collections\nGate = collections.namedtuple('Gate', 'name module releases lift')\n"
            "def lift(module):\n    module.lifted = True\n"
            "GATES = (Gate('early', 'lightning', {}, lift), Gate('late', 'colorsys', {}, lift))\n"
        )
        monkeypatch.setattr(job_module, "GATES", gates)
        monkeypatch.setattr(warm, "GATES", gates)
        monkeypatch.setattr(job_module, "applicable_gates", lambda *_: ("early", "late"))
        monkeypatch.setattr(warm, "applicable_gates", lambda *_: ("early", "late"))
        script = (
            "import lightning, torch\ndef main():\n    import colorsys\n"
            "    print('oracle passed:', lightning.lifted, colorsys.lifted)\nmain()\n"
        )
        seen, _ = run(tmp_path, launch, script)
        assert seen.ranks[0].oracle == "True True", (seen.fault, seen.launcher_code, seen.launcher_tail)
        assert [rank.gates for rank in seen.ranks] == [("early", "late")] * 2

    def test_two_runs_share_nothing(self, tmp_path: Path, launch: Launch) -> None:
        """What one run changes in its modules, another does not see."""
        script = (
            "import lightning, torch\nassert not hasattr(lightning, 'mark')\nlightning.mark = 1\n"
            "print('oracle passed: fresh')\n"
        )
        held, under_test = entry(tmp_path / "failures", script=script), environment(tmp_path)
        for _ in range(2):
            seen = run_cell(cell(), held, under_test, run="r", limits=Limits(20), launch=launch)
            assert judge(held.failure, seen).verdict is Verdict.ABSENT, seen

    def test_cannot_start(self, tmp_path: Path, launch: Launch) -> None:
        """An interpreter that is not there is a fault in one line, not an exception."""
        held = entry(tmp_path / "failures")
        absent = interpreter(executable=tmp_path / "none")
        seen = run_cell(cell(), held, absent, run="r", limits=Limits(20), launch=launch)
        assert seen.launcher == "none"
        assert "could not be started" in str(seen.fault)
        assert judge(held.failure, seen).verdict is Verdict.UNRUNNABLE


MEASURING = """\
import json, lightning, os, torch
print("measured place =", json.dumps([os.environ[name] for name in ("GROUP_RANK", "LOCAL_RANK", "WORLD_SIZE")]))
"""


class TestNodes:
    """Ranks divided among nodes, whatever launcher was asked for."""

    def test_reproduced(self, tmp_path: Path, launch: Launch) -> None:
        """Every rank is on its node; the failure is the same, and torchrun ran it."""
        source = MEASURING + "lightning.save_checkpoint({})\n"
        seen, held = run(tmp_path, launch, source, nodes=2)
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert [rank.measured["place"] for rank in seen.ranks] == [["0", "0", "2"], ["1", "0", "2"]]
        assert (seen.launcher, seen.launcher_code) == ("torchrun", 1)
        assert Observation.model_validate_json(seen.model_dump_json(exclude_defaults=True)).cell.nodes == 2

    def test_absent(self, tmp_path: Path, launch: Launch) -> None:
        """All agents end well."""
        seen, held = run(tmp_path, launch, MEASURING + "print('oracle passed: yes')\n", nodes=2)
        assert judge(held.failure, seen).verdict is Verdict.ABSENT, seen
        assert seen.launcher_code == 0

    def test_one_rank_fails(self, tmp_path: Path, launch: Launch) -> None:
        """A rank that fails alone: that of the other node is ended after the grace, and marked as asked to."""
        source = (
            "import lightning, os, time, torch\n"
            "lightning.save_checkpoint({}) if os.environ['RANK'] == '1' else time.sleep(60)\n"
        )
        seen, held = run(tmp_path, launch, source, nodes=2, signature={**_signature(), "ranks": "any"})
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert (seen.ranks[0].stopped, seen.ranks[0].signal) == (True, signal.SIGTERM)
        assert not seen.deadline_passed

    def test_hang(self, tmp_path: Path, launch: Launch) -> None:
        """At the deadline the ranks of every node show where they wait."""
        lightning = "import time\n__version__ = '2.2.1'\ndef all_gather():\n    time.sleep(60)\n"
        source = "import lightning, torch\nlightning.all_gather()\n"
        signature = {**HANG, "library": "lightning"}
        seen, held = run(tmp_path, launch, source, lightning=lightning, timeout=2, nodes=2, signature=signature)
        assert seen.deadline_passed
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED, seen
        assert all(rank.stacks[0][-1].function == "all_gather" for rank in seen.ranks)

    def test_stop(self, tmp_path: Path, launch: Launch) -> None:
        """A run that is broken off leaves no rank of any node."""
        source = (
            f"import lightning, os, time, torch\nopen({str(tmp_path)!r} + '/' + os.environ['RANK'], 'w')"
            ".write(str(os.getpid()))\ntime.sleep(60)\n"
        )
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        seen, _ = run(tmp_path, launch, source, nodes=2, stop=stop)
        assert seen.fault == "interrupted"
        assert all(gone(int(file.read_text())) for file in tmp_path.glob("[01]") if file.read_text())


class TestRecipe:
    """The key of a run changes with all that determines it, and with nothing else."""

    def test_changes(self, tmp_path: Path) -> None:
        """Script, backport, lock, factors, lane, world size: each changes the key; the environment's name does not."""
        held = entry(tmp_path)
        base = recipe_of(cell(), held, "lock")
        assert recipe_of(cell(), held, "lock") == base
        assert recipe_of(cell(environment="another"), held, "lock") == base
        others = {
            recipe_of(cell(), held, "lock2"),
            recipe_of(cell(backport="cure"), held, "lock"),
            recipe_of(cell(backport="placebo"), held, "lock"),
            recipe_of(cell(factors={"a": "b"}), held, "lock"),
            recipe_of(cell(lane="cuda"), held, "lock"),
            recipe_of(cell(world_size=3), held, "lock"),
            recipe_of(cell(nodes=2), held, "lock"),
        }
        assert len(others | {base}) == 8
        cured = recipe_of(cell(backport="cure"), held, "lock")
        (held.folder / "backport.py").write_text("def apply():\n    ...\n")
        assert recipe_of(cell(backport="cure"), held, "lock") != cured
        assert recipe_of(cell(), held, "lock") == base
        held.script.write_text(held.script.read_text() + "\n")
        assert recipe_of(cell(), held, "lock") != base

    def test_keys_hold(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is stored is found again: these keys were computed before a cell could have several nodes."""
        for name in ("BOOTSTRAP", "GATES"):
            source = tmp_path / name.lower()
            source.write_text(f"{name.lower()}\n")
            monkeypatch.setattr(recipe, name, source)
        held = entry(tmp_path / "failures", script="script\n", backport="backport\n")
        changed = cell(backport="cure", factors={"state-dict-type": "full"})
        assert [recipe_of(wanted, held, "lock") for wanted in (cell(), changed)] == [
            "3cfc6ad7a6ce4c01c85bbb6e94c5e1da6069e4999b393026dc4a3a66d0f6e57c",
            "f4a39bd417f36b8f93488e437cb9d4d93de66107c908f9ea700b2c5dac37311e",
        ]

    def test_environment_key(self) -> None:
        """The lock's digest where there is one, else what is installed."""
        built = interpreter()
        assert environment_key(built.installed) == built.installed.lock
        adopted = interpreter(installed=built.installed.model_copy(update={"lock": None}))
        newer = adopted.installed.model_copy(update={"distributions": {"torch": "2.3"}})
        assert len({environment_key(adopted.installed), environment_key(newer)}) == 2
