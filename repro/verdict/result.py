"""What a cell came to: its observations, the merged verdict, and how it stands to the record."""

from collections.abc import Sequence
from dataclasses import dataclass

from repro.model.cell import Cell
from repro.model.failure import Failure
from repro.model.observation import Observation
from repro.model.verdict import Expectation, Judgement, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.status import expect, merge_verdicts, status


@dataclass(frozen=True)
class Result:
    """The judgement of all repetitions of one cell."""

    cell: Cell
    observations: tuple[Observation, ...]
    judgement: Judgement
    k: int
    n: int
    expectation: Expectation
    status: Status
    reused: int = 0
    """How many of the observations were stored before."""

    @property
    def newest(self) -> Observation:
        return self.observations[-1]

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


def judge_repetitions(failure: Failure, observations: Sequence[Observation], reused: int = 0) -> Result:
    """Judge every observation of one cell, merge, and compare with the record.  Pure.

    ``observations`` must not be empty.
    """
    merged = merge_verdicts([judge(failure, observation) for observation in observations])
    cell = observations[-1].cell
    installed = next((found.installed for found in reversed(observations) if found.installed), None)
    expectation = expect(failure, cell, installed.distributions) if installed else Expectation.NONE
    return Result(
        cell=cell,
        observations=tuple(observations),
        judgement=merged.judgement,
        k=merged.k,
        n=merged.n,
        expectation=expectation,
        status=status(merged.judgement.verdict, expectation),
        reused=reused,
    )
