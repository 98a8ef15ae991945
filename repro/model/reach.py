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

LIBRARIES = ("torch", "lightning", "transformers", "accelerate", "safetensors", "torchvision", "timm", "builtins")
"""The roots of symbols; other names of the same libraries are resolved to these."""
FEWEST_LETTERS = 2
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

    def accepts(self, value: str | None) -> bool:
        """True if the value may be meant; None is a value that the text does not show."""
        if value is None:
            return True
        return (not self.values or value in self.values) and value not in self.other_than


class Use(Strict):
    """Something that code or configuration can hold; exactly one kind."""

    symbols: tuple[Symbol, ...] = ()
    """One of these is named: imported, called or referred to."""
    bases: tuple[Symbol, ...] = ()
    """A class derives from one of these."""
    methods: tuple[Name, ...] = ()
    """A method of one of these names is called, on whatever object."""
    defines: tuple[Name, ...] = ()
    """Alone or with ``bases``: such a class, or any that derives from another one, defines one of these methods."""
    arguments: dict[Name, Accepted] = {}
    """Of symbols and methods: they are called with all of these; ``arg3`` is the third positional argument."""
    settings: tuple[Name, ...] = ()
    """A keyword argument, attribute, dictionary key, configuration key or command-line flag of one of these names."""
    values: tuple[Constant, ...] = ()
    """Of settings: the values that count; all if none is given."""
    other_than: tuple[Constant, ...] = ()
    """Of settings: the values that do not count."""
    texts: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = ()
    """A constant string matches one of these regular expressions: the name of a model, say."""
    group: str = ""
    """One of the groups of uses that several records share (``repro/catalog/reach_groups.yaml``)."""
    all_of: tuple["Use", ...] = ()
    any_of: tuple["Use", ...] = ()

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
        kinds = ("symbols", "bases", "methods", "defines", "settings", "texts", "group", "all_of", "any_of")
        given = [kind for kind in kinds if getattr(self, kind)]
        if len(given) != 1 and given != ["bases", "defines"]:
            raise ValueError(f"a use is one of {', '.join(kinds)}")
        if self.arguments and not (self.symbols or self.methods):
            raise ValueError("'arguments' is for symbols and methods")
        if (self.values or self.other_than) and not self.settings:
            raise ValueError("'values' and 'other_than' are for settings; an argument has its own")
        return self


class Reach(Strict):
    """Who reaches the failure."""

    who: Annotated[str, Field(min_length=1)]
    """For people, in one sentence."""
    when: Use
    """What their code or configuration names."""
    at_fault: tuple[Symbol, ...] = ()
    """The library's functions that are wrong.  Code that replaces one of them cannot be judged by what it names."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if sum(1 for _ in self.when.walk()) > MOST_USES:
            raise ValueError(f"at most {MOST_USES} uses are expected")
        return self
