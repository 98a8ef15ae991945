"""Reads the plain data of a pickle and runs nothing of it.

``pickle`` imports and calls what a file names.  This reader knows only the operations that make numbers, texts, lists,
tuples and dictionaries; any other ends it.  Memory and time are bounded by the size of the content.
"""

import pickletools
from typing import Any

MOST_OPERATIONS = 8_000_000
_IGNORED = frozenset({"PROTO", "FRAME"})
_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_GIVEN = frozenset({*_NUMBERS, *_TEXTS, *_BYTES})
"""Operations whose argument is the value."""
_PUTS, _GETS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"}), frozenset({"GET", "BINGET", "LONG_BINGET"})
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class NotPlainError(Exception):
    """The content is no pickle, or one of more than plain data."""


def is_pickle(start: bytes) -> bool:
    """True if a content begins as a pickle of protocol 2 to 5; no text in UTF-8 or UTF-16 begins so."""
    return start[:1] == b"\x80" and start[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}


def plain_data(content: bytes) -> object:
    """The value of a pickle; raises NotPlainError for one that is broken, or that would import or call something."""
    try:
        return _Reader().read(content)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise NotPlainError("is a broken pickle") from error


class _Reader:
    """The stack of a pickle; an open list of values for each mark."""

    def __init__(self) -> None:
        self._stacks: list[list[Any]] = [[]]
        self._memo: dict[int, object] = {}

    def read(self, content: bytes) -> object:
        for count, (operation, argument, position) in enumerate(pickletools.genops(content)):
            if count == MOST_OPERATIONS:
                raise NotPlainError(f"is a pickle of more than {MOST_OPERATIONS} operations")
            name = operation.name
            if name == "STOP":
                return self._stacks[-1].pop()
            if not self._make(name, argument):
                raise NotPlainError(f"is a pickle of more than plain data ({name} at byte {position})")
        raise NotPlainError("is a broken pickle")

    def _make(self, name: str, argument: Any) -> bool:
        """Do one operation; False if it is not one of plain data."""
        stack = self._stacks[-1]
        if name in _GIVEN:
            stack.append(argument)
        elif name in _PUTS:
            self._memo[int(argument)] = stack[-1]
        elif name in _GETS:
            stack.append(self._memo[int(argument)])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name not in _IGNORED:
            return self._collect(name, stack)
        return True

    def _collect(self, name: str, stack: list[Any]) -> bool:
        if name == "MARK":
            self._stacks.append([])
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "APPEND":
            value = stack.pop()
            _list(stack[-1]).append(value)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _dict(stack[-1]).update(_pairs([key, value]))
        elif name in {"APPENDS", "SETITEMS", "TUPLE", "LIST", "DICT"}:
            values = self._stacks.pop()
            self._take(name, values, self._stacks[-1])
        else:
            return False
        return True

    @staticmethod
    def _take(name: str, values: list[Any], stack: list[Any]) -> None:
        """Put the values since a mark where they belong."""
        if name == "APPENDS":
            _list(stack[-1]).extend(values)
        elif name == "SETITEMS":
            _dict(stack[-1]).update(_pairs(values))
        elif name == "DICT":
            stack.append(_pairs(values))
        else:
            stack.append(tuple(values) if name == "TUPLE" else values)


def _pairs(values: list[Any]) -> dict[str | int, Any]:
    """Keys and values in turns; a key is a text or a number: the hash of a deep tuple overflows the stack of C."""
    if not all(isinstance(key, str | int) for key in values[::2]):
        raise TypeError
    return dict(zip(values[::2], values[1::2], strict=True))


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _dict(value: object) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value
