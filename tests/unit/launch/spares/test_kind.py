"""Whatever can change the outcome of a run makes another kind."""

import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from repro.launch.spares import kind
from repro.launch.spares.kind import fresh_state, kind_of, looked_at_again, process_state
from repro.launch.warm import Start
from repro.model.failure import Lane
from tests.unit.launch.spares.kept import built, start_in

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")

Change = Callable[[Start, Path, pytest.MonkeyPatch], Start | None]


def changed_file(start: Start, root: Path, _: pytest.MonkeyPatch) -> Start:
    """In place, with the same size."""
    file = root / "env" / "site-packages" / "torch" / "__init__.py"
    file.write_text(file.read_text().replace("2.2.2", "2.2.3"))
    return looked_at_again(start)


def replaced_file(start: Start, root: Path, _: pytest.MonkeyPatch) -> Start:
    """By a copy with the same size and time."""
    file = root / "env" / "site-packages" / "torch" / "__init__.py"
    found = file.stat()
    copy = file.with_name("copy")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    return looked_at_again(start)


def changed_lock(start: Start, *_: object) -> Start:
    installed = start.interpreter.installed.model_copy(update={"lock": "1" * 64})
    return replace(start, interpreter=replace(start.interpreter, installed=installed))


def changed_modules(start: Start, root: Path, _: pytest.MonkeyPatch) -> Start:
    (root / "beside").mkdir(exist_ok=True)
    (root / "beside" / "helper.py").write_text("")
    return replace(start, modules=root / "beside")


def touched_interpreter(start: Start, *_: object) -> Start:
    os.utime(start.interpreter.executable, (1, 1))
    return start


def configured(start: Start, root: Path, _: pytest.MonkeyPatch) -> Start:
    (root / "env" / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    return start


def with_variable(_start: Start, _: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")


def other_code(_start: Start, _: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "our_code", lambda: "f" * 64)


def other_process(_start: Start, _: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "process_state", lambda: ["Umask: 0077"])


CHANGES: dict[str, Change] = {
    "file": changed_file,
    "replaced": replaced_file,
    "lock": changed_lock,
    "modules": changed_modules,
    "interpreter": touched_interpreter,
    "configuration": configured,
    "variable": with_variable,
    "code": other_code,
    "process": other_process,
    "size": lambda start, *_: replace(start, world_size=4),
    "gates": lambda start, *_: replace(start, gates=("a gate",)),
    "factor": lambda start, *_: replace(start, variables=(("DEBUG", "1"),)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Each thing alone; without it the kind is the same."""
    start = start_in(built(tmp_path / "env"))
    before = kind_of(start)
    assert before is not None
    assert kind_of(looked_at_again(start)) == before
    after = kind_of(CHANGES[change](start, tmp_path, monkeypatch) or start)
    assert after is not None
    assert after != before


def test_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No spare serves on devices, in an interpreter that we did not build, or where files cannot be compared."""
    interpreter = built(tmp_path / "env")
    start = start_in(interpreter)
    for changes in ({"adopted": True}, {"overlay": tmp_path}, {"state": None}, {"libraries": ("a", "b")}):
        assert kind_of(replace(start, interpreter=replace(interpreter, **changes))) is None
    assert kind_of(replace(start, lane=Lane.CUDA)) is None
    assert kind_of(replace(start, devices=("0",))) is None
    assert kind_of(replace(start, interpreter=replace(interpreter, stdlib=("/nowhere",)))) is None
    monkeypatch.setattr(kind, "has_spares", lambda: False)
    assert kind_of(start) is None


def test_a_state_is_looked_up_again(tmp_path: Path) -> None:
    """If it was seen some time ago: the kind is of the moment when a spare is taken."""
    interpreter = built(tmp_path / "env")
    assert interpreter.state is not None
    assert fresh_state(interpreter) is interpreter.state
    old = replace(interpreter, state=replace(interpreter.state, seen=interpreter.state.seen - 3600))
    (tmp_path / "env" / "site-packages" / "torch" / "__init__.py").unlink()
    assert fresh_state(old) is None
    assert kind_of(start_in(old)) is None


def in_a_child(change: Callable[[], object]) -> list[str]:
    """The state of a process that was changed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        change()
        os.write(writer, "\0".join(process_state()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return text.split("\0")


STATES: dict[str, Callable[[], object]] = {
    "umask": lambda: os.umask(0o123),
    "limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (99, resource.getrlimit(resource.RLIMIT_NOFILE)[1])),
    "nice": lambda: os.nice(3),
    "affinity": lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    "ignored": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
}


@pytest.mark.parametrize("change", STATES)
def test_states(change: str) -> None:
    """What a process hands on to those that it starts."""
    if change == "affinity" and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core")
    unchanged = in_a_child(lambda: None)
    assert unchanged == in_a_child(lambda: None)
    assert len([line for line in in_a_child(STATES[change]) if line not in unchanged]) == 1
