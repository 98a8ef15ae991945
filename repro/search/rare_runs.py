"""How many runs a bisection needs at each point of a failure that shows in some runs only.  Pure."""

import math
from dataclasses import dataclass
from itertools import accumulate

from repro.model.rate import Rate, clean_runs

ERROR = 0.01
"""Share of all searches that may have a bad point among those called good, if the rate holds."""
REFUSED = 0.1
"""Share of searches that may be refused at the bad end although its rate is just the record's."""


@dataclass(frozen=True)
class RunsOfPoint:
    """What a point needs until it counts."""

    runs: int
    """So many good runs make a point good; so many runs measure how often a bad one is bad."""
    least: int
    """The failure must show in so many of these runs at the bad end of the answer, else there is none."""

    def next_runs(self, known: int) -> int:
        """Up to how many runs a point without an answer is run next: a quarter, a half, then all of them."""
        return next(n for n in (self.runs // 4, self.runs // 2, self.runs) if n > known)


def runs_of_point(rate: Rate, points: int) -> RunsOfPoint:
    """The runs of each of at most so many points.

    All good points together are wrong in at most ``ERROR`` of the searches.  That rests on the record's rate: a bad
    end that shows the failure less often than this rate does in all but ``REFUSED`` of cases gives no answer.
    """
    runs = clean_runs(rate.share, ERROR / max(points, 1))
    shares = (math.comb(runs, k) * rate.share**k * (1 - rate.share) ** (runs - k) for k in range(runs + 1))
    below = sum(total < REFUSED for total in accumulate(shares))
    return RunsOfPoint(runs=runs, least=max(1, below))
