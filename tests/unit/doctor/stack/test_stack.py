"""What a stack allows, and what follows for specifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.doctor.stack.stack import KnownVersion, Stack, representatives

releases = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
clauses = st.tuples(st.sampled_from([">=", ">", "<=", "<", "==", "!="]), releases).map("".join)
series = st.tuples(st.sampled_from(["==", "!="]), releases).map(lambda pair: f"{pair[0]}{pair[1]}.*")
compatible = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)).map(lambda v: "~={}.{}.{}".format(*v))
specifiers = st.lists(st.one_of(clauses, series, compatible), max_size=3).map(",".join)


class TestRepresentatives:
    """One version for every way in which specifiers can hold in a range."""

    @given(specifiers, st.lists(specifiers, max_size=3), releases)
    def test_nothing_is_overlooked(self, within: str, texts: list[str], release: str) -> None:
        """Whatever release the range allows, some representative is in the same specifiers."""
        if not SpecifierSet(within).contains(release):
            return
        shape = [SpecifierSet(text).contains(release) for text in texts]
        found = representatives(within, texts)
        assert shape in [
            [SpecifierSet(text).contains(version, prereleases=True) for text in texts] for version in found
        ]

    @given(specifiers, st.lists(specifiers, max_size=3))
    def test_nothing_is_made_up(self, within: str, texts: list[str]) -> None:
        """Every representative lies in the range."""
        found = representatives(within, texts)
        assert all(SpecifierSet(within).contains(version, prereleases=True) for version in found)
        assert all(str(Version(version)) == version for version in found)

    def test_few(self) -> None:
        """No finer than the specifiers ask."""
        assert len(representatives("", [">=2.1,<2.2.2"])) == 2
        assert len(representatives(">=2.2.2", [">=2.1,<2.2.2"])) == 1
        assert representatives(">2,<1", [">=2"]) == ()


class TestStack:
    """What is not there, what is not named, what is one of several."""

    def test_closed(self) -> None:
        """What a lock does not name is not installed."""
        stack = Stack.of({"torch": "2.2.2"})
        assert stack.get("lightning") is None
        assert stack.versions == {"torch": "2.2.2"}
        assert stack.readings({"torch": [">=2"], "lightning": [">=2"]}) == [{"torch": "2.2.2"}]

    def test_open(self) -> None:
        """What a list of requirements does not name may come with another; torch surely comes with lightning."""
        stack = Stack({"lightning": KnownVersion(("2.2.1",))}, closed=False)
        torch, transformers = stack.get("torch"), stack.get("transformers")
        assert torch is not None
        assert (torch.may_be_absent, torch.why) == (False, "is not named (lightning brings it)")
        assert transformers is not None
        assert transformers.may_be_absent
        readings = stack.readings({"lightning": [">=2.1"], "torch": [">=2.2"]})
        assert len(readings) == 2
        assert all("torch" in versions for versions in readings)
        assert {} in Stack({}, closed=False).readings({"transformers": [">=4"]})

    def test_several(self) -> None:
        """Each version that a lock holds is one reading."""
        stack = Stack({"torch": KnownVersion(("2.2.2", "2.6.0"))})
        assert stack.readings({"torch": []}) == [{"torch": "2.2.2"}, {"torch": "2.6.0"}]
        assert stack.versions == {}

    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ({"torch": "2"}, None),
            ({"pytorch-lightning": "2.2.1"}, "2.2.1"),
            ({"pytorch-lightning": "2.2.1", "lightning": "2.6.0"}, "2.2.1"),
            ({"pytorch-lightning": "2.2.1", "lightning": "2.2.1"}, None),
        ],
    )
    def test_alias(self, held: dict[str, str], expected: str | None) -> None:
        """lightning under its other name, where that says something else."""
        other = Stack.of(held).under_alias("lightning")
        assert (other.versions["lightning"] if other else None) == expected
        assert Stack.of(held).under_alias("torch") is None
