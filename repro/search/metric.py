"""Judges a search by a number: how often each release must run, and which side its mean is on.  Pure.

Both ends are run a few times, and more often if that is too little to decide (``END_RUNS``).  The noise of a run is
assumed to be normal and equal at every release.  Its spread is estimated from both ends together and enlarged to the
upper bound of its 95 % confidence interval.  The ends differ if all values of one are above all values of the other (by
chance this happens in 1 of 126 searches with equal ends) and if at most ``MOST_RUNS`` runs of a step suffice; otherwise
the search is refused.  With more runs of the ends a step needs fewer: the bound of the spread is lower, and the means
of the ends are better known.

The bound: of all searches, including refused ones, at most ``ERROR`` have a step whose release behaves like one end
and is taken for the other.  The bound does not hold for answered searches alone if the ends are barely separable:
such ends are nearly always refused, and the few answered searches were lucky in their first runs, so they are wrong
more often.  ``tests/bench/metric_noise.py`` simulates both shares: if the ends are 3 or more spreads apart, the bound
holds for answered searches too.

A mean that is farther outside of its end than the middle is inside is a third behaviour, and is skipped.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, fmean, variance
from typing import Any

from repro.model.base import Strict
from repro.model.errors import UsageError
from repro.model.observation import Observation
from repro.model.verdict import Side

PEAK_MEMORY = "peak_memory"
"""The largest resident memory of any rank, in bytes."""
END_RUNS = (5, 10, 20)
"""The runs of each end; each larger number only if the smaller one asks for more than ``MOST_RUNS`` runs of a step."""
MOST_RUNS = 16
"""The most runs of one step; a metric that needs more is too noisy."""
ERROR = 0.01
"""The share of all searches, including refused ones, that may have a step on the wrong side."""
CONFIDENCE = 0.95
_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(?:@(?P<place>[1-9][0-9]{0,3}))?")


class MetricRule(Strict):
    """The rule learned from the ends of a search."""

    metric: str
    good: float
    """The mean of the good end."""
    bad: float
    spread: float
    """The upper bound of the standard deviation of one run."""
    runs: int
    """The number of runs of each step."""
    error: float
    """The bound of the share of all searches, including refused ones, with a step on the wrong side."""

    @property
    def middle(self) -> float:
        return (self.good + self.bad) / 2

    def side(self, values: Sequence[float]) -> Side:
        """The end to which the mean of the values belongs; SKIP if it is far outside of both."""
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
    is_uncertain: bool = False
    """True if the values of the ends lie apart, and more runs of the ends may show that they differ."""


def check_metric(text: str) -> str:
    """The metric if it is valid; else raises UsageError."""
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"--metric {text!r}: {PEAK_MEMORY}, NAME of a line `measured NAME = NUMBER`, or NAME@N for the N-th such "
            f"line is expected"
        )
    return text


def value_of(metric: str, observation: Observation) -> float | None:
    """The value that a run reports, by the lowest rank that reports it; None if there is none."""
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


def settle(
    metric: str, values: Callable[[int], tuple[Sequence[float], Sequence[float]]], steps: int
) -> MetricRule | Inseparable:
    """The rule for a metric, from as many runs of the ends as it takes.

    ``values`` returns the values of the good and of the bad end for a number of runs of each.
    """
    for runs in END_RUNS:
        rule = plan(metric, *values(runs), steps)
        if isinstance(rule, MetricRule) or not rule.is_uncertain:
            break
    return rule


def plan(metric: str, good: Sequence[float], bad: Sequence[float], steps: int) -> MetricRule | Inseparable:
    """The rule for a metric, from the values of both ends; ``steps`` is the largest number of steps of the search."""
    shown = f"good {_shown(good)}; bad {_shown(bad)}"
    if not (max(good) < min(bad) or max(bad) < min(good)):
        return Inseparable(reason=f"{metric} does not separate the ends beyond its noise: {shown}")
    spread = _spread(good, bad)
    half = abs(fmean(bad) - fmean(good)) / 2
    # Each step may be wrong on either side, and the means of the ends are uncertain too.
    quantile = NormalDist().inv_cdf(1 - ERROR / (2 * max(steps, 1)))
    certain = spread * quantile * math.sqrt(1 / (2 * len(good)))
    runs = MOST_RUNS + 1 if half <= certain else max(1, math.ceil((spread * quantile / (half - certain)) ** 2))
    if runs > MOST_RUNS:
        return Inseparable(
            reason=f"{metric} is too noisy: more than {MOST_RUNS} runs of each release would be needed to be right in "
            f"{1 - ERROR:.0%} of searches: {shown}",
            is_uncertain=True,
        )
    return MetricRule(metric=metric, good=fmean(good), bad=fmean(bad), spread=spread, runs=runs, error=ERROR)


def _spread(good: Sequence[float], bad: Sequence[float]) -> float:
    """The upper bound of the standard deviation of one run, from the variances of both ends."""
    freedom = len(good) + len(bad) - 2
    pooled = ((len(good) - 1) * variance(good) + (len(bad) - 1) * variance(bad)) / freedom
    # Wilson and Hilferty's approximation of the lower quantile of chi square.
    part = 2 / (9 * freedom)
    lowest = freedom * (1 - part + NormalDist().inv_cdf(1 - CONFIDENCE) * math.sqrt(part)) ** 3
    return math.sqrt(pooled * freedom / lowest)


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
