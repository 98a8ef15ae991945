"""Whether the facts of a project name what a record asks for.  Pure.

*Named* means that the text holds it, no more.  *Not named* is never *not affected*: a library may call the function
at fault on its own, and so may code that was not given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from repro.catalog.reach_groups import group
from repro.doctor.code.facts import (
    CLASS_KEYS,
    INSTANTIATE,
    Call,
    Facts,
    NamedSymbol,
    Open,
    Opening,
    Place,
    Setting,
    Value,
)
from repro.doctor.code.names import OURS, fits, fits_unresolved
from repro.model.failure import Failure
from repro.model.pattern import is_found
from repro.model.reach import Accepted, Use

MOST_PLACES = 5
DEEPEST_BASES = 5


class CodeFinding(StrEnum):
    """What the code says of one failure."""

    NAMED = "named"
    """All that the failure needs is named."""
    UNKNOWN = "could not tell"
    """Something may reach it that no text names, or the function at fault is replaced."""
    NOT_NAMED = "not named"


@dataclass(frozen=True)
class Found:
    """Something that a record asks for, where it stands."""

    what: str
    place: Place


@dataclass(frozen=True)
class Reached:
    """What the code says of one failure."""

    failure: Failure
    finding: CodeFinding
    found: tuple[Found, ...] = ()
    """What is named, and where; of a failure that is not named, what little is."""
    why: str = ""
    """Why it could not be told."""


@dataclass(frozen=True)
class _Answer:
    """Of one use: what names it, or else what may reach it without a name."""

    found: tuple[Found, ...] = ()
    open: Open | None = None
    is_touched: bool = False
    """Of what is open: something else that the failure needs is named, or the opening is one for any name."""

    @property
    def holds(self) -> bool:
        return bool(self.found)

    @property
    def is_open(self) -> bool:
        return self.open is not None and (self.is_touched or self.open.kind in _OPEN_ALONE)


_NO = _Answer()
_OPEN_ALONE = frozenset({Opening.IMPORT, Opening.ATTRIBUTE, Opening.MODEL, Opening.UNREAD})
"""What leaves a finding open although nothing that the failure needs is named."""


def judge_code(failures: Iterable[Failure], facts: Facts) -> list[Reached]:
    """What the code says of each failure."""
    project = _Project(facts)
    return [project.judge(failure) for failure in failures]


class _Project:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.by_setting: dict[str, list[Setting]] = {}
        for setting in facts.settings:
            self.by_setting.setdefault(setting.name, []).append(setting)
        described = any(name in self.by_setting for name in CLASS_KEYS)
        # What hydra makes is written in the configuration, where that is a part of the project.
        self.open = [item for item in facts.open if not (item.why == INSTANTIATE and described)]
        self.names: dict[str, NamedSymbol] = {}
        for named in sorted(facts.named, key=lambda item: item.is_import):  # a use says more than its import
            self.names.setdefault(named.name, named)

    def judge(self, failure: Failure) -> Reached:
        reach = failure.reach
        if reach is None:
            return Reached(failure, CodeFinding.UNKNOWN, why="the record does not say what reaches it")
        answer = self.answer(reach.when)
        replaced = self._replaced(reach.at_fault) if answer.holds or answer.is_open else None
        if replaced:
            return Reached(failure, CodeFinding.UNKNOWN, answer.found, _format_open(replaced))
        if answer.holds:
            return Reached(failure, CodeFinding.NAMED, answer.found[:MOST_PLACES])
        if answer.open and answer.is_open:
            return Reached(failure, CodeFinding.UNKNOWN, why=_format_open(answer.open))
        return Reached(failure, CodeFinding.NOT_NAMED)

    def answer(self, use: Use) -> _Answer:
        """Whether the project holds a use."""
        if use.group:
            return self.answer(group(use.group))
        if use.all_of:
            return _all([self.answer(part) for part in use.all_of])
        if use.any_of:
            return _any([self.answer(part) for part in use.any_of])
        if use.settings:
            return self._setting(use.settings, use.accepted)
        if use.texts:
            return self._text(use.texts)
        if use.bases:
            return self._base(use.bases, use.defines)
        if use.defines:
            return self._defined(use.defines)
        if use.methods:
            return self._called(tuple(f".{name}" for name in use.methods), use.arguments, is_method=True)
        return self._called(use.symbols, use.arguments) if use.arguments else self._symbol(use.symbols)

    # Kinds of uses

    def _symbol(self, symbols: Sequence[str]) -> _Answer:
        for symbol in symbols:
            named = self._named(symbol)
            if named:
                return _Answer((Found(_short(named.name), named.place),))
        return _Answer(open=self._opened_symbol(symbols))

    def _named(self, symbol: str) -> NamedSymbol | None:
        last = symbol.rpartition(".")[2]
        candidates = self.names.values() if "*" in last else self._by_last.get(last, ())
        return next((named for named in candidates if fits(symbol, named.name)), None)

    @cached_property
    def _by_last(self) -> Mapping[str, list[NamedSymbol]]:
        found: dict[str, list[NamedSymbol]] = {}
        for named in self.names.values():
            found.setdefault(named.name.rpartition(".")[2], []).append(named)
        return found

    def _opened_symbol(self, symbols: Sequence[str]) -> Open | None:
        for item in self.open:
            if item.kind in {Opening.IMPORT, Opening.ATTRIBUTE, Opening.EXECUTED, Opening.UNREAD} and any(
                _may_be(symbol, item) for symbol in symbols
            ):
                return item
        return None

    def _opened(self, words: Iterable[str], *kinds: Opening) -> Open | None:
        """What may hold one of some words without naming it."""
        chosen = {*kinds, Opening.EXECUTED, Opening.UNREAD}
        return next(
            (item for item in self.open if item.kind in chosen and any(item.may_name(word) for word in words)),
            None,
        )

    def _base(self, symbols: Sequence[str], methods: Sequence[str]) -> _Answer:
        for derived in self.facts.derived:
            defined = [name for name in methods if name in derived.methods]
            if (defined or not methods) and any(self._is_symbol(symbol, derived.base) for symbol in symbols):
                what = f"{derived.name}.{defined[0]}" if defined else f"class {derived.name}({_short(derived.base)})"
                return _Answer((Found(what, derived.place),))
        return _Answer(open=self._opened_symbol(symbols))

    def _defined(self, names: Sequence[str]) -> _Answer:
        for derived in self.facts.derived:
            for name in names:
                if name in derived.methods:
                    return _Answer((Found(f"{derived.name}.{name}", derived.place),))
        return _Answer(open=self._opened(names))

    def _setting(self, names: Sequence[str], accepted: Accepted) -> _Answer:
        found = [
            setting
            for name in names
            for setting in self.by_setting.get(name.rpartition(".")[2], ())
            if accepted.accepts(setting.value) and name.rpartition(".")[0] in {"", setting.parent}
        ]
        for setting in sorted(found, key=lambda item: item.value is None):  # a known value says more
            return _Answer((Found(_format_setting(setting.name, setting.value), setting.place),))
        return _Answer(open=self._opened([name.rpartition(".")[2] for name in names], Opening.SETTINGS))

    def _text(self, patterns: Sequence[str]) -> _Answer:
        for text in self.facts.texts:
            if any(is_found(pattern, text.text) for pattern in patterns):
                return _Answer((Found(repr(text.text), text.place),))
        kinds = {Opening.MODEL, Opening.EXECUTED}
        return _Answer(open=next((item for item in self.open if item.kind in kinds), None))

    def _called(self, names: Sequence[str], arguments: Mapping[str, Accepted], *, is_method: bool = False) -> _Answer:
        """Calls with all of some arguments; what ``**`` hands on is looked for among the settings."""
        maybe: Open | None = None
        for call in self._calls(names, is_method=is_method):
            found = [self._argument(call, name, accepted) for name, accepted in arguments.items()]
            if all(found):
                return _Answer((Found(_format_call(call, arguments), call.place), *_elsewhere(found, call)))
            if call.is_open and maybe is None and all(name not in call.arguments or item for name, item in
                                                      zip(arguments, found, strict=True)):  # fmt: skip
                maybe = Open(Opening.SETTINGS, "", call.place, f"{_short(call.names[0])}(**...)")
        symbols = [] if is_method else names
        if maybe:
            return _Answer(open=maybe, is_touched=True)
        return _Answer(open=self._opened_symbol(symbols) if symbols else None)

    def _argument(self, call: Call, name: str, accepted: Accepted) -> Found | None:
        if name in call.arguments:
            value = call.arguments[name]
            return Found(_format_setting(name, value), call.place) if accepted.accepts(value) else None
        answer = self._setting([name], accepted) if call.is_open else _NO
        return answer.found[0] if answer.found else None

    def _calls(self, names: Sequence[str], *, is_method: bool) -> Iterable[Call]:
        for call in self.facts.calls:
            if is_method:
                if any(name in names for name in call.names):
                    yield call
            elif any(self._is_symbol(symbol, name) for symbol in names for name in call.names):
                yield call

    def _is_symbol(self, symbol: str, name: str, depth: int = 0) -> bool:
        """True if a called name is a symbol, a name of the project's own for it, or a class that derives from it."""
        if fits(symbol, name) or (fits_unresolved(symbol, name) and self._named(symbol) is not None):
            return True
        bases = self._bases.get(name.rpartition(".")[2], ())
        own = name.partition(".")[0] not in OURS
        return own and depth < DEEPEST_BASES and any(self._is_symbol(symbol, base, depth + 1) for base in bases)

    @cached_property
    def _bases(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for derived in self.facts.derived:
            found.setdefault(derived.name, []).append(derived.base)
        return found

    def _replaced(self, at_fault: Sequence[str]) -> Open | None:
        """A place where a function at fault is set, overridden, or defined anew."""
        for symbol in at_fault:
            owner, last = symbol.split(".")[-2:]
            for item in self.open:
                if item.kind is Opening.REPLACED and item.what.split(".")[-2:] == [owner, last]:
                    return item
                if item.kind is Opening.REPLACED and owner.islower() and item.what.rpartition(".")[2] == last:
                    return item
            for derived in self.facts.derived:
                if derived.base.rpartition(".")[2] == owner and last in derived.methods:
                    return Open(Opening.REPLACED, f"{derived.name}.{last}", derived.place)
            for defined in self.facts.defined if owner.islower() or owner == "**" else ():
                if defined.name == last:
                    return Open(Opening.REPLACED, last, defined.place, "defines a function of its own")
        return None


def _all(answers: Sequence[_Answer]) -> _Answer:
    if all(answer.holds for answer in answers):
        return _Answer(tuple(dict.fromkeys(found for answer in answers for found in answer.found)))
    if all(answer.holds or answer.open for answer in answers):
        first = next(answer.open for answer in answers if answer.open and not answer.holds)
        return _Answer(open=first, is_touched=any(answer.holds or answer.is_touched for answer in answers))
    return _NO


def _any(answers: Sequence[_Answer]) -> _Answer:
    held = next((answer for answer in answers if answer.holds), None)
    opened = [answer for answer in answers if answer.open]
    return held or max(opened, key=lambda answer: answer.is_open, default=_NO)


def _may_be(symbol: str, item: Open) -> bool:
    """True if what is opened may be a symbol: no attribute of ``torch.optim`` is ``torch.distributed.**.DTensor``."""
    fixed = symbol.partition("*")[0]
    if item.kind is Opening.ATTRIBUTE:
        module, _, begin = item.what.rpartition(".")
        holds = f"{module}.".startswith(fixed) if "**" in symbol else symbol.rpartition(".")[0] == module
        return holds and (symbol.rpartition(".")[2].startswith(begin) or "*" in symbol.rpartition(".")[2])
    if item.kind is Opening.UNREAD:
        return "*" in symbol.rpartition(".")[2] or item.may_name(symbol.rpartition(".")[2])
    return not item.what or fixed.startswith(item.what) or item.what.startswith(fixed)


def _elsewhere(found: Sequence[Found | None], call: Call) -> list[Found]:
    return [item for item in found if item and item.place != call.place]


def _short(name: str) -> str:
    """The last parts of a name: enough for people."""
    return name.removeprefix("builtins.").rpartition(".")[2]


def _format_setting(name: str, value: Value) -> str:
    return f"{name}={value}" if value is not None else f"{name} (value not constant)"


def _format_call(call: Call, arguments: Mapping[str, Accepted]) -> str:
    given = [_format_setting(name, call.arguments[name]) for name in arguments if name in call.arguments]
    handed_on = ["**"] if len(given) < len(arguments) else []
    return f"{_short(call.names[-1])}({', '.join([*given, *handed_on])})"


def _format_open(item: Open) -> str:
    detail = f" ({item.why or item.what})" if item.why or item.what else ""
    return f"{item.place} {item.kind}{detail}"
