"""The store: observations go in whole and come out the same."""

import json
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.model.errors import StoreError
from repro.model.failure import Lane
from repro.model.observation import Observation
from repro.store import observations as module
from repro.store.joined import joined
from repro.store.observations import Store, read_observation
from tests.unit.factories import FAILURE, RECIPE, cell, failed, failure, killed, observation, rank, waiting


def seen(
    number: int, *, run: str = "run-a", recipe: str = RECIPE, started: str = "2026-01-01T00:00:00+00:00"
) -> Observation:
    return observation(id=f"{recipe[:12]}-{number:06}", run=run, recipe=recipe, started=started)


def test_of_lane(tmp_path: Path) -> None:
    """Only the runs of the lane, and not those that merely speak of it."""
    store = Store(tmp_path)
    store.add(observation(id="a"))
    store.add(observation(rank(0, measured={"lane": "cuda"}), rank(1), id="b"))
    store.add(observation(id="c", cell=cell(lane="cuda")))
    assert [found.id for found in store.of_lane(Lane.CUDA)] == ["c"]
    (tmp_path / FAILURE / "d.json").mkdir()
    with pytest.raises(StoreError, match="a regular file is expected"):
        list(store.of_lane(Lane.CUDA))


class TestAdd:
    """What was added is read back equal."""

    @pytest.mark.parametrize(
        "made",
        [
            observation(),
            observation(failed(0), killed(1, 9)),
            observation(waiting(0), waiting(1), deadline_passed=True),
            observation(ranks=(), fault="no environment", installed=None, launcher="none", launcher_code=None),
            observation(
                rank(0, measured={"a": [1, None, {"b": 1.5e-300}], "ü": "\u2028"}, tail="ü\n\x00\x1b[31m"), rank(1)
            ),
            observation(cell=cell(backport="cure", factors={"a": "b"}, lane="cuda", world_size=2)),
        ],
        ids=["passed", "failed", "hung", "not run", "odd", "cell"],
    )
    def test_round_trip(self, tmp_path: Path, made: Observation) -> None:
        """Nothing is lost or changed; the file is one line and says its format."""
        file = Store(tmp_path).add(made)
        assert file == tmp_path / FAILURE / f"{made.id}.json"
        assert read_observation(file) == made
        assert file.read_text().count("\n") == 1
        assert json.loads(file.read_text())["format"] == 2

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.dictionaries(
            st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers(-(2**53), 2**53)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                st.lists,
                max_leaves=5,
            ),
            max_size=3,
        )
    )
    def test_measurements(self, tmp_path: Path, measured: dict[str, object]) -> None:
        """Every measurement that JSON can say is kept."""
        made = observation(rank(0, measured=measured), rank(1))
        assert read_observation(Store(tmp_path).add(made)) == made

    def test_no_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A full disk is a store error that names the file, and leaves none."""

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(module, "write_whole", fail)
        with pytest.raises(StoreError, match="cannot be written: No space left on device"):
            Store(tmp_path).add(observation())

    def test_not_a_folder(self, tmp_path: Path) -> None:
        """A root that is a file."""
        (tmp_path / "data").write_text("x")
        with pytest.raises(StoreError, match="cannot be written"):
            Store(tmp_path / "data").add(observation())


class TestUpgrade:
    """Files of format 1, in which all stands in place, are read, and can be written again."""

    def first_format(self, store: Store, made: Observation) -> Path:
        file = store.root / FAILURE / f"{made.id}.json"
        file.parent.mkdir(exist_ok=True)
        content = {"format": 1} | made.model_dump(mode="json", exclude_defaults=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return file

    def test_both_are_read(self, tmp_path: Path) -> None:
        """They may stand beside one another."""
        store = Store(tmp_path)
        old, new = seen(1), seen(2)
        self.first_format(store, old)
        store.add(new)
        assert store.of_recipe(FAILURE, RECIPE) == [old, new]

    def test_lossless(self, tmp_path: Path) -> None:
        """What is written again is the same observation; a second time there is nothing to do."""
        store = Store(tmp_path)
        made = [observation(failed(0), killed(1, 9), id=f"{RECIPE[:12]}-{number}") for number in range(3)]
        files = [self.first_format(store, item) for item in made]
        assert store.upgrade() == 3
        assert list(store) == made
        assert all(json.loads(file.read_text())["format"] == 2 for file in files)
        assert store.upgrade() == 0

    def test_damaged(self, tmp_path: Path) -> None:
        """A file that cannot be read stays as it is, and is named."""
        store = Store(tmp_path)
        file = self.first_format(store, seen(1))
        file.write_text("{")
        with pytest.raises(StoreError, match="remove or restore"):
            store.upgrade()
        assert file.read_text() == "{"

    def test_not_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each is compared with what it was before its file is replaced."""
        store = Store(tmp_path)
        file = self.first_format(store, seen(1))
        before = file.read_bytes()
        monkeypatch.setattr(module, "joined", lambda *given: joined(*given).model_copy(update={"seconds": 0.25}))
        with pytest.raises(StoreError, match="would not be the same"):
            store.upgrade()
        assert file.read_bytes() == before


class TestFind:
    """Observations by recipe and by run."""

    def test_nothing(self, tmp_path: Path) -> None:
        """An empty or missing store holds nothing."""
        store = Store(tmp_path / "none")
        assert store.of_recipe(FAILURE, RECIPE) == []
        assert store.newest_run(FAILURE, RECIPE) == []
        assert list(store) == []

    def test_of_recipe(self, tmp_path: Path) -> None:
        """Only of that recipe, also where another begins alike; the oldest first, whatever the names say."""
        store = Store(tmp_path)
        alike = RECIPE[:12] + "1" * 52
        late = seen(1, started="2026-01-03T00:00:00+00:00")
        early = seen(2, started="2026-01-02T00:00:00+00:00")
        for item in (late, early, seen(3, recipe=alike), seen(4, recipe="b" * 64)):
            store.add(item)
        assert store.of_recipe(FAILURE, RECIPE) == [early, late]
        assert store.of_recipe("other-1", RECIPE) == []

    def test_newest_run(self, tmp_path: Path) -> None:
        """All repetitions of the newest command, and none of an older one."""
        store = Store(tmp_path)
        old = seen(1, run="run-a", started="2026-01-01T00:00:00+00:00")
        new = [seen(number, run="run-b", started=f"2026-01-0{number}T00:00:00+00:00") for number in (2, 3)]
        for item in (new[1], old, new[0]):
            store.add(item)
        assert store.newest_run(FAILURE, RECIPE) == new
        assert store.deciding(failure(), RECIPE) == new
        rare = failure(rate={"runs": 20, "at_least": 12})
        assert store.deciding(rare, RECIPE) == [old, *new], "a command adds only the runs that a rate still asks for"

    def test_all(self, tmp_path: Path) -> None:
        """Every observation of every failure; files that are none are passed over."""
        store = Store(tmp_path)
        store.add(seen(1))
        store.add(seen(2).model_copy(update={"cell": cell(failure="torch-1")}))
        (tmp_path / "README.md").write_text("x")
        (tmp_path / FAILURE / ".x.json.tmp123").write_text("half")
        assert [item.cell.failure for item in store] == [FAILURE, "torch-1"]


class TestDamaged:
    """A damaged file is named; it is never taken for an observation."""

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', "\x00", "<html>"])
    def test_unreadable(self, tmp_path: Path, text: str) -> None:
        """No JSON, or not an observation."""
        file = tmp_path / "x.json"
        file.write_text(text)
        with pytest.raises(StoreError, match=r"x\.json: .*remove or restore the file"):
            read_observation(file)

    def test_every_cut(self, tmp_path: Path) -> None:
        """A file that was cut anywhere is not read as a shorter observation."""
        file = Store(tmp_path).add(observation())
        content = file.read_bytes().rstrip()
        for cut in range(0, len(content), 97):
            file.write_bytes(content[:cut])
            with pytest.raises(StoreError):
                read_observation(file)

    @pytest.mark.parametrize(
        "changes", [{"format": 3}, {"format": "1"}, {"extra": 1}, {"launcher": "magic"}, {"seconds": "long"}]
    )
    def test_other_format(self, tmp_path: Path, changes: dict[str, object]) -> None:
        """Another format, unknown keys and values."""
        file = Store(tmp_path).add(observation())
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        with pytest.raises(StoreError, match=next(iter(changes))):
            read_observation(file)

    def test_missing(self, tmp_path: Path) -> None:
        """A file that went away."""
        with pytest.raises(StoreError, match="cannot be read"):
            read_observation(tmp_path / "x.json")

    def test_damage_is_not_hidden(self, tmp_path: Path) -> None:
        """A search over the store meets it instead of leaving it out."""
        store = Store(tmp_path)
        store.add(seen(1)).write_text("{")
        with pytest.raises(StoreError):
            store.of_recipe(FAILURE, RECIPE)


def test_concurrent(tmp_path: Path) -> None:
    """Many writers and a reader: every observation arrives, none is seen half."""
    store = Store(tmp_path)
    groups = [[seen(10 * group + number) for number in range(8)] for group in range(4)]
    threads = [threading.Thread(target=lambda group=group: [store.add(item) for item in group]) for group in groups]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        list(store)
    assert len(store.of_recipe(FAILURE, RECIPE)) == 32
