"""Decides whether a project's code names what a failure needs.  Pure.

*Named* only means that the text contains it.  *Not named* is never *not affected*: a library, or code that was not
given, may call the faulty function itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
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
from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure
from repro.model.pattern import is_found
from repro.model.reach import Accepted, Reach, Use
from repro.model.specifiers import covers

MOST_PLACES = 5


class CodeFinding(StrEnum):
    """What the code says of one failure."""

    NAMED = "named"
    """Everything that the failure needs is named."""
    UNKNOWN = "could not tell"
    """Something may reach it without being named, or the faulty function is replaced."""
    NOT_NAMED = "not named"


@dataclass(frozen=True)
class Found:
    """Something that a record asks for, with its place."""

    what: str
    place: Place


@dataclass(frozen=True)
class Reached:
    """What the code says of one failure."""

    failure: Failure
    finding: CodeFinding
    found: tuple[Found, ...] = ()
    """What is named, and where; for a failure that is not named, the parts that are."""
    why: str = ""
    """Why it is undecided."""


@dataclass(frozen=True)
class _Answer:
    """The answer for one use: what names it, else what may reach it without naming it."""

    found: tuple[Found, ...] = ()
    open: Open | None = None
    is_touched: bool = False
    """For an open answer: True if something else that the failure needs is named, or the opening allows any name."""

    @property
    def holds(self) -> bool:
        return bool(self.found)

    @property
    def is_open(self) -> bool:
        return self.open is not None and (self.is_touched or self.open.kind in _OPEN_ALONE)


_NO = _Answer()
_OPEN_ALONE = frozenset({Opening.IMPORT, Opening.ATTRIBUTE, Opening.MODEL, Opening.UNREAD})
"""Openings that leave a finding undecided even if nothing that the failure needs is named."""


def judge_code(failures: Iterable[Failure], facts: Facts, stack: Stack | None = None) -> list[Reached]:
    """The finding for each failure; ``stack`` holds the versions if they are known."""
    project = _Project(facts, stack)
    return [project.judge(failure) for failure in failures]


class _Project:
    def __init__(self, facts: Facts, stack: Stack | None = None) -> None:
        self.facts, self.stack = facts, stack
        self.by_group: dict[str, _Answer] = {}
        self.lineages: dict[str, list[str]] = {}
        self.by_setting: dict[str, list[Setting]] = {}
        for setting in facts.settings:
            self.by_setting.setdefault(setting.name, []).append(setting)
        described = any(name in self.by_setting for name in CLASS_KEYS)
        # The objects that hydra creates are named in the configuration, if that is part of the project.
        self.open = [item for item in facts.open if not (item.why == INSTANTIATE and described)]
        self.names: dict[str, NamedSymbol] = {}
        # A use is stronger evidence than an import, and an import than a type check.
        for named in sorted(facts.named, key=lambda item: (item.is_check, item.is_import)):
            self.names.setdefault(named.name, named)

    def judge(self, failure: Failure) -> Reached:
        reach = failure.reach
        if reach is None:
            return Reached(failure, CodeFinding.UNKNOWN, why="the record does not say what reaches it")
        answer = self._with_hints(self.answer(reach.when), reach)
        replaced = self._replaced(reach.at_fault) if answer.holds or answer.is_open else None
        if replaced:
            return Reached(failure, CodeFinding.UNKNOWN, answer.found, _format_open(replaced))
        if answer.holds:
            return Reached(failure, CodeFinding.NAMED, answer.found[:MOST_PLACES])
        if answer.open and answer.is_open:
            return Reached(failure, CodeFinding.UNKNOWN, why=_format_open(answer.open))
        return Reached(failure, CodeFinding.NOT_NAMED)

    def _with_hints(self, answer: _Answer, reach: Reach) -> _Answer:
        """The answer, made undecided if ``unless`` holds too or if only ``may`` holds."""
        spared = self.answer(reach.unless) if answer.holds and reach.unless else _NO
        hints, kind = (spared, Opening.SPARED) if spared.holds else (_NO, Opening.MAYBE)
        if not answer.holds and not answer.is_open and reach.may:
            hints = self.answer(reach.may)
        if not hints.holds:
            return hints if hints.is_open else answer
        last = hints.found[-1]
        return _Answer(open=Open(kind, "", last.place, ", ".join(item.what for item in hints.found)), is_touched=True)

    def answer(self, use: Use) -> _Answer:
        """The answer for one use."""
        if use.releases and self.stack and not self._has(use.releases):
            return _NO
        if use.group:
            if use.group not in self.by_group:
                self.by_group[use.group] = self.answer(group(use.group))
            return self.by_group[use.group]
        return self._combined(use) if use.nested else self._single(use)

    def _combined(self, use: Use) -> _Answer:
        if use.in_order:
            return _any(file.in_order(use.all_of) for file in self._files)
        if use.one_file:
            return _any(_all(map(file.answer, use.all_of)) for file in self._files)
        return _all(map(self.answer, use.all_of)) if use.all_of else _any(map(self.answer, use.any_of))

    def in_order(self, uses: Sequence[Use]) -> _Answer:
        """Calls of methods, each further up than the next."""
        found: list[Found] = []
        last = (-1, -1)
        for use in uses:
            calls = self._calls(tuple(f".{name}" for name in use.methods), is_method=True)
            chosen = [call for call in calls if not use.on or is_found(use.on, call.subject)]
            after = [call for call in chosen if (call.place.cell, call.place.line) > last]
            if not after:
                return _NO
            first = min(after, key=lambda call: (call.place.cell, call.place.line))
            last = (first.place.cell, first.place.line)
            found.append(Found(_format_call(first, use.arguments), first.place))
        return _Answer(tuple(found))

    def _single(self, use: Use) -> _Answer:
        if use.settings:
            return self._setting(use.settings, use.accepted, shown=use.shown)
        if use.texts or use.models:
            return self._text(use.texts or use.models, are_models=bool(use.models))
        if use.bases:
            return self._base(use.bases, use.defines)
        if use.defines:
            return self._defined(use.defines)
        if use.methods:
            return self._called(tuple(f".{name}" for name in use.methods), use, is_method=True)
        if use.applied:
            return self._applied(use.applied)
        return self._called(use.symbols, use) if use.arguments or use.on else self._symbol(use.symbols)

    def _has(self, releases: Mapping[str, str]) -> bool:
        """True if the installed versions may be among these releases."""
        readings = self.stack.readings({name: [text] for name, text in releases.items()}) if self.stack else []
        return any(covers(releases, reading) for reading in readings)

    @cached_property
    def _files(self) -> "list[_Project]":
        """Each file as a project of its own."""
        found: dict[str, Facts] = {}
        for kind in fields(self.facts):
            for fact in getattr(self.facts, kind.name):
                getattr(found.setdefault(fact.place.file, Facts()), kind.name).append(fact)
        return [_Project(facts, self.stack) for facts in found.values()]

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

    def _applied(self, symbols: Sequence[str]) -> _Answer:
        """As ``_symbol`` without mere type checks; also under names by which the project re-exports it."""
        named = [self._named(symbol) for symbol in symbols]
        for symbol, item in zip(symbols, named, strict=True):
            others = self._by_last.get(symbol.rpartition(".")[2], ()) if item else ()
            for held in (item, *(other for other in others if fits_unresolved(symbol, other.name))):
                if held and not held.is_check:
                    return _Answer((Found(_short(held.name), held.place),))
        checked = next((item for item in named if item), None)
        if checked:
            return _Answer(open=Open(Opening.CHECKED, _short(checked.name), checked.place), is_touched=True)
        return _Answer(open=self._opened_symbol(symbols))

    def _opened_symbol(self, symbols: Sequence[str]) -> Open | None:
        for item in self.open:
            if item.kind in {Opening.IMPORT, Opening.ATTRIBUTE, Opening.EXECUTED, Opening.UNREAD} and any(
                _may_be(symbol, item) for symbol in symbols
            ):
                return item
        return None

    def _opened(self, words: Iterable[str], *kinds: Opening) -> Open | None:
        """An opening through which one of some words may be reached without being named."""
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

    def _setting(self, names: Sequence[str], accepted: Accepted, *, shown: bool = False) -> _Answer:
        found = [
            setting
            for name in names
            for setting in self.by_setting.get(name.rpartition(".")[2], ())
            if accepted.accepts(setting.value) and name.rpartition(".")[0] in {"", setting.parent}
        ]
        for setting in sorted(found, key=lambda item: item.value is None):  # a known value says more
            if shown and setting.value is None:
                return _Answer(open=Open(Opening.VALUE, "", setting.place, setting.name), is_touched=True)
            return _Answer((Found(_format_setting(setting.name, setting.value), setting.place),))
        return _Answer(open=self._opened([name.rpartition(".")[2] for name in names], Opening.SETTINGS))

    def _text(self, patterns: Sequence[str], *, are_models: bool) -> _Answer:
        for text in self.facts.texts:
            if any(is_found(pattern, text.text) for pattern in patterns):
                return _Answer((Found(repr(text.text), text.place),))
        kinds = {Opening.EXECUTED, *([Opening.MODEL] if are_models else [])}
        return _Answer(open=next((item for item in self.open if item.kind in kinds), None))

    def _called(self, names: Sequence[str], use: Use, *, is_method: bool = False) -> _Answer:
        """Calls with all of some arguments; arguments passed by ``**`` are looked for among the settings."""
        maybe: Open | None = None
        arguments = use.arguments
        for call in self._calls(names, is_method=is_method):
            if use.on and not is_found(use.on, call.subject):
                continue
            found = [self._argument(call, name, accepted) for name, accepted in arguments.items()]
            if all(found):
                return _Answer((Found(_format_call(call, arguments), call.place), *_elsewhere(found, call)))
            hidden = next((name for name, rule in arguments.items() if rule.shown and call.hides(name)), None)
            if hidden and maybe is None:
                maybe = Open(Opening.VALUE, "", call.place, hidden)
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
        lasts = {name.rpartition(".")[2] for name in names}
        if any("*" in last for last in lasts):
            chosen: Iterable[Call] = self.facts.calls
        else:
            own = () if is_method else self._bases
            chosen = [
                call for last in dict.fromkeys((*sorted(lasts), *own)) for call in self._calls_by_last.get(last, ())
            ]
        for call in chosen:
            if is_method:
                if any(name in names for name in call.names):
                    yield call
            elif any(self._is_symbol(symbol, name) for symbol in names for name in call.names):
                yield call

    @cached_property
    def _calls_by_last(self) -> Mapping[str, list[Call]]:
        found: dict[str, list[Call]] = {}
        for call in self.facts.calls:
            for last in dict.fromkeys(name.rpartition(".")[2] for name in call.names):
                found.setdefault(last, []).append(call)
        return found

    def _is_symbol(self, symbol: str, name: str) -> bool:
        """True if a called name is the symbol, the project's own name for it, or a class derived from it."""
        handed_on = not symbol.startswith("builtins.") and self._named(symbol) is not None  # x.float() is no float()
        return any(fits(symbol, item) or (handed_on and fits_unresolved(symbol, item)) for item in self._lineage(name))

    def _lineage(self, name: str) -> list[str]:
        """A name and, for a class of the project, all its bases; each once, also if they form a circle."""
        if name not in self.lineages:
            found = [name]
            seen = {name}
            for item in found:  # grows
                own = item.partition(".")[0] not in OURS
                bases = self._bases.get(item.rpartition(".")[2], ()) if own else ()
                found += [base for base in dict.fromkeys(bases) if base not in seen]
                seen.update(bases)
            self.lineages[name] = found
        return self.lineages[name]

    @cached_property
    def _bases(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for derived in self.facts.derived:
            found.setdefault(derived.name, []).append(derived.base)
        return found

    def _replaced(self, at_fault: Sequence[str]) -> Open | None:
        """A place where a faulty function is set, overridden or redefined."""
        for symbol in at_fault:
            owner, last = symbol.split(".")[-2:]
            is_function = owner == "**" or owner.islower()
            for item in self.open:
                if item.kind is Opening.REPLACED and item.what.split(".")[-2:] == [owner, last]:
                    return item
                if item.kind is Opening.REPLACED and is_function and item.what.rpartition(".")[2] == last:
                    return item
            for derived in self.facts.derived:
                if derived.base.rpartition(".")[2] == owner and last in derived.methods:
                    return Open(Opening.REPLACED, f"{derived.name}.{last}", derived.place)
            for defined in self.facts.defined if is_function else ():
                if defined.name == last:
                    return Open(Opening.REPLACED, last, defined.place, "defines a function of its own")
        return None


def _all(parts: Iterable[_Answer]) -> _Answer:
    answers = []
    for answer in parts:
        if not answer.holds and answer.open is None:
            return _NO  # the answer is certain
        answers.append(answer)
    if all(answer.holds for answer in answers):
        return _Answer(tuple(dict.fromkeys(found for answer in answers for found in answer.found)))
    first = next(answer.open for answer in answers if answer.open and not answer.holds)
    return _Answer(open=first, is_touched=any(answer.holds or answer.is_touched for answer in answers))


def _any(parts: Iterable[_Answer]) -> _Answer:
    best = _NO
    for answer in parts:
        if answer.holds:
            return answer
        if answer.open and (best.open is None or (answer.is_open and not best.is_open)):
            best = answer
    return best


def _may_be(symbol: str, item: Open) -> bool:
    """True if an opening may reach a symbol: no attribute of ``torch.optim`` is ``torch.distributed.**.DTensor``."""
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
    """The last parts of a name, for display."""
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
