"""Merges the runs of a failure that shows in some runs only, and says which run is missing.  Pure.

One run with the signature is enough for ``reproduced``.  ``absent`` needs as many clean runs as the record's rate asks
for; with fewer of them nothing is known.  A run that showed nothing counts for neither.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from repro.model.failure import Failure
from repro.model.rate import SPARE, Rate, percent
from repro.model.verdict import Judgement, Verdict
from repro.verdict.status import RepeatedVerdict, merge_verdicts


def merge_repetitions(failure: Failure, judgements: Sequence[Judgement]) -> RepeatedVerdict:
    """One verdict for all runs of a cell; ``judgements`` must not be empty."""
    counts = Counter(judgement.verdict for judgement in judgements)
    conclusive = set(counts) - {Verdict.UNRUNNABLE}
    if failure.rate is None or not conclusive or conclusive - {Verdict.REPRODUCED, Verdict.ABSENT}:
        return merge_verdicts(judgements)
    shown, clean = counts[Verdict.REPRODUCED], counts[Verdict.ABSENT]
    first = next(item for item in judgements if item.verdict is (Verdict.REPRODUCED if shown else Verdict.ABSENT))
    if shown:
        reason = f"{first.reason}; in {shown} of {_runs(shown + clean)}"
        return RepeatedVerdict(replace(first, reason=reason), shown, shown + clean)
    return _clean(first, clean, len(judgements), failure.rate)


def _clean(first: Judgement, clean: int, runs: int, rate: Rate) -> RepeatedVerdict:
    confidence = percent(rate.confidence)
    if clean < rate.clean_runs:
        reason = (
            f"{_runs(clean)} without the failure: a rate of at least {rate.at_least} in {rate.runs} asks for "
            f"{rate.clean_runs} ({confidence} confidence)"
        )
        return RepeatedVerdict(replace(first, verdict=Verdict.UNRUNNABLE, reason=reason), clean, runs)
    reason = (
        f"{_runs(clean)} without the failure: with {confidence} confidence it shows in fewer than "
        f"{percent(rate.bound(clean))} of runs"
    )
    return RepeatedVerdict(replace(first, reason=reason), clean, clean)


def launchers_differ(rate: Rate, warm: Sequence[Verdict], torchrun: Sequence[Verdict]) -> bool:
    """True if the failure shows with one launcher, and with the other in none of as many runs as the rate asks for."""

    def never(verdicts: Sequence[Verdict]) -> bool:
        return set(verdicts) == {Verdict.ABSENT} and len(verdicts) >= rate.clean_runs

    return (Verdict.REPRODUCED in warm and never(torchrun)) or (Verdict.REPRODUCED in torchrun and never(warm))


def is_settled(rate: Rate, verdicts: Sequence[Verdict], least: int) -> bool:
    """True if more runs are not needed: ``least`` were asked for, and the rate's own answer is there."""
    if len(verdicts) < least:
        return False
    if set(verdicts) & {Verdict.REPRODUCED, Verdict.DIFFERENT, Verdict.REJECTED}:
        return True
    return verdicts.count(Verdict.ABSENT) >= rate.clean_runs or len(verdicts) >= max(least, rate.clean_runs) + SPARE


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
