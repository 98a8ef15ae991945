"""Finds the necessary conditions of a failure.  Pure: proposes rows and reads their verdicts.

The default row shows the failure.  Each factor is flipped alone, to each of its other values.  Then a small covering
array (t = 2) covers all pairs of values of any two factors.  Interactions of three or more factors are covered only
by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from allpairspy import AllPairs

from repro.model.affected import is_affected
from repro.model.cell import Cell, make_cell
from repro.model.failure import WORLD_SIZE, Factor, Failure
from repro.model.matrix import Matrix
from repro.model.verdict import Verdict

FactorValues = Mapping[str, str]
"""Factor -> value, for all factors."""

STRENGTH = 2


def factors_of(failure: Failure) -> tuple[Factor, ...]:
    """The record's factors, including the number of ranks, unless the script itself starts them."""
    starts_ranks = any(launcher.program == "python" for launcher in failure.launchers)
    if failure.factor(WORLD_SIZE) is not None or failure.needs.world_size == 1 or starts_ranks:
        return failure.factors
    ranks = Factor(name=WORLD_SIZE, values=(str(failure.needs.world_size), "1"), meaning="number of ranks")
    return (*failure.factors, ranks)


def rows(factors: Sequence[Factor]) -> list[dict[str, str]]:
    """The distinct rows to run: the default, single flips, then a covering array of all pairs."""
    default = {factor.name: factor.default for factor in factors}
    made = [default]
    made += [default | {factor.name: value} for factor in factors for value in factor.values[1:]]
    if len(factors) >= STRENGTH:
        array = AllPairs([list(factor.values) for factor in factors], n=STRENGTH)
        made += [dict(zip(default, values, strict=True)) for values in array]
    return list({tuple(row.values()): row for row in made}.values())


@dataclass(frozen=True)
class Influence:
    """The effect of flipping one factor."""

    factor: Factor
    alone: dict[str, Verdict]
    """Other value -> verdict, with all other factors at their defaults."""
    necessary: bool
    """True if the failure disappears with every other value of this factor alone."""
    irrelevant: bool
    """True if the verdict never changes between two rows that differ in this factor alone."""


@dataclass(frozen=True)
class Ablation:
    """The analysis of all rows."""

    influences: tuple[Influence, ...]
    smallest: tuple[dict[str, str], ...]
    """The smallest sets of default values with which every run row shows the failure; there may be several."""
    undecided: int
    """The number of rows without a conclusive verdict."""


def analyse(factors: Sequence[Factor], outcomes: Sequence[tuple[FactorValues, Verdict]]) -> Ablation:
    """Analyse the verdicts of the rows, which must include the default row."""
    conclusive = [(row, verdict) for row, verdict in outcomes if verdict not in {Verdict.UNRUNNABLE, Verdict.FLAKY}]
    default = {factor.name: factor.default for factor in factors}
    influences = []
    for factor in factors:
        alone = {
            value: verdict
            for value in factor.values[1:]
            for row, verdict in outcomes
            if dict(row) == default | {factor.name: value}
        }
        influences.append(
            Influence(
                factor,
                alone,
                necessary=bool(alone)
                and all(verdict in {Verdict.ABSENT, Verdict.REJECTED, Verdict.DIFFERENT} for verdict in alone.values()),
                irrelevant=not _matters(factor.name, conclusive) and bool(alone),
            )
        )
    return Ablation(tuple(influences), _smallest(default, conclusive), len(outcomes) - len(conclusive))


def _matters(name: str, conclusive: Sequence[tuple[FactorValues, Verdict]]) -> bool:
    """True if two rows that differ in this factor alone have different verdicts."""

    def others(row: FactorValues) -> dict[str, str]:
        return {key: value for key, value in row.items() if key != name}

    return any(
        first_verdict is not second_verdict
        for (first, first_verdict), (second, second_verdict) in combinations(conclusive, 2)
        if first[name] != second[name] and others(first) == others(second)
    )


def _smallest(default: FactorValues, conclusive: Sequence[tuple[FactorValues, Verdict]]) -> tuple[dict[str, str], ...]:
    if not any(dict(row) == dict(default) and verdict is Verdict.REPRODUCED for row, verdict in conclusive):
        return ()
    sizes = (
        [
            {name: default[name] for name in names}
            for names in combinations(default, size)
            if all(
                verdict is Verdict.REPRODUCED
                for row, verdict in conclusive
                if all(row[name] == default[name] for name in names)
            )
        ]
        for size in range(len(default) + 1)
    )
    # All default values together are always such a set, since only the default row has them.
    return tuple(next(filter(None, sizes)))


def ablation_cells(failure: Failure, environment: str, roles: Mapping[str, str] | None = None) -> list[Cell]:
    """One cell a row of the ablation, in the order of its rows; ``roles`` are other environments of a staged run."""
    return [make_cell(failure, environment, factors=row, roles=roles) for row in rows(factors_of(failure))]


def ablation_environment(failure: Failure, matrix: Matrix) -> str | None:
    """The default environment of an ablation: the failure's first default environment with affected pins."""
    runs = matrix.runs.get(failure.id)
    names = runs.environments if runs else ()
    return next((name for name in names if is_affected(failure, matrix.environments[name].versions)), None)
