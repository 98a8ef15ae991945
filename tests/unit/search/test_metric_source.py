"""How often the ends of a search by a number are run, and what is said if they cannot judge."""

from collections.abc import Sequence

import pytest

from repro.model.errors import UndecidedError
from repro.model.observation import Observation
from repro.model.script_failure import script_failure
from repro.search.metric_source import learn_metric
from tests.unit.factories import observation, rank

SCRIPT = script_failure("script-train", "train.py", "a" * 64, ("transformers",))
LABELS = ("1.0.0", "2.0.0")
STEPS = 15


class Noisy:
    """Runs whose number is 0, 1, 2, 3, 4, 0, 1, ... above the lowest one of its end."""

    def __init__(self, **lowest: float) -> None:
        self._lowest = lowest
        self.asked: list[tuple[str, int]] = []

    def look(self, name: str, runs: int) -> Sequence[Observation]:
        """The stored runs of an end are among those asked for."""
        self.asked.append((name, runs))
        values = [self._lowest[name] + number % 5 for number in range(runs)]
        return [observation(rank(0, measured={"loss": value})) for value in values]


def test_clear_ends_run_five_times() -> None:
    source, said = Noisy(good=0, bad=50), list[str]()
    rule = learn_metric(source, SCRIPT, "loss", ("good", "bad"), LABELS, STEPS, said.append)
    assert (rule.runs, said) == (1, [])
    assert source.asked == [("good", 5), ("bad", 5)]


def test_noisy_ends_run_again() -> None:
    """Five runs leave ends undecided that are about five spreads apart; ten do not."""
    source, said = Noisy(good=0, bad=8), list[str]()
    rule = learn_metric(source, SCRIPT, "loss", ("good", "bad"), LABELS, STEPS, said.append)
    assert 1 < rule.runs <= 16
    assert [runs for name, runs in source.asked if name == "bad"] == [5, 10]
    assert said == ["loss is noisy: each end is run until there are 10 runs"]


def test_twenty_runs_are_the_most() -> None:
    source, said = Noisy(good=0, bad=4.5), list[str]()
    with pytest.raises(UndecidedError, match="too noisy: more than 16 runs"):
        learn_metric(source, SCRIPT, "loss", ("good", "bad"), LABELS, STEPS, said.append)
    assert [runs for name, runs in source.asked if name == "good"] == [5, 10, 20]
    assert len(said) == 2


def test_ends_that_overlap_are_not_run_again() -> None:
    source, said = Noisy(good=0, bad=1), list[str]()
    with pytest.raises(UndecidedError, match="does not separate the ends"):
        learn_metric(source, SCRIPT, "loss", ("good", "bad"), LABELS, STEPS, said.append)
    assert source.asked == [("good", 5), ("bad", 5)]


def test_an_end_without_the_number() -> None:
    source = Noisy(good=0, bad=5)
    with pytest.raises(
        UndecidedError, match=r"^1\.0\.0, an end, cannot be judged by other: it reports no number other$"
    ):
        learn_metric(source, SCRIPT, "other", ("good", "bad"), LABELS, STEPS, print)
