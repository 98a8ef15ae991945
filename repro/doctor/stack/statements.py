"""The statements of a text about versions, and the stack that follows from them.  Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from repro.doctor.stack.markers import MACHINES, Holds, Target, holds, needed_extras, targets
from repro.doctor.stack.stack import LIBRARIES, KnownVersion, Stack
from repro.model.errors import UsageError
from repro.model.version import parsed_version

_BROUGHT_BY_TORCH = frozenset({"filelock", "jinja2", "sympy"})
"""Dependencies of every torch since 2.0 that nobody lists by hand."""

_MOST_RANGES = 64
_LONGEST = 60
"""The most characters of a foreign text in a message."""


class Authority(IntEnum):
    """The source of a version; the higher one decides what is imported."""

    IMAGE = 0
    CONDA = 1
    PIP = 2
    IMPORTED = 3


@dataclass(frozen=True)
class Statement:
    """One statement about one distribution."""

    name: str
    specifiers: str = ""
    """Valid PEP 440 specifiers; empty for any version."""
    any_of: tuple[str, ...] = ()
    """Alternatives instead of ``specifiers``: conda's ``2.2|2.3``."""
    marker: str = ""
    only_with: str = ""
    """``the extra train``, if it is not installed by default."""
    only_on: frozenset[Target] | None = None
    """The targets on which a lock installs it; None if only the marker decides."""
    why: str = ""
    """Why no version is known, as a predicate of the name."""
    inexact: str = ""
    rank: Authority = Authority.PIP
    upgrade: bool = False
    """True if installed with ``--upgrade``, which replaces an earlier version."""
    where: str = ""
    """``requirements.txt:3``."""

    @property
    def ranges(self) -> tuple[str, ...]:
        """The alternative specifier sets, one of which holds."""
        return self.any_of or (self.specifiers,)

    @property
    def pin(self) -> str | None:
        """The exact version, or None."""
        return None if self.why or self.any_of else pin_of(self.specifiers)


@dataclass
class Reading:
    """The result of reading a text."""

    required: list[Statement] = field(default_factory=list)
    limits: list[Statement] = field(default_factory=list)
    """Bounds that apply only if the distribution is installed: pip's constraints."""
    absent: set[str] = field(default_factory=set)
    """Distributions that are stated not to be installed."""
    removed: set[str] = field(default_factory=set)
    """Distributions that a command removes; a later command, or a dependency, may bring them again."""
    notes: list[str] = field(default_factory=list)
    skipped: int = 0
    unread: bool = False
    """True if an included file was not read, so that it may name any distribution."""
    python: str | None = None
    requires_python: str = ""
    machines: tuple[str, ...] = MACHINES
    closed: bool = False
    strict: bool = False
    """True if the installer refuses contradictions; otherwise contradicting statements are alternatives."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that the text may be about."""
        return targets(self.python, self.requires_python, self.machines)

    def note(self, text: str) -> None:
        """Add a sentence once."""
        if text not in self.notes:
            self.notes.append(text)

    def add(self, other: "Reading") -> None:
        """Add the statements of another part of the same text."""
        self.required += other.required
        self.limits += other.limits
        self.absent |= other.absent
        self.removed |= other.removed
        for text in other.notes:
            self.note(text)
        self.skipped += other.skipped
        self.unread = self.unread or other.unread
        self.python = self.python or other.python
        self.requires_python = self.requires_python or other.requires_python
        self.machines = tuple(machine for machine in self.machines if machine in other.machines) or self.machines


def statement(
    name: str, specifiers: str = "", *, rank: Authority = Authority.PIP, where: str = "", why: str = ""
) -> Statement:
    """A statement with a canonical name; invalid specifiers leave the version unknown."""
    try:
        text = str(SpecifierSet(specifiers))
    except InvalidSpecifier:
        text, why = "", why or f"is stated as {shortened(specifiers)!r}"
    return Statement(canonicalize_name(name), text, rank=rank, where=where, why=why)


def shortened(text: str) -> str:
    """A foreign text for a message: one printable line, cut if it is long."""
    line = "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def pin_of(specifiers: str) -> str | None:
    """The version of an ``==`` or ``===`` specifier."""
    pins = [clause.version for clause in SpecifierSet(specifiers) if clause.operator in {"==", "==="}]
    return next((pin for pin in pins if not pin.endswith(".*")), None)


def names_dependencies_of_torch(names: Iterable[str]) -> bool:
    """True if a flat list names torch and its typical dependencies, so that it lists everything installed."""
    held = set(names)
    return "torch" in held and held >= _BROUGHT_BY_TORCH


def stack_of_reading(reading: Reading, watched: Collection[str] = LIBRARIES) -> Stack:
    """The stack of a text; raises UsageError if it contradicts itself about a watched distribution."""
    by_name: dict[str, list[Statement]] = {}
    for item in reading.required:
        by_name.setdefault(item.name, []).append(item)
    where = _relevant(reading, watched)
    notes = list(reading.notes)
    held = {}
    for name, statements in by_name.items():
        found = _Combined(name, statements, reading, where, is_watched=name in watched)
        notes += [text for text in found.notes if text not in notes]
        if found.known is not None:
            held[name] = found.known
    if not reading.closed:
        for name in dict.fromkeys(item.name for item in reading.limits if item.name not in held):
            limit = _intersection([item for item in reading.limits if item.name == name])
            ranges = limit if limit is not None else ("",)
            held[name] = _known_version(ranges, absent=True, why=f"is only constrained ({' or '.join(ranges)})")
    return Stack(
        held,
        closed=reading.closed,
        python=reading.python,
        notes=tuple(notes),
        skipped=reading.skipped,
        absent=frozenset(reading.absent - held.keys()),
        requires_python=_valid(reading.requires_python),
        unlisted=_UNLISTED - held.keys(),
    )


_UNLISTED = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What ``pip freeze`` and most locks leave out: an environment often has them all the same."""


def _valid(specifiers: str) -> str:
    """Specifiers that can be compared; none for others."""
    try:
        return str(SpecifierSet(specifiers))
    except InvalidSpecifier:
        return ""


def _relevant(reading: Reading, watched: Collection[str]) -> tuple[Target, ...]:
    """The targets on which any watched distribution is installed; all targets if there are none.

    ``poetry export`` marks each line with the project's Python versions: on other versions nothing is installed, which
    is no evidence about the project's own.
    """
    spoken_of = [item for item in reading.required if item.name in watched]
    answers = {target: {_holds(item, target) for item in spoken_of} for target in reading.targets}
    certain = tuple(target for target, found in answers.items() if Holds.YES in found)
    return certain or tuple(target for target, found in answers.items() if Holds.OPTIONAL in found) or reading.targets


class _Combined:
    """All statements about one distribution, combined target by target."""

    def __init__(
        self, name: str, statements: list[Statement], reading: Reading, where: tuple[Target, ...], *, is_watched: bool
    ) -> None:
        self.name = name
        self.reading = reading
        # Statements that hold everywhere are combined once.
        anywhere = not any(item.marker or item.only_on is not None or item.only_with for item in statements)
        self.targets = where[:1] if anywhere else where
        self.watched = is_watched
        self.notes: list[str] = []
        self.statements = statements
        self.limits = [item for item in reading.limits if item.name == name]
        self.known = self._known()

    def _known(self) -> KnownVersion | None:
        choices: dict[str, None] = {}
        unknown: list[Statement] = []
        absent = False
        optional: list[str] = []
        for target in self.targets:
            found = [(item, _holds(item, target)) for item in self.statements]
            certain = [item for item, answer in found if answer is Holds.YES]
            maybe = [item for item, answer in found if answer is Holds.OPTIONAL]
            optional += [text for item in maybe if (text := item.only_with or needed_extras(item.marker))]
            absent = absent or not certain
            groups = ([certain] if certain else []) + [[item] for item in maybe]
            for group in groups:
                stated = self._of_target(group)
                unknown += [item for item in stated if item.why]
                choices |= dict.fromkeys(text for item in stated if not item.why for text in item.ranges)
        if not choices and not unknown:
            if self.watched:
                self.notes.append(f"{self.name} is not required on Linux: {self.statements[0].marker}")
            return None
        return self._of_choices(tuple(choices), unknown, tuple(dict.fromkeys(optional)), absent=absent)

    def _of_choices(
        self, choices: tuple[str, ...], unknown: list[Statement], optional: tuple[str, ...], *, absent: bool
    ) -> KnownVersion:
        inexact = next((item.inexact for item in self.statements if item.inexact), "")
        reason = ""
        if absent:
            place = f"only with {' or '.join(optional)}" if optional else "only in some environments"
            stated = " or ".join(pin_of(text) or text or "any version" for text in choices)
            reason = f"is named {place}{f' ({stated})' if stated else ''}"
        if unknown:
            return KnownVersion(may_be_absent=absent, why=reason or unknown[0].why, inexact=inexact)
        if absent and not self.reading.closed:
            # On targets that do not name it, another distribution may require any version.
            return KnownVersion(may_be_absent=True, why=reason, inexact=inexact)
        known = _known_version(choices, absent=absent, why=reason)
        return replace(known, inexact=inexact)

    def _of_target(self, statements: list[Statement]) -> list[Statement]:
        """The statement that holds on one target, or several alternatives."""
        top = max(item.rank for item in statements)
        upper = [item for item in statements if item.rank == top]
        lower = [item for item in statements if item.rank < top]
        merged = self._merged(upper)
        for item in sorted(lower, key=lambda each: -each.rank):
            both = _intersection([*merged, item]) if len(merged) == 1 and not (merged[0].why or item.why) else None
            if both is not None and len(both) == 1:
                merged = [replace(merged[0], specifiers=both[0], any_of=())]
            elif self.watched and not (merged[0].why and item.rank is Authority.IMAGE):
                winner, loser = (" or ".join(each.ranges) or "a version" for each in (merged[0], item))
                self._note(
                    f"{self.name} is stated twice: {_who(item)} {loser}, {_who(merged[0])} {winner}; the latter counts"
                )
        return merged

    def _merged(self, statements: list[Statement]) -> list[Statement]:
        unknown = [item for item in statements if item.why]
        if unknown:
            return unknown[:1]
        ranges = _intersection([*statements, *self.limits])
        if ranges is not None and not (any(item.upgrade for item in statements) and not self.reading.strict):
            return [replace(statements[0], specifiers="" if len(ranges) > 1 else ranges[0],
                            any_of=ranges if len(ranges) > 1 else ())]  # fmt: skip
        if self.reading.strict and self.watched and ranges is None:
            said = " and ".join(
                f"{item.where + ' ' if item.where else ''}{self.name}{' or '.join(item.ranges)}"
                for item in dict.fromkeys([*statements, *self.limits])
            )
            raise UsageError(f"{said}: no version of {self.name} satisfies that, and pip refuses it")
        alternatives = _without_weaker(statements)
        if self.watched and len(alternatives) > 1:
            said = " and ".join(dict.fromkeys(" or ".join(item.ranges) or "any version" for item in alternatives))
            self._note(f"{self.name} is stated as {said}: each may be what is installed")
        return alternatives

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _holds(item: Statement, target: Target) -> Holds:
    if item.only_on is not None and target not in item.only_on:
        return Holds.NO
    answer = holds(item.marker, target)
    return Holds.OPTIONAL if answer is Holds.YES and item.only_with else answer


def _who(item: Statement) -> str:
    return {
        Authority.IMAGE: "the base image",
        Authority.CONDA: "conda",
        Authority.PIP: "pip",
        Authority.IMPORTED: "the library itself",
    }[item.rank]


def _without_weaker(statements: Sequence[Statement]) -> list[Statement]:
    """The statements that count after several install commands: without ``--upgrade``, a version that fits is kept."""
    pins = [item.pin for item in statements if item.pin]
    kept = [
        item
        for item in statements
        if item.pin or item.upgrade or not pins or not all(_contains(item.specifiers, pin) for pin in pins)
    ]
    return list({item.ranges: item for item in kept or statements}.values())


def _contains(specifiers: str, version: str) -> bool:
    parsed = parsed_version(version)
    return parsed is not None and SpecifierSet(specifiers).contains(parsed, prereleases=True)


def _intersection(statements: Sequence[Statement]) -> tuple[str, ...] | None:
    """The specifier sets that satisfy all statements; None if there are none."""
    ranges: list[SpecifierSet] = [SpecifierSet()]
    for item in statements:
        ranges = [one & SpecifierSet(other) for one in ranges for other in item.ranges]
        ranges = [one for one in ranges if not one.is_unsatisfiable()]
        if len(ranges) > _MOST_RANGES:
            return ("",)
    texts = tuple(dict.fromkeys(str(one) for one in ranges))
    return texts or None


def _known_version(ranges: Sequence[str], *, absent: bool, why: str) -> KnownVersion:
    pins = [pin_of(text) for text in ranges]
    if all(pin is not None for pin in pins):
        versions = tuple(dict.fromkeys(pin for pin in pins if pin is not None))
        several = f"is one of {', '.join(versions)}" if len(versions) > 1 else ""
        return KnownVersion(versions, may_be_absent=absent, why=why or several)
    if len(ranges) == 1:
        shown = f" ({ranges[0]})" if ranges[0] else ""
        return KnownVersion(specifiers=ranges[0], may_be_absent=absent, why=why or f"is not pinned{shown}")
    return KnownVersion(may_be_absent=absent, any_of=tuple(ranges), why=why or f"is not pinned ({' or '.join(ranges)})")
