"""Lane equivalence: pairs of runs on one interpreter, and what makes them differ."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.loading import Catalog
from repro.catalog.records import Lane
from repro.launch import environment_key, recipe_of
from repro.observation import Observation, Rank
from repro.report.lanes import Pair, Shown, distrusted, lanes_markdown, of_lanes, pairs
from repro.report.markdown import escape
from repro.store import Store
from repro.verdict import Verdict
from tests.unit.factories import cell, failed, installed, killed, lost_peer, observation, project, raised, rank


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return project(tmp_path).catalog


def run(catalog: Catalog, lane: Lane, *ranks: Rank, **changes: Any) -> Observation:
    """A run on an adopted interpreter, made from the sources of today."""
    held = installed(lock=None)
    place = cell(lane=lane, environment="python:3.11.7", world_size=len(ranks))
    recipe = recipe_of(place, next(iter(catalog)), environment_key(held))
    return observation(*ranks, cell=place, installed=held, recipe=recipe, **changes)


def test_agree(catalog: Catalog) -> None:
    """The same errors of their own: the lanes agree, however the other rank then ends."""
    cpu = run(catalog, Lane.CPU, failed(0), failed(1, lost_peer(), at=5.2, ended_at=6.0))
    cuda = run(catalog, Lane.CUDA, failed(0), killed(1, 15, stopped=True, ended_at=20.0), id="b")
    (pair,) = pairs([cpu, cuda], catalog)
    assert pair.agree is True
    assert distrusted([pair]) == ()
    text = lanes_markdown([pair])
    assert "1 of 1 pairs agree" in text
    assert "rank 1: waits until it is ended 15.0 s after the failure" in text
    assert "rank 1: loses its peer 1.0 s after the failure" in text


def test_of_lanes(catalog: Catalog, tmp_path: Path) -> None:
    """From the store come the CUDA runs and their counterparts, and nothing else is read."""
    store = Store(tmp_path / "data")
    cpu, cuda = run(catalog, Lane.CPU, failed(0), failed(1)), run(catalog, Lane.CUDA, failed(0), failed(1), id="b")
    other = cpu.model_copy(update={"recipe": "f" * 64, "id": "ffffffffffff-other"})
    for made in (cpu.model_copy(update={"id": f"{cpu.recipe[:12]}-a"}), cuda, other):
        store.add(made)
    found = list(of_lanes(store, catalog))
    assert [seen.cell.lane for seen in found] == [Lane.CUDA, Lane.CPU]
    (pair,) = pairs(found, catalog)
    assert pair.agree is True


@pytest.mark.parametrize(
    ("cuda", "differences"),
    [
        (
            (rank(0), rank(1)),
            (
                "reproduced on CPU, absent on CUDA",
                "rank 0: KeyError in save_checkpoint on CPU, passes on CUDA",
                "rank 1: KeyError in save_checkpoint on CPU, passes on CUDA",
            ),
        ),
        (
            (failed(0), failed(1, raised("TypeError", "no"))),
            (
                "reproduced on CPU, different on CUDA",
                "rank 1: KeyError in save_checkpoint on CPU, TypeError in save_checkpoint on CUDA",
            ),
        ),
        (
            (failed(0), killed(1, 15, stopped=True, ended_at=25.0)),
            (
                "reproduced on CPU, different on CUDA",
                "rank 1: KeyError in save_checkpoint on CPU, waits until it is ended 20.0 s after the failure on CUDA",
            ),
        ),
        (
            (failed(0), failed(1, lost_peer(), at=5.2, ended_at=6.0)),
            (
                "reproduced on CPU, different on CUDA",
                "rank 1: KeyError in save_checkpoint on CPU, loses its peer 1.0 s after the failure on CUDA",
            ),
        ),
    ],
)
def test_differ(catalog: Catalog, cuda: tuple[Rank, ...], differences: tuple[str, ...]) -> None:
    """Another verdict, another error, or fewer ranks that show it: told rank by rank, the CPU lane is not trusted."""
    found = pairs([run(catalog, Lane.CPU, failed(0), failed(1)), run(catalog, Lane.CUDA, *cuda, id="b")], catalog)
    assert [pair.agree for pair in found] == [False]
    assert distrusted(found) == ("lightning-19492",)
    text = lanes_markdown(found)
    assert "not trusted for lightning-19492" in text
    assert found[0].differences == differences
    assert all(escape(item) in text for item in differences)


def test_same_verdict_on_other_ranks() -> None:
    """One verdict shown by other ranks is a difference too; equal errors are none, however the others end."""

    def shown(own: tuple[tuple[int, str], ...], others: tuple[tuple[int, str], ...]) -> Shown:
        return Shown(Verdict.REPRODUCED, own, others, "", "2026-11-22", "a")

    one = shown(((0, "KeyError in f"),), ((1, "loses its peer"),))
    later = shown(((0, "KeyError in f"),), ((1, "waits until it is ended"),))
    other = shown(((1, "KeyError in f"),), ((0, "waits until it is ended"),))
    assert Pair(cell(lane="cuda"), {}, "3.11.7", one, later).differences == ()
    assert Pair(cell(lane="cuda"), {}, "3.11.7", one, other).differences == (
        "rank 0: KeyError in f on CPU, waits until it is ended on CUDA",
        "rank 1: loses its peer on CPU, KeyError in f on CUDA",
    )
    assert Pair(cell(lane="cuda"), {}, "3.11.7", None, other).differences == ()


def test_newest_counts(catalog: Catalog) -> None:
    """Of several runs of a lane the newest is compared."""
    cuda = run(catalog, Lane.CUDA, rank(0), rank(1), id="a")
    older = run(catalog, Lane.CPU, failed(0), failed(1), id="b", started="2026-11-21T00:00:00+00:00")
    newer = run(catalog, Lane.CPU, rank(0), rank(1), id="c", started="2026-11-22T00:00:00+00:00")
    assert [pair.agree for pair in pairs([newer, cuda, older], catalog)] == [True]


def test_unrunnable_says_nothing(catalog: Catalog) -> None:
    """A lane that could not tell neither agrees nor differs."""
    cuda = run(catalog, Lane.CUDA, killed(0, 9), killed(1, 9), id="a")
    cpu = run(catalog, Lane.CPU, killed(0, 9), killed(1, 9), id="b")
    (pair,) = pairs([cpu, cuda], catalog)
    assert pair.cuda.verdict is Verdict.UNRUNNABLE
    assert pair.agree is None
    assert distrusted([pair]) == ()


def test_other_interpreter(catalog: Catalog) -> None:
    """A CPU run of today on other distributions is no pair of the CUDA run."""
    cuda = run(catalog, Lane.CUDA, rank(0), rank(1))
    held = installed({"lightning": "2.2.1", "torch": "2.3"}, lock=None)
    other = run(catalog, Lane.CPU, rank(0), rank(1), id="b")
    recipe = recipe_of(other.cell, next(iter(catalog)), environment_key(held))
    other = other.model_copy(update={"installed": held, "recipe": recipe})
    assert [pair.agree for pair in pairs([cuda, other], catalog)] == [None]


def test_not_told(catalog: Catalog) -> None:
    """A CUDA run alone, or beside another interpreter or older sources, says nothing of equivalence."""
    cuda = run(catalog, Lane.CUDA, rank(0), rank(1))
    other = run(catalog, Lane.CPU, rank(0), rank(1), id="b").model_copy(
        update={"installed": installed({"lightning": "2.2.1", "torch": "2.3"}, lock=None)}
    )
    older = run(catalog, Lane.CPU, rank(0), rank(1), id="c").model_copy(update={"recipe": "0" * 64})
    (pair,) = pairs([cuda, other, older], catalog)
    assert pair.agree is None
    assert "· not run" in lanes_markdown([pair])
    assert pairs([other, older], catalog) == ()
