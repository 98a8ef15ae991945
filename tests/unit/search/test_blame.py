"""Delta debugging against oracles that are known."""

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.search.blame import Blame, Effect, drive, outcome_of
from repro.store.answers import Role

F, K, U = Effect.FLIPS, Effect.KEEPS, Effect.UNRESOLVED


class Oracle:
    """Flips where one of the causes is complete; unresolved where a rule says so."""

    def __init__(self, *causes: str, broken: Callable[[frozenset[str]], bool] = lambda _: False) -> None:
        self.causes = [frozenset(cause) for cause in causes]
        self.broken = broken
        self.asked: list[frozenset[str]] = []

    def __call__(self, items: tuple[str, ...]) -> Effect:
        taken = frozenset(items)
        assert taken, "the empty set is known"
        assert taken not in self.asked, "no set is asked for twice"
        self.asked.append(taken)
        if self.broken(taken):
            return U
        return F if any(cause <= taken for cause in self.causes) else K


def ask(changes: str, oracle: Oracle) -> Blame[str]:
    found = drive(tuple(changes), oracle)
    assert frozenset(changes) not in oracle.asked, "all together are known"
    return found


class TestCauses:
    def test_one_guilty_of_two(self) -> None:
        found = ask("ab", Oracle("a"))
        assert found.causes == (("a",),)
        assert found.parts == {"a": Role.GUILTY, "b": Role.INNOCENT}

    def test_two_together(self) -> None:
        found = ask("ab", Oracle("ab"))
        assert found.causes == (("a", "b"),)
        assert found.parts == {"a": Role.GUILTY, "b": Role.GUILTY}

    def test_two_together_among_many(self) -> None:
        found = ask("abcdefgh", Oracle("bg"))
        assert found.causes == (("b", "g"),)
        assert {item for item, part in found.parts.items() if part is Role.INNOCENT} == set("acdefh")

    def test_either_is_enough(self) -> None:
        """Two causes that each suffice are both named, not only the first that was found."""
        found = ask("abcd", Oracle("a", "d"))
        assert sorted(found.causes) == [("a",), ("d",)]
        assert found.parts["b"] is found.parts["c"] is Role.INNOCENT

    def test_a_single_change_needs_no_run(self) -> None:
        oracle = Oracle("a")
        assert ask("a", oracle).causes == (("a",),)
        assert oracle.asked == []

    def test_one_guilty_of_many_is_found_in_few_runs(self) -> None:
        oracle = Oracle("m")
        assert ask("abcdefghijklmnop", oracle).causes == (("m",),)
        assert len(oracle.asked) <= 10

    @settings(deadline=None)
    @given(st.data())
    def test_every_cause_is_enough_and_none_of_its_members_can_go(self, data: st.DataObject) -> None:
        changes = "abcdefg"[: data.draw(st.integers(1, 7))]
        sets = st.sets(st.sampled_from(changes), min_size=1).map("".join)
        causes = data.draw(st.lists(sets, min_size=1, max_size=3))
        oracle = Oracle(*causes)
        found = ask(changes, oracle)
        for cause in found.causes:
            assert Oracle(*causes)(cause) is F
            for smaller in combinations(cause, len(cause) - 1):
                assert not smaller or Oracle(*causes)(smaller) is K
        named = {item for cause in found.causes for item in cause}
        rest = tuple(item for item in changes if item not in named)
        assert not rest or Oracle(*causes)(rest) is K
        assert all(found.parts[item] is Role.INNOCENT for item in rest)
        assert list(found.parts) == list(changes)


class TestUnresolved:
    def test_a_package_that_only_lets_the_guilty_one_resolve_is_not_called_guilty(self) -> None:
        """``a`` is guilty, but without ``b`` it does not resolve."""
        found = ask("abc", Oracle("a", broken=lambda taken: "a" in taken and "b" not in taken))
        assert found.causes == (("a", "b"),)
        assert found.parts == {"a": Role.GUILTY, "b": Role.NEEDED, "c": Role.INNOCENT}

    def test_what_never_resolves_without_the_guilty_one_is_untested(self) -> None:
        found = ask("abc", Oracle("a", broken=lambda taken: "c" in taken and "a" not in taken))
        assert found.causes == (("a",),)
        assert found.parts["b"] is Role.INNOCENT
        assert found.parts["c"] is Role.UNTESTED

    def test_nothing_but_everything_resolves(self) -> None:
        found = ask("abcd", Oracle("a", broken=lambda taken: len(taken) < 4))
        assert found.causes == (("a", "b", "c", "d"),)
        assert set(found.parts.values()) == {Role.NEEDED}

    @settings(deadline=None)
    @given(st.data())
    def test_ends_with_a_set_that_flips_whatever_does_not_resolve(self, data: st.DataObject) -> None:
        changes = "abcdef"
        cause = data.draw(st.sets(st.sampled_from(changes), min_size=1))
        broken = data.draw(st.sets(st.frozensets(st.sampled_from(changes), min_size=1, max_size=5), max_size=40))
        found = ask(changes, Oracle("".join(cause), broken=lambda taken: taken in broken))
        assert cause <= set(found.causes[0])
        assert len(found.causes) == 1
        innocent = {item for item, part in found.parts.items() if part is Role.INNOCENT}
        assert not innocent & cause


@pytest.mark.parametrize(
    ("side", "outcome"), [("good", Effect.KEEPS), ("bad", Effect.FLIPS), ("skip", Effect.UNRESOLVED)]
)
def test_an_outcome_is_read_from_the_ends(side: str, outcome: Effect) -> None:
    assert outcome_of(side, start="good", end="bad") is outcome
