"""The facts that are read from a project, without any judgement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file."""

    file: str
    line: int
    cell: int = 0
    """In a notebook: the number of the cell, from 1; 0 elsewhere."""

    def __str__(self) -> str:
        return f"{self.file}:cell {self.cell}:{self.line}" if self.cell else f"{self.file}:{self.line}"


CLASS_KEYS = ("_target_", "class_path")
"""Keys whose value is called with the keys beside it (hydra), or with those under ``init_args`` (jsonargparse)."""
INSTANTIATE = "hydra.utils.instantiate"

Value = str | None
"""A constant in comparable form; None if the text does not show the value."""


@dataclass(frozen=True)
class NamedSymbol:
    """The full name of something in a library, or of something that may be from one."""

    name: str
    place: Place
    is_import: bool = False
    is_check: bool = False
    """True for a mere annotation or type check; for an import, if its file uses the name for nothing else."""


@dataclass(frozen=True)
class Call:
    """A call with those keyword arguments that a record may ask for."""

    names: tuple[str, ...]
    """The full names that the called expression may have; for a method, its name after a dot."""
    arguments: Mapping[str, Value]
    is_open: bool
    """True if more arguments are passed by ``**``."""
    place: Place
    subject: str = ""
    """The names in the object that it is called on, if a record asks for them."""

    def hides(self, argument: str) -> bool:
        """True if the argument is given but its value is not shown."""
        return argument in self.arguments and self.arguments[argument] is None


@dataclass(frozen=True)
class Setting:
    """A keyword argument, attribute, key or flag."""

    name: str
    value: Value
    place: Place
    parent: str = ""
    """The key or argument whose value contains this one."""


@dataclass(frozen=True)
class Text:
    """A constant string that a record asks for."""

    text: str
    place: Place


@dataclass(frozen=True)
class Derived:
    """A class of the project and one of its bases."""

    name: str
    base: str
    methods: frozenset[str]
    place: Place


class Opening(StrEnum):
    """Why code may reach more than it names."""

    IMPORT = "imports a module whose name is computed"
    ATTRIBUTE = "takes an attribute whose name is computed"
    EXECUTED = "executes a text"
    SETTINGS = "takes settings from elsewhere, such as the command line"
    MODEL = "loads a model whose name is not in the code"
    UNREAD = "cannot be read"
    VALUE = "takes a value that the text does not show"
    CHECKED = "asks whether something is one"
    MAYBE = "may reach it"
    SPARED = "may be spared"
    REPLACED = "replaces a function of the library"


@dataclass(frozen=True)
class Open:
    """A place from which something may be reached without being named."""

    kind: Opening
    what: str
    """For imports and attributes: the start of the name; for a replacement: the function."""
    place: Place
    why: str = ""
    words: frozenset[str] = frozenset()
    """The words of a text that cannot be parsed; any of them may be a name."""

    def may_name(self, word: str) -> bool:
        """False if the text is known not to contain the word."""
        return not self.words or word in self.words


@dataclass(frozen=True)
class Defined:
    """A function of the project with the name of a faulty function."""

    name: str
    place: Place


Fact = NamedSymbol | Call | Setting | Text | Derived | Open | Defined


@dataclass
class Facts:
    """The facts of a project, by kind."""

    named: list[NamedSymbol] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    defined: list[Defined] = field(default_factory=list)

    def add(self, facts: Iterable[Fact]) -> None:
        """Add the facts of one more text."""
        lists: dict[type, list[Any]] = {
            NamedSymbol: self.named,
            Call: self.calls,
            Setting: self.settings,
            Text: self.texts,
            Derived: self.derived,
            Open: self.open,
            Defined: self.defined,
        }
        for fact in facts:
            lists[type(fact)].append(fact)


def first_of_each(facts: Iterable[Fact]) -> list[Fact]:
    """Of facts of one file that differ only in their place, the first: no later one decides anything."""
    found: dict[tuple[object, ...], Fact] = {}
    for fact in facts:
        if type(fact) is Call:
            key = (fact.names, tuple(fact.arguments.items()), fact.is_open, fact.subject)
        else:
            key = (type(fact), *(value for name, value in vars(fact).items() if name != "place"))
        found.setdefault(key, fact)
    return list(found.values())
