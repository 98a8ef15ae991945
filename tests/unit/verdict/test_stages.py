"""Runs with stages: only the stage that the record speaks of can show the failure, and none is passed over."""

from typing import Any

import pytest

from repro.model.failure import Failure
from repro.model.observation import Observation, Rank, StageRun
from repro.model.verdict import Expectation, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.result import judge_repetitions
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
        assert judge(staged(), run(*own, stage="write")).verdict is Verdict.UNRUNNABLE
        assert judge(staged(), run(stage="resume")).verdict is Verdict.UNRUNNABLE

    def test_not_started(self) -> None:
        seen = observation(cell=cell(), fault="no interpreter", ranks=(), launcher="none")
        judged = judge(staged(), seen)
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, "no interpreter")

    def test_run_of_a_record_without_stages(self) -> None:
        """A run from before the record had stages shows nothing of them."""
        assert judge(staged(), observation(*FAILING)).verdict is Verdict.UNRUNNABLE


def test_expectation_needs_both_roles() -> None:
    """A pair is affected where both sides are: a reader alone says nothing."""
    assert judge_repetitions(staged(), [run(*FAILING)]).status is Status.AS_DOCUMENTED
    same = observation(*FAILING, cell=cell(), stage="read", earlier=(stage_run(rank(0), rank(1)),))
    found = judge_repetitions(staged(), [same])
    assert (found.expectation, found.status) == (Expectation.ABSENT, Status.RELAPSED)
