"""A cell's result: judged, merged, compared."""

import pytest

from repro.model.observation import Observation
from repro.model.rate import Rate
from repro.model.verdict import Expectation, Status, Verdict
from repro.verdict.judge import judge
from repro.verdict.result import judge_repetitions, launcher_disagreement
from tests.unit.factories import cell, failed, failure, installed, observation, rank
from tests.unit.verdict.test_stages import run, staged

BROKEN = observation(failed(0), failed(1))
FINE = observation(rank(0), rank(1))


def fixed_release() -> dict[str, str]:
    return {"lightning": "2.2.2", "torch": "2.2.2"}


class TestConclude:
    """``judge_repetitions`` is the one place where observations become a status."""

    def test_as_documented(self) -> None:
        """An affected release that shows the failure is as documented."""
        result = judge_repetitions(failure(), [BROKEN])
        assert (result.verdict, result.expectation, result.status) == (
            Verdict.REPRODUCED, Expectation.REPRODUCED, Status.AS_DOCUMENTED,
        )  # fmt: skip
        assert (result.k, result.n, result.reused) == (1, 1, 0)

    def test_cured(self) -> None:
        """An affected release that passes is cured."""
        assert judge_repetitions(failure(), [FINE]).status is Status.CURED

    def test_relapsed(self) -> None:
        """A fixed release that shows the failure has relapsed: what is installed decides, not the name."""
        imported = {name: found.model_copy(update={"version": "2.2.2"}) for name, found in rank(0).imported.items()}
        seen = observation(
            *(failed(number, imported=imported) for number in (0, 1)), installed=installed(fixed_release())
        )
        assert judge_repetitions(failure(), [seen]).status is Status.RELAPSED

    def test_runs_disagree(self) -> None:
        """Runs that disagree are flaky and unknown, and all observations are kept in order."""
        result = judge_repetitions(failure(), [BROKEN, BROKEN, FINE])
        assert (result.verdict, result.status, result.k, result.n) == (Verdict.FLAKY, Status.UNKNOWN, 2, 3)
        assert result.observations == (BROKEN, BROKEN, FINE)
        assert result.newest is FINE

    def test_one_run_could_not_start(self) -> None:
        """One pass and one run that could not start are not a pass; the expectation is still known."""
        faulty = observation(fault="no slots", installed=None)
        result = judge_repetitions(failure(), [FINE, faulty])
        assert (result.verdict, result.status) == (Verdict.UNRUNNABLE, Status.UNKNOWN)
        assert result.expectation is Expectation.REPRODUCED

    def test_environment_could_not_be_had(self) -> None:
        """Without an environment nothing is expected and nothing is known."""
        result = judge_repetitions(failure(), [observation(ranks=(), fault="no such release", installed=None)])
        assert (result.verdict, result.expectation, result.status) == (
            Verdict.UNRUNNABLE, Expectation.NONE, Status.UNKNOWN,
        )  # fmt: skip

    def test_changed_factor(self) -> None:
        """With a changed factor there is a verdict and no judgement."""
        seen = observation(rank(0), rank(1), cell=cell(factors={"state-dict-type": "full"}))
        result = judge_repetitions(failure(), [seen])
        assert (result.verdict, result.status) == (Verdict.ABSENT, Status.UNJUDGED)

    def test_roles(self) -> None:
        """What the roles of the newest run hold decides what is expected, as its cell does."""
        newer = {"writer": installed({"lightning": "2.2.2", "torch": "2.2.2+cpu"}, name="older")}
        runs = [run(failed(0), failed(1)), run(failed(0), failed(1), roles=newer)]
        assert judge_repetitions(staged(), runs[:1]).expectation is Expectation.REPRODUCED
        assert judge_repetitions(staged(), runs).expectation is not Expectation.REPRODUCED

    def test_same_again_later(self) -> None:
        """The judgement of stored observations can be recomputed: the same input, the same result."""
        again = type(BROKEN).model_validate_json(BROKEN.model_dump_json(exclude_defaults=True))
        assert judge_repetitions(failure(), [again]) == judge_repetitions(failure(), [BROKEN])


class TestLaunchers:
    """The warm launcher and torchrun must agree on a cell."""

    def warm(self, seen: Observation) -> Observation:
        return seen.model_copy(update={"launcher": "warm"})

    def test_disagreement(self) -> None:
        """Each launcher is steady and the two differ: nothing is known, and the reason says why."""
        result = judge_repetitions(failure(), [self.warm(FINE), self.warm(FINE), BROKEN])
        assert (result.verdict, result.status, result.n) == (Verdict.UNRUNNABLE, Status.UNKNOWN, 3)
        reason = "launchers disagree: warm says absent (2 of 2), torchrun says reproduced (1 of 1)"
        assert result.judgement.reason == reason

    @pytest.mark.parametrize(
        ("seen", "verdict"),
        [
            (("warm", "torchrun"), Verdict.ABSENT),
            (("warm", "warm"), Verdict.ABSENT),
        ],
    )
    def test_agreement(self, seen: tuple[str, ...], verdict: Verdict) -> None:
        """The same verdict from both is that verdict."""
        runs = [self.warm(FINE) if launcher == "warm" else FINE for launcher in seen]
        assert judge_repetitions(failure(), runs).verdict is verdict

    def test_a_launcher_that_showed_nothing(self) -> None:
        """An unrunnable run does not disagree with a verdict."""
        unrunnable = self.warm(observation(fault="no slots"))
        result = judge_repetitions(failure(), [unrunnable, BROKEN])
        assert (result.verdict, result.status) == (Verdict.UNRUNNABLE, Status.UNKNOWN)
        judgements = [judge(failure(), seen) for seen in (unrunnable, BROKEN)]
        assert launcher_disagreement(failure(), [unrunnable, BROKEN], judgements) == ""

    def test_a_run_that_could_not_start(self) -> None:
        """It is of no launcher, so it does not hide that the two disagree."""
        nothing = observation(ranks=(), fault="no such release", installed=None, launcher="none")
        runs = [self.warm(FINE), nothing, BROKEN]
        judgements = [judge(failure(), seen) for seen in runs]
        assert launcher_disagreement(failure(), runs, judgements).startswith("launchers disagree: warm says absent")

    def test_a_launcher_that_differs_from_itself(self) -> None:
        """That is a flaky failure, whatever the other launcher says."""
        runs = [self.warm(FINE), self.warm(BROKEN), BROKEN]
        assert judge_repetitions(failure(), runs).verdict is Verdict.FLAKY


class TestRare:
    """A failure that shows in some runs only: at least 12 of 20, so four clean runs exclude it."""

    RATE = Rate(runs=20, at_least=12)
    RARE = failure(rate={"runs": RATE.runs, "at_least": RATE.at_least})

    def warm(self, *seen: Observation) -> list[Observation]:
        return [item.model_copy(update={"launcher": "warm"}) for item in seen]

    def numbered(self, *seen: Observation) -> list[Observation]:
        return [item.model_copy(update={"id": f"{item.id[:12]}-{number}"}) for number, item in enumerate(seen)]

    def test_what_is_shown(self) -> None:
        """The newest run that shows the verdict stands for all, not the newest run."""
        runs = self.numbered(BROKEN, BROKEN, FINE)
        result = judge_repetitions(self.RARE, runs)
        assert result.verdict is Verdict.REPRODUCED
        assert result.newest is runs[1]
        clean = self.numbered(*[FINE] * self.RATE.clean_runs)
        assert judge_repetitions(self.RARE, clean).newest is clean[-1]
        too_few = judge_repetitions(self.RARE, clean[:2])
        assert too_few.verdict is Verdict.UNRUNNABLE
        assert too_few.newest is clean[1]

    def test_others_show_the_newest(self) -> None:
        """A failure without a rate is shown by its newest run, whatever its verdict."""
        runs = self.numbered(FINE, FINE, BROKEN)
        result = judge_repetitions(failure(), [*runs, FINE])
        assert result.shown is None
        assert result.newest is FINE

    @pytest.mark.parametrize(
        ("warm", "torchrun", "reason"),
        [
            ((BROKEN, FINE), (FINE,) * 6, "warm in 1 of 2 runs, torchrun in 0 of 6 runs"),
            ((FINE,) * 7, (BROKEN,), "warm in 0 of 7 runs, torchrun in 1 of 1 runs"),
            ((BROKEN,), (FINE,) * 2, ""),
            ((FINE,) * 6, (FINE,) * 6, ""),
        ],
    )
    def test_launchers(self, warm: tuple[Observation, ...], torchrun: tuple[Observation, ...], reason: str) -> None:
        """They disagree only if one shows it and the other does not in as many runs as the rate asks for."""
        result = judge_repetitions(self.RARE, [*self.warm(*warm), *torchrun])
        assert self.RATE.clean_runs == 4
        assert result.judgement.reason.startswith(f"launchers disagree: it shows with {reason}") is bool(reason)
        assert (result.verdict is Verdict.UNRUNNABLE) is bool(reason)
