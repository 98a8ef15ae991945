"""The result of a cell: its observations, the merged verdict, and the status by the record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from repro.model.cell import Cell
from repro.model.failure import Failure
from repro.model.observation import Observation
from repro.model.verdict import Expectation, Judgement, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.rare import launchers_differ, merge_repetitions
from repro.verdict.status import expect, status

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
    """How many of the observations were stored before."""
    shown: Observation | None
    """Of a failure that shows in some runs only: the newest run that shows the verdict."""

    @property
    def newest(self) -> Observation:
        """The newest run; of a rare failure, the newest one that shows the verdict."""
        return self.shown or self.observations[-1]

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict


def judge_repetitions(
    failure: Failure, observations: Sequence[Observation], reused: int = 0, asked: Cell | None = None
) -> Result:
    """Judge every observation of one cell, merge the verdicts, and compare with the record.  Pure.

    ``observations`` must not be empty.  ``asked`` is the cell of the result, by default that of the newest run: a run
    may be of an environment with another name and the same content, such as a point of a search.
    """
    judgements = [judge(failure, observation) for observation in observations]
    merged = merge_repetitions(failure, judgements)
    disagreement = launcher_disagreement(failure, observations, judgements)
    if disagreement:
        merged = replace(merged, judgement=Judgement(Verdict.UNRUNNABLE, disagreement))
    cell = observations[-1].cell
    installed = next((found.installed for found in reversed(observations) if found.installed), None)
    roles = {role: held.versions for role, held in observations[-1].roles.items()}
    expectation = expect(failure, cell, installed.versions, roles) if installed else Expectation.NONE
    return Result(
        cell=asked or cell,
        observations=tuple(observations),
        judgement=merged.judgement,
        k=merged.k,
        n=merged.n,
        expectation=expectation,
        status=status(merged.judgement.verdict, expectation),
        reused=reused,
        shown=_shown(observations, judgements, merged.judgement.verdict) if failure.rate else None,
    )


def _shown(
    observations: Sequence[Observation], judgements: Sequence[Judgement], verdict: Verdict
) -> Observation | None:
    pairs = zip(reversed(observations), reversed(judgements), strict=True)
    return next((observation for observation, judgement in pairs if judgement.verdict is verdict), None)


def launcher_disagreement(
    failure: Failure, observations: Sequence[Observation], judgements: Sequence[Judgement]
) -> str:
    """One line if each launcher gave one steady verdict and the two verdicts differ; else an empty string.

    A launcher whose own runs differ has shown a flaky failure, and an unrunnable run has shown nothing.  A rare
    failure that one launcher shows must be absent with the other one in as many runs as its rate asks for.
    """
    verdicts: dict[str, list[Verdict]] = {"warm": [], "torchrun": []}
    for observation, judgement in zip(observations, judgements, strict=True):
        if observation.launcher != "none":
            verdicts["torchrun" if observation.is_cold else "warm"].append(judgement.verdict)
    if failure.rate is not None:
        differ = launchers_differ(failure.rate, verdicts["warm"], verdicts["torchrun"])
        counts = (
            f"{name} in {found.count(Verdict.REPRODUCED)} of {len(found)} runs" for name, found in verdicts.items()
        )
        return f"{DISAGREEMENT}: it shows with {', '.join(counts)}" if differ else ""
    warm, torchrun = (set(found) for found in verdicts.values())
    if len(warm) != 1 or len(torchrun) != 1 or warm == torchrun or Verdict.UNRUNNABLE in warm | torchrun:
        return ""
    found = ", ".join(f"{name} says {runs[0]} ({len(runs)} of {len(runs)})" for name, runs in verdicts.items())
    return f"{DISAGREEMENT}: {found}"
