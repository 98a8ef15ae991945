"""What was read in a project, as facts.  Nothing here judges."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands."""

    file: str
    line: int
    cell: int = 0
    """Of a notebook: the number of its cell, from 1; 0 elsewhere."""

    def __str__(self) -> str:
        return f"{self.file}:cell {self.cell}:{self.line}" if self.cell else f"{self.file}:{self.line}"


CLASS_KEYS = ("_target_", "class_path")
"""Keys whose value names what is called with the keys beside it (hydra), or under ``init_args`` (jsonargparse)."""
INSTANTIATE = "hydra.utils.instantiate"

Value = str | None
"""A constant as it is compared; None if the text does not show the value."""


@dataclass(frozen=True)
class NamedSymbol:
    """A name of a library, or of what may be one, with its modules."""

    name: str
    place: Place
    is_import: bool = False
    is_check: bool = False
    """True if the text only annotates or checks a type with it; of an import, if all that its file does is that."""


@dataclass(frozen=True)
class Call:
    """A call with those keyword arguments that a record may ask for."""

    names: tuple[str, ...]
    """The names that the called expression may have, with their modules; for a method, its name after a dot."""
    arguments: Mapping[str, Value]
    is_open: bool
    """True if more arguments are handed on by ``**``."""
    place: Place
    subject: str = ""
    """The names in what it is called on, if a record asks for them."""

    def hides(self, argument: str) -> bool:
        """True if an argument is given whose value the text does not show."""
        return argument in self.arguments and self.arguments[argument] is None


@dataclass(frozen=True)
class Setting:
    """A keyword argument, attribute, key or flag."""

    name: str
    value: Value
    place: Place
    parent: str = ""
    """The key or argument whose value holds this one."""


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
    """Why a text may reach more than it names."""

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
    """A place from where something may be reached that no text names."""

    kind: Opening
    what: str
    """Of imports and attributes: what the name begins with; of a replacement: the function."""
    place: Place
    why: str = ""
    words: frozenset[str] = frozenset()
    """Of a text that cannot be parsed: its words; any of them may be a name."""

    def may_name(self, word: str) -> bool:
        """False if the text is known not to hold a word."""
        return not self.words or word in self.words


@dataclass(frozen=True)
class Defined:
    """A function of the project under the name of one that a record holds at fault."""

    name: str
    place: Place


Fact = NamedSymbol | Call | Setting | Text | Derived | Open | Defined


@dataclass
class Facts:
    """What a project holds, by kind."""

    named: list[NamedSymbol] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    derived: list[Derived] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)
    defined: list[Defined] = field(default_factory=list)

    def add(self, facts: Iterable[Fact]) -> None:
        """Take the facts of one more text."""
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
