"""Which conditions a failure needs: rows to run, and what their verdicts say."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.model.failure import Factor
from repro.model.matrix import Matrix
from repro.model.verdict import Verdict
from repro.search.ablation import ablation_cells, ablation_environment, analyse, factors_of, rows
from tests.unit.factories import FAILURE, MATRIX, failure

SEEN, GONE = Verdict.REPRODUCED, Verdict.ABSENT


def factor(name: str, *values: str) -> Factor:
    return Factor(name=name, values=values, meaning="made up")


MODE = factor("mode", "sharded", "full")
PRECISION = factor("precision", "16", "32", "64")
OFFLOAD = factor("offload", "no", "yes")
THREE = (MODE, PRECISION, OFFLOAD)


class TestFactors:
    """The record's factors and the number of ranks."""

    def test_ranks(self) -> None:
        """The number of ranks is flipped to one."""
        *_, ranks = factors_of(failure(needs={"world_size": 4}))
        assert (ranks.name, ranks.values, ranks.meaning) == ("world-size", ("4", "1"), "number of ranks")

    def test_one_rank(self) -> None:
        """There is nothing to flip where the failure needs one rank only."""
        assert [item.name for item in factors_of(failure(needs={"world_size": 1}))] == ["state-dict-type"]

    def test_named_by_the_record(self) -> None:
        """A record may name the numbers of ranks itself."""
        own = {"name": "world-size", "values": ["2", "3"], "meaning": "ranks"}
        assert [item.values for item in factors_of(failure(factors=[own]))] == [("2", "3")]

    def test_ranks_that_the_script_starts(self) -> None:
        """How many there are is written in the script: one rank under torchrun would run something else."""
        launchers = [{"name": "python", "program": "python"}, {"name": "torchrun", "program": "torchrun"}]
        own = {"name": "launcher", "values": ["python", "torchrun"], "meaning": "who starts the ranks"}
        assert [item.name for item in factors_of(failure(launchers=launchers, factors=[own]))] == ["launcher"]


class TestRows:
    """The rows that are run."""

    def test_no_factor(self) -> None:
        """One row, with nothing to change."""
        assert rows([]) == [{}]

    def test_one_factor(self) -> None:
        """The default first, then each other value."""
        assert rows([PRECISION]) == [{"precision": "16"}, {"precision": "32"}, {"precision": "64"}]

    def test_flips_come_first(self) -> None:
        """The default, then each factor flipped alone, to each of its other values."""
        made = rows(THREE)
        default = {"mode": "sharded", "precision": "16", "offload": "no"}
        assert made[:5] == [
            default,
            default | {"mode": "full"},
            default | {"precision": "32"},
            default | {"precision": "64"},
            default | {"offload": "yes"},
        ]

    @pytest.mark.parametrize("factors", [THREE, (MODE, OFFLOAD), (*THREE, factor("ranks", "2", "1"))])
    def test_pairs(self, factors: tuple[Factor, ...]) -> None:
        """Every pair of values of any two factors is in some row; no row comes twice."""
        made = rows(factors)
        for first, second in combinations(factors, 2):
            for pair in product(first.values, second.values):
                assert any((row[first.name], row[second.name]) == pair for row in made), pair
        assert len({tuple(row.items()) for row in made}) == len(made)

    def test_cells(self) -> None:
        """One cell a row: the default one names no factor."""
        cells = ablation_cells(failure(), "old")
        assert [cell.label for cell in cells] == [
            f"{FAILURE} old",
            f"{FAILURE} old state-dict-type=full",
            f"{FAILURE} old world-size=1",
            f"{FAILURE} old state-dict-type=full world-size=1",
        ]


def run(factors: tuple[Factor, ...], needed: dict[str, str]) -> list[tuple[dict[str, str], Verdict]]:
    """All rows of a failure that shows if, and only if, these values are set."""
    return [(row, SEEN if needed.items() <= row.items() else GONE) for row in rows(factors)]


class TestReading:
    """What the verdicts of the rows say."""

    def test_one_condition(self) -> None:
        """The failure needs one value: that factor is necessary, the others are irrelevant."""
        reading = analyse(THREE, run(THREE, {"mode": "sharded"}))
        mode, precision, offload = reading.influences
        assert (mode.factor, mode.alone, mode.necessary, mode.irrelevant) == (MODE, {"full": GONE}, True, False)
        assert (precision.alone, precision.necessary, precision.irrelevant) == ({"32": SEEN, "64": SEEN}, False, True)
        assert (offload.necessary, offload.irrelevant) == (False, True)
        assert reading.smallest == ({"mode": "sharded"},)
        assert reading.undecided == 0

    def test_two_conditions(self) -> None:
        """Two values together: both are necessary, and the smallest set holds both."""
        reading = analyse(THREE, run(THREE, {"mode": "sharded", "offload": "no"}))
        assert [item.necessary for item in reading.influences] == [True, False, True]
        assert reading.smallest == ({"mode": "sharded", "offload": "no"},)

    def test_either_condition(self) -> None:
        """Either of two values suffices: neither is necessary or irrelevant, and both sets tie."""
        outcomes = [
            (row, SEEN if row["mode"] == "sharded" or row["offload"] == "no" else GONE) for row in rows((MODE, OFFLOAD))
        ]
        reading = analyse((MODE, OFFLOAD), outcomes)
        assert [(item.necessary, item.irrelevant) for item in reading.influences] == [(False, False)] * 2
        assert reading.smallest == ({"mode": "sharded"}, {"offload": "no"})

    def test_always(self) -> None:
        """Every row shows the failure: it needs none of the conditions."""
        reading = analyse(THREE, run(THREE, {}))
        assert reading.smallest == ({},)
        assert all(item.irrelevant and not item.necessary for item in reading.influences)

    @pytest.mark.parametrize("other", [Verdict.REJECTED, Verdict.DIFFERENT])
    def test_other_ends(self, other: Verdict) -> None:
        """A refusal or another error without the condition: the failure does not show there either."""
        (mode,) = analyse((MODE,), [({"mode": "sharded"}, SEEN), ({"mode": "full"}, other)]).influences
        assert (mode.alone, mode.necessary, mode.irrelevant) == ({"full": other}, True, False)

    @pytest.mark.parametrize("unknown", [Verdict.UNRUNNABLE, Verdict.FLAKY])
    def test_unknown(self, unknown: Verdict) -> None:
        """A row without a verdict shows neither that a condition is needed nor that another set is larger."""
        reading = analyse((MODE,), [({"mode": "sharded"}, SEEN), ({"mode": "full"}, unknown)])
        (mode,) = reading.influences
        assert (mode.alone, mode.necessary) == ({"full": unknown}, False)
        assert reading.undecided == 1

    def test_one_value_of_several(self) -> None:
        """A factor is necessary only if no other value shows the failure."""
        outcomes = [({"precision": "16"}, SEEN), ({"precision": "32"}, GONE), ({"precision": "64"}, SEEN)]
        (precision,) = analyse((PRECISION,), outcomes).influences
        assert (precision.necessary, precision.irrelevant) == (False, False)

    def test_not_run(self) -> None:
        """Of a factor that no row flips alone nothing is said."""
        (mode,) = analyse((MODE,), [({"mode": "sharded"}, SEEN)]).influences
        assert (mode.alone, mode.necessary, mode.irrelevant) == ({}, False, False)

    @pytest.mark.parametrize("default", [GONE, Verdict.UNRUNNABLE])
    def test_default_does_not_fail(self, default: Verdict) -> None:
        """Without a failing default there is no smallest failing set, whatever other rows show."""
        assert analyse((MODE,), [({"mode": "sharded"}, default), ({"mode": "full"}, SEEN)]).smallest == ()

    def test_other_row_fails_too(self) -> None:
        """A difference in two factors at once says nothing about either of them."""
        both = {"mode": "full", "offload": "yes"}
        outcomes = [(row, GONE if row == both else SEEN) for row in rows((MODE, OFFLOAD)) if row["offload"] == "no"]
        reading = analyse((MODE, OFFLOAD), [*outcomes, (both, GONE)])
        assert [item.irrelevant for item in reading.influences] == [True, False]

    @settings(max_examples=40, deadline=None)
    @given(st.dictionaries(st.sampled_from([item.name for item in THREE]), st.none(), max_size=2))
    def test_finds_what_is_needed(self, names: dict[str, None]) -> None:
        """With up to two needed conditions the smallest set is exactly those: pairs are covered."""
        needed = {item.name: item.default for item in THREE if item.name in names}
        reading = analyse(THREE, run(THREE, needed))
        assert reading.smallest == (needed,)
        assert {item.factor.name for item in reading.influences if item.necessary} == set(needed)


class TestEnvironment:
    """Where a failure is taken apart if no environment is named."""

    def test_first_affected(self) -> None:
        """The first environment of the failure whose pins are affected."""
        matrix = Matrix.model_validate(MATRIX | {"runs": {FAILURE: {"environments": ["new", "old"]}}})
        assert ablation_environment(failure(), matrix) == "old"

    def test_none(self) -> None:
        """None is affected, or the matrix does not run the failure."""
        matrix = Matrix.model_validate(MATRIX | {"runs": {FAILURE: {"environments": ["new"]}}})
        assert ablation_environment(failure(), matrix) is None
        assert ablation_environment(failure(id="torch-1"), matrix) is None
