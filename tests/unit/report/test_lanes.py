"""Lane equivalence: pairs of runs on one interpreter, and what makes them differ."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import Catalog
from repro.model.failure import Failure, Lane
from repro.model.observation import Observation, Rank
from repro.model.verdict import Verdict
from repro.report.lanes import LanePair, LaneRun, distrusted, format_lanes, lanes_markdown, of_lanes, pairs
from repro.report.matrix_page import escape
from repro.report.redaction import Redactor
from repro.store.observations import Store
from repro.store.recipe import environment_key, recipe_of
from tests.unit.factories import (
    cell,
    failed,
    installed,
    killed,
    lost_peer,
    observation,
    project,
    raised,
    rank,
    script_frame,
    waiting,
)


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
    cuda = run(catalog, Lane.CUDA, failed(0), failed(1, lost_peer(), at=5.2, ended_at=20.0), id="b")
    (pair,) = pairs([cpu, cuda], catalog)
    assert pair.agree is True
    assert distrusted([pair]) == ()
    text = lanes_markdown([pair])
    assert "1 of 1 pairs agree" in text
    assert "rank 1: loses its peer 15.0 s after the failure" in text
    assert "rank 1: loses its peer 1.0 s after the failure" in text


def test_redacted() -> None:
    """No text of a run is written as it is; lanes that differ only in what is replaced differ all the same."""

    def shown(box: str) -> LaneRun:
        facts = ((0, f"seen by {box}", f'"{box}"'),)
        return LaneRun(
            Verdict.REPRODUCED, ((0, f"{box} in f"),), ((1, f"ends as {box}"),), box, "2026-11-22", "a", facts
        )

    pair = LanePair(cell(lane=Lane.CUDA), {"torch": "2.13.0"}, "3.11.7", shown("gpu-a"), shown("gpu-b"))
    same = replace(pair, cuda=shown("gpu-a"), cell=cell(lane=Lane.CUDA, world_size=4))
    for one in (pair, same):
        text = lanes_markdown([one], Redactor(hosts=frozenset({"gpu-a", "gpu-b"})))
        assert "gpu-" not in text
        assert "<host>" in text
    assert (pair.agree, same.agree) == (False, True)


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


def test_ended_before_it_failed(catalog: Catalog) -> None:
    """A rank that was ended before it could fail leaves the question open: the lanes neither agree nor differ."""
    cpu = run(catalog, Lane.CPU, failed(0), failed(1))
    cuda = run(catalog, Lane.CUDA, failed(0), killed(1, 15, stopped=True, ended_at=25.0), id="b")
    (pair,) = pairs([cpu, cuda], catalog)
    assert (pair.agree, pair.differences) == (None, ())
    assert "rank 1: waits until it is ended 20.0 s after the failure" in lanes_markdown([pair])


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

    def shown(own: tuple[tuple[int, str], ...], others: tuple[tuple[int, str], ...]) -> LaneRun:
        return LaneRun(Verdict.REPRODUCED, own, others, "", "2026-11-22", "a")

    one = shown(((0, "KeyError in f"),), ((1, "loses its peer"),))
    later = shown(((0, "KeyError in f"),), ((1, "waits until it is ended"),))
    other = shown(((1, "KeyError in f"),), ((0, "waits until it is ended"),))
    assert LanePair(cell(lane="cuda"), {}, "3.11.7", one, later).differences == ()
    assert LanePair(cell(lane="cuda"), {}, "3.11.7", one, other).differences == (
        "rank 0: KeyError in f on CPU, waits until it is ended on CUDA",
        "rank 1: loses its peer on CPU, KeyError in f on CUDA",
    )
    assert LanePair(cell(lane="cuda"), {}, "3.11.7", None, other).differences == ()


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


WATCHDOG = "[rank1]:[E] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7) ran for 600021 milliseconds"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signal": 6, "tail": WATCHDOG}, "is aborted by the watchdog 15.0 s after the failure"),
        ({"signal": 6, "tail": "free(): invalid pointer"}, "ends by signal 6"),
        ({"signal": 11, "tail": WATCHDOG}, "ends by signal 11"),
        ({"signal": 15, "stopped": True, "tail": WATCHDOG}, "waits until it is ended 15.0 s after the failure"),
    ],
)
def test_how_the_other_rank_ends(catalog: Catalog, changes: dict[str, Any], words: str) -> None:
    """The watchdog's abort is told by its words and its signal; however a rank ends, the lanes' own errors agree."""
    other = killed(1, ended_at=20.0, **changes)
    cuda = run(catalog, Lane.CUDA, failed(0), other)
    (pair,) = pairs([cuda, run(catalog, Lane.CPU, failed(0), failed(1, lost_peer()), id="b")], catalog)
    assert pair.cuda.others == ((1, words),)
    assert f"rank 1: {words}" in lanes_markdown([pair])
    assert pair.cpu is not None
    assert pair.cuda.own == pair.cpu.own


def test_hang_instead_of_an_end(catalog: Catalog) -> None:
    """Ranks that stand still in one lane and end in the other: the lanes differ, though a hang alone is no verdict."""
    cpu = run(catalog, Lane.CPU, failed(0, lost_peer()), killed(1, 6))
    cuda = run(catalog, Lane.CUDA, waiting(0), waiting(1), id="b", deadline_passed=True)
    (pair,) = pairs([cpu, cuda], catalog)
    assert (pair.cuda.verdict, pair.agree) == (Verdict.UNRUNNABLE, False)
    assert "rank 1: ends by signal 6 on CPU, stands still in all_gather on CUDA" in pair.differences


def test_slow_is_not_told(catalog: Catalog) -> None:
    """Who moved between two dumps was only slow: the deadline tells nothing."""
    moving = waiting(0, script_frame("f"), then=(script_frame("g"),))
    cuda = run(catalog, Lane.CUDA, moving, id="b", deadline_passed=True)
    (pair,) = pairs([run(catalog, Lane.CPU, rank(0)), cuda], catalog)
    assert pair.agree is None


FLOATS = {"losses": [0.5, {"first": 1.25}], "largest": "25.1", "steps": 3}


@pytest.mark.parametrize(
    ("cpu", "cuda", "differences"),
    [
        (
            {"weight_dtypes": ["torch.float32"]},
            {"weight_dtypes": ["torch.bfloat16"]},
            ('rank 0: weight_dtypes ["torch.float32"] on CPU, ["torch.bfloat16"] on CUDA',),
        ),
        (FLOATS, {"losses": [0.75, {"first": 1.5}], "largest": "24.3", "steps": 3}, ()),
        ({"largest": "25.1"}, {"largest": "nan"}, ('rank 0: largest "..." on CPU, "nan" on CUDA',)),
        ({"loss": 0.5}, {"loss": float("inf")}, ('rank 0: loss "..." on CPU, Infinity on CUDA',)),
        ({"losses": [0.5]}, {"losses": [0.5, 0.25]}, ('rank 0: losses ["..."] on CPU, ["...", "..."] on CUDA',)),
        ({"steps": 3}, {"steps": 4}, ("rank 0: steps 3 on CPU, 4 on CUDA",)),
        ({"steps": 3}, {}, ()),
    ],
)
def test_measured(catalog: Catalog, cpu: dict[str, Any], cuda: dict[str, Any], differences: tuple[str, ...]) -> None:
    """Another type of weights, count or name, or no finite number, is a difference; another fraction is none."""
    seen = [run(catalog, lane, rank(0, measured=held), id=lane) for lane, held in ((Lane.CPU, cpu), (Lane.CUDA, cuda))]
    (pair,) = pairs(seen, catalog)
    assert pair.differences == differences
    assert pair.agree is not bool(differences)


def test_facts_are_named(catalog: Catalog) -> None:
    """What was measured alike in both lanes is named; what was mere fractions is not."""
    held = {"weight_dtypes": ["torch.float32"], "error": 0.25, "errors": [0.5, 0.5]}
    found = pairs([run(catalog, lane, rank(0, measured=held), id=lane) for lane in Lane], catalog)
    assert "Measured, and the same in both lanes: `weight_dtypes`.\n" in lanes_markdown(found)


def test_reason(catalog: Catalog) -> None:
    """Each failure whose lanes differ is told with the record's reason, or that none is known."""
    found = pairs([run(catalog, Lane.CPU, failed(0)), run(catalog, Lane.CUDA, rank(0), id="b")], catalog)
    assert "- lightning-19492: No reason is known.\n" in lanes_markdown(found)
    (entry,) = catalog
    why = {"cuda": {"why": "NCCL compares no sizes."}}
    told = Failure.model_validate(entry.failure.model_dump(mode="json") | {"differs_in": why})
    catalog = replace(catalog, entries={told.id: replace(entry, failure=told)})
    found = pairs([run(catalog, Lane.CPU, failed(0)), run(catalog, Lane.CUDA, rank(0), id="b")], catalog)
    assert "- lightning-19492: NCCL compares no sizes.\n" in lanes_markdown(found)


def test_where_only() -> None:
    """A failure whose lanes differ with a factor only is distrusted there."""
    one = LaneRun(Verdict.DIFFERENT, (), (), "", "2026-11-22", "a")
    other = replace(one, verdict=Verdict.ABSENT)
    full = LanePair(cell(lane="cuda", factors={"state-dict-type": "full"}), {}, "3.11.7", one, other)
    assert "not trusted for lightning-19492 (state-dict-type=full)." in format_lanes([full])
    assert "not trusted for lightning-19492." in format_lanes(
        [full, LanePair(cell(lane="cuda"), {}, "3.11.7", one, other)]
    )
