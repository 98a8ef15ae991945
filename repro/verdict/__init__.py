"""Observation + record -> verdict; verdict + expectation -> status.  Pure functions."""

from repro.verdict.judge import died_at_shutdown, failed_itself, judge
from repro.verdict.models import Expectation, Judgement, Status, Verdict
from repro.verdict.status import exit_code, expect, inapplicable, is_affected, merge, status

__all__ = [
    "Expectation",
    "Judgement",
    "Status",
    "Verdict",
    "died_at_shutdown",
    "exit_code",
    "expect",
    "failed_itself",
    "inapplicable",
    "is_affected",
    "judge",
    "merge",
    "status",
]
