"""A number as the judge of a search: how often each release must run, and which side its mean is on.  Pure.

Both ends are run ``END_RUNS`` times.  The noise of one run is taken to be normal and the same at every release; its
spread is estimated from both ends together and then enlarged to the upper bound of its 95 % confidence interval.  The
ends differ if all values of one lie above all values of the other (by chance that happens in 1 of 126 searches over
equal ends) and if at most ``MOST_RUNS`` runs of a step are enough; else the search is refused.

What is bounded: of all searches that are asked, the refused ones included, at most ``ERROR`` have a step whose release
is as one of the ends and is taken for the other.  The bound is not one for the answered searches alone where the ends
can only just be told apart: such ends are nearly always refused, and those few that are answered were lucky in their
first runs, so they are wrong more often.  ``tests/bench/metric_noise.py`` simulates both shares: from ends that are 4
spreads apart, the answered searches keep the bound as well.

A mean that lies farther from its own end than the middle does, on the outer side, is neither: it is a third behaviour,
and skipped.
"""

import math
import re
from collections.abc import Mapping, Sequence
from statistics import NormalDist, fmean, variance
from typing import Any

from repro.errors import UsageError
from repro.model.base import Strict
from repro.model.observation import Observation
from repro.model.verdict import Side

PEAK_MEMORY = "peak_memory"
"""The largest resident memory of any rank, in bytes."""
END_RUNS = 5
MOST_RUNS = 16
"""Runs of one step; noise that asks for more is too much."""
ERROR = 0.01
"""Share of all searches asked, the refused ones included, that may have a step on the wrong side."""
CONFIDENCE = 0.95
_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(?:@(?P<place>[1-9][0-9]{0,3}))?")


class MetricRule(Strict):
    """What was learned from the ends of a search."""

    metric: str
    good: float
    """Mean of the good end."""
    bad: float
    spread: float
    """Upper bound of the standard deviation of one run."""
    runs: int
    """Runs of each step."""
    error: float
    """Bound of the share of all searches asked, the refused ones included, with a step on the wrong side."""

    @property
    def middle(self) -> float:
        return (self.good + self.bad) / 2

    def side(self, values: Sequence[float]) -> Side:
        """Which end the mean of the values belongs to; neither if it lies far outside of both."""
        mean, half = fmean(values), abs(self.bad - self.good) / 2
        if min(abs(mean - self.good), abs(mean - self.bad)) > half:
            return Side.SKIP
        return Side.BAD if abs(mean - self.bad) < abs(mean - self.good) else Side.GOOD

    def describe(self) -> str:
        """``loss: good 2.1, bad 2.4, spread 0.05; 3 runs a step, a wrong step in at most 1% of all ...``."""
        return (
            f"{self.metric}: good {self.good:.6g}, bad {self.bad:.6g}, spread of a run at most {self.spread:.2g}; "
            f"{self.runs} run{'s' if self.runs > 1 else ''} a step, a wrong step in at most {self.error:.0%} of "
            f"all searches asked"
        )


class Inseparable(Strict):
    """The ends do not differ by more than the noise."""

    reason: str


def check_metric(text: str) -> str:
    """The metric as given; raises UsageError if it is none."""
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"--metric {text!r}: {PEAK_MEMORY}, NAME of a line `measured NAME = NUMBER`, or NAME@N for the N-th such "
            f"line is expected"
        )
    return text


def value_of(metric: str, observation: Observation) -> float | None:
    """The number that a run shows; None if it shows none.  The lowest rank that states a name is believed."""
    if metric == PEAK_MEMORY:
        peaks = [rank.peak_bytes for rank in observation.ranks if rank.peak_bytes is not None]
        return float(max(peaks)) if len(peaks) == len(observation.ranks) and peaks else None
    found = _NAME.fullmatch(metric)
    assert found is not None  # noqa: S101 - check_metric refuses anything else
    for rank in observation.ranks:
        held = _stated(rank.measured, rank.series, found["name"], found["place"])
        if held is not None:
            return held
    return None


def _stated(
    measured: Mapping[str, Any], series: Mapping[str, Sequence[float]], name: str, place: str | None
) -> float | None:
    if place is None:
        return _number(measured.get(name))
    held = series.get(name, ())
    if int(place) == 1 and not held:
        return _number(measured.get(name))
    return held[int(place) - 1] if int(place) <= len(held) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def plan(metric: str, good: Sequence[float], bad: Sequence[float], steps: int) -> MetricRule | Inseparable:
    """How to judge by a metric, from the values of both ends; ``steps`` is the most that the search may take."""
    shown = f"good {_shown(good)}; bad {_shown(bad)}"
    if not (max(good) < min(bad) or max(bad) < min(good)):
        return Inseparable(reason=f"{metric} does not separate the ends beyond its noise: {shown}")
    spread = _spread(good, bad)
    half = abs(fmean(bad) - fmean(good)) / 2
    # Each step may be wrong on either side, and the ends' own means are uncertain as well.
    quantile = NormalDist().inv_cdf(1 - ERROR / (2 * max(steps, 1)))
    certain = spread * quantile * math.sqrt(1 / (2 * len(good)))
    runs = MOST_RUNS + 1 if half <= certain else max(1, math.ceil((spread * quantile / (half - certain)) ** 2))
    if runs > MOST_RUNS:
        return Inseparable(
            reason=f"{metric} is too noisy: more than {MOST_RUNS} runs of each release would be needed to be right in "
            f"{1 - ERROR:.0%} of searches: {shown}"
        )
    return MetricRule(metric=metric, good=fmean(good), bad=fmean(bad), spread=spread, runs=runs, error=ERROR)


def _spread(good: Sequence[float], bad: Sequence[float]) -> float:
    """Upper bound of the standard deviation of one run, from the variances of both ends."""
    freedom = len(good) + len(bad) - 2
    pooled = ((len(good) - 1) * variance(good) + (len(bad) - 1) * variance(bad)) / freedom
    # Wilson and Hilferty's approximation of the lower quantile of chi square.
    part = 2 / (9 * freedom)
    lowest = freedom * (1 - part + NormalDist().inv_cdf(1 - CONFIDENCE) * math.sqrt(part)) ** 3
    return math.sqrt(pooled * freedom / lowest)


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
