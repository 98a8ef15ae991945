"""Dumps of the flight recorder: what is taken for one, and what strangers put there."""

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from repro.doctor.log import flight_recorder
from repro.doctor.log.flight_recorder import Dump, dumps_of, is_dump, read_dump
from repro.doctor.log.given_log import answer_log
from repro.doctor.log.outcome import Known
from repro.model.errors import UsageError
from repro.model.observation import Origin
from tests.unit.doctor.log.dumps import OBJECTS, done, dump, entry, write


def read(value: object, name: str = "nccl_trace_rank_1") -> Dump:
    return read_dump(io.BytesIO(pickle.dumps(value, 4)), name)


def test_call() -> None:
    """What a dump says of a call: the group, the number, the tensors, and where it was called."""
    found = read(dump(done(1), entry(2, "broadcast", frames=OBJECTS, input_sizes=[[4, 8], []], input_dtypes=["Float"])))
    assert found.rank == "1"
    assert dict(found.members) == {"0": ("0", "1")}
    first, second = found.calls
    assert (first.waits, second.waits) == (False, True)
    assert (second.group, second.title, second.number, second.operation) == ("0", "default_pg", 2, "nccl:broadcast")
    assert second.tensors == "[4, 8] Float, []"
    assert [frame.function for frame in second.frames][-1:] == ["broadcast"]
    assert (second.frames[0].function, second.frames[0].origin) == ("<module>", Origin.SCRIPT)


@pytest.mark.parametrize(
    ("state", "retired", "waits"),
    [
        ("scheduled", False, True),
        ("started", False, True),
        ("completed", False, False),
        ("scheduled", True, False),  # gloo says no more of a call that has ended
    ],
)
def test_waits(state: str, *, retired: bool, waits: bool) -> None:
    assert read(dump(entry(1, state=state, retired=retired))).calls[0].waits is waits


def test_older_form() -> None:
    """torch 2.3 numbered calls as ``seq_id``, and named no group."""
    old = {"seq_id": 7, "pg_id": 3, "profiling_name": "nccl:all_reduce", "state": "started", "input_sizes": [[2]]}
    (call,) = read({"version": "1.5", "entries": [old]}).calls
    assert (call.number, call.group, call.title, call.tensors) == (7, "3", "3", "[2]")


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("nccl_trace_rank_3", "3"),
        ("trace_03.json", "3"),
        ("rank12", "12"),
        ("dump", None),
        ("standard input", None),
        ("v2x", None),
    ],
)
def test_rank(name: str, rank: str | None) -> None:
    assert read(dump(), name).rank == rank


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (pickle.dumps({}, 2), True),
        (b"  " + json.dumps(dump(entry(1))).encode(), True),
        (json.dumps({"message": "entries", "rank": 1}).encode(), False),
        (b'{"entries": [], "level": "info"}', False),
        (b"Traceback (most recent call last):", False),
        ("KeyError: 1".encode("utf-16"), False),
        (b"\x80abc", False),
        (b"", False),
    ],
)
def test_what_is_a_dump(start: bytes, *, expected: bool) -> None:
    assert is_dump(start) is expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps([1], 2), "holds no entries"),
        (pickle.dumps({"entries": 3}, 2), "holds no entries"),
        (pickle.dumps({"entries": [os.system]}, 4), "more than plain data"),
        (b"\x80\x02}", "broken pickle"),
        (b'{"entries": [{"profiling_name": ', "broken JSON"),
        (b'{"entries": [{"profiling_name": ' + b"[" * 200_000, "broken JSON"),
    ],
)
def test_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """One line for what is none; a pickle of more than plain data also says how to get the JSON form."""
    file = tmp_path / "nccl_trace_rank_0"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=said) as raised:
        answer_log(file, Known(()), str)
    assert "\n" not in str(raised.value)
    if "plain data" in said:
        assert "JSON form" in str(raised.value)


ODD: list[Any] = [
    None,
    3,
    "x",
    [],
    {},
    [[]],
    [None],
    {"ranks": 3},
    -1,
    10**30,
    10**5000,
    True,
    "\x1b]0;title\x07",
    b"x",
]


@pytest.mark.parametrize("key", [*entry(1), "pg_config"])
def test_odd_values(key: str) -> None:
    """A value of another kind is passed over, and no control character is kept."""
    for value in ODD:
        changed = dump(entry(1)) | {key: value} if key == "pg_config" else dump(entry(1, **{key: value}))
        found = read(changed)
        assert len(found.calls) == 1
        assert "\x1b" not in repr(found)
    assert read({"entries": [3, None, entry(1)]}).calls[0].place == 3
    assert read(dump(entry(1, frames=ODD + [{"filename": value, "name": value, "line": value} for value in ODD])))


def test_listed_ranks() -> None:
    """Ranks as a list of numbers; one of very many digits, which Python refuses to print, is passed over."""
    changed = dump(entry(1)) | {"pg_config": {"0": {"ranks": [10**5000, 1, "x", [2]]}}}
    assert read(changed).members == {"0": ("1",)}


def test_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last calls are read, and neither large files nor folders without end."""
    monkeypatch.setattr(flight_recorder, "MOST_CALLS", 2)
    assert [call.number for call in read(dump(done(1), done(2), done(3))).calls] == [2, 3]
    monkeypatch.setattr(flight_recorder, "MOST_DUMPS", 1)
    write(tmp_path, dump(), dump())
    with pytest.raises(UsageError, match="more than 1 dumps"):
        dumps_of(tmp_path)
    monkeypatch.setattr(flight_recorder, "MOST_BYTES", 10)
    with pytest.raises(UsageError, match="is larger than"):
        read(dump())


def test_folder(tmp_path: Path) -> None:
    """The dumps of a folder by their ranks; other files, links and folders are passed over."""
    write(tmp_path, *(dump() for _ in range(11)))
    (tmp_path / "train.log").write_text("KeyError: 'x'")
    (tmp_path / "nccl_trace_rank_99").symlink_to(tmp_path / "nccl_trace_rank_1")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "inner").mkdir()
    assert [found.rank for found in dumps_of(tmp_path)] == [str(rank) for rank in range(11)]
