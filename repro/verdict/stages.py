"""Judges a run with stages: each stage before the last must have succeeded, else the run says nothing of the failure.

A run stops at the first stage that did not do what it should, and the verdict names that stage.  An earlier stage makes
the verdict ``reproduced`` only where the record says how the failure shows in that very stage.  Pure.
"""

from collections.abc import Callable
from dataclasses import replace

from repro.model.cell import Cell, stage_cells
from repro.model.failure import Failure, Stage
from repro.model.observation import Observation
from repro.model.verdict import Judgement, Verdict

JudgeJob = Callable[[Failure, Observation], Judgement]
"""Judges one job by a record without stages."""


def judge_stages(failure: Failure, observation: Observation, judge_job: JudgeJob) -> Judgement:
    """The verdict of a run with stages."""
    if not observation.stage:
        return Judgement(Verdict.UNRUNNABLE, observation.fault or "the run has no stages, and the record has")
    views = _views(failure, observation)
    known = [stage.name for stage in failure.stages][: len(views)]
    if [view.stage for view in views] != known:
        return Judgement(Verdict.UNRUNNABLE, "its stages are not those that the record has now")
    for stage, view in zip(failure.stages, views, strict=False):
        judged = _of_stage(failure, stage, judge_job(failure_of(failure, stage), view))
        if stage is failure.stages[-1]:
            return _named(judged, stage)
        if judged.verdict is Verdict.ABSENT:
            continue
        return _named(_unfounded(judged, stage, view), stage)
    return Judgement(Verdict.UNRUNNABLE, f"stage {failure.stages[len(views)].name} never began")


def failure_of(failure: Failure, stage: Stage) -> Failure:
    """The record as it holds for one stage; refusals and other signatures are about the last one."""
    if stage is failure.stages[-1]:
        return failure.model_copy(update={"stages": ()})
    return failure.model_copy(
        update={
            "stages": (),
            "signature": stage.signature or failure.signature,
            "signatures": (),
            "differs_in": {},
            "rejected": (),
        }
    )


def _of_stage(failure: Failure, stage: Stage, judged: Judgement) -> Judgement:
    """What a stage showed; a signature that the record has for the last stage only is another failure before it."""
    if stage is failure.stages[-1] or stage.signature or judged.verdict is not Verdict.REPRODUCED:
        return judged
    return replace(judged, verdict=Verdict.DIFFERENT, reason="it failed as the record documents of a later stage only")


def _unfounded(judged: Judgement, stage: Stage, view: Observation) -> Judgement:
    """A stage that failed without an end of its own, or before its own code, shows nothing at all."""
    reached = all(rank.reached for rank in view.ranks)
    if judged.verdict is Verdict.DIFFERENT and not stage.signature and (view.cut_off or not reached):
        return replace(judged, verdict=Verdict.UNRUNNABLE)
    return judged


def _named(judged: Judgement, stage: Stage) -> Judgement:
    return replace(judged, reason=f"stage {stage.name}: {judged.reason}")


def _views(failure: Failure, observation: Observation) -> list[Observation]:
    """Each stage as a run of its own."""
    jobs = {job.stage: job for job in stage_cells(failure, observation.cell)}
    roles = {stage.name: stage.role for stage in failure.stages}

    def seen(name: str, facts: dict[str, object]) -> Observation:
        job: Cell = jobs.get(name, observation.cell)
        installed = observation.roles.get(roles.get(name, ""), observation.installed)
        return observation.model_copy(
            update={**facts, "cell": job, "stage": name, "earlier": (), "roles": {}, "installed": installed}
        )

    earlier = [
        seen(part.name, {name: getattr(part, name) for name in type(part).model_fields if name != "name"})
        for part in observation.earlier
    ]
    return [*earlier, seen(observation.stage, {})]
