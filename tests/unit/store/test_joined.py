"""Parts are read once and shared, and a damaged part is never taken for a good one."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from repro.model.errors import StoreError
from repro.model.observation import Observation
from repro.store.observations import Store, read_observation
from repro.store.parts import PARTS, Parts
from repro.store.upkeep import verify
from tests.unit.factories import HARDWARE, RECIPE, failed, frame, installed, observation, raised, rank

LONG = "a long tail\n" * 20


def many(store: Store, count: int) -> list[Observation]:
    """Observations that share their environment, hardware, imports and error, and have a tail of their own each."""
    held = installed({f"package-{number}": "1.0" for number in range(20)})
    machine = HARDWARE.model_copy(update={"accelerators": ("NVIDIA H100",) * 16})
    error = raised("KeyError", "'x'", *(frame(f"caller_{number}") for number in range(9)))
    made = [
        observation(
            failed(0, error, tail=f"{LONG}{number}"),
            rank(1, tail=LONG),
            id=f"{RECIPE[:12]}-{number:04}",
            installed=held,
            hardware=machine,
        )
        for number in range(count)
    ]
    for one in made:
        store.add(one)
    return made


def name_in(store: Store, file: Path, kind: str, content: bytes, suffix: str = "json") -> None:
    """Let a stored observation name a part with that content."""
    digest = hashlib.sha256(content).hexdigest()[:24]
    part = store.root / PARTS / kind / f"{digest}.{suffix}"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)
    stated: dict[str, Any] = json.loads(file.read_text())
    reference = {"part": f"{kind}/{digest}.{suffix}"}
    if kind in {"installed", "hardware"}:
        stated[kind] = reference
    else:
        stated["ranks"][0][kind] = reference
    file.write_text(json.dumps(stated))


def test_the_same_as_without_parts(tmp_path: Path) -> None:
    """Each observation comes back as it was, and as it is told in one text."""
    store = Store(tmp_path)
    made = many(store, 3)
    assert list(store) == made
    assert [Observation.model_validate_json(one.model_dump_json()) for one in store] == made
    assert [one.model_dump_json() for one in store] == [one.model_dump_json() for one in made]


def test_a_part_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs name it; only the output of a run is its own."""
    store = Store(tmp_path)
    many(store, 20)
    read: Counter[str] = Counter()
    true = Parts.read

    def counted(self: Parts, name: str) -> bytes:
        read[name] += 1
        return true(self, name)

    monkeypatch.setattr(Parts, "read", counted)
    found = list(store)
    assert set(read.values()) == {1}
    kinds = Counter(name.partition("/")[0] for name in read)
    assert (kinds["installed"], kinds["hardware"], kinds["chain"], kinds["tail"]) == (1, 1, 1, 21)
    assert all(one.installed is found[0].installed for one in found)


def test_a_value_that_was_read_hides_no_damage(tmp_path: Path) -> None:
    """A part that is changed afterwards is named, though its true content is known here."""
    store = Store(tmp_path)
    many(store, 2)
    assert len(list(store)) == 2
    part = next((tmp_path / PARTS / "installed").glob("*.json"))
    part.write_text(part.read_text().replace("1.0", "2.0"))
    assert any(str(part) in problem for problem in verify(store)[1])
    assert {one.installed.distributions["package-1"] for one in store if one.installed} == {"1.0"}


def test_stores_do_not_share(tmp_path: Path) -> None:
    """A part that is missing in one store is not taken from another."""
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    many(one, 1)
    many(other, 1)
    assert len(list(one)) == 1
    next((other.root / PARTS / "installed").glob("*.json")).unlink()
    with pytest.raises(StoreError, match="restore the file"):
        list(other)


@pytest.mark.parametrize(
    ("kind", "content", "suffix", "problem"),
    [
        ("installed", b'{"name": "x"}', "json", r"installed\.python: field required"),
        ("installed", b"{", "json", r"installed: invalid json"),
        ("hardware", b"[]", "json", r"hardware: input should be an object"),
        ("chain", b'[{"type": 1}]', "json", r"ranks\.0\.chain\.0\.type: input should be a valid string"),
        ("chain", b'"text"', "json", r"ranks\.0\.chain: input should be"),
        ("chain", b"text", "txt", r"ranks\.0\.chain: input should be"),
        ("imported", b'{"a": {"version": "1", "inside": true, "more": 1}}', "json", r"imported\.a\.more: extra inputs"),
        ("tail", b"\xff\xfe", "txt", "is not UTF-8 text"),
        ("tail", b'["a"]', "json", r"ranks\.0\.tail: input should be a valid string"),
        ("stacks", b"[" * 5000, "json", r"ranks\.0\.stacks: invalid json"),
    ],
)
def test_wrong_content(tmp_path: Path, kind: str, content: bytes, suffix: str, problem: str) -> None:
    """A part with its own digest and a value that no run has: one line that names the field."""
    store = Store(tmp_path)
    file = store.add(observation())
    name_in(store, file, kind, content, suffix)
    with pytest.raises(StoreError, match=problem):
        read_observation(file)


def test_no_part_makes_a_wrong_line_right(tmp_path: Path) -> None:
    """What is in the line itself is validated as before."""
    store = Store(tmp_path)
    many(store, 1)
    file = next(store.files())
    stated = json.loads(file.read_text())
    for change in ({"seconds": "long"}, {"more": 1}, {"ranks": [1]}, {"ranks": [{"rank": 0, "more": 1}]}):
        file.write_text(json.dumps(stated | change))
        with pytest.raises(StoreError, match="remove or restore the file"):
            read_observation(file)
