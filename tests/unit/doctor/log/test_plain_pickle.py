"""Pickles are read without running anything of them."""

import os
import pickle
import pickletools
from pathlib import Path

import pytest

from repro.doctor.log import plain_pickle
from repro.doctor.log.plain_pickle import NotPlainError, is_pickle, plain_data

ENTRY = {"sizes": [[4, 2**40]], "state": "scheduled", "pair": ("0", "default_pg"), "none": None, "more": (1, 2, 3, 4)}
FLAGS = [True, False, 0.5, -1, "ä" * 300, (), (1,)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data(protocol: int) -> None:
    """Numbers, texts, lists, tuples and dictionaries of every protocol, a value that stands twice too."""
    data = {"entries": [ENTRY], "flags": FLAGS, "bytes": b"x" if protocol > 2 else "", 3: {}}  # else an object
    twice = [data, data]
    content = pickle.dumps(twice, protocol)
    assert plain_data(content) == twice
    assert is_pickle(content) is (protocol >= 2)


class Calls:
    """Unpickled, this runs a command."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_run(tmp_path: Path, protocol: int) -> None:
    """A pickle that would import or call is refused, by the operation's name."""
    content = pickle.dumps({"entries": [Calls(tmp_path / "ran")]}, protocol)
    with pytest.raises(NotPlainError, match="more than plain data"):
        plain_data(content)
    assert not list(tmp_path.iterdir())


PLAIN = {
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE", "EMPTY_DICT", "EMPTY_LIST",
    "MEMOIZE",
    "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "DICT", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "PUT", "BINPUT",
    "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip


@pytest.mark.parametrize("name", [item.name for item in pickletools.opcodes if item.name not in PLAIN])
def test_every_other_operation_ends_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that a later Python adds."""
    operation = next(item for item in pickletools.opcodes if item.name == name)
    monkeypatch.setattr(pickletools, "genops", lambda _: iter([(operation, None, 7)]))
    with pytest.raises(NotPlainError, match=f"{name} at byte 7"):
        plain_data(b"")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x80", b"\x80\x02", b"\x80\x02.", b"\x80\x02}", b"\x80\x02e.", b"\x80\x02h\x05.",
        b"\x80\x02}]K\x01s.", b"\x80\x02K\x01K\x02a.", b"\x80\x02}(K\x01u.", b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.", b"I" + b"9" * 10_000 + b"\n.", b"not a pickle",
    ],
)  # fmt: skip
def test_broken(content: bytes) -> None:
    with pytest.raises(NotPlainError, match="broken pickle"):
        plain_data(content)


@pytest.mark.parametrize("end", [b"K\x01s.", b"K\x01d."])
def test_a_deep_key(end: bytes) -> None:
    """A key is hashed, and the hash of a tuple within a million others overflows the stack of the interpreter."""
    mark = b"(" if end.endswith(b"d.") else b"}"
    with pytest.raises(NotPlainError, match="broken pickle"):
        plain_data(b"\x80\x02" + mark + b")" + b"\x85" * 1_000_000 + end)


def test_a_far_place_of_the_memo_takes_no_memory() -> None:
    """Python's own reader makes room for all places before it: here one place is one place."""
    assert plain_data(b"\x80\x02K\x07r\xff\xff\xff\x7f.") == 7


def test_most_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_pickle, "MOST_OPERATIONS", 10)
    assert plain_data(pickle.dumps([1])) == [1]
    with pytest.raises(NotPlainError, match="more than 10 operations"):
        plain_data(pickle.dumps([1, 2, 3, 4, 5, 6]))
