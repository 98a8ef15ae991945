"""Patterns that are searched for only in a text that can hold a match.

Most rules of the redaction need a text that most lines do not have: an ``@``, ``arn:aws``, ``password``.  It is
faster to look for these first than to let every pattern search every text, and it changes no result: ``needed_texts``
derives them from the pattern.  Of what it does not know it assumes nothing, so that the pattern is searched for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import product
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from repro.report.known_rules import known_needs

MOST_ALTERNATIVES = 64
"""A need of more alternatives is not looked for: the pattern is as fast."""
TOO_FREQUENT = 0.5
"""Nearly every line holds one of these: any letter or digit, say."""
MOST_NEEDS = 2
Texts = frozenset[str]
"""Texts of which a match holds at least one, without regard to case."""
NOTHING: Texts = frozenset({""})
_ASCII_CASES = {0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}
"""Characters beyond ASCII that ``re.IGNORECASE`` takes for letters of ASCII."""
THREE = 3
_COMMON = " etaoinsrhldcumfpgwybvkxjqz0123456789"
"""From common to rare, roughly; what is not here is taken for common, which costs time only."""


class TextRule:
    """As a compiled pattern; it is compiled when a text first holds what it needs."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.source = (pattern, flags)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern itself."""
        return re.compile(*self.source)

    @cached_property
    def needs(self) -> tuple[Texts, ...]:
        """What a text must hold: of each of these, one."""
        known = known_needs(self.source)
        return needed_texts(*self.source) if known is None else known

    @cached_property
    def _signs(self) -> tuple[tuple[Texts | None, Texts], ...]:
        """Each need, after three letters of each of its texts where all are as long: those are looked up together."""
        return tuple((_three_of_each(texts), texts) for texts in self.needs)

    def may_match(self, text: str) -> bool:
        """False if no part of the text can match."""
        lower, threes = _letters(text)
        for signs, texts in self._signs:
            if signs is not None and signs.isdisjoint(threes):
                return False
            for needed in texts:
                if needed in lower:
                    break
            else:
                return False
        return True

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
        """As ``re.Pattern.sub``."""
        return self.pattern.sub(replacement, text) if self.may_match(text) else text

    def search(self, text: str) -> re.Match[str] | None:
        """As ``re.Pattern.search``."""
        return self.pattern.search(text) if self.may_match(text) else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """As ``re.Pattern.finditer``."""
        return self.pattern.finditer(text) if self.may_match(text) else iter(())


@lru_cache(maxsize=8)
def _letters(text: str) -> tuple[str, frozenset[str]]:
    """The text in lower case, every character that may match a letter of ASCII as this letter; and all threes in it."""
    lower = text.lower() if text.isascii() else text.translate(_ASCII_CASES).lower()
    return lower, frozenset([lower[at : at + THREE] for at in range(len(lower) - THREE + 1)])


def _three_of_each(texts: Texts) -> Texts | None:
    """The rarest three characters of each text that follow one another; None if one is shorter."""
    if min(map(len, texts)) < THREE:
        return None
    threes = ([text[at : at + THREE] for at in range(len(text) - THREE + 1)] for text in texts)
    return frozenset(min(of_one, key=lambda three: (-sum(map(_COMMON.find, three)), three)) for of_one in threes)


def needed_texts(pattern: str, flags: int = 0) -> tuple[Texts, ...]:
    """The best of what every text with a match holds; empty if nothing is sure."""
    found = _of_sequence(parser.parse(pattern, flags))
    return tuple(sorted(_useful(found), key=_frequency)[:MOST_NEEDS])


def _frequency(texts: Texts) -> float:
    """How often one of these stands in a line, roughly: a letter is common, a sign is rarer, several are rare."""
    return sum(0.08 ** sum(1 if c.isalpha() or c in " ./:-=" else 1.5 for c in text) for text in texts)


def _useful(needs: Iterable[Texts]) -> list[Texts]:
    """The needs that a text can fail, each without the alternatives that hold another one."""
    least = (frozenset(one for one in texts if not any(o != one and o in one for o in texts)) for texts in needs)
    few = (texts for texts in least if "" not in texts and len(texts) <= MOST_ALTERNATIVES)
    return [texts for texts in few if _frequency(texts) < TOO_FREQUENT]


def _of_sequence(sequence: Iterable[tuple[Any, Any]]) -> list[Texts]:
    return _flushed(*_read(sequence))


def _flushed(needs: list[Texts], exact: Texts | None) -> list[Texts]:
    return needs if exact is None else [*needs, exact]


def _read(sequence: Iterable[tuple[Any, Any]]) -> tuple[list[Texts], Texts | None]:
    """What a sequence needs, and all texts that it matches, or None if they are too many to list.

    What is listed last stays open: the next element of the sequence around this one may follow it directly.
    """
    needs: list[Texts] = []
    before: Texts = NOTHING
    whole = True
    for code, value in sequence:
        inner, exact = _element(code, value)
        needs += inner
        if exact is not None and len(before) * len(exact) <= MOST_ALTERNATIVES:
            before = frozenset(left + right for left, right in product(before, exact))
            continue
        whole = False
        needs.append(before)
        before = NOTHING if exact is None else exact
    return (needs, before) if whole else ([*needs, before], None)


def _element(code: Any, value: Any) -> tuple[list[Texts], Texts | None]:
    """What one element of a pattern needs, and all texts that it matches."""
    if code is codes.LITERAL:
        return [], _characters([value])
    if code is codes.IN:
        return [], _characters(_listed(value))
    if code is codes.AT:
        return [], NOTHING
    if code in {codes.ASSERT, codes.ASSERT_NOT}:
        # What a lookahead asks for is in the text too, but may overlap what follows.
        return (_of_sequence(value[1]) if code is codes.ASSERT else []), NOTHING
    if code is codes.SUBPATTERN:
        return _read(value[3])
    if code is codes.ATOMIC_GROUP:
        return _read(value)
    if code is codes.BRANCH:
        return _branch(value[1])
    if code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}:
        return _repeat(*value)
    return [], None


def _characters(numbers: Sequence[int] | None) -> Texts | None:
    """The characters of a class in lower case; None for a class that is large or holds more than ASCII."""
    if numbers is None or any(number > 127 for number in numbers):  # noqa: PLR2004 - the last of ASCII
        return None
    return frozenset(chr(number).lower() for number in numbers)


def _listed(items: Sequence[tuple[Any, Any]]) -> list[int] | None:
    numbers: list[int] = []
    for code, value in items:
        if code is codes.LITERAL:
            numbers.append(value)
        elif code is codes.RANGE and value[1] - value[0] < MOST_ALTERNATIVES:
            numbers += range(value[0], value[1] + 1)
        else:
            return None
    return numbers


def _branch(branches: Sequence[Iterable[tuple[Any, Any]]]) -> tuple[list[Texts], Texts | None]:
    read = [_read(branch) for branch in branches]
    exact = [texts for needs, texts in read if texts is not None and not needs]
    if len(exact) == len(read):
        together = frozenset().union(*exact)
        if len(together) <= MOST_ALTERNATIVES:
            return [], together
    of_each = [sorted(_useful(_flushed(*one)), key=_frequency)[:1] for one in read]
    return ([frozenset().union(*(best for (best,) in of_each))] if all(of_each) else []), None


def _repeat(least: int, most: int, item: Iterable[tuple[Any, Any]]) -> tuple[list[Texts], Texts | None]:
    needs, exact = _read(item)
    if least == 0:
        return [], exact | NOTHING if most == 1 and exact is not None else None
    if (least, most) == (1, 1):
        return needs, exact
    return _flushed(needs, exact), None
