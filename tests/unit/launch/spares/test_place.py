"""The folder of spares is one user's alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from repro.launch.spares import place
from repro.launch.spares.place import (
    SparePhase,
    SparesFolder,
    end_spares,
    is_of_this_user,
    name_of,
    peer_of,
)
from repro.model.errors import EnvironmentFailure

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")

NAME = name_of("a" * 64, "b" * 64, 123, SparePhase.READY)


def test_rights(tmp_path: Path) -> None:
    """Nobody else may enter the folder, or use a socket in it; a path of any length will do."""
    cache = tmp_path / ("long" * 40)
    assert SparesFolder.of(cache, make=False) is None
    folder = SparesFolder.of(cache)
    assert folder is not None
    with folder.bind(NAME) as listener, folder.connect(NAME) as connection:  # type: ignore[union-attr]
        assert folder.path.stat().st_mode & 0o777 == 0o700
        assert (folder.path / NAME).stat().st_mode & 0o777 == 0o600
        assert len(str(folder.path / NAME)) > 107
        accepted, _ = listener.accept()
        with accepted:
            assert peer_of(accepted) == peer_of(connection) == (os.getpid(), os.geteuid())
    folder.close()


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o770, 0o707])
def test_wider_rights_are_refused(tmp_path: Path, mode: int) -> None:
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    folder.close()
    folder.path.chmod(mode)
    with pytest.raises(EnvironmentFailure, match="is open to other users"):
        SparesFolder.of(tmp_path)


def test_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where this user could enter it; and a link is not followed."""
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    folder.close()
    path = folder.path
    with monkeypatch.context() as patch:
        patch.setattr(place, "of_this_host", lambda _: path)
        patch.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(EnvironmentFailure, match="belongs to another user"):
            SparesFolder.of(tmp_path)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(EnvironmentFailure, match="cannot be used for spares"):
        SparesFolder.of(tmp_path)


def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel says who is at the other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert is_of_this_user(ours)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert not is_of_this_user(ours)


def test_a_spare_of_another_user_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said to it."""
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    with folder.bind(NAME):
        monkeypatch.setattr(place, "is_of_this_user", lambda _: False)
        assert folder.connect(NAME) is None
        assert (folder.path / NAME).exists()
    folder.close()


def test_listed(tmp_path: Path) -> None:
    """By their names; other files are none, and the socket of a process that was killed is removed."""
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    (folder.path / "count.lock").write_text("")
    (folder.path / "x.ready").write_text("")
    folder.bind(NAME).close()
    (found,) = folder.listed()
    assert (found.code, found.kind, found.pid, found.phase) == ("a" * 12, "b" * 24, 123, SparePhase.READY)
    assert not folder.end(found)
    assert not folder.listed()
    assert end_spares(tmp_path) == []
    folder.close()


LISTENS = """
import signal, socket, sys
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
made = socket.socket(socket.AF_UNIX)
made.bind(sys.argv[1])
made.listen()
print(1, flush=True)
input()
"""


@pytest.mark.parametrize("taken", [False, True])
def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool) -> None:
    """Unless a command took it meanwhile: then its socket is gone, and a run may be in progress."""
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    (folder.path.parent / "short").symlink_to(folder.path)
    monkeypatch.chdir(folder.path)
    words = [sys.executable, "-c", LISTENS, NAME]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = folder.listed()
        monkeypatch.setattr(place, "END_SECONDS", 0.2)
        if taken:
            monkeypatch.setattr(folder, "listed", list)
        assert folder.end(found) is not taken
        assert (process.poll() is None) is taken
        process.kill()
    folder.close()


def test_gone(tmp_path: Path) -> None:
    """A folder that was removed, or replaced by another one, is no longer the same."""
    folder = SparesFolder.of(tmp_path)
    assert folder is not None
    seen = [folder.is_gone]
    folder.path.rename(tmp_path / "elsewhere")
    seen.append(folder.is_gone)
    other = SparesFolder.of(tmp_path)
    assert other is not None
    assert [*seen, folder.is_gone] == [False, True, True]
    for held in (folder, other):
        held.close()
