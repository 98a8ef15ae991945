"""Delta debugging against oracles that are known."""

from collections.abc import Callable, Iterable
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.search.blame import Blame, Effect, drive, minimal_set, outcome_of
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


def ask(changes: str, oracle: Oracle, **brings: str) -> Blame[str]:
    found = drive(tuple(changes), oracle, {item: tuple(others) for item, others in brings.items()})
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


class TestOrder:
    """The sets are those of Zeller's algorithm, in its order: no run more."""

    def textbook(self, items: str, ask_about: Callable[[str], Effect], pieces: int = 2) -> str:
        """ddmin as it is published, without any memory of earlier answers."""
        if len(items) == 1:
            return items
        bounds = [len(items) * number // pieces for number in range(pieces + 1)]
        parts = [items[low:high] for low, high in pairwise(bounds)]
        for part in parts:
            if ask_about(part) is F:
                return self.textbook(part, ask_about, 2)
        for part in parts:
            others = "".join(item for item in items if item not in part)
            if ask_about(others) is F:
                return self.textbook(others, ask_about, max(pieces - 1, 2))
        if pieces < len(items):
            return self.textbook(items, ask_about, min(2 * pieces, len(items)))
        return items

    def test_by_hand(self) -> None:
        oracle = Oracle("bg")
        ask("abcdefgh", oracle)
        words = "abcd efgh ab cd ef gh cdefgh abefgh abgh a b g h bgh bh bg acdefh"
        assert ["".join(sorted(taken)) for taken in oracle.asked] == words.split()

    @pytest.mark.parametrize("size", [2, 3, 5, 7, 10])
    def test_against_the_textbook(self, size: int) -> None:
        changes = "abcdefghij"[:size]
        causes = [set(held) for length in (1, 2, 3) for held in combinations(changes, length)]
        for cause in causes:
            asked: list[list[str]] = [[], []]

            def answer(items: Iterable[str], number: int, cause: set[str] = cause, asked: Any = asked) -> Effect:
                taken = "".join(items)
                if taken not in {*asked[number], changes}:
                    asked[number].append(taken)
                broken = len(taken) < len(changes) and sum(map(ord, taken)) % 5 == 0
                return U if broken else F if cause <= set(taken) else K

            found = minimal_set(changes, lambda items: answer(items, 0))
            assert "".join(found) == self.textbook(changes, lambda items: answer(items, 1))
            assert asked[0] == asked[1]


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


class TestBrought:
    """``a`` is a release that requires a newer ``b``; where nothing else is said, ``b`` fits nothing else."""

    def test_what_a_release_requires_belongs_to_its_change(self) -> None:
        oracle = Oracle("ab", broken=lambda taken: ("a" in taken) != ("b" in taken))
        found = ask("abcd", oracle, a="b")
        assert found.causes == (("a",),)
        assert found.brought == {"a": ("b",)}
        assert found.parts == {"a": Role.GUILTY, "b": Role.REQUIRED, "c": Role.INNOCENT, "d": Role.INNOCENT}
        assert frozenset("a") not in oracle.asked, "it is known not to resolve"
        assert frozenset("b") in oracle.asked, "it was tried alone"
        assert found.rest == ("c", "d")

    def test_what_is_required_is_innocent_if_it_keeps_the_answer_alone(self) -> None:
        found = ask("abc", Oracle("a", broken=lambda taken: "a" in taken and "b" not in taken), a="b")
        assert found.causes == (("a",),)
        assert found.parts == {"a": Role.GUILTY, "b": Role.INNOCENT, "c": Role.INNOCENT}
        assert found.rest == ("b", "c")

    def test_what_is_required_may_be_the_guilty_one(self) -> None:
        """Then the release that requires it is not blamed, and cannot be cleared: it never moves without it."""
        found = ask("abc", Oracle("b", broken=lambda taken: "a" in taken and "b" not in taken), a="b")
        assert found.causes == (("b",),)
        assert found.brought == {}
        assert found.parts == {"a": Role.UNTESTED, "b": Role.GUILTY, "c": Role.INNOCENT}

    def test_one_of_several_that_are_required_is_guilty(self) -> None:
        found = ask("abcd", Oracle("c", broken=lambda taken: taken == {"b", "c"}), a="bc")
        assert found.causes == (("c",),)
        assert found.parts["b"] is Role.INNOCENT

    def test_two_releases_that_require_each_other(self) -> None:
        found = ask("abc", Oracle("ab", broken=lambda taken: ("a" in taken) != ("b" in taken)), a="b", b="a")
        assert found.causes == (("a",),)
        assert found.parts == {"a": Role.GUILTY, "b": Role.REQUIRED, "c": Role.INNOCENT}

    def test_it_needs_another_one_besides(self) -> None:
        oracle = Oracle("ac", broken=lambda taken: ("a" in taken) != ("b" in taken))
        found = ask("abcd", oracle, a="b")
        assert found.causes == (("a", "c"),)
        assert found.brought == {"a": ("b",)}
        assert found.parts["b"] is Role.REQUIRED
        assert found.parts["c"] is Role.GUILTY

    def test_a_second_cause_beside_one_that_brings_others(self) -> None:
        oracle = Oracle("a", "d", broken=lambda taken: ("a" in taken) != ("b" in taken))
        found = ask("abcd", oracle, a="b")
        assert sorted(found.causes) == [("a",), ("d",)]
        assert found.parts == {"a": Role.GUILTY, "b": Role.REQUIRED, "c": Role.INNOCENT, "d": Role.GUILTY}

    def test_what_is_brought_is_cleared_all_at_once(self) -> None:
        """Each of it alone is asked for only if all of it together proves nothing."""
        oracle = Oracle("a", broken=lambda taken: "a" in taken and not taken >= set("abc"))
        found = ask("abcd", oracle, a="bc")
        assert found.parts == {"a": Role.GUILTY, "b": Role.INNOCENT, "c": Role.INNOCENT, "d": Role.INNOCENT}
        assert oracle.asked == list(map(frozenset, ("abc", "bc", "bcd")))

    def test_what_is_brought_is_tried_alone_at_last(self) -> None:
        """Beside the rest of the cause it does not resolve, and nobody asked for it alone before."""
        oracle = Oracle("ac", broken=lambda taken: taken == set("bc"))
        found = ask("acbd", oracle, a="b")
        assert found.causes == (("a", "c"),)
        assert found.parts == {"a": Role.GUILTY, "c": Role.GUILTY, "b": Role.INNOCENT, "d": Role.INNOCENT}
        assert frozenset("b") in oracle.asked
        assert found.rest == ("b", "d")

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_a_cause_is_enough_and_no_smaller_set_is_whatever_is_required(self, data: st.DataObject) -> None:
        changes = "abcde"[: data.draw(st.integers(2, 5))]
        needs = {item: data.draw(st.sets(st.sampled_from(changes), max_size=2)) - {item} for item in changes}
        brings = {item: "".join(sorted(_reached(item, needs) - {item})) for item in changes}
        sets = st.sets(st.sampled_from(changes), min_size=1).map("".join)
        causes = data.draw(st.lists(sets, min_size=1, max_size=2))
        oracle = Oracle(*causes, broken=lambda taken: any(not needs[item] <= taken for item in taken))
        found = ask(changes, oracle, **brings)
        assert all(not oracle.broken(taken) for taken in oracle.asked), "a set that cannot resolve is never asked for"
        for cause in found.causes:
            whole = frozenset(cause).union(*(brings[item] for item in cause))
            assert any(frozenset(held) <= whole for held in causes)
            for size in range(len(whole)):
                for smaller in map(frozenset, combinations(sorted(whole), size)):
                    resolves = not oracle.broken(smaller)
                    assert not (resolves and any(frozenset(held) <= smaller for held in causes))
        for item, part in found.parts.items():
            assert part is not Role.INNOCENT or not any(frozenset(held) <= {item, *brings[item]} for held in causes)


def _reached(item: str, needs: dict[str, set[str]]) -> set[str]:
    found, waiting = {item}, [item]
    while waiting:
        new = needs[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize(
    ("side", "outcome"), [("good", Effect.KEEPS), ("bad", Effect.FLIPS), ("skip", Effect.UNRESOLVED)]
)
def test_an_outcome_is_read_from_the_ends(side: str, outcome: Effect) -> None:
    assert outcome_of(side, start="good", end="bad") is outcome


def test_a_minimal_set_keeps_equal_items_apart() -> None:
    """Two of three equal items are needed: they are counted by their places."""
    found = minimal_set(("a", "b", "b", "c", "b"), lambda held: F if held.count("b") > 1 and "a" in held else K)
    assert found == ("a", "b", "b")
