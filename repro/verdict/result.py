"""The result of a cell: its observations, the merged verdict, and the status by the record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from repro.model.cell import Cell
from repro.model.failure import Failure
from repro.model.observation import Observation
from repro.model.verdict import Expectation, Judgement, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.status import expect, merge_verdicts, status

DISAGREEMENT = "launchers disagree"
"""The start of the reason if warm runs and torchrun runs gave different verdicts."""


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
    reused: int
    """The number of observations that were stored before."""

    @property
    def newest(self) -> Observation:
        return self.observations[-1]

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


def judge_repetitions(failure: Failure, observations: Sequence[Observation], reused: int = 0) -> Result:
    """Judge every observation of one cell, merge the verdicts, and compare with the record.  Pure.

    ``observations`` must not be empty.
    """
    judgements = [judge(failure, observation) for observation in observations]
    merged = merge_verdicts(judgements)
    disagreement = launcher_disagreement(observations, judgements)
    if disagreement:
        merged = replace(merged, judgement=Judgement(Verdict.UNRUNNABLE, disagreement))
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


def launcher_disagreement(observations: Sequence[Observation], judgements: Sequence[Judgement]) -> str:
    """One line if each launcher gave one steady verdict and the two verdicts differ; else an empty string.

    If the runs of one launcher differ, the failure is flaky; unrunnable runs are no evidence.
    """
    verdicts: dict[str, list[Verdict]] = {"warm": [], "torchrun": []}
    for observation, judgement in zip(observations, judgements, strict=True):
        if observation.launcher in verdicts:
            verdicts[observation.launcher].append(judgement.verdict)
    warm, torchrun = (set(found) for found in verdicts.values())
    if len(warm) != 1 or len(torchrun) != 1 or warm == torchrun or Verdict.UNRUNNABLE in warm | torchrun:
        return ""
    found = ", ".join(f"{name} says {runs[0]} ({len(runs)} of {len(runs)})" for name, runs in verdicts.items())
    return f"{DISAGREEMENT}: {found}"
