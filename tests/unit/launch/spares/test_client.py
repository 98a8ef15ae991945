"""A command takes a spare that an earlier one ordered; nothing that ran anything outlives a command."""

import _json
import contextlib
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from repro.launch.rank_processes import TAKEN
from repro.launch.spares import client
from repro.launch.spares.client import CommandSpares, keep_warm, minutes_of
from repro.launch.spares.order import command_of
from repro.launch.spares.place import SparePhase, SparesFolder, end_spares
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.launch.fake import LATE_MODULE, LATE_SCRIPT, LATE_TORCH
from tests.unit.launch.ranks import gone, wait_for
from tests.unit.launch.spares.kept import (
    NEVER,
    SHOWS,
    below,
    built,
    left,
    listed,
    ordered_spare,
    ready,
    run,
    start_in,
    wait_until_ready,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")


def test_a_later_command_takes_a_spare(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """Its imports were made before the command began; what is random in a process is its own, and it ends with it."""
    interpreter = built(tmp_path / "env")
    first = run(tmp_path, interpreter, spares)
    assert first.launcher == "warm"
    assert not left(tmp_path)
    spares.order()
    spare = wait_until_ready(cache, spares)
    waiting = below(spare.pid)
    second = run(tmp_path, interpreter, spares)
    assert second.launcher == "warm"
    for rank, other in zip(second.ranks, first.ranks, strict=True):
        imported_by, _ = rank.measured["made_by"]
        assert imported_by in waiting
        assert rank.measured["hash"] != other.measured["hash"]
        assert rank.measured["drawn"] != other.measured["drawn"]
        assert rank.measured["modules"] == other.measured["modules"]
    assert [rank.error for rank in second.ranks] == [rank.error for rank in first.ranks]
    assert second.launcher_key == first.launcher_key
    wait_for(lambda: gone(spare.pid))
    assert not left(tmp_path)
    assert not TAKEN
    # It was there once: the next command starts its own family.
    third = run(tmp_path, interpreter, spares)
    assert third.ranks[0].measured["hash"] not in {first.ranks[0].measured["hash"], second.ranks[0].measured["hash"]}
    assert not {rank.measured["made_by"][0] for rank in third.ranks} & waiting


def test_late_imports_are_made_ahead(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """What torch imports at its first step is in the spare too, out of sight of the run."""
    torch = {"torch/__init__.py": LATE_TORCH, "torch/_dynamo.py": LATE_MODULE}
    interpreter = built(tmp_path / "env", files=torch)
    first = run(tmp_path, interpreter, spares, LATE_SCRIPT)
    spares.order()
    waiting = below(wait_until_ready(cache, spares).pid)
    second = run(tmp_path, interpreter, spares, LATE_SCRIPT)
    for seen in (first, second):
        assert seen.launcher == "warm"
        for rank in seen.ranks:
            visible, imported_by, own = rank.measured["late"]
            assert (visible, imported_by != own) == (False, True)
    assert {rank.measured["late"][1] for rank in second.ranks} <= waiting


def test_a_repetition_has_a_family_of_its_own(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """A spare serves a run of a cell once, as every family does; two commands never share one."""
    interpreter = built(tmp_path / "env")
    spares.used(start_in(interpreter), (("torch", None), ("lightning", None)))
    spares.order()
    spare = wait_until_ready(cache, spares)
    taken = spares.take(start_in(interpreter), NEVER)
    assert taken is not None
    try:
        assert not listed(cache)
        assert CommandSpares(cache, 10).take(start_in(interpreter), NEVER) is None
        assert not end_spares(cache)
        # Whoever asks its holder to end asks too late: it ends with this command.
        os.kill(spare.pid, signal.SIGTERM)
        assert taken.branch((("torch", None), ("json", None)), NEVER)
        assert taken.is_alive
    finally:
        taken.close()
    assert not left(tmp_path)


def test_imports_of_several_runs(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """The spare has a branch for each; imports that cannot be made ahead are left out."""
    interpreter = built(tmp_path / "env")
    start = start_in(interpreter)
    torch, both = (("torch", None),), (("torch", None), ("lightning", None))
    for imports in (torch, both, (("nothing", None),)):
        spares.used(start, imports)
    spares.order()
    wait_until_ready(cache, spares)
    taken = spares.take(start, NEVER)
    assert taken is not None
    try:
        assert set(taken.branches) == {(), torch, both}
    finally:
        taken.close()


HANGS = """
import os
import time
import lightning
import torch
os.chdir("/")
open(os.environ["MARK"] + os.environ["RANK"], "w").write(str(os.getpid()))
time.sleep(600)
"""


ALONE = "import os, sys; os.fork() and os._exit(0); os.execv(sys.argv[1], sys.argv[1:])"
"""Starts a command whose parent has ended, as that of every spare has when a later command comes."""


def test_the_ranks_of_a_spare_are_found(
    tmp_path: Path, cache: Path, spares: CommandSpares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are no descendants of the command; one that hangs elsewhere than in its folder shows its stack too."""
    monkeypatch.setattr(client, "command_of", lambda order: (sys.executable, "-c", ALONE, *command_of(order)))
    script = HANGS.replace('os.environ["MARK"]', repr(str(tmp_path / "mark")))
    interpreter = built(tmp_path / "env")
    spares.used(start_in(interpreter), (("lightning", None), ("torch", None)))
    spares.order()
    wait_for(lambda: bool(ready(cache)), 60)
    (spare,) = ready(cache)
    assert spare.pid not in below(os.getpid())
    seen = run(tmp_path, interpreter, spares, script, timeout=2)
    assert seen.deadline_passed
    for rank in seen.ranks:
        assert rank.stacks
        assert rank.stacks[-1][-1].file == "repro.py"
    assert gone(spare.pid)
    assert not left(tmp_path)


COMMAND = """
import pickle
import sys
from pathlib import Path
from repro.launch.spares.client import CommandSpares
from tests.unit.launch.spares.kept import run
root, cache, leader = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
interpreter = pickle.loads((root / "interpreter").read_bytes())
run(root, interpreter, CommandSpares(cache, 10, leader=leader), sys.argv[4], timeout=600)
"""


def test_a_killed_command_takes_its_spare_along(
    tmp_path: Path, cache: Path, spares: CommandSpares, leader: subprocess.Popen[bytes]
) -> None:
    """Also by SIGKILL: the ranks, the warm processes and the process that kept them end."""
    script = HANGS.replace('os.environ["MARK"]', repr(str(tmp_path / "mark")))
    interpreter = built(tmp_path / "env")
    spares.used(start_in(interpreter), (("lightning", None), ("torch", None)))
    spares.order()
    spare = wait_until_ready(cache, spares)
    words = [sys.executable, "-c", COMMAND, str(tmp_path), str(cache), str(leader.pid), script]
    (tmp_path / "interpreter").write_bytes(pickle.dumps(interpreter))
    marks = [tmp_path / f"mark{rank}" for rank in range(2)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[4]) as command:
        try:
            wait_for(lambda: all(mark.exists() and mark.read_text() for mark in marks), 60)
            ranks = {int(mark.read_text()) for mark in marks}
            assert ranks <= below(spare.pid)
        finally:
            command.kill()
    for pid in (*ranks, spare.pid):
        wait_for(lambda pid=pid: gone(pid))  # type: ignore[misc]
    wait_for(lambda: not left(tmp_path))


@pytest.mark.parametrize("phase", ["ready", "taken"])
def test_a_killed_holder_takes_its_spare_along(tmp_path: Path, cache: Path, spares: CommandSpares, phase: str) -> None:
    """Its keepers see that their parent is gone; a command whose spare was lost starts its own family."""
    interpreter = built(tmp_path / "env")
    spare = ordered_spare(cache, spares, interpreter)
    taken = spares.take(start_in(interpreter), NEVER) if phase == "taken" else None
    os.kill(spare.pid, signal.SIGKILL)
    wait_for(lambda: not left(tmp_path))
    if taken is not None:
        assert not taken.is_alive
        taken.close()
    assert run(tmp_path, interpreter, spares).launcher == "warm"
    assert not ready(cache)


def test_a_change_makes_a_spare_unusable(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """A library that was changed in place is imported again; the verdict is about what is there now."""
    interpreter = built(tmp_path / "env")
    run(tmp_path, interpreter, spares)
    spares.order()
    wait_until_ready(cache, spares)
    (tmp_path / "env" / "site-packages" / "lightning" / "__init__.py").write_text("PID = 7\n")
    changed = built(tmp_path / "env", "PID = 7\n")
    seen = run(tmp_path, changed, spares)
    assert seen.ranks[0].measured["made_by"][0] == 7
    # A state that was seen some time ago is looked up again.
    assert interpreter.state is not None
    old = replace(interpreter, state=replace(interpreter.state, seen=interpreter.state.seen - 3600))
    assert spares.take(start_in(old), NEVER) is None


def test_a_library_of_the_system_makes_a_spare_unusable(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """One that lies outside of the environment, and was replaced after the spare had loaded it."""
    library = shutil.copy(_json.__file__, tmp_path / "library.so")
    interpreter = built(tmp_path / "env", f"import ctypes\nctypes.CDLL({str(library)!r})\n")
    spares.used(start_in(interpreter), (("lightning", None),))
    spares.order()
    wait_until_ready(cache, spares)
    os.utime(library, (1, 1))
    assert spares.take(start_in(interpreter), NEVER) is None


def test_a_change_while_it_is_made(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """Nobody knows which of the files it has imported: it is never ready."""
    changes = f"import os\nos.utime({str(tmp_path / 'env' / 'site-packages' / 'torch' / '__init__.py')!r}, (1, 1))\n"
    spares.used(start_in(built(tmp_path / "env", changes)), (("torch", None), ("lightning", None)))
    spares.order()
    spares.ordered[0].wait(60)
    assert not ready(cache)
    assert not left(tmp_path)


def test_a_variable_makes_a_spare_unusable(
    tmp_path: Path, cache: Path, spares: CommandSpares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries read variables as they are imported."""
    interpreter = built(tmp_path / "env")
    ordered_spare(cache, spares, interpreter)
    monkeypatch.setenv("LANG", "xx_XX.UTF-8")
    assert spares.take(start_in(interpreter), NEVER) is None
    assert ready(cache)


def test_another_version_is_asked_to_end(
    tmp_path: Path, cache: Path, spares: CommandSpares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its spares serve nobody any more."""
    interpreter = built(tmp_path / "env")
    spare = ordered_spare(cache, spares, interpreter)
    monkeypatch.setattr(client, "our_code", lambda: "f" * 64)
    assert spares.take(start_in(interpreter), NEVER) is None
    wait_for(lambda: gone(spare.pid))
    assert not left(tmp_path)


def test_one_that_is_being_made_is_asked_to_end(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """A command makes its own family at once, and does not share its cores with a second one of the same kind."""
    interpreter = built(tmp_path / "env", "import time\nwhile True:\n    time.sleep(0.1)\n")
    spares.used(start_in(interpreter), (("lightning", None),))
    spares.order()
    wait_for(lambda: [spare.phase for spare in listed(cache)] == [SparePhase.MAKING], 60)
    assert spares.take(start_in(interpreter), NEVER) is None
    spares.ordered[0].wait(30)
    assert not listed(cache)


def test_clients_that_are_none(tmp_path: Path, cache: Path, spares: CommandSpares) -> None:
    """Rubbish, silence and too many connections do not stop a command from getting its spare."""
    interpreter = built(tmp_path / "env")
    spare = ordered_spare(cache, spares, interpreter)
    folder = SparesFolder.of(cache)
    assert folder is not None
    with contextlib.ExitStack() as stack:
        stack.callback(folder.close)
        silent = [folder.connect(spare.name) for _ in range(3)]
        for said in (
            b"rubbish\n",
            b'{"take": "',
            b"x" * 5000,
            b'{"take": "%s"}\n' % (b"0" * 64),
            b'{"take": 1}\n',
            b"",
        ):
            connection = folder.connect(spare.name)
            assert isinstance(connection, socket.socket)
            with connection, contextlib.suppress(OSError):
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(100) == b""
        taken = spares.take(start_in(interpreter), NEVER)
        assert taken is not None
        taken.close()
        for held in silent:
            assert held is not None
            held.close()


def test_a_holder_that_does_not_answer(
    tmp_path: Path, cache: Path, spares: CommandSpares, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command waits a moment and starts its own family."""
    interpreter = built(tmp_path / "env")
    spare = ordered_spare(cache, spares, interpreter)
    monkeypatch.setattr(client, "TAKE_SECONDS", 0.2)
    os.kill(spare.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert spares.take(start_in(interpreter), NEVER) is None
    assert time.monotonic() < began + 20
    os.kill(spare.pid, signal.SIGCONT)


def test_nothing_is_ordered_where_nothing_may_stay(
    tmp_path: Path, cache: Path, leader: "subprocess.Popen[bytes]"
) -> None:
    """The command is its own session, nothing ran warm, or no spare could serve."""
    interpreter = built(tmp_path / "env")
    alone = CommandSpares(cache, 10, leader=os.getpid())
    alone.used(start_in(interpreter), ())
    alone.order()
    assert not alone.ordered
    others = CommandSpares(cache, 10, leader=leader.pid)
    others.order()
    others.used(start_in(replace(interpreter, state=None)), ())
    others.used(start_in(interpreter, lane=Lane.CUDA), ())
    others.order()
    assert not others.ordered


def test_a_folder_of_others(tmp_path: Path, cache: Path) -> None:
    """It is said once, and the command goes on without spares."""
    folder = SparesFolder.of(cache)
    assert folder is not None
    folder.close()
    folder.path.chmod(0o755)
    lines: list[str] = []
    spares = CommandSpares(cache, 10, lines.append)
    interpreter = built(tmp_path / "env")
    assert run(tmp_path, interpreter, spares, SHOWS).launcher == "warm"
    spares.order()
    assert lines == [f"{folder.path}: is open to other users, so no spare is kept or taken there"]
    assert not spares.ordered
    folder.path.chmod(0o700)


def test_spares_are_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the option or the variable, in minutes; there are none by default."""
    monkeypatch.delenv("REPRO_KEEP_WARM", raising=False)
    assert minutes_of(None) == 0
    monkeypatch.setenv("REPRO_KEEP_WARM", "30")
    assert (minutes_of(None), minutes_of(5), minutes_of(0)) == (30, 5, 0)
    for given in ("", "ten", "-1", "1441", "1.5", "²"):
        monkeypatch.setenv("REPRO_KEEP_WARM", given)
        with pytest.raises(UsageError, match=r"^REPRO_KEEP_WARM: a number of minutes from 0 to 1440 is expected, not "):
            minutes_of(None)
    with pytest.raises(UsageError, match=r"^--keep-warm: "):
        minutes_of(9999)
    with keep_warm(cache, 0, print) as none:
        assert none is None
    with keep_warm(cache, 7, print) as some:
        assert some is not None
        assert some.minutes == 7
