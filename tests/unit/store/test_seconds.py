"""Measured seconds: medians of the newest runs, hangs included; nothing from what was not run."""

from pathlib import Path

import pytest

from repro.store.observations import Store
from repro.store.seconds import measured_seconds
from tests.unit.factories import FAILURE, cell, observation


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def put(store: Store, number: int, seconds: float, recipe: str = "a" * 64, **changes: object) -> None:
    name = f"{recipe[:12]}-20260101T00000{number}Z-00000{number}"
    store.add(observation(id=name, recipe=recipe, seconds=seconds, **changes))


def test_warm_and_torchrun_together(store: Store) -> None:
    """What a cell costs is a run through torchrun and a warm one, each the median."""
    for number, seconds in enumerate([10.0, 12.0, 30.0]):
        put(store, number, seconds)
    put(store, 4, 2.0, recipe="b" * 64, launcher="warm")
    assert measured_seconds(store, [FAILURE]) == {observation().cell.label: 14.0}


def test_a_hang_counts_until_it_was_ended(store: Store) -> None:
    put(store, 1, 49.5, deadline_passed=True)
    assert measured_seconds(store, [FAILURE]) == {observation().cell.label: 49.5}


def test_only_the_newest_runs_of_a_recipe_count(store: Store) -> None:
    for number in range(6):
        put(store, number, 90.0 if number < 2 else 10.0)
    assert list(measured_seconds(store, [FAILURE]).values()) == [10.0]


def test_what_was_not_run_is_no_measurement(store: Store) -> None:
    put(store, 1, 0.0, launcher="none", cell=cell())
    put(store, 2, 0.0)
    put(store, 3, float("1e300"))
    (store.root / FAILURE / f"{'c' * 12}-x.json").write_text("{broken")
    (store.root / FAILURE / f"{'d' * 12}-x.json").write_text('{"launcher": "warm", "seconds": 1, "cell": {}}')
    (store.root / FAILURE / f"{'e' * 12}-x.json").write_text("[]")
    assert measured_seconds(store, [FAILURE, "unknown-1"]) == {}
