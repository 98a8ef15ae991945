"""Runs with stages: only the stage that the record speaks of can show the failure, and none is passed over."""

from typing import Any, ClassVar

import pytest

from repro.model.cell import stage_cells
from repro.model.failure import Failure
from repro.model.observation import Observation, Rank, StageRun
from repro.model.verdict import Expectation, Judgement, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.result import judge_repetitions
from repro.verdict.stages import judge_stages
from tests.unit.factories import cell, failed, failure, installed, killed, late, observation, raised, rank, waiting

STAGES: list[dict[str, Any]] = [
    {"name": "write", "role": "writer", "meaning": "writes", "affected": [{"lightning": "<2.2.0"}]},
    {"name": "read", "role": "reader", "meaning": "reads"},
]
OLD = {"lightning": "2.1.0", "torch": "2.2.2+cpu"}
FAILING = (failed(0), failed(1))


def staged(*, signature: dict[str, Any] | None = None, **changes: Any) -> Failure:
    stages = [{**STAGES[0], **({"signature": signature} if signature else {})}, STAGES[1]]
    return failure(stages=stages, needs={"distributions": {"lightning": ">=2.0"}}, **changes)


def stage_run(*ranks: Rank, **changes: Any) -> StageRun:
    held = ranks or (old_rank(0), old_rank(1))
    code = 0 if all(item.exit_code == 0 for item in held) else 1
    facts: dict[str, Any] = {"name": "write", "seconds": 2.0, "launcher": "torchrun", "launcher_code": code}
    return StageRun(**{**facts, "timeout": 60, "ranks": held, **changes})


def old_rank(number: int, **changes: Any) -> Rank:
    return rank(number, imported=installed_by(OLD), **changes)


def installed_by(versions: dict[str, str]) -> Any:
    return {name: {"version": version, "inside": True} for name, version in versions.items()}


def run(*ranks: Rank, earlier: StageRun | None = None, stage: str = "read", **changes: Any) -> Observation:
    own = cell(roles={"writer": "older"})
    facts = {"cell": own, "stage": stage, "roles": {"writer": installed(OLD, name="older")}}
    made = (earlier or stage_run(),) if stage == "read" else ()
    return observation(*ranks, **{**facts, "earlier": made, **changes})


class TestLastStage:
    """The record's signature and oracle hold for the last stage."""

    def test_reproduced(self) -> None:
        judged = judge(staged(), run(*FAILING))
        assert judged.verdict is Verdict.REPRODUCED
        assert judged.reason.startswith("stage read: ")

    def test_absent(self) -> None:
        assert judge(staged(), run()).verdict is Verdict.ABSENT

    def test_another_error_is_different(self) -> None:
        judged = judge(staged(), run(failed(0, raised("OSError", "gone")), failed(1, raised("OSError", "gone"))))
        assert (judged.verdict, judged.reason[:11]) == (Verdict.DIFFERENT, "stage read:")

    def test_imports_are_those_of_its_own_environment(self) -> None:
        """Each stage is held against what its own role has installed."""
        wrong = run(*(old_rank(number) for number in (0, 1)))
        assert judge(staged(), wrong).verdict is Verdict.UNRUNNABLE
        swapped = run(earlier=stage_run(rank(0), rank(1)))
        judged = judge(staged(), swapped)
        assert judged.verdict is Verdict.UNRUNNABLE
        assert judged.reason.startswith("stage write: rank 0 imported lightning 2.2.1")


class TestEarlierStage:
    """A stage that must succeed and does not can make the verdict neither reproduced nor absent."""

    @pytest.mark.parametrize(
        ("ranks", "verdict"),
        [
            (FAILING, Verdict.DIFFERENT),  # the very signature of the last stage
            ((failed(0, raised("OSError", "gone")), failed(1, raised("OSError", "gone"))), Verdict.DIFFERENT),
            ((killed(0, 9), rank(1)), Verdict.UNRUNNABLE),
            ((rank(0, oracle=None), rank(1)), Verdict.UNRUNNABLE),
            ((rank(0), rank(1, started=False, reached=False)), Verdict.UNRUNNABLE),
        ],
    )
    def test_it_fails(self, ranks: tuple[Rank, ...], verdict: Verdict) -> None:
        seen = run(*(item.model_copy(update={"imported": old_rank(0).imported}) for item in ranks), stage="write")
        judged = judge(staged(), seen)
        assert judged.verdict is verdict
        assert judged.reason.startswith("stage write: ")
        later = "stage write: it failed as the record documents of a later stage only"
        assert (judged.reason == later) is (ranks is FAILING)

    def test_silent_oracle_before_a_reproduction(self) -> None:
        """A later stage is not looked at where an earlier one did not say that its oracle passed."""
        seen = run(*FAILING, earlier=stage_run(old_rank(0, oracle=None), old_rank(1)))
        assert judge(staged(), seen).verdict is Verdict.UNRUNNABLE

    def test_hang_like_the_last_stage(self) -> None:
        """A hang that is documented of a later stage says nothing where an earlier one shows it."""
        hang = {"kind": "hang", "function": "all_gather", "library": "torch", "ranks": "all"}
        ranks = tuple(waiting(number, imported=old_rank(0).imported) for number in (0, 1))
        seen = late(*ranks, cell=cell(roles={"writer": "older"}), stage="write", roles={"writer": installed(OLD)})
        record = failure(stages=STAGES, signature=hang)
        assert judge(record, seen).verdict is Verdict.UNRUNNABLE

    def test_own_signature(self) -> None:
        """Where the record says how an earlier stage shows it, that is the failure."""
        signature = {"type": "OSError", "message": "gone", "function": "save_checkpoint", "library": "lightning"}
        error = raised("OSError", "gone")
        seen = run(*(failed(number, error, imported=old_rank(0).imported) for number in (0, 1)), stage="write")
        judged = judge(staged(signature=signature), seen)
        assert (judged.verdict, judged.reason[:12]) == (Verdict.REPRODUCED, "stage write:")

    def test_missing_stage(self) -> None:
        """A run that ended after its first stage, which succeeded, shows nothing; nor does one of other stages."""
        own = tuple(old_rank(number) for number in (0, 1))
        ended, other = judge(staged(), run(*own, stage="write")), judge(staged(), run(stage="resume"))
        assert (ended.verdict, ended.reason) == (Verdict.UNRUNNABLE, "stage read never began")
        assert (other.verdict, other.reason) == (
            Verdict.UNRUNNABLE, "its stages are not those that the record has now",
        )  # fmt: skip

    def test_not_started(self) -> None:
        seen = observation(cell=cell(), fault="no interpreter", ranks=(), launcher="none")
        judged = judge(staged(), seen)
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, "no interpreter")

    def test_run_of_a_record_without_stages(self) -> None:
        """A run from before the record had stages shows nothing of them."""
        judged = judge(staged(), observation(*FAILING))
        assert (judged.verdict, judged.reason) == (
            Verdict.UNRUNNABLE, "the run has no stages, and the record has",
        )  # fmt: skip


class TestViews:
    """Each stage is judged as a run of its own, by what the record says of it."""

    THREE: ClassVar[list[dict[str, Any]]] = [
        *STAGES,
        {"name": "export", "role": "exporter", "meaning": "exports", "factors": {"state-dict-type": "full"}},
    ]

    def test_what_each_is_judged_by(self) -> None:
        record = failure(stages=self.THREE)
        refusals = record.model_copy(
            update={"rejected": ("refusal",), "signatures": ("other",), "differs_in": {"cuda": "why"}}
        )
        held = {"writer": installed(OLD, name="older"), "reader": installed(OLD, name="old")}
        own = cell(roles={"writer": "older", "reader": "old"})
        parts = (stage_run(), stage_run(name="read"))
        seen = observation(cell=own, stage="export", roles=held, earlier=parts)
        asked: list[tuple[Failure, Observation]] = []

        def absent(one: Failure, view: Observation) -> Judgement:
            asked.append((one, view))
            return Judgement(Verdict.ABSENT, "passed")

        assert judge_stages(refusals, seen, absent) == Judgement(Verdict.ABSENT, "stage export: passed")
        assert [view.stage for _, view in asked] == ["write", "read", "export"]
        assert [view.cell for _, view in asked] == stage_cells(record, own)
        assert [view.installed for _, view in asked] == [held["writer"], held["reader"], seen.installed]
        assert all((view.earlier, view.roles) == ((), {}) for _, view in asked)
        about: list[tuple[Any, ...]] = [(one.stages, one.rejected, one.signatures, one.differs_in) for one, _ in asked]
        nothing: tuple[Any, ...] = ((), (), (), {})
        assert about == [nothing, nothing, ((), ("refusal",), ("other",), {"cuda": "why"})]

    def test_a_middle_stage_is_none_of_the_last(self) -> None:
        """It shows the last stage's signature, and is the second of three."""
        seen = run(*FAILING, earlier=stage_run(), stage="read")
        judged = judge_stages(failure(stages=self.THREE), seen, lambda _, view: judge_job(view))
        assert judged.verdict is Verdict.DIFFERENT
        assert judged.reason == "stage read: it failed as the record documents of a later stage only"


def judge_job(view: Observation) -> Judgement:
    return Judgement(Verdict.ABSENT if view.launcher_code == 0 else Verdict.REPRODUCED, "by its exit code")


def test_expectation_needs_both_roles() -> None:
    """A pair is affected where both sides are: a reader alone says nothing."""
    assert judge_repetitions(staged(), [run(*FAILING)]).status is Status.AS_DOCUMENTED
    same = observation(*FAILING, cell=cell(), stage="read", earlier=(stage_run(rank(0), rank(1)),))
    found = judge_repetitions(staged(), [same])
    assert (found.expectation, found.status) == (Expectation.ABSENT, Status.RELAPSED)
