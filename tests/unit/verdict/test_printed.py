"""A successful run is judged by what its ranks printed."""

from typing import Any

import pytest

from repro.model.failure import Failure
from repro.model.observation import Observation, Origin, Rank, Warned
from repro.model.verdict import Verdict
from repro.verdict.judge import judge
from tests.unit.factories import failed, failure, observation, rank

WARNING: dict[str, Any] = {
    "kind": "warning",
    "type": "UserWarning",
    "message": "^the epoch is deprecated",
    "library": "torch",
    "ranks": "all",
}
OUTPUT: dict[str, Any] = {"kind": "output", "message": r"^\[W\d+\] leaked \d+ semaphores", "ranks": "all"}
EPOCH = Warned(
    category="UserWarning", message="the epoch is deprecated", origin=Origin.LIBRARY, file="torch/optim/x.py", line=7
)
LEAK = "step 1\n[W1126] leaked 3 semaphores\noracle passed: all"


def warned(**changes: Any) -> dict[str, Any]:
    return {"warnings": (EPOCH.model_copy(update=changes),)}


def verdict(signature: dict[str, Any], *ranks: Rank, **changes: Any) -> Verdict:
    return judge(failure(signature=signature), seen(*ranks, **changes)).verdict


def seen(*ranks: Rank, **changes: Any) -> Observation:
    return observation(*ranks, **{"launcher": "torchrun", **changes})


SHOWN = [(WARNING, warned()), (OUTPUT, {"tail": LEAK})]


class TestVerdict:
    """Reproduced on exactly the named ranks, of a run in which every oracle passed."""

    @pytest.mark.parametrize(("signature", "facts"), SHOWN)
    def test_shown(self, signature: dict[str, Any], facts: dict[str, Any]) -> None:
        assert verdict(signature, rank(0, **facts), rank(1, **facts)) is Verdict.REPRODUCED
        assert verdict(signature, rank(0), rank(1)) is Verdict.ABSENT
        assert verdict(signature, rank(0, **facts), rank(1)) is Verdict.DIFFERENT
        one = signature | {"ranks": 0}
        assert verdict(one, rank(0, **facts), rank(1)) is Verdict.REPRODUCED
        assert verdict(one, rank(0, **facts), rank(1, **facts)) is Verdict.DIFFERENT

    def test_evidence(self) -> None:
        found = judge(failure(signature=WARNING), seen(rank(0, **warned()), rank(1, **warned())))
        assert (found.evidence, found.where) == ("UserWarning: the epoch is deprecated", "torch/optim/x.py:7")
        found = judge(failure(signature=OUTPUT), seen(rank(0, tail=LEAK), rank(1, tail=LEAK)))
        assert (found.evidence, found.where) == ("[W1126] leaked 3 semaphores", "")

    @pytest.mark.parametrize(
        "changes",
        [
            {"category": "FutureWarning"},
            {"message": "it says that the epoch is deprecated"},
            {"file": "torchvision/x.py"},
            {"origin": Origin.SCRIPT, "file": "repro.py"},
            {"origin": Origin.OTHER},
        ],
    )
    def test_another_warning(self, changes: dict[str, Any]) -> None:
        """Category, message and place: all three."""
        assert verdict(WARNING, rank(0, **warned(**changes)), rank(1, **warned(**changes))) is Verdict.ABSENT

    @pytest.mark.parametrize(
        ("library", "changes"),
        [
            ("script", {"origin": Origin.SCRIPT, "file": "repro.py"}),
            ("multiprocessing", {"origin": Origin.STDLIB, "file": "multiprocessing/popen_fork.py"}),
            ("six", {"file": "six.py"}),
        ],
    )
    def test_places(self, library: str, changes: dict[str, Any]) -> None:
        facts = warned(**changes)
        assert verdict(WARNING | {"library": library}, rank(0, **facts), rank(1, **facts)) is Verdict.REPRODUCED

    @pytest.mark.parametrize(("signature", "facts"), SHOWN)
    def test_a_run_that_fails(self, signature: dict[str, Any], facts: dict[str, Any]) -> None:
        """The sign counts only where nothing else went wrong."""
        assert verdict(signature, failed(0, **facts), failed(1, **facts)) is Verdict.DIFFERENT
        silent = [rank(number, oracle=None, **facts) for number in (0, 1)]
        assert verdict(signature, *silent) is Verdict.UNRUNNABLE
        both = [rank(number, **facts) for number in (0, 1)]
        assert verdict(signature, *both, deadline_passed=True) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize(
        ("signature", "facts", "cut"),
        [(WARNING, warned(), {"more_warnings": True}), (OUTPUT, {"tail": LEAK}, {"tail_is_part": True})],
    )
    def test_not_all_is_kept(self, signature: dict[str, Any], facts: dict[str, Any], cut: dict[str, Any]) -> None:
        """What was not kept may hold the sign, but it cannot take back one that is there."""
        assert verdict(signature, rank(0, **cut), rank(1)) is Verdict.UNRUNNABLE
        assert verdict(signature, rank(0, **facts), rank(1, **cut)) is Verdict.UNRUNNABLE
        assert verdict(signature, rank(0, **facts, **cut), rank(1, **facts, **cut)) is Verdict.REPRODUCED

    @pytest.mark.parametrize(("signature", "facts"), SHOWN)
    def test_warm(self, signature: dict[str, Any], facts: dict[str, Any]) -> None:
        """A warm rank is silent about its imports: that it does not print the sign says nothing."""
        assert verdict(signature, rank(0), rank(1), launcher="warm") is Verdict.UNRUNNABLE
        assert verdict(signature, rank(0, **facts), rank(1, **facts), launcher="warm") is Verdict.REPRODUCED


def test_always_cold() -> None:
    """Where what is printed counts anywhere in the record, ranks start from nothing."""

    def made(**changes: Any) -> Failure:
        return failure(**changes)

    assert made(signature=WARNING).always_cold
    assert made(needs={"torchrun": True}).always_cold
    assert made(signatures=[{"by_timing": True, "signature": OUTPUT, "why": "order"}]).always_cold
    assert made(differs_in={"cuda": {"signature": OUTPUT, "why": "NCCL"}}).always_cold
    assert not made().always_cold
