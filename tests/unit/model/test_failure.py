"""The record of a failure: what is accepted, and what is refused in words."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.catalog import yaml_reader
from repro.model.errors import RecordError
from repro.model.failure import COMPARISONS, Failure, Lane, comparison
from repro.model.specifiers import covers
from tests.unit.factories import HANG, RECORD, REJECTION, failure


def problem(**changes: Any) -> str:
    """The only fault of the default record with changes, as the user reads it."""
    record = copy.deepcopy(RECORD) | changes
    with pytest.raises(RecordError) as caught:
        yaml_reader.parse(Failure, yaml.safe_dump(record, sort_keys=False), Path("failure.yaml"))
    (fault,) = caught.value.faults
    return str(fault)


class TestSignature:
    """A signature says enough to tell the failure from another."""

    @pytest.mark.parametrize("missing", ["type", "message"])
    def test_exception_is_complete(self, missing: str) -> None:
        """An exception needs type and message; `repro check` asks for function and library, which a first run shows."""
        signature = {name: value for name, value in RECORD["signature"].items() if name != missing}
        assert "signature" in problem(signature=signature)

    def test_unanswered(self) -> None:
        """A question of the scaffold in any part: the signature is of nothing."""
        for part in ("type", "message", "function", "library"):
            assert failure(signature={part: "ANSWER"}).signature.is_unanswered
        assert not failure().signature.is_unanswered

    def test_assertion_is_complete(self) -> None:
        """An assertion is an AssertionError with a message."""
        assert "AssertionError" in problem(signature={"kind": "assertion", "type": "ValueError", "message": "x"})
        assert "message" in problem(signature={"kind": "assertion", "type": "AssertionError"})

    def test_hang_is_complete(self) -> None:
        """A hang needs the function that it hangs in."""
        assert "function" in problem(signature={"kind": "hang"})

    @pytest.mark.parametrize(("written", "ranks"), [("all", "all"), ("any", "any"), (0, 0), ("0", 0), (3, 3)])
    def test_ranks(self, written: str | int, ranks: str | int) -> None:
        """All, any, or one rank's number, quoted or not."""
        assert failure(signature={"ranks": written}).signature.ranks == ranks

    def test_pattern(self) -> None:
        """The message is a regular expression, checked when it is read."""
        assert "no regular expression" in problem(signature=RECORD["signature"] | {"message": "size ("})

    def test_kind(self) -> None:
        """An unknown kind is refused with the nearest."""
        assert "did you mean 'hang'?" in problem(signature=HANG | {"kind": "hnag"})


class TestLanes:
    """A lane may show the failure in another way."""

    WHY = "NCCL compares no sizes."

    def test_signature(self) -> None:
        """The record in a lane has that lane's signature; where only a reason is told, its own."""
        record = failure(differs_in={"cuda": {"signature": HANG, "why": self.WHY}})
        assert record.seen_in(Lane.CUDA, {}, {}).signature.kind == "hang"
        assert record.seen_in(Lane.CPU, {}, {}) == record
        told = failure(differs_in={"cuda": {"why": self.WHY}})
        assert told.seen_in(Lane.CUDA, {}, {}) == told

    @pytest.mark.parametrize("missing", ["type", "message"])
    def test_is_complete(self, missing: str) -> None:
        """It says as much as the record's own."""
        signature = {name: value for name, value in RECORD["signature"].items() if name != missing}
        assert "signature" in problem(differs_in={"cuda": {"signature": signature, "why": self.WHY}})

    def test_mistakes(self) -> None:
        """A lane that there is, and that the failure has; a reason."""
        assert "did you mean 'cuda'?" in problem(differs_in={"cdua": {"why": self.WHY}})
        assert "needs.lanes does not" in problem(differs_in={"cuda": {"why": self.WHY}}, needs={"lanes": ["cpu"]})
        assert "why" in problem(differs_in={"cuda": {"why": ""}})


class TestFields:
    """Single fields."""

    @pytest.mark.parametrize("value", ["Lightning-1", "lightning", "lightning_1", "-1", "lightning-", "a b-1", ""])
    def test_id(self, value: str) -> None:
        """An id is ``<project>-<number>``, lower case."""
        assert ": id: " in problem(id=value)

    @pytest.mark.parametrize("value", [">=2.1,", "2.1", "lightning>=2", ">= two", "=>2.1"])
    def test_specifiers(self, value: str) -> None:
        """What is no PEP 440 specifier is refused with an example."""
        if value == ">=2.1,":
            assert failure(affected=[{"lightning": value}])
        else:
            assert "no PEP 440 specifier" in problem(affected=[{"lightning": value}])

    @pytest.mark.parametrize("value", [[], [{}]])
    def test_affected_is_not_empty(self, value: list[Any]) -> None:
        """A failure affects something; an empty alternative would cover every release."""
        assert "affected" in problem(affected=value)

    @pytest.mark.parametrize("value", [0, -1, "soon"])
    def test_timeout(self, value: Any) -> None:
        """The deadline is a positive number of seconds."""
        assert "timeout" in problem(timeout=value)

    def test_world_size(self) -> None:
        """At least one rank."""
        assert "world_size" in problem(needs={"world_size": 0})

    def test_lanes(self) -> None:
        """At least one lane, of those that there are."""
        assert "lanes" in problem(needs={"lanes": []})
        assert "did you mean 'cuda'?" in problem(needs={"lanes": ["cdua"]})

    def test_factor_has_two_values(self) -> None:
        """A factor of one value cannot be switched."""
        assert "values" in problem(factors=[{"name": "x", "values": ["only"], "meaning": "y"}])

    @pytest.mark.parametrize("field", ["factors", "backports"])
    def test_names_are_unique(self, field: str) -> None:
        """A name that is defined twice is ambiguous."""
        assert "is defined twice" in problem(**{field: [RECORD[field][0], RECORD[field][0]]})

    @pytest.mark.parametrize(
        "cure", [{}, {"upgrade": {"lightning": ">=2.2.2"}, "setting": "x"}, {"backport": "cure", "setting": "x"}]
    )
    def test_cure_is_one_thing(self, cure: dict[str, Any]) -> None:
        """A cure is exactly one of upgrade, backport, setting."""
        assert "a cure is one of" in problem(cures=[cure])

    def test_format(self) -> None:
        """The record's format is stated and known."""
        assert ": format: " in problem(format=2)
        record = {name: value for name, value in RECORD.items() if name != "format"}
        with pytest.raises(RecordError, match="format: is missing"):
            yaml_reader.parse(Failure, yaml.safe_dump(record), Path("x"))


class TestClaims:
    """A claim is grounded, or says why not."""

    CLAIM = {"id": "c1", "kind": "cause", "statement": "because"}
    EVIDENCE = {"environment": "old", "predicts": "reproduced"}

    def test_untestable_without_comment(self) -> None:
        """Untestable needs a reason."""
        assert "comment" in problem(claims=[self.CLAIM | {"verdict": "untestable"}])

    def test_untestable_with_evidence(self) -> None:
        """What has evidence was testable."""
        claim = self.CLAIM | {"verdict": "untestable", "comment": "no GPU", "evidence": [self.EVIDENCE]}
        assert "one of the two" in problem(claims=[claim])

    def test_no_evidence(self) -> None:
        """A finding without evidence is an opinion."""
        assert "one of the two" in problem(claims=[self.CLAIM | {"verdict": "confirmed"}])

    def test_nothing_decided(self) -> None:
        """``any`` decides nothing without a measurement."""
        claim = self.CLAIM | {"verdict": "confirmed", "evidence": [self.EVIDENCE | {"predicts": "any"}]}
        assert "nothing is decided" in problem(claims=[claim])

    def test_valid(self) -> None:
        """A measured claim."""
        evidence = self.EVIDENCE | {"predicts": "any", "measured": {"drift": "<= 1e-6"}}
        claim = self.CLAIM | {"verdict": "confirmed", "evidence": [evidence]}
        assert failure(claims=[claim]).claims[0].evidence[0].measured == {"drift": "<= 1e-6"}

    @pytest.mark.parametrize("text", ["1e-6", "<=1e-6", "<= ", "<= 1e-6x", "~ 3", "contains x", "== 'x'"])
    def test_not_a_comparison(self, text: str) -> None:
        """A comparison is an operator, a space and a JSON value."""
        evidence = self.EVIDENCE | {"measured": {"drift": text}}
        assert "measured" in problem(claims=[self.CLAIM | {"verdict": "confirmed", "evidence": [evidence]}])

    @pytest.mark.parametrize("operator", COMPARISONS)
    def test_comparisons(self, operator: str) -> None:
        """Each operator is read whole: ``<=`` is not ``<``."""
        assert comparison(f'{operator} ["a", 1]') == (operator, ["a", 1])


class TestCovers:
    """Which versions lie in the releases."""

    def test_all_must_hold(self) -> None:
        """Every distribution of an alternative."""
        releases = {"a": ">=1", "b": "<2"}
        assert covers(releases, {"a": "1", "b": "1.9"})
        assert not covers(releases, {"a": "1", "b": "2"})
        assert not covers(releases, {"a": "1"})

    def test_any_version(self) -> None:
        """An empty specifier holds for any version that is installed, a pre-release too."""
        assert covers({"a": ""}, {"a": "0.1.dev0"})
        assert not covers({"a": ""}, {})

    @settings(max_examples=60, deadline=None)
    @given(st.tuples(*[st.integers(0, 30)] * 3), st.sampled_from(["", "+cpu", "+cu121"]))
    def test_local_labels_do_not_matter(self, release: tuple[int, ...], label: str) -> None:
        """A local label changes no membership of a range."""
        version = ".".join(map(str, release))
        for text in (">=2.1.0,<2.2.2", "==2.2.1", "!=2.2.1", "~=2.1"):
            assert covers({"a": text}, {"a": version + label}) == covers({"a": text}, {"a": version})


def test_distributions() -> None:
    """Every distribution that a statement of the record depends on, once, sorted."""
    record = failure(
        affected=[{"lightning": "<2"}, {"torch": "<2", "lightning": ">=2"}],
        rejected=[REJECTION | {"releases": {"fabric": ">1"}}],
        needs={"distributions": {"accelerate": ""}},
    )
    assert record.distributions == ("accelerate", "fabric", "lightning", "torch")
