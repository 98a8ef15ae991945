"""A family that is not whole is none, and leaves no descriptor open."""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from repro.launch.spares.handover import (
    HANDED_BYTES,
    HandoverError,
    Request,
    most_branches,
    receive_family,
    request_of,
    send_family,
    words,
)
from repro.launch.warm import Connection, Family, StartedRoots

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")

HANDED = {"folder": "f", "roots": [1], "branches": [[]]}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names only


def test_there_and_back(tmp_path: Path) -> None:
    """The largest family that a spare may be, whose text is longer than a socket takes at once."""
    count = most_branches(2)
    opened = [socket.socketpair() for _ in range(2 * count)]
    branches = {
        tuple(("module" * 20, str(number)) for number in range(at)): [
            Connection(ours) for ours, _ in opened[2 * at : 2 * at + 2]
        ]
        for at in range(count)
    }
    family = Family((), tmp_path, StartedRoots(), branches, threading.Event())  # type: ignore[arg-type]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send_family, args=(theirs, family, [os.getpid()] * 2))
        sender.start()
        handed, processes, rows = receive_family(ours, 2)
        sender.join()
    assert handed.folder == str(tmp_path)
    assert len(rows) == len(handed.branches) == count
    assert len(processes) == 2
    for row, sent in zip(rows, branches.values(), strict=True):
        for connection, other in zip(row, sent, strict=True):
            assert os.path.sameopenfile(connection.socket.fileno(), other.socket.fileno())
    for held in (*(connection.socket for row in rows for connection in row), *(end for pair in opened for end in pair)):
        held.close()
    for process in processes:
        os.close(process)


@pytest.mark.parametrize(
    ("text", "descriptors"),
    [
        (b"", 2),
        (b"rubbish\n", 2),
        (json.dumps(HANDED).encode() + b"\n", 1),
        (json.dumps(HANDED).encode() + b"\n", 3),
        (json.dumps(HANDED | {"roots": [1, 2]}).encode() + b"\n", 3),
        (json.dumps(HANDED).encode(), 2),
        (b"x" * (HANDED_BYTES + 1), 2),
    ],
    ids=["nothing", "rubbish", "few", "many", "ranks", "unfinished", "long"],
)
def test_not_whole(text: bytes, descriptors: int) -> None:
    before = open_files()
    ours, theirs = socket.socketpair()
    pipe = os.pipe()

    def send() -> None:
        with theirs:
            if text:
                sent = socket.send_fds(theirs, [text[:1000]], [pipe[0]] * descriptors)
                try:
                    theirs.sendall(text[sent:])
                except OSError:
                    return

    sender = threading.Thread(target=send)
    with ours:
        sender.start()
        with pytest.raises(HandoverError):
            receive_family(ours, 1)
    sender.join()
    for end in pipe:
        os.close(end)
    assert open_files() == before


def test_requests() -> None:
    """One line, and nothing else in it."""
    assert request_of(words(Request(take="abc"))) == Request(take="abc")
    for line in (b"", b"[]", b'{"take": 1}', b'{"take": "a", "more": 1}', b"\xff"):
        with pytest.raises(HandoverError):
            request_of(line)
