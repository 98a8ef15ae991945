"""Which ranks show a failure: all of them, any, or those that a record names.  Pure."""

import re
from collections.abc import Iterable
from typing import TypeGuard

_ALL_BUT = re.compile(r"all but \d{1,5}(, \d{1,5})*")


def _is_rank(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_ranks(value: object) -> str | int | tuple[int, ...]:
    """What a record says, checked: a quoted number is a number.  Raises ValueError."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    if isinstance(value, str) and (value in {"all", "any"} or _ALL_BUT.fullmatch(value)):
        return value
    if _is_rank(value):
        return value
    if isinstance(value, list | tuple) and value and all(_is_rank(number) for number in value):
        return tuple(sorted(set(value)))
    raise ValueError(f"{value!r} names no ranks: all, any, a rank such as 0, ranks such as [0, 2], or 'all but 0'")


def excepted(ranks: str) -> frozenset[int]:
    """The ranks that ``all but 0, 1`` leaves out; none for other text."""
    return frozenset(map(int, re.findall(r"\d+", ranks)))


def named_ranks(ranks: str | int | tuple[int, ...]) -> tuple[int, ...]:
    """The numbers that stand in it."""
    if isinstance(ranks, str):
        return tuple(sorted(excepted(ranks)))
    return ranks if isinstance(ranks, tuple) else (ranks,)


def must_show(ranks: str | int | tuple[int, ...], rank: int) -> bool:
    """True if this rank shows the failure, by the record."""
    if isinstance(ranks, str):
        return ranks != "any" and rank not in excepted(ranks)
    return rank in ranks if isinstance(ranks, tuple) else rank == ranks


def may_show(ranks: str | int | tuple[int, ...], rank: int) -> bool:
    """True unless the record says that this rank does not show the failure."""
    return ranks == "any" or must_show(ranks, rank)


def _listed(ranks: Iterable[int]) -> str:
    *first, last = map(str, sorted(ranks))
    return f"{', '.join(first)} and {last}" if first else last


def in_words(ranks: str | int | tuple[int, ...]) -> str:
    """``every rank``, ``at least one rank``, ``rank 0 only``, ``ranks 0 and 2 only``, ``every rank but 0``."""
    if isinstance(ranks, str):
        if excepted(ranks):
            return f"every rank but {_listed(excepted(ranks))}"
        return "every rank" if ranks == "all" else "at least one rank"
    named = named_ranks(ranks)
    return f"rank{'s' if len(named) > 1 else ''} {_listed(named)} only"
