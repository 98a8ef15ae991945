"""Environments that searches make up."""

from dataclasses import replace

import pytest

from repro.environments.locks import Lock, Locked, source_line, split
from repro.model.errors import UsageError
from repro.model.matrix import Environment
from repro.model.version_change import VersionChange
from repro.search.environments import (
    Variant,
    Vector,
    as_of,
    days_between,
    kept_versions,
    mixture,
    vector,
    version_changes,
    with_release,
)

BASE = Environment(
    cutoff="2024-03-28",
    cutoffs={"torch": "2024-05-01"},
    pins={"torch": "2.2.2", "Lightning": "2.2.1"},
    why="affected",
)
OLD = Vector("old", BASE, {"torch": "2.2.2", "lightning": "2.2.1", "numpy": "1.26.4", "fsspec": "2024.3.1"})


def change(distribution: str, before: str | None, after: str | None) -> VersionChange:
    return VersionChange(distribution=distribution, before=before, after=after)


class TestRelease:
    def test_replaces_the_pin_and_moves_the_cutoff_to_the_younger_day(self) -> None:
        made = with_release(OLD, "lightning", "2.2.2", "2024-04-11").definition
        assert made is not None
        assert made.pins == {"torch": "2.2.2", "lightning": "2.2.2"}
        assert made.cutoff == "2024-04-11"
        assert made.cutoffs == BASE.cutoffs
        assert made.python == BASE.python

    def test_all_others_stay_where_they_are_if_the_release_allows(self) -> None:
        """Else a younger day would bring younger packages, and they would be blamed on the release."""
        made = with_release(OLD, "lightning", "2.6.6", "2026-11-01").definition
        assert made is not None
        assert made.preferred == {"numpy": "1.26.4", "fsspec": "2024.3.1"}

    def test_an_older_release_keeps_the_cutoff(self) -> None:
        made = with_release(OLD, "lightning", "2.0.0", "2023-03-15").definition
        assert made is not None
        assert made.cutoff == BASE.cutoff

    def test_a_package_with_a_day_of_its_own_gets_its_releases_day(self) -> None:
        made = with_release(OLD, "torch", "2.4.0", "2024-07-24").definition
        assert made is not None
        assert made.cutoffs == {"torch": "2024-07-24"}
        older = with_release(OLD, "torch", "2.1.0", "2023-10-04").definition
        assert older is not None
        assert older.cutoffs == {"torch": "2024-05-01"}

    def test_a_package_that_is_not_pinned_becomes_so(self) -> None:
        made = with_release(OLD, "numpy", "1.26.4", "2024-02-05").definition
        assert made is not None
        assert made.pins["numpy"] == "1.26.4"
        assert made.preferred == {"fsspec": "2024.3.1"}
        assert len(made.pins) == 3

    @pytest.mark.parametrize("version", ["2.2.1", "2.2.1.0"])
    def test_its_own_release_is_the_base_environment_itself(self, version: str) -> None:
        assert with_release(OLD, "lightning", version, "2024-03-04") == Variant("old")

    def test_the_same_version_of_another_package_is_not(self) -> None:
        assert with_release(OLD, "numpy", "2.2.2", "2025-01-01").definition is not None

    def test_a_pin_that_the_release_does_not_accept_may_move(self) -> None:
        made = with_release(OLD, "lightning", "2.6.0", "2025-12-01", ("torch", "numpy", "lightning"))
        assert made.name == "old with lightning 2.6.0 and the torch that it requires"
        assert made.definition is not None
        assert made.definition.pins == {"lightning": "2.6.0"}
        assert made.definition.floating == ("torch",)
        assert made.definition.preferred["torch"] == "2.2.2"
        assert made.definition.cutoffs == {"torch": "2025-12-01"}

    def test_what_is_not_pinned_may_move_anyway(self) -> None:
        plain = with_release(OLD, "lightning", "2.6.0", "2025-12-01")
        assert with_release(OLD, "lightning", "2.6.0", "2025-12-01", ("numpy",)) == plain


class TestDays:
    def test_takes_names_only(self) -> None:
        made = as_of("old", BASE, "2024-02-01", {}).definition
        assert made is not None
        assert made.pins == {}
        assert made.floating == ("torch", "lightning")
        assert (made.cutoff, made.cutoffs) == ("2024-02-01", {})

    def test_what_is_kept_may_be_younger_than_the_day(self) -> None:
        made = as_of("old", BASE, "2024-02-01", {"torch": "2.2.2"}).definition
        assert made is not None
        assert made.pins == {"torch": "2.2.2"}
        assert made.floating == ("lightning",)
        assert made.cutoffs == {"torch": "2024-05-01"}

    def test_other_kept_versions_have_other_names(self) -> None:
        assert as_of("old", BASE, "2024-02-01", {}).name != as_of("old", BASE, "2024-02-01", {"torch": "2.2.2"}).name

    def test_every_day_with_both_ends(self) -> None:
        assert days_between("2024-02-28", "2024-03-01") == ("2024-02-28", "2024-02-29", "2024-03-01")

    def test_kept_versions(self) -> None:
        assert kept_versions(["Torch==2.2.2", "hugging_face == 1.0"]) == {"torch": "2.2.2", "hugging-face": "1.0"}
        for wrong in ("torch", "torch==", "==2", "torch>=2"):
            with pytest.raises(UsageError, match="NAME==VERSION"):
                kept_versions([wrong])


def locked(*requirements: str) -> Lock:
    packages = []
    for text in requirements:
        name, _, rest = text.partition("==")
        packages.append(Locked(name, rest.split(" ")[0], f"{text} \\\n    --hash=sha256:00"))
    return Lock((), tuple(packages))


def held(name: str, versions: dict[str, str], *days: str) -> Vector:
    environment = Environment(cutoff="2024-03-28", pins={"b": "1"}, why="test")
    return Vector(name, environment, versions, days or ("2024-03-28",))


def built(name: str, digit: str, **versions: str) -> Vector:
    """A stack whose package ``a`` is built from a commit."""
    source = f"git+https://example.org/a@{digit * 40}"
    environment = Environment(cutoff="2024-03-28", sources={"A": source}, why="test")
    return Vector(name, environment, {"a": "1.0.dev0", **versions}, ("2024-03-28",))


class TestVectors:
    def test_sources_are_those_of_the_lock(self) -> None:
        """A branch that has moved since the lock was written changes nothing."""
        environment = Environment(
            cutoff="2024-03-28",
            sources={"Tiny-Lib": "git+file:///home/me/tiny@main", "other": "/home/me/other-1.0-py3-none-any.whl"},
            why="test",
        )
        lines = [
            source_line("tiny-lib", f"git+file:tiny@{'1' * 40}", "1.0.dev0"),
            source_line("other", f"other-1.0-py3-none-any.whl#sha256={'2' * 64}", "1.0"),
        ]
        found = vector("dev", environment, Lock((), split("\n".join(lines))))
        assert found.sources == {
            "tiny-lib": f"git+file:///home/me/tiny@{'1' * 40}",
            "other": f"/home/me/other-1.0-py3-none-any.whl#sha256={'2' * 64}",
        }
        assert found.versions == {"tiny-lib": "1.0.dev0", "other": "1.0"}

    def test_holds_what_the_lock_installs_here(self) -> None:
        lock = locked(
            "torch==2.2.2",
            "nvidia-nccl-cu12==2.19 ; sys_platform == 'linux'",
            "triton==2.2 ; sys_platform == 'linux'",
            "numpy==1.24 ; python_full_version < '3.9'",
            "numpy==1.26 ; python_full_version >= '3.9'",
            "colorama==0.4 ; sys_platform == 'nowhere'",
        )
        found = vector("old", BASE, lock)
        assert found.versions == {"torch": "2.2.2", "numpy": "1.26"}
        assert found.days == ("2024-03-28", "2024-05-01")

    def test_changes_name_all_that_differs_pins_first(self) -> None:
        start = held("s", {"a": "1", "b": "1", "same": "3", "gone": "1"})
        end = held("e", {"a": "2", "b": "2", "same": "3", "came": "1"})
        assert version_changes(start, end) == (
            change("b", "1", "2"),
            change("a", "1", "2"),
            change("came", None, "1"),
            change("gone", "1", None),
        )
        assert version_changes(start, end)[2].text == "came not installed → 1"

    def test_changes_name_what_floats_before_what_they_bring(self) -> None:
        start, end = held("s", {"a": "1", "z": "1"}), held("e", {"a": "2", "z": "2"})
        named = replace(end, environment=end.environment.model_copy(update={"floating": ("Z[extra]>=1",)}))
        assert [moved.distribution for moved in version_changes(start, named)] == ["z", "a"]

    def test_another_commit_is_a_change(self) -> None:
        """Two commits may state one version; a release may have the version of a commit."""
        first, second = built("s", "1"), built("e", "2")
        (moved,) = version_changes(first, second)
        assert moved.text == (
            "a 1.0.dev0 (git+https://example.org/a@111111111111) → 1.0.dev0 (git+https://example.org/a@222222222222)"
        )
        assert version_changes(first, built("e", "1")) == ()
        (released,) = version_changes(first, held("e", {"a": "1.0.dev0"}))
        assert (released.source_before[-3:], released.source_after) == ("111", "")


class TestMixture:
    start = held("s", {"a": "1", "b": "1", "same": "3", "gone": "1"}, "2024-03-28")
    end = held("e", {"a": "2", "b": "2", "same": "3", "came": "1"}, "2024-09-01", "2024-06-01")

    def test_none_and_all_are_the_ends_themselves(self) -> None:
        every = version_changes(self.start, self.end)
        assert mixture(self.start, self.end, (), every) == Variant("s")
        assert mixture(self.start, self.end, every, every) == Variant("e")

    def test_pins_every_version_as_of_the_youngest_day(self) -> None:
        every = version_changes(self.start, self.end)
        taken = [move for move in every if move.distribution in {"a", "came", "gone"}]
        made = mixture(self.start, self.end, taken, every).definition
        assert made is not None
        assert made.pins == {"a": "2", "b": "1", "same": "3", "came": "1"}
        assert made.cutoff == "2024-09-01"
        assert made.preferred == {"gone": "1"}

    def test_a_development_version_moves_like_a_release(self) -> None:
        """In whichever direction: no version of it is pinned, since no index has it."""
        start, end = built("s", "1", b="1"), built("e", "2", b="2")
        every = version_changes(start, end)
        (a,) = (move for move in every if move.distribution == "a")
        (b,) = (move for move in every if move.distribution == "b")
        made = mixture(start, end, [a], every).definition
        assert made is not None
        assert (made.pins, made.sources) == ({"b": "1"}, {"a": f"git+https://example.org/a@{'2' * 40}"})
        made = mixture(start, end, [b], every).definition
        assert made is not None
        assert (made.pins, made.sources) == ({"b": "2"}, {"a": f"git+https://example.org/a@{'1' * 40}"})

    def test_a_development_version_becomes_a_release_and_a_release_one(self) -> None:
        start, end = built("s", "1", b="1"), held("e", {"a": "1.0", "b": "2"})
        every = version_changes(start, end)
        (a,) = (move for move in every if move.distribution == "a")
        made = mixture(start, end, [a], every).definition
        assert made is not None
        assert (made.pins, made.sources) == ({"a": "1.0", "b": "1"}, {})
        back = version_changes(end, start)
        (a,) = (move for move in back if move.distribution == "a")
        variant = mixture(end, start, [a], back)
        assert variant.name == "e with a 1.0.dev0 (git+https://example.org/a@111111111111)"
        assert variant.definition is not None
        assert (variant.definition.pins, variant.definition.sources) == ({"b": "2"}, start.sources)

    def test_long_names_stay_apart(self) -> None:
        start = held("s", {f"package-{n}": "1" for n in range(30)})
        end = held("e", {f"package-{n}": "2" for n in range(30)})
        every = version_changes(start, end)
        names = {mixture(start, end, every[:n], every).name for n in range(1, 30)}
        assert len(names) == 29
        assert max(map(len, names)) < 200
