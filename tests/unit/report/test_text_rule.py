"""A rule is searched for only where it can match, and everywhere there: what it needs is derived, never guessed."""

import re
import string
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.report import named_values, private_lines, private_shapes, redaction, web_addresses
from repro.report.redaction import Redactor
from repro.report.secret_rules import secret_rules
from repro.report.text_rule import TextRule, needed_texts
from tests.bench.redaction import HONEST, SETS, plant


def all_rules() -> Iterator[tuple[str, TextRule]]:
    """Every rule of the redaction with a name."""
    for module in (redaction, private_lines, private_shapes, named_values, web_addresses):
        for name, held in vars(module).items():
            rules = held if isinstance(held, tuple) else (held,)
            for number, item in enumerate(rules):
                rule = item[0] if isinstance(item, tuple) and item else item
                if isinstance(rule, TextRule):
                    yield f"{module.__name__.rpartition('.')[2]}.{name}[{number}]", rule
    for number, rule in enumerate(secret_rules()):
        yield f"secret_rules[{number}]", rule


RULES = {id(rule): (name, rule) for name, rule in all_rules()}
LINES = sorted(
    {one.line for seed in (1, 2) for file in SETS for one in plant(seed, file)}
    | {line for file in HONEST for line in file.read_text(encoding="utf-8").splitlines()}
)


def test_on_lines() -> None:
    """What is planted for the rules, and lines that only look like it: no match is missed, most searches are spared."""
    spared = searched = 0
    for line in LINES:
        for name, rule in RULES.values():
            if rule.may_match(line):
                searched += 1
            else:
                spared += 1
                assert rule.pattern.search(line) is None, (name, line)
    assert len(RULES) > 190
    assert spared > 2 * searched


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_on_what_matches(data: st.DataObject) -> None:
    """A text made from the pattern itself holds what the rule needs, in upper case and with long letters too."""
    name, rule = data.draw(st.sampled_from(list(RULES.values())))
    text = data.draw(st.from_regex(rule.pattern))
    for form in (text, text.upper(), text.swapcase(), text.replace("s", "\u017f").replace("K", "\u212a")):
        assert rule.may_match(form) or rule.pattern.search(form) is None, (name, form)


PIECES = [
    *("a", "[a-c]x", ".", "[^a]", "K", "ss", "(?:ab|x)", "(?:|a)", "(?:a.|b)", "(x)", r"\b", "é"),
    *("(?=b)", "(?<!a)", "(?i:I)", "(?>ab)", "[k-m]"),
]


@pytest.mark.parametrize("repeated", ["", "?", "*", "+", "{2}", "{1,2}", "{0,1}?"])
def test_small_patterns(repeated: str) -> None:
    """All pairs of the pieces that patterns are made of, on all short texts: a need never hides a match."""
    texts = ["".join(letters) for size in range(4) for letters in product("abxK", repeat=size)]
    texts += ["é", "aé", "s\u017f", "S\u1e9e", "\u212a", "\u0130", "\u0131", "lx", "\u017fSa", "a\u0131x"]
    for flags, left, right in product((0, re.IGNORECASE), PIECES, PIECES):
        source = f"{left}(?:{right}){repeated}"
        rule = TextRule(source, flags)
        wrong = [text for text in texts if not rule.may_match(text) and rule.pattern.search(text)]
        assert not wrong, (source, flags, rule.needs)


def test_every_character() -> None:
    """A character that matches a letter of ASCII, whatever its case, is no reason to skip a search."""
    letters = {letter: TextRule(f"-{letter}-", re.IGNORECASE) for letter in string.ascii_lowercase}
    every = "".join(map(chr, range(0x110000)))
    found = {letter: re.findall(letter, every, re.IGNORECASE) for letter in letters}
    assert sum(map(len, found.values())) > 2 * len(letters)
    assert all(letters[letter].may_match(f"-{one}-") for letter, matching in found.items() for one in matching)


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        (r"\barn:aws[\w-]*:", ({"arn:aws"}, {":"})),
        (
            r"(?i)(?:API|secret)[-_]?key=",
            ({f"{one}{sign}key=" for one in ("api", "secret") for sign in ("", "-", "_")},),
        ),
        (r"(?:api|secret)\w*=", ({"api", "secret"}, {"="})),
        (r"[\w.+-]{1,64}@(?:[a-z]{1,9}\.){1,8}", ({"@"}, {"."})),
        (r"(?<=x)(?=yy)[a-z]+", ({"yy"}, {"x"})),
        (r"(?:one|two)?", ()),
        (r"[a-z]+|@", ()),
    ],
)
def test_needs(source: str, needs: tuple[set[str], ...]) -> None:
    assert needed_texts(source) == tuple(map(frozenset, needs))


def test_as_the_pattern() -> None:
    """Where a text may match, a rule is its pattern."""
    rule = TextRule("(?i)key=(\\w+)")
    assert rule.sub(r"key=<\1>", "KEY=a key=b") == "key=<a> key=<b>"
    assert [found[1] for found in rule.finditer("KEY=a key=b")] == ["a", "b"]
    assert rule.search("the KEY=a") is not None
    assert rule.search("nothing") is None
    assert rule.sub("x", "nothing") == "nothing"
    assert list(rule.finditer("nothing")) == []


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*LINES, "\n", " ", "=", "\u0130", "\u017f"]), max_size=5).map("".join))
def test_the_redaction_is_the_same(text: str) -> None:
    """All rules together, with every search made."""
    left = Redactor()(text)
    may_match = TextRule.may_match
    try:
        TextRule.may_match = lambda *_: True  # type: ignore[method-assign]
        assert Redactor(folders=(("/nowhere", "x"),))(text) == left
    finally:
        TextRule.may_match = may_match  # type: ignore[method-assign]
