"""How the ranks of the warm launcher end, without torch."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from repro.files import ZYGOTE
from repro.launch import warm
from repro.launch.guard import Limits
from repro.launch.run_cell import run_cell
from repro.launch.warm import WarmLauncher, sort_key
from repro.model.verdict import Verdict
from repro.verdict.judge import judge
from tests.unit.factories import cell, entry
from tests.unit.launch.fake import LATE_MODULE, LATE_SCRIPT, LATE_TORCH, LIGHTNING, environment
from tests.unit.launch.ranks import wait_for
from tests.unit.launch.test_run_cell import SCRIPT

END = """
import atexit, ctypes, importlib.util, sys
libc = ctypes.CDLL(None)
destructor = ctypes.cast(libc.abort, ctypes.c_void_p)
libc.__cxa_atexit(destructor, None, None)
spec = importlib.util.spec_from_file_location("zygote", sys.argv[1])
zygote = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zygote)
if sys.argv[2] == "skipped":
    zygote.skip_static_destructors()

class Held:
    def __del__(self, write=sys.stdout.write):
        write("destroyed ")

held = Held()
libc.printf(b"said in C ")
atexit.register(print, "hook", end=" ", flush=True)
sys.exit(3)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "on_exit"), reason="needs glibc")
def test_a_rank_ends_as_python_ends_it() -> None:
    """Hooks, objects, output and the exit code are as ever; only what C++ destroys afterwards is left out."""
    ends = {
        how: subprocess.run([sys.executable, "-c", END, ZYGOTE, how], capture_output=True, text=True, check=False)
        for how in ("skipped", "whole")
    }
    assert (ends["skipped"].returncode, ends["whole"].returncode) == (3, -signal.SIGABRT)
    assert {*ends["skipped"].stdout.split()} == {"said", "in", "C", "hook", "destroyed"}


def zygotes() -> list[psutil.Process]:
    """The warm processes below this one."""
    return list(_zygotes())


def _zygotes() -> Iterator[psutil.Process]:
    for process in psutil.Process().children(recursive=True):
        try:
            if str(ZYGOTE) in process.cmdline()[1:3] and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_a_zygote_that_died_is_started_again(tmp_path: Path) -> None:
    """Its death costs no verdict, and the runs after the next are warm again, from new processes."""
    interpreter = environment(tmp_path / "env")

    def launched(name: str, launcher: WarmLauncher) -> str:
        """How a run went; a run of the same script again would go to other processes in any case."""
        held = entry(tmp_path / name, script=SCRIPT)
        seen = run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
        assert judge(held.failure, seen).verdict is Verdict.REPRODUCED
        return seen.launcher

    with WarmLauncher() as launcher:
        assert launched("first", launcher) == "warm"
        before = zygotes()
        assert before
        before[0].kill()
        deadline = time.monotonic() + 10
        while before[0].is_running() and before[0].status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.02)
        launched("second", launcher)
        assert launched("third", launcher) == "warm"
        assert not {process.pid for process in zygotes()} & {process.pid for process in before}
    assert not zygotes()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no descriptor of a process")
def test_waiting_costs_nothing(tmp_path: Path) -> None:
    """A session has hundreds of warm processes; none of them wakes up while no run needs it."""
    interpreter = environment(tmp_path / "env")
    with WarmLauncher() as launcher:
        held = entry(tmp_path / "failure", script="import torch, lightning\nprint('oracle passed: yes')\n")
        assert run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run).launcher == "warm"
        before = {process: process.num_ctx_switches().voluntary for process in zygotes()}
        time.sleep(0.5)
        woken = {process.pid: process.num_ctx_switches().voluntary - count for process, count in before.items()}
    assert len(woken) == 6
    assert max(woken.values()) < 5, woken


VARIABLES = ("CUDA_VISIBLE_DEVICES", "PYTORCH_NVML_BASED_CUDA_CHECK")
IMPORTS_SEE = f"import os\nSEEN = [os.environ.get(name, '') for name in {VARIABLES}]\n"
SHOWS = f"""
import json
import os
import lightning
import torch
print("measured imports =", json.dumps(lightning.SEEN))
print("measured run =", json.dumps([os.environ.get(name, "") for name in {VARIABLES}]))
print("oracle passed: yes")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_imports_see_the_devices_of_the_run(tmp_path: Path) -> None:
    """In the CUDA lane; while libraries are imported, torch asks for devices in a way that survives a fork."""
    interpreter = environment(tmp_path / "env", lightning="import json\n" + IMPORTS_SEE.replace("[os", "[os"))
    held = entry(tmp_path / "failure", script=SHOWS)
    with WarmLauncher() as launcher:
        launcher.prepare(cell(lane="cuda"), held, interpreter, threading.Event(), ("1", "3"))
        made = {process.pid for process in zygotes()}
        for devices in (("1", "3"), ("0", "2")):
            seen = run_cell(
                cell(lane="cuda"), held, interpreter, run="x", limits=Limits(30), launch=launcher.run, devices=devices
            )
            assert seen.launcher == "warm"
            for rank in seen.ranks:
                assert rank.measured["imports"] == [",".join(devices), "1"]
                assert rank.measured["run"] == [",".join(devices), ""]
            # The imports that were made for the devices of the first run are no other run's.
            assert ({process.pid for process in zygotes()} > made) is (devices != ("1", "3"))


STARTS_A_THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
@pytest.mark.parametrize(
    ("lane", "always", "imports", "made_here"),
    [
        ("cuda", False, "", False),
        ("cpu", False, "", True),
        ("cpu", True, "", False),
        ("cuda", False, STARTS_A_THREAD, True),
    ],
    ids=["cuda", "cpu", "cpu-always", "cannot-be-forked"],
)
def test_late_imports(tmp_path: Path, lane: str, imports: str, *, always: bool, made_here: bool) -> None:
    """They are made ahead in the CUDA lane or where the launcher is asked to, and a run does not see them before."""
    interpreter = environment(tmp_path / "env")
    torch = tmp_path / "env" / "site-packages" / "torch"
    (torch / "__init__.py").write_text(LATE_TORCH)
    (torch / "_dynamo.py").write_text(f"{LATE_MODULE}{imports}")
    held = entry(tmp_path / "failure", script=LATE_SCRIPT)
    with WarmLauncher(late=always) as launcher:
        seen = run_cell(cell(lane=lane), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
    assert seen.launcher == "warm"
    late = [(visible, made_by == own) for visible, made_by, own in (rank.measured["late"] for rank in seen.ranks)]
    assert late == [(False, made_here)] * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_variables_are_set_before_imports(tmp_path: Path) -> None:
    """A factor's variable is there while libraries are imported, and only in the runs of its cells."""
    see = IMPORTS_SEE.replace("CUDA_VISIBLE_DEVICES", "DEBUG_LEVEL")
    interpreter = environment(tmp_path / "env", lightning="import json\n" + see)
    factor = {"name": "debug", "variable": "DEBUG_LEVEL", "values": ["unset", "DETAIL"], "meaning": "a test"}
    held = entry(tmp_path / "failure", script=SHOWS.replace("CUDA_VISIBLE_DEVICES", "DEBUG_LEVEL"), factors=[factor])
    with WarmLauncher() as launcher:
        for factors, value in (({"debug": "DETAIL"}, "DETAIL"), ({}, "")):
            changed = cell(factors=factors)
            seen = run_cell(changed, held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
            assert seen.launcher == "warm"
            assert [(rank.measured["imports"][0], rank.measured["run"][0]) for rank in seen.ranks] == [
                (value, value)
            ] * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_a_run_that_cannot_be_warm_says_why(tmp_path: Path) -> None:
    """Each time, from the first refusal on."""
    interpreter = environment(tmp_path / "env", lightning=STARTS_A_THREAD + LIGHTNING)
    lines: list[str] = []
    with WarmLauncher(report=lines.append) as launcher:
        for name in ("first", "second"):
            held = entry(tmp_path / name, script=SCRIPT)
            seen = run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
            assert seen.launcher == "torchrun"
    assert lines == [f"{cell().label}: through torchrun, since an import starts threads"] * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_imports_between_two_runs_have_a_folder(tmp_path: Path) -> None:
    """The folder of the run before is gone by then; what a library looks for there must not fail its import."""
    looks = "import os\nos.listdir(os.environ['TMPDIR'])\n"
    interpreter = environment(tmp_path / "env", lightning=looks + LIGHTNING)
    with WarmLauncher() as launcher:
        for name, modules in (("first", "torch"), ("second", "torch, lightning")):
            held = entry(tmp_path / name, script=f"import {modules}\nprint('oracle passed: yes')\n")
            seen = run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
            assert seen.launcher == "warm"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_one_rank_compiles_a_new_environment(tmp_path: Path) -> None:
    """The ranks import one after the other there: a module that is imported twice at once refuses to be."""
    busy = str(tmp_path / "busy")
    alone = f"import os, time\nos.mkdir({busy!r})\ntime.sleep(0.3)\nos.rmdir({busy!r})\n"
    with WarmLauncher() as launcher:
        interpreter = replace(environment(tmp_path / "env", lightning=alone + LIGHTNING), prefix=str(tmp_path / "env"))
        held = entry(tmp_path / "failure", script="import torch, lightning\nprint('oracle passed: yes')\n")
        seen = run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
    assert seen.launcher == "warm"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ranks are forked")
def test_branches_that_were_not_used_for_longest_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their processes end too; what others grew from stays, and a script that needs them later has them again."""
    monkeypatch.setattr(warm, "MAX_BRANCHES", 3)
    interpreter = environment(tmp_path / "env")
    with WarmLauncher() as launcher:
        processes = []
        for number, second in enumerate(["lightning", "decimal", "lightning"]):
            held = entry(tmp_path / str(number), script=f"import torch\nimport {second}\nprint('oracle passed: yes')\n")
            seen = run_cell(cell(), held, interpreter, run="x", limits=Limits(30), launch=launcher.run)
            assert seen.launcher == "warm"
            wait_for(lambda: len(zygotes()) <= 6)
            processes.append({process.pid for process in zygotes()})
    kept = processes[0] & processes[1]
    assert [len(found) for found in (*processes, kept)] == [6, 6, 6, 4]
    assert kept == processes[0] & processes[2]


def test_cells_that_share_imports_stand_together(tmp_path: Path) -> None:
    """By world size first, then by what they import; those that only torchrun can run come last."""
    scripts = {
        "two": "import torch\nimport lightning\n",
        "one": "import torch\n",
        "launcher": "import torch\n",
        "three": "import torch\nimport numpy\nx = 1\nimport lightning\n",
    }
    needs = {"launcher": {"torchrun": True}}
    keys = {
        name: sort_key(cell(), entry(tmp_path / name, script=script, needs=needs.get(name, {})))
        for name, script in scripts.items()
    }
    keys["wide"] = sort_key(cell(world_size=4), entry(tmp_path / "wide", script="import torch\n"))
    assert sorted(keys, key=lambda name: keys[name]) == ["one", "two", "three", "wide", "launcher"]
