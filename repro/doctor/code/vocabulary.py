"""The words that a set of records asks for; they decide what is read, and which files need not be parsed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import re2

from repro.catalog.reach_groups import group
from repro.doctor.code.names import ROOTS
from repro.model.failure import Failure
from repro.model.pattern import with_anchors
from repro.model.reach import LIBRARIES, Reach, Use

MOST_NAMES = 200_000
"""The number of names whose answer is remembered."""
OPENERS = (
    "import_module", "__import__", "instantiate", "HfArgumentParser", "TrlParser", "LightningCLI", "jsonargparse",
    "tyro", "simple_parsing", "draccus", "Fire", "_target_", "class_path", "hydra", "OmegaConf",
)  # fmt: skip
"""Words of code that may reach more than it names."""
WEAK_OPENERS = ("getattr(", "setattr(", "exec(", "eval(", "from_pretrained(", "create_model(")
"""The same, but only if the text also names a library; nearly every program contains these words."""


def spread(use: Use) -> list[Use]:
    """A use, all nested uses, and the uses of the groups that it names."""
    return [part for found in use.walk() for part in ([found] if not found.group else spread(group(found.group)))]


@dataclass(frozen=True)
class Vocabulary:
    """Everything that the records ask for."""

    uses: tuple[Use, ...]
    at_fault: frozenset[str] = frozenset()
    classes: frozenset[str] | None = None
    """The project's classes that have bases, whose calls may be calls of a base; None: any name may be one."""

    @classmethod
    def of(cls, failures: Iterable[Failure]) -> "Vocabulary":
        """The words of these failures' records."""
        reaches: list[Reach] = [failure.reach for failure in failures if failure.reach]
        uses = tuple(part for reach in reaches for use in reach.uses for part in spread(use))
        return cls(uses, frozenset(name for reach in reaches for name in reach.at_fault))

    @cached_property
    def symbols(self) -> frozenset[str]:
        """Patterns of symbols."""
        return frozenset(name for use in self.uses for name in (*use.symbols, *use.applied, *use.bases)) | self.at_fault

    @cached_property
    def lasts(self) -> frozenset[str]:
        """The last parts of symbols, if without a wildcard."""
        return frozenset(last for last in map(_last, self.symbols) if "*" not in last)

    @cached_property
    def wild(self) -> re.Pattern[str]:
        """Matches the last parts of symbols with a wildcard there."""
        parts = sorted(_last(name).replace("*", r"\w*") for name in self.symbols if "*" in _last(name))
        return re.compile("|".join(parts) or r"(?!)")

    @cached_property
    def _judged(self) -> dict[str, bool]:
        """The answers of ``is_last``: a project uses the same names again and again."""
        return {}

    def is_last(self, name: str) -> bool:
        """True if a symbol may end with this name."""
        found = self._judged.get(name)
        if found is None:
            found = name in self.lasts or self.wild.fullmatch(name) is not None
            if len(self._judged) < MOST_NAMES:
                self._judged[name] = found
        return found

    def may_be_called(self, name: str) -> bool:
        """True if a record may ask for a call of something with this name."""
        return self.classes is None or name in self.classes or name in self.methods or self.is_last(name)

    @cached_property
    def methods(self) -> frozenset[str]:
        """Names of methods."""
        return frozenset(name for use in self.uses for name in use.methods)

    @cached_property
    def subjects(self) -> frozenset[str]:
        """Last parts of symbols for which a record asks on which object they are called."""
        return frozenset(
            name.rpartition(".")[2] for use in self.uses if use.on for name in (*use.symbols, *use.methods)
        )

    @cached_property
    def settings(self) -> frozenset[str]:
        """Names of settings, without the key above them."""
        return frozenset(name.rpartition(".")[2] for use in self.uses for name in use.settings) | self.arguments

    @cached_property
    def arguments(self) -> frozenset[str]:
        """Names of the arguments of calls."""
        return frozenset(name for use in self.uses for name in use.arguments)

    @cached_property
    def faults(self) -> frozenset[str]:
        """The last parts of the faulty functions."""
        return frozenset(_last(name) for name in self.at_fault)

    @cached_property
    def _texts(self) -> object:
        patterns = sorted({pattern for use in self.uses for pattern in (*use.texts, *use.models)})
        return re2.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"[^\x00-\x{10FFFF}]")

    def is_text(self, text: str) -> bool:
        """True if a record asks for this string."""
        try:
            return bool(self._texts.search(text))  # type: ignore[attr-defined]
        except UnicodeEncodeError:  # half a surrogate pair
            return self.is_text(text.encode(errors="replace").decode())

    @cached_property
    def _everywhere(self) -> object:
        """An expression for the words that matter in every text."""
        settings = {name.partition(".")[0] for use in self.uses for name in use.settings} | self.arguments
        words = {name.replace("_", "[-_]") for name in settings}
        words |= {name for use in self.uses for name in use.defines} | {*OPENERS}
        faults = {name.split(".")[-2] if _is_method(name) else _last(name) for name in self.at_fault}
        words |= {name.replace("*", r"\w*") for name in faults}
        # A string begins and ends within a line.
        texts = {within_line(pattern) for use in self.uses for pattern in (*use.texts, *use.models)}
        parts = [rf"\b{word}\b" for word in sorted(words)] + [f"(?:{text})" for text in sorted(texts)]
        parts += [rf"\b{_last(name)}\s*\(" for name in sorted(self.symbols) if name.startswith("builtins.")]
        parts += [rf"\.{name}\b" for name in sorted(self.methods)]
        return re2.compile("(?im)" + "|".join(parts))

    @cached_property
    def _by_root(self) -> list[tuple[tuple[str, ...], object]]:
        """For each library: its names, and an expression for the symbols that matter in a text with such a name."""
        found = []
        for root in LIBRARIES[:-1]:
            # Faulty functions are among the words that matter everywhere.
            symbols = {name for name in self.symbols - self.at_fault if name.startswith(f"{root}.")}
            lasts = {_last(name).replace("*", r"\w*") for name in symbols}
            names = (root, *(name for name, full in ROOTS.items() if full.partition(".")[0] == root))
            if lasts:
                found.append((names, re2.compile("|".join(rf"\b{last}\b" for last in sorted(lasts)))))
        return found

    def concerns(self, text: str) -> bool:
        """True if a text may contain what a record asks for; other texts need not be parsed."""
        if self._everywhere.search(text):  # type: ignore[attr-defined]
            return True
        for names, symbols in self._by_root:
            if any(name in text for name in names) and symbols.search(text):  # type: ignore[attr-defined]
                return True
        return any(word in text for word in WEAK_OPENERS) and any(root in text for root in LIBRARIES[:-1])


def within_line(pattern: str) -> str:
    """An expression that finds, anywhere in a text, the strings that a pattern matches as a whole."""
    return with_anchors(pattern, r"(?:^|\W)", r"(?:\W|$)")


def _is_method(name: str) -> bool:
    """True if a faulty function is a method."""
    owner = name.split(".")[-2]
    return owner != "**" and not owner.islower()


def _last(symbol: str) -> str:
    return symbol.rpartition(".")[2]
