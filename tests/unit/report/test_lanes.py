"""Lane equivalence: pairs of runs on one interpreter, and what makes them differ."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.loading import Catalog
from repro.catalog.records import Lane
from repro.launch import environment_key, recipe_of
from repro.observation import Observation, Rank
from repro.report.lanes import distrusted, lanes_markdown, pairs
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


@pytest.mark.parametrize(
    "cuda",
    [
        (rank(0), rank(1)),
        (failed(0, raised("TypeError", "no")), failed(1, raised("TypeError", "no"))),
        (failed(0), killed(1, 15, stopped=True)),
    ],
)
def test_differ(catalog: Catalog, cuda: tuple[Rank, ...]) -> None:
    """Another verdict, another error, or fewer ranks that show it: the CPU lane is not trusted."""
    found = pairs([run(catalog, Lane.CPU, failed(0), failed(1)), run(catalog, Lane.CUDA, *cuda, id="b")], catalog)
    assert [pair.agree for pair in found] == [False]
    assert distrusted(found) == ("lightning-19492",)
    assert "not trusted for lightning-19492" in lanes_markdown(found)


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
