"""What in a user's code reaches a failure: names, arguments, settings and their combinations.

A program reads code for these (``repro doctor --code``).  That code names them does not mean that it suffers: the
failure may need data, versions or an order of calls that no text shows.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from repro.model.base import Strict
from repro.model.pattern import check_pattern
from repro.model.version_ranges import VersionRanges

LIBRARIES = (
    *("torch", "lightning", "transformers", "accelerate", "safetensors", "peft", "torchvision", "timm", "torchmetrics"),
    "builtins",
)
"""The roots of symbols; other names of the same libraries are resolved to these."""
FEWEST_LETTERS = 2
KINDS = (
    "symbols", "applied", "bases", "methods", "defines", "settings", "texts", "models", "group", "all_of", "any_of",
)  # fmt: skip
"""Of a use: it is exactly one of these, but for methods that a class with some base defines."""
MOST_USES = 100
"""Uses that one record may hold, nested ones included."""

_SYMBOL = re.compile(r"(\*\*|[A-Za-z_]\w*)(\.(\*\*|[A-Za-z_]\w*))*\.[*A-Za-z_][*\w]*")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


def _symbol(text: str) -> str:
    root = text.partition(".")[0]
    if not _SYMBOL.fullmatch(text) or text.count("**") > 1:
        raise ValueError(f"{text!r} is no symbol such as 'torch.**.fully_shard' (** stands for any modules)")
    if sum(letter.isalpha() for letter in text.rpartition(".")[2]) < FEWEST_LETTERS:
        raise ValueError(f"{text!r} fits nearly every name: its last part needs {FEWEST_LETTERS} letters or more")
    if root not in LIBRARIES:
        raise ValueError(f"{text!r} begins with none of {', '.join(LIBRARIES)}")
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name such as 'save_last' or 'fsdp_config.version'")
    return normal_name(text)


def normal_name(text: str) -> str:
    """A setting's name as it is compared: ``--Save-Last`` is ``save_last``."""
    return text.strip().lstrip("-+~").replace("-", "_").lower()


_SAME = {"yes": "true", "on": "true", "no": "false", "off": "false", "null": "none", "~": "none", "": "none"}


def normal_value(value: object) -> str:
    """A constant as it is compared: ``True``, ``"true"`` and ``on`` are one; so are ``2`` and ``"2"``."""
    text = str(value).strip().lower()
    return _SAME.get(text, text)


Symbol = Annotated[str, AfterValidator(_symbol)]
Name = Annotated[str, AfterValidator(_name)]
Constant = Annotated[str, BeforeValidator(normal_value)]


class Accepted(Strict):
    """Which values of an argument or a setting count; all if neither list is given."""

    values: tuple[Constant, ...] = ()
    other_than: tuple[Constant, ...] = ()
    shown: bool = False
    """Only a value that the text shows counts; one that it does not show leaves the finding open."""

    def accepts(self, value: str | None) -> bool:
        """True if the value may be meant; None is a value that the text does not show."""
        if value is None:
            return not self.shown
        return (not self.values or value in self.values) and value not in self.other_than


class Use(Strict):
    """Something that code or configuration can hold; exactly one kind."""

    symbols: tuple[Symbol, ...] = ()
    """One of these is named: imported, called or referred to."""
    applied: tuple[Symbol, ...] = ()
    """One of these is applied: called, derived from or handed on.  An import, an annotation or a check of a type
    (``isinstance``) is not enough."""
    bases: tuple[Symbol, ...] = ()
    """A class derives from one of these."""
    methods: tuple[Name, ...] = ()
    """A method of one of these names is called, on whatever object."""
    defines: tuple[Name, ...] = ()
    """Alone or with ``bases``: such a class, or any that derives from another one, defines one of these methods."""
    arguments: dict[Name, Accepted] = {}
    """Of symbols and methods: they are called with all of these; ``arg3`` is the third positional argument."""
    on: Annotated[str, AfterValidator(check_pattern)] = ""
    """Of symbols and methods: they are called, and a regular expression matches the names in what they are called on:
    the object of a method, the first argument of a function."""
    settings: tuple[Name, ...] = ()
    """A keyword argument, attribute, dictionary key, configuration key or command-line flag of one of these names."""
    values: tuple[Constant, ...] = ()
    """Of settings: the values that count; all if none is given."""
    other_than: tuple[Constant, ...] = ()
    """Of settings: the values that do not count."""
    shown: bool = False
    """Of settings: only a value that the text shows counts; one that it does not show leaves the finding open."""
    texts: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = ()
    """A constant string matches one of these regular expressions."""
    models: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = ()
    """The same, of the name of a model; loading a model whose name the text does not show leaves it open."""
    group: str = ""
    """One of the groups of uses that several records share (``repro/catalog/reach_groups.yaml``)."""
    all_of: tuple["Use", ...] = ()
    any_of: tuple["Use", ...] = ()
    one_file: bool = False
    """Of ``all_of``: all stand in one file."""
    in_order: bool = False
    """Of ``all_of``, which are methods: each is called further up in one file than the next."""
    releases: VersionRanges | None = None
    """The use counts only with these releases, where the versions are known."""

    @property
    def accepted(self) -> Accepted:
        """The values of the settings that count."""
        return Accepted(values=self.values, other_than=self.other_than)

    @property
    def nested(self) -> tuple["Use", ...]:
        """The parts of a combination."""
        return (*self.all_of, *self.any_of)

    def walk(self) -> Iterator["Use"]:
        """This use and all nested ones."""
        yield self
        for use in self.nested:
            yield from use.walk()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1 and given != ["bases", "defines"]:
            raise ValueError(f"a use is one of {', '.join(KINDS)}")
        if (self.arguments or self.on) and not (self.symbols or self.methods):
            raise ValueError("'arguments' and 'on' are for symbols and methods")
        if (self.values or self.other_than or self.shown) and not self.settings:
            raise ValueError("'values', 'other_than' and 'shown' are for settings; an argument has its own values")
        if self.one_file and not self.all_of:
            raise ValueError("'one_file' is for all_of")
        if self.in_order and not (self.all_of and all(part.methods for part in self.all_of)):
            raise ValueError("'in_order' is for an all_of of methods")
        return self


class Reach(Strict):
    """Who reaches the failure."""

    who: Annotated[str, Field(min_length=1)]
    """For people, in one sentence."""
    when: Use
    """What their code or configuration names."""
    may: Use | None = None
    """What may reach it as well, though it is no sign of it: then nobody can tell by the code."""
    unless: Use | None = None
    """What spares a job, where it stands: a project that holds it beside ``when`` may hold it everywhere, or not."""
    at_fault: tuple[Symbol, ...] = ()
    """The library's functions that are wrong.  Code that replaces one of them cannot be judged by what it names."""

    @property
    def uses(self) -> tuple[Use, ...]:
        """``when``, ``may`` and ``unless``, as far as there are any."""
        return tuple(use for use in (self.when, self.may, self.unless) if use)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if sum(1 for use in self.uses for _ in use.walk()) > MOST_USES:
            raise ValueError(f"at most {MOST_USES} uses are expected")
        return self
