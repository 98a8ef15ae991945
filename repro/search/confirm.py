"""Decides how many runs the answer of a bisection needs.  Pure: proposes runs and reads their results.

A step of the search needs one run.  An intermittent failure could then lead it to a wrong release, so the answer is
confirmed before it counts:

- Both neighbours are run again through torchrun, ``NEIGHBOUR_RUNS`` runs in all.
- One more point is tried on each side of the answer.  If it steadily shows the opposite, there is another change.
- An end that contradicts the question is run again before the search is refused.
- If torchrun and the warm launcher disagree at any point, all warm runs are dropped.
- If runs through torchrun disagree with each other, the failure is *noisy*: a point is good only after
  ``NOISY.runs`` good runs, and if the bad neighbour shows the failure in fewer than ``NOISY.least`` of as many runs,
  there is no answer.

One bad run makes a point bad: the verdict ``reproduced`` needs the failure's own signature.

A failure whose record states a rate is noisy from the start: the rate says how many runs a point needs
(``rare_runs.py``).

The probability of a wrong answer is largest for a failure that shows in about two of three runs.  A simulation of
this module (``tests/bench/search_noise.py``) measures it at every rate: it is below 1 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from repro.model.rate import Rate
from repro.model.verdict import Side
from repro.search.bisection import (
    Boundary,
    Contradiction,
    Inconclusive,
    Probe,
    SearchRange,
    Walk,
    farthest,
    upcoming,
    walk,
)
from repro.search.rare_runs import RunsOfPoint, runs_of_point

NEIGHBOUR_RUNS = 4
"""The number of runs of each neighbour of an answer, including the first one."""
TORCHRUN_RUNS = 3
"""The least number of them through torchrun."""
NOISY = RunsOfPoint(runs=16, least=5)
"""Runs of a point of a noisy failure without a rate."""
LEAST_GAP = 2
"""On the good side, a further point is tried only if no known point is nearer than this."""
SKIPS = 3
"""The number of runs without a verdict after which a point is given up."""


@dataclass(frozen=True)
class Counts:
    """The results of the runs of one point."""

    bad: int = 0
    good: int = 0
    skipped: int = 0

    @property
    def conclusive(self) -> int:
        return self.bad + self.good

    @property
    def mixed(self) -> bool:
        return self.bad > 0 and self.good > 0


@dataclass(frozen=True)
class PointRuns:
    """The runs of one point, by launcher."""

    warm: Counts = field(default_factory=Counts)
    torchrun: Counts = field(default_factory=Counts)

    @property
    def launchers_disagree(self) -> bool:
        """True if both launchers ran the point and differ."""
        if not (self.warm.conclusive and self.torchrun.conclusive):
            return False
        return (self.warm.bad > 0, self.warm.good > 0) != (self.torchrun.bad > 0, self.torchrun.good > 0)


@dataclass(frozen=True)
class Repeat:
    """Run this point through torchrun until it has this many runs."""

    index: int
    runs: int


@dataclass(frozen=True)
class Noisy:
    """The failure is too rare for an answer: ``k`` of ``n`` runs at this point show it."""

    index: int
    k: int
    n: int


@dataclass(frozen=True)
class Confirmed:
    """A boundary with confirmed neighbours."""

    boundary: Boundary
    odd: tuple[int, ...] = ()
    """Points beyond a neighbour that steadily show the opposite, so that there is another change."""
    noisy: bool = False
    torchrun_only: bool = False
    """True if warm runs were dropped."""


Step = Probe | Repeat | Contradiction | Inconclusive | Noisy | Confirmed
RunsByPoint = Mapping[int, PointRuns]


@dataclass(frozen=True)
class Trusted:
    """The runs that count."""

    counts: Mapping[int, Counts]
    torchrun_only: bool
    noisy: RunsOfPoint | None
    """How many runs a point needs, where the failure shows in some runs only; else None."""

    @classmethod
    def of(cls, known: RunsByPoint, needs: RunsOfPoint | None) -> "Trusted":
        """All runs, or only those through torchrun if launchers or runs disagree.

        ``needs`` is what a rare failure needs at each point.
        """
        mixed = any(held.launchers_disagree or held.warm.mixed or held.torchrun.mixed for held in known.values())
        only = mixed or needs is not None
        noisy = needs or (NOISY if any(held.torchrun.mixed for held in known.values()) else None)
        return cls({index: _counts(held, torchrun_only=only) for index, held in known.items()}, only, noisy)

    @property
    def sides(self) -> dict[int, Side]:
        """The answers of all points with an answer."""
        found = {index: self.side(index) for index in self.counts}
        return {index: side for index, side in found.items() if side is not None}

    def side(self, index: int) -> Side | None:
        """The answer of a point; None if more runs are needed."""
        counts = self.counts.get(index, Counts())
        if counts.bad:
            return Side.BAD
        if counts.good >= (self.noisy.runs if self.noisy else 1):
            return Side.GOOD
        given_up = counts.skipped >= (SKIPS if self.torchrun_only or counts.good else 1)
        return Side.SKIP if given_up else None


def _counts(held: PointRuns, *, torchrun_only: bool) -> Counts:
    warm, torchrun = held.warm, held.torchrun
    if torchrun_only and torchrun == Counts() and not warm.conclusive:
        # It never ran: it does not resolve or does not apply.
        return Counts(skipped=SKIPS if warm.skipped else 0)
    if torchrun_only:
        return torchrun
    if not torchrun.conclusive and torchrun.skipped >= SKIPS:
        # The warm runs could not be confirmed.
        return Counts(skipped=torchrun.skipped)
    return Counts(warm.bad + torchrun.bad, warm.good + torchrun.good, warm.skipped + torchrun.skipped)


def _trusted(points: SearchRange, known: RunsByPoint, rate: Rate | None) -> Trusted:
    return Trusted.of(known, runs_of_point(rate, points.most_points) if rate else None)


def sides(points: SearchRange, known: RunsByPoint, rate: Rate | None = None) -> dict[int, Side]:
    """The answers from the known runs."""
    return _trusted(points, known, rate).sides


def next_step(points: SearchRange, known: RunsByPoint, rate: Rate | None = None) -> Step:
    """The next step, given the known runs; ``rate`` is that of a rare failure."""
    trusted = _trusted(points, known, rate)
    path = walk(points, trusted.sides)
    move = path.move
    if isinstance(move, Contradiction):
        return _run_again(trusted, known, move.index) or move
    if isinstance(move, Inconclusive):
        return move
    if trusted.noisy and path.ends is not None:
        bad_end = path.ends[0] if points.older is Side.BAD else path.ends[1]
        found = _rate(trusted, bad_end)
        if found is not None:
            return found
    if isinstance(move, Probe):
        return _look(trusted, move.index)
    return _confirm(points, trusted, known, path)


def ahead(points: SearchRange, known: RunsByPoint, limit: int = 2, rate: Rate | None = None) -> tuple[int, ...]:
    """The points that may be asked for after the next one: their environments can be prepared meanwhile."""
    step = next_step(points, known, rate)
    found = dict.fromkeys(upcoming(points, sides(points, known, rate), limit))
    if not isinstance(step, Probe):
        return tuple(found)[:limit]
    for counts in (Counts(bad=1), Counts(good=1)):
        after = next_step(points, {**known, step.index: PointRuns(warm=counts)}, rate)
        if isinstance(after, Probe | Repeat) and after.index not in known and after.index != step.index:
            found.setdefault(after.index)
    return tuple(found)[:limit]


def most_runs(points: SearchRange) -> int:
    """The largest number of runs for a steady failure, if every point has an answer."""
    return points.most_points + 2 * TORCHRUN_RUNS + 1


def _look(trusted: Trusted, index: int) -> Probe | Repeat:
    """The next run of a point without an answer."""
    if not trusted.torchrun_only:
        return Probe(index)
    counts = trusted.counts.get(index, Counts())
    wanted = trusted.noisy.next_runs(counts.conclusive) if trusted.noisy else 1
    return Repeat(index, wanted + counts.skipped)


def _rate(trusted: Trusted, index: int) -> Repeat | Noisy | None:
    """Measure how often a bad point of a noisy failure is bad; None where it is often enough."""
    counts, needs = trusted.counts[index], trusted.noisy or NOISY
    if counts.conclusive < needs.runs and counts.skipped < SKIPS:
        return Repeat(index, needs.runs + counts.skipped)
    if counts.bad < needs.least:
        return Noisy(index, counts.bad, counts.conclusive)
    return None


def _run_again(trusted: Trusted, known: RunsByPoint, index: int, *, less: int = 0) -> Repeat | None:
    """The runs that a point still needs to be confirmed, less ``less``; None if it is confirmed."""
    counts, torchrun = trusted.counts[index], known[index].torchrun
    missing = max(NEIGHBOUR_RUNS - less - counts.conclusive, TORCHRUN_RUNS - less - torchrun.conclusive)
    if missing <= 0 or trusted.noisy:
        return None
    return Repeat(index, torchrun.conclusive + torchrun.skipped + missing)


def _confirm(points: SearchRange, trusted: Trusted, known: RunsByPoint, path: Walk) -> Step:
    """The next run that the boundary needs, or the confirmed boundary."""
    boundary, answers = path.move, trusted.sides
    assert isinstance(boundary, Boundary)  # noqa: S101 - else there is nothing to confirm
    bad, good = boundary.before, boundary.after
    if points.older is Side.GOOD:
        bad, good = good, bad
    if trusted.noisy:
        return _rate(trusted, bad) or Confirmed(boundary, noisy=True, torchrun_only=True)
    beyond = {points.older: range(boundary.before), points.older.opposite: range(boundary.after + 1, points.count)}
    extra = {
        side: [index for index in span if index in answers and index not in path.visited]
        for side, span in beyond.items()
    }
    for side, span in beyond.items():
        candidates = [index for index in span if index not in answers]
        if candidates and not extra[side]:
            index = farthest(candidates, [*answers])
            # On the bad side the run also counts for the bad neighbour, so it costs nothing.
            if side is Side.BAD or min(abs(index - other) for other in answers) >= LEAST_GAP:
                return _look(trusted, index)
    odd = [index for side, found in extra.items() for index in found if answers[index] is side.opposite]
    for index in odd:
        repeat = _run_again(trusted, known, index)
        if repeat:
            return repeat
    # A bad point beyond the bad neighbour counts as one more run that shows the failure.
    shown = any(answers[index] is Side.BAD for index in extra[Side.BAD])
    repeat = _run_again(trusted, known, bad, less=int(shown)) or _run_again(trusted, known, good)
    return repeat or Confirmed(boundary, tuple(sorted(odd)), torchrun_only=trusted.torchrun_only)
