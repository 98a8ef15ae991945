"""Large values are kept once, and nothing that a store names leads out of it or grows without bound."""

import json
import os
from pathlib import Path

import pytest

from repro.model.errors import StoreError
from repro.store import parts as module
from repro.store.observations import Store, read_observation
from repro.store.parts import SETTLED_SECONDS, Parts
from repro.store.upkeep import prune, verify
from tests.unit.factories import RECIPE, failed, observation, rank

LONG = "a long tail\n" * 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def parts(store: Store) -> list[Path]:
    return list(Parts.of_store(store.root).files())


def test_equal_values_are_one_part(store: Store) -> None:
    """Two ranks of two runs that printed the same: one file, and it is what they printed."""
    for number in (1, 2):
        store.add(observation(rank(0, tail=LONG), rank(1, tail=LONG), id=f"{RECIPE[:12]}-{number}"))
    tails = [file for file in parts(store) if file.parent.name == "tail"]
    assert [file.read_text() for file in tails] == [LONG]
    assert all(seen.tail == LONG for found in store for seen in found.ranks)


def test_short_values_stay(store: Store) -> None:
    """A short value is no part: the line says it."""
    file = store.add(observation(rank(0, tail="short"), rank(1, tail="short")))
    assert '"tail": "short"' in file.read_text()


@pytest.mark.parametrize("tail", ["\r\n" * 200, "ü\u2028\x00" * 100, '{"part": "tail/0.txt"}' * 20])
def test_any_text(store: Store, tail: str) -> None:
    """Every text comes back as it was, one that looks like a name too."""
    made = observation(rank(0, tail=tail, measured={"a": {"part": "tail/x.txt"}}), rank(1))
    assert read_observation(store.add(made)) == made


@pytest.mark.parametrize(
    "name",
    [
        "../../secret", "/etc/passwd", "tail/../../x.txt", "tail/zz.txt", "other/0123456789abcdef01234567.txt",
        "tail/0123456789abcdef01234567.txt\n", "tail/0123456789abcdef01234567", "",
    ],
)  # fmt: skip
def test_foreign_names(store: Store, name: str) -> None:
    """Only a kind and a digest are the name of a part."""
    file = store.add(observation(rank(0, tail=LONG), rank(1)))
    content = json.loads(file.read_text())
    content["ranks"][0]["tail"] = {"part": name}
    file.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is not the name of a part"):
        read_observation(file)


def test_changed(store: Store) -> None:
    """A part whose content is not that of its name is never read, and verify names it."""
    file = store.add(observation(rank(0, tail=LONG), rank(1)))
    (part,) = (part for part in parts(store) if part.parent.name == "tail")
    part.write_text(LONG.replace("long", "tall"))
    with pytest.raises(StoreError, match="is not what its name says"):
        read_observation(file)
    assert any(str(part) in problem for problem in verify(store)[1])


def test_planted(store: Store) -> None:
    """A file among the parts is no observation, and verify names it where its content is not what its name says."""
    store.add(observation())
    stray = store.root / "parts" / "tail" / f"{'0' * 24}.txt"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("x")
    (store.root / "parts" / "x.json").write_text("{}")
    assert len(list(store)) == 1
    assert [str(stray) in problem for problem in verify(store)[1]] == [True]


def test_missing(store: Store) -> None:
    """So is one that is gone, or that is no regular file."""
    file = store.add(observation(rank(0, tail=LONG), rank(1)))
    (part,) = (part for part in parts(store) if part.parent.name == "tail")
    part.unlink()
    with pytest.raises(StoreError, match=r"cannot be read: No such file.*restore the file"):
        read_observation(file)
    os.mkfifo(part)
    with pytest.raises(StoreError, match="is a FIFO"):
        read_observation(file)


def test_many_large_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An observation that names a large part again and again is refused before the memory is full."""
    file = store.add(observation(rank(0, tail=LONG), rank(1)))
    content = json.loads(file.read_text())
    content["ranks"] = [content["ranks"][0]] * 100
    file.write_text(json.dumps(content))
    monkeypatch.setattr(module, "PART_BYTES", 20 * len(LONG))
    with pytest.raises(StoreError, match="the parts of one observation are larger than"):
        read_observation(file)


def test_prune(store: Store) -> None:
    """Parts go with the last observation that names them, once they are old enough to be no part of a new run."""
    old = observation(failed(0), failed(1), id=f"{RECIPE[:12]}-1", run="a")
    new = observation(rank(0, tail=LONG), rank(1), id=f"{RECIPE[:12]}-2", run="b", started="2026-02-01T00:00:00+00:00")
    store.add(old)
    only_old = set(parts(store))
    store.add(new)
    only_old -= {part for part in parts(store) if any(part.name in file.read_text() for file in [store.add(new)])}
    assert prune(store, frozenset()) == [old]
    assert only_old <= set(parts(store))
    for part in parts(store):
        os.utime(part, (0, part.stat().st_mtime - SETTLED_SECONDS - 1))
    assert prune(store, frozenset(), dry=True) == []
    assert only_old <= set(parts(store))
    prune(store, frozenset())
    assert only_old
    assert not only_old & set(parts(store))
    assert list(store) == [new]
