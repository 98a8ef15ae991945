"""Ranks in the order in which a person looks for the cause."""

import pytest

from repro.model.observation import Origin, Rank
from repro.report.ranks import format_end, traces
from repro.verdict.result import judge_repetitions
from tests.unit.factories import (
    failed,
    failure,
    frame,
    killed,
    lost_peer,
    observation,
    raised,
    rank,
    script_frame,
    waiting,
)


def of(*ranks: Rank) -> list[tuple[tuple[int, ...], str, bool]]:
    found = traces(judge_repetitions(failure(), [observation(*ranks)]))
    return [(trace.ranks, trace.errors[0].line if trace.errors else "", trace.decided) for trace in found]


def test_the_deciding_rank_comes_first() -> None:
    """The rank that raised the documented error, not the one that lost its peer, whatever their numbers."""
    found = of(failed(0, lost_peer(), at=4.0), failed(1, at=5.0))
    assert [(ranks, decided) for ranks, _, decided in found] == [((1,), True), ((0,), False)]
    assert found[0][1] == "KeyError: 'optimizer_states'"


def test_ranks_that_ended_alike_are_told_once() -> None:
    ((ranks, _, decided),) = of(failed(0), failed(1))
    assert (ranks, decided) == ((0, 1), True)


def test_ranks_that_ended_well_are_not_told() -> None:
    assert of(rank(0), rank(1)) == []


def test_the_causing_frame_comes_first_and_the_harness_is_left_out() -> None:
    error = raised(
        "KeyError", "'optimizer_states'", frame("run", "bootstrap.py", Origin.HARNESS), script_frame(), frame()
    )
    (trace,) = traces(judge_repetitions(failure(), [observation(failed(0, error), failed(1, error))]))
    assert [item.function for item in trace.errors[0].frames] == ["save_checkpoint", "<module>"]
    assert trace.names == "ranks 0 and 1"


def test_a_chain_says_how_it_hangs_together() -> None:
    chain = (raised(), raised("ValueError", "x", link="cause"), raised("TypeError", "y", link="context"))
    (trace,) = traces(judge_repetitions(failure(), [observation(failed(0, chain=chain), failed(1, chain=chain))]))
    assert [error.link for error in trace.errors] == ["", "caused by", "while handling"]


def test_a_hang_shows_the_stack_innermost_first() -> None:
    (trace,) = traces(judge_repetitions(failure(), [observation(waiting(0), waiting(1))]))
    assert [item.function for item in trace.stack] == ["all_gather", "<module>"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (failed(0), "exit code 1"),
        (killed(0, 11), "killed by SIGSEGV"),
        (killed(0, 200), "killed by signal 200"),
        (waiting(0), "stopped by the launcher or the deadline"),
        (rank(0, started=False, exit_code=None), "never started"),
        (rank(0, exit_code=None), "no exit code"),
    ],
)
def test_how_a_rank_ended(one: Rank, words: str) -> None:
    assert format_end(one) == words
