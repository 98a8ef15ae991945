"""The plan: every cell once, an environment's cells together unless their runs outweigh its build, by seconds."""

from hypothesis import given
from hypothesis import strategies as st

from repro.catalog.catalog import Catalog, Entry
from repro.catalog.plan import BUILD_SECONDS, RUN_SECONDS, Part, Weights, expected_seconds, plan
from repro.model.cell import Cell, Named
from tests.unit.factories import FAILURE, HANG, cell, failure

CELLS = st.lists(
    st.builds(
        lambda env, failure: cell(environment=env, failure=failure),
        st.sampled_from("abcdefg"),
        st.text("xy", min_size=1),
    ),
    unique_by=lambda made: made.label,
)


def many(environment: str, number: int) -> list[Cell]:
    return [cell(environment=environment, failure=f"f{index}") for index in range(number)]


def places(parts: list[Part], environment: str) -> int:
    return sum(environment in part.environments for part in parts)


@given(CELLS, st.integers(1, 9), st.lists(st.floats(0, 500), min_size=3, max_size=3))
def test_partition(cells: list[Cell], count: int, seconds: list[float]) -> None:
    """Nothing is lost, doubled or empty; an environment is divided only where its runs outweigh its build."""
    weights = Weights({made.label: seconds[index % 3] for index, made in enumerate(cells)})
    parts = plan(cells, count, weights)
    assert sorted(item.label for part in parts for item in part.cells) == sorted(item.label for item in cells)
    assert len(parts) <= count
    assert all(part.cells for part in parts)
    assert parts == plan(cells, count, weights)
    for name in {item.environment.label for item in cells}:
        held = [[made for made in part.cells if made.environment.label == name] for part in parts]
        runs = [sum(weights.measured[made.label] for made in found) for found in held if found]
        assert len(runs) == 1 or min(runs) >= BUILD_SECONDS


def test_the_order_is_kept() -> None:
    cells = many("a", 3) + many("b", 3)
    (part,) = plan(cells, 1)
    assert list(part.cells) == cells


def test_a_large_environment_no_longer_bounds_everything() -> None:
    """Its runs take long against its build, so that its cells are divided; the small ones stay together."""
    cells = many("newest", 40) + many("small", 3)
    parts = plan(cells, 4)
    assert places(parts, "newest") > 1
    assert places(parts, "small") == 1
    whole = 40 * RUN_SECONDS + BUILD_SECONDS
    assert max(part.seconds for part in parts) < whole / 2


def test_two_equal_environments_are_both_divided() -> None:
    """Dividing the first one alone does not let the last part end sooner."""
    parts = plan(many("a", 20) + many("b", 20), 4)
    assert (places(parts, "a"), places(parts, "b")) == (2, 2)


def test_a_small_environment_stays_together_on_any_number_of_machines() -> None:
    assert len(plan(many("a", 4), 9)) == 1


def test_a_build_that_is_there_costs_little() -> None:
    """Where the environment is built already, few cells are worth a machine of their own."""
    assert len(plan(many("a", 4), 4, Weights(built=frozenset({"a"})))) == 4


def test_measured_seconds_decide() -> None:
    """The one long cell, a hang for example, has a machine of its own."""
    long, *others = (cell(environment=name) for name in "abc")
    parts = plan([long, *others], 2, Weights({long.label: 500.0} | {other.label: 1.0 for other in others}))
    assert [part.environments for part in parts] == [("a",), ("b", "c")]


def test_a_cell_that_was_not_measured() -> None:
    """It takes as long as the failure's other cells; a failure that was never measured, what its record says."""
    known, unknown = cell(environment="a"), cell(environment="b")
    assert Weights({known.label: 70.0}).by_label([known, unknown])[unknown.label] == 70.0
    assert Weights().by_label([unknown])[unknown.label] == RUN_SECONDS
    hang = failure(signature=HANG, kind="hang", timeout=45)
    assert expected_seconds(hang) == RUN_SECONDS + 45
    catalog = Catalog(None, {FAILURE: Entry(hang, None)})  # type: ignore[arg-type]
    assert Weights().by_label([unknown], catalog)[unknown.label] == RUN_SECONDS + 45


def test_both_environments_of_a_staged_run_are_built() -> None:
    """A part's expected seconds hold the builds of all roles, each once."""
    staged = cell(environment="a", roles={"writer": Named("b")})
    (part,) = plan([staged, cell(environment="a", failure="other")], 1)
    assert part.environments == ("a", "b")
    assert part.seconds == 2 * BUILD_SECONDS + 2 * RUN_SECONDS


def test_nothing() -> None:
    assert plan([], 3) == []
