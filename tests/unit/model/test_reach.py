"""What a record may say of who reaches a failure."""

from typing import Any

import pytest
from pydantic import ValidationError

from repro.model.reach import Accepted, Reach, Use, normal_value


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ({}, "a use is one of"),
        ({"symbols": ["torch.**.fully_shard"], "settings": ["a"]}, "a use is one of"),
        ({"symbols": ["fully_shard"]}, "is no symbol"),
        ({"symbols": ["torch.**.a.**.bcd"]}, "is no symbol"),
        ({"symbols": ["pandas.**.frame"]}, "begins with none of"),
        ({"symbols": ["torch.**.*"]}, "fits nearly every name"),
        ({"settings": ["a b"]}, "is no name"),
        ({"texts": ["("]}, "no regular expression"),
        ({"texts": ["x"], "values": [1]}, "'values'"),
        ({"settings": ["x"], "arguments": {"a": {}}}, "'arguments'"),
        ({"any_of": [{}]}, "a use is one of"),
        ({"settings": ["x"], "on": "x"}, "'on'"),
        ({"methods": ["x"], "on": "("}, "no regular expression"),
        ({"texts": ["x"], "shown": True}, "'shown'"),
        ({"any_of": [{"settings": ["x"]}], "one_file": True}, "'one_file'"),
        ({"settings": ["x"], "releases": {"torch": "newer"}}, "no PEP 440 specifier"),
        ({"settings": ["x"], "releases": {}}, "at least 1"),
        ({"sybmols": ["torch.x1"]}, "Extra inputs"),
    ],
)
def test_refused(use: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Use.model_validate(use)


@pytest.mark.parametrize("key", ["may", "unless"])
def test_too_many_uses(key: str) -> None:
    half = {"any_of": [{"settings": ["a"]}] * 50}
    with pytest.raises(ValidationError, match="at most 100"):
        Reach.model_validate({"who": "x", "when": half, key: half})


@pytest.mark.parametrize(
    ("value", "accepted", "expected"),
    [
        ("true", {"values": [True]}, True),
        ("true", {"values": ["yes"]}, True),
        ("link", {"values": [True]}, False),
        ("4", {"other_than": [1]}, True),
        ("1", {"other_than": ["1"]}, False),
        (None, {"values": [2]}, True),
        ("none", {"other_than": [None]}, False),
        ("x", {}, True),
        ("2", {"values": [2], "shown": True}, True),
        (None, {"values": [2], "shown": True}, False),
    ],
)
def test_values(value: str | None, accepted: dict[str, Any], *, expected: bool) -> None:
    """A value that the text does not show may be meant."""
    assert Accepted.model_validate(accepted).accepts(value) is expected


def test_normal_values() -> None:
    assert [normal_value(value) for value in (True, "On", 2, "BF16-mixed", None, "")] == [
        "true",
        "true",
        "2",
        "bf16-mixed",
        "none",
        "none",
    ]
