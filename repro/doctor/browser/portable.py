r"""Translates a regular expression to JavaScript, or refuses it.  Pure.

The expressions of Python, RE2 and JavaScript look alike but differ in details: what ``\w`` and ``.`` match, where
``$`` matches, how groups are named.  The expression is parsed and written again part by part; if a part has no exact
equivalent in JavaScript, the expression is refused.  RE2 never backtracks but browsers do, so an unbounded repetition
inside another one is refused too.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from re import _constants as codes  # type: ignore[attr-defined]  # the parse tree has no public module
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from repro.model.base import Strict


class Dialect(Enum):
    """The syntax of an expression."""

    PYTHON = "python"
    """Character classes are Unicode."""
    RE2 = "re2"
    """Character classes are ASCII."""


class NotPortableError(ValueError):
    """An expression has a part that JavaScript cannot express in the same way."""


class Expression(Strict):
    """A JavaScript regular expression."""

    source: str
    flags: str


@dataclass(frozen=True)
class _Classes:
    digit: str
    word: str
    space: str
    not_digit: str
    not_space: str


_CLASSES = {
    Dialect.PYTHON: _Classes(r"\p{Nd}", r"\p{L}\p{N}_", r"\s", r"\P{Nd}", r"\S"),
    Dialect.RE2: _Classes("0-9", "A-Za-z0-9_", r"\t\n\f\r ", "", ""),
}
_UNLIKE = re.compile(r"\[:|\{,|\\[QEpPzCAX]")
"""Parts that Python's parser reads differently than RE2: POSIX classes, ``{,n}``, and escapes that only RE2 has."""
_PLAIN = re.compile(r"[A-Za-z0-9 _!\"#%&',:;<=>@~`]")


def portable(pattern: str, dialect: Dialect, flags: int = 0) -> Expression:
    """The JavaScript expression with the same matches and groups; raises NotPortableError."""
    if dialect is Dialect.RE2 and _UNLIKE.search(pattern):
        raise NotPortableError(f"{pattern!r}: RE2 reads a part of it otherwise than Python")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set": what a later Python reads otherwise
            tree = parser.parse(pattern, flags)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise NotPortableError(f"{pattern!r}: {error}") from None
    ignored = tree.state.flags & ~(re.UNICODE | re.VERBOSE | re.MULTILINE | re.DOTALL | re.IGNORECASE)
    if ignored:
        raise NotPortableError(f"{pattern!r}: a flag that JavaScript lacks")
    writer = _Writer(dialect, tree.state)
    return Expression(source=writer.sequence(tree), flags="iu" if tree.state.flags & re.IGNORECASE else "u")


class _Writer:
    def __init__(self, dialect: Dialect, state: Any) -> None:
        self._classes = _CLASSES[dialect]
        self._lines = bool(state.flags & re.MULTILINE)
        self._all = bool(state.flags & re.DOTALL)
        self._names = {number: name for name, number in state.groupdict.items()}
        self._bounded = dialect is Dialect.PYTHON  # ours are measured on logs; those of records are not
        self._repeated = 0

    def sequence(self, parts: Iterable[tuple[Any, Any]]) -> str:
        return "".join(self._part(code, value) for code, value in parts)

    def _part(self, code: Any, value: Any) -> str:
        if code is codes.LITERAL:
            return _literal(value)
        if code is codes.NOT_LITERAL:
            return f"[^{_literal(value)}]"
        if code is codes.ANY:
            return "[^]" if self._all else r"[^\n]"
        if code is codes.IN:
            return self._set(value)
        if code is codes.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch) for branch in value[1])})"
        if code is codes.SUBPATTERN:
            return self._group(*value)
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
            return self._repeat(*value, lazy=code is codes.MIN_REPEAT)
        if code is codes.AT:
            return self._at(value)
        return self._rare(code, value)

    def _rare(self, code: Any, value: Any) -> str:
        """Parts that only our own expressions have, since RE2 refuses them."""
        if code in {codes.ASSERT, codes.ASSERT_NOT}:
            direction, inner = value
            sign = "=" if code is codes.ASSERT else "!"
            return f"(?{'<' if direction < 0 else ''}{sign}{self.sequence(inner)})"
        if code is codes.GROUPREF:
            name = self._names.get(value)
            return rf"\k<{name}>" if name else rf"(?:\{value})"
        raise NotPortableError(f"{code} has no equal in JavaScript")

    def _group(self, number: int | None, added: int, removed: int, inner: Sequence[tuple[Any, Any]]) -> str:
        if added or removed:
            raise NotPortableError("flags inside of an expression")
        if number is None:
            return f"(?:{self.sequence(inner)})"
        name = self._names.get(number)
        return f"({f'?<{name}>' if name else ''}{self.sequence(inner)})"

    def _repeat(self, least: Any, most: Any, inner: Sequence[tuple[Any, Any]], *, lazy: bool) -> str:
        endless = most is codes.MAXREPEAT and not self._bounded
        self._repeated += endless
        if self._repeated > 1:
            raise NotPortableError("a repetition inside of a repetition, for which a browser may take for ever")
        text = self.sequence(inner)
        self._repeated -= endless
        one = len(inner) == 1 and inner[0][0] in {codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN}
        text = text if one or _is_group(inner) else f"(?:{text})"
        end = "" if most is codes.MAXREPEAT else str(int(most))
        count = {"0,": "*", "1,": "+", "0,1": "?"}.get(f"{int(least)},{end}") or (
            f"{{{int(least)}}}" if str(int(least)) == end else f"{{{int(least)},{end}}}"
        )
        return f"{text}{count}{'?' if lazy else ''}"

    def _at(self, where: Any) -> str:
        word = f"[{self._classes.word}]"
        inside = f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
        outside = f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"
        texts = {
            codes.AT_BEGINNING: r"(?<![^\n])" if self._lines else "(?<![^])",
            codes.AT_BEGINNING_STRING: "(?<![^])",
            codes.AT_END: r"(?![^\n])" if self._lines else r"(?=\n?(?![^]))",
            codes.AT_END_STRING: "(?![^])",
            codes.AT_BOUNDARY: inside,
            codes.AT_NON_BOUNDARY: outside,
        }
        if where not in texts:
            raise NotPortableError(f"{where} has no equal in JavaScript")
        return texts[where]

    def _set(self, items: Sequence[tuple[Any, Any]]) -> str:
        negated = bool(items) and items[0][0] is codes.NEGATE
        rest = items[1:] if negated else items
        if len(rest) == 1 and rest[0][0] is codes.CATEGORY:
            whole = self._whole_class(rest[0][1], negated=negated)
            if whole:
                return whole
        return f"[{'^' if negated else ''}{''.join(self._member(code, value) for code, value in rest)}]"

    def _whole_class(self, category: Any, *, negated: bool) -> str:
        """A class outside of a set, which may be negated."""
        known = self._classes
        inner = {
            codes.CATEGORY_NOT_DIGIT: known.digit,
            codes.CATEGORY_NOT_WORD: known.word,
            codes.CATEGORY_NOT_SPACE: known.space,
        }.get(category)
        return f"[{'' if negated else '^'}{inner}]" if inner else ""

    def _member(self, code: Any, value: Any) -> str:
        known = self._classes
        if code is codes.LITERAL:
            return _literal(value)
        if code is codes.RANGE:
            return f"{_literal(value[0])}-{_literal(value[1])}"
        if code is codes.CATEGORY:
            text = {
                codes.CATEGORY_DIGIT: known.digit,
                codes.CATEGORY_WORD: known.word,
                codes.CATEGORY_SPACE: known.space,
                codes.CATEGORY_NOT_DIGIT: known.not_digit,
                codes.CATEGORY_NOT_SPACE: known.not_space,
            }.get(value, "")
            if text:
                return text
        raise NotPortableError(f"{value or code} inside of a set has no equal in JavaScript")


def _is_group(inner: Sequence[tuple[Any, Any]]) -> bool:
    return len(inner) == 1 and inner[0][0] in {codes.SUBPATTERN, codes.BRANCH}


def _literal(character: int) -> str:
    text = chr(character)
    return text if _PLAIN.fullmatch(text) else f"\\u{{{character:x}}}"
