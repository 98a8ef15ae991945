"""Shards: every cell once, an environment in one of them, about equal."""

from hypothesis import given
from hypothesis import strategies as st

from repro.catalog.shards import BUILD_COST, jobs, shards
from tests.unit.factories import cell

CELLS = st.lists(
    st.builds(
        lambda env, failure: cell(environment=env, failure=failure),
        st.sampled_from("abcdefg"),
        st.text("xy", min_size=1),
    ),
    unique_by=lambda made: made.label,
)


@given(CELLS, st.integers(1, 9))
def test_partition(cells: list, count: int) -> None:  # type: ignore[type-arg]
    """Nothing is lost, doubled or empty, and no environment is built twice."""
    made = shards(cells, count)
    assert sorted(item.label for group in made for item in group) == sorted(item.label for item in cells)
    assert len(made) <= count
    assert all(made) or not cells
    homes = [{item.environment for item in group} for group in made]
    assert sum(len(names) for names in homes) == len(set().union(*homes))
    assert made == shards(cells, count)


def test_balance() -> None:
    """The dearest environment stands alone when the others together weigh as much."""
    cells = [cell(environment="big", failure=f"f{number}") for number in range(BUILD_COST + 2)]
    cells += [cell(environment=name) for name in ("a", "b")]
    made = shards(cells, 2)
    assert [{item.environment.label for item in group} for group in made] == [{"big"}, {"a", "b"}]


def test_jobs() -> None:
    """Each machine knows its number, its cells and the environments that it builds, each once."""
    cells = [cell(environment=name, failure=failure) for name in ("a", "b") for failure in ("x", "y")]
    one, other = jobs(cells, 2)
    assert {one.environments, other.environments} == {"a", "b"}
    assert [(made.shard, made.cells) for made in (one, other)] == [("1/2", 2), ("2/2", 2)]
    assert [made.environments.split() for made in jobs(cells, 1)] == [["a", "b"]]
