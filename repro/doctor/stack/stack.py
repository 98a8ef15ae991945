"""A stack: what is known of the versions of an environment, and what is not.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.doctor.stack.inexact import span
from repro.model.version import parsed_version

LIBRARIES = frozenset({"torch", "lightning", "pytorch-lightning", "transformers", "accelerate"})
"""What our own records are about."""
ALIASES = {"lightning": "pytorch-lightning"}
"""The same source under the same release number, as another distribution."""
_BRINGS = {"lightning": "torch", "pytorch-lightning": "torch", "accelerate": "torch"}
"""What needs what, in all releases that a record may speak of."""


@dataclass(frozen=True)
class KnownVersion:
    """What is known of one distribution's version."""

    versions: tuple[str, ...] = ()
    """One: the version.  Several: one of them."""
    specifiers: str = ""
    """If no version is known: the specifiers that it satisfies; empty if it may be any."""
    may_be_absent: bool = False
    why: str = ""
    """Why there is not one version, as a predicate of the distribution's name: ``is not pinned``."""
    any_of: tuple[str, ...] = ()
    """Several specifier sets, if it satisfies one of them (``specifiers`` is empty then)."""
    inexact: str = ""
    """Why the code may differ from the release of that number, as a predicate: ``is an editable install``.

    Such a version decides nothing near a bound, and is reliable far from one."""

    @property
    def ranges(self) -> tuple[str, ...]:
        """If no version is known: the specifier sets of which it satisfies one."""
        return self.any_of or (self.specifiers,)

    @property
    def version(self) -> str | None:
        """The version if it is certain."""
        return self.versions[0] if len(self.versions) == 1 and not self.may_be_absent else None


@dataclass(frozen=True)
class Stack:
    """What is known of an environment's distributions, by canonical name."""

    held: Mapping[str, KnownVersion] = field(default_factory=dict)
    closed: bool = True
    """True if there is positive evidence that a distribution that is not named is not installed.

    An interpreter, a lock with dependencies, a freeze or a full export; never a list of direct requirements."""
    python: str | None = None
    """The Python version, if it is known."""
    notes: tuple[str, ...] = ()
    """What the reader of the text should know, a sentence each: contradictions, overridden pins, unread includes."""
    skipped: int = 0
    """The number of lines that were not understood and that name none of the libraries."""
    absent: frozenset[str] = frozenset()
    """What the text states not to be installed, whatever ``closed`` says: ``Accelerate version: not installed``."""

    @classmethod
    def of(cls, versions: Mapping[str, str], python: str | None = None) -> "Stack":
        """The stack of an environment whose distributions are all known."""
        return cls({name: KnownVersion((version,)) for name, version in versions.items()}, python=python)

    @property
    def versions(self) -> dict[str, str]:
        """The versions that are certain."""
        return {name: held.version for name, held in self.held.items() if held.version is not None}

    def get(self, name: str) -> KnownVersion | None:
        """What is known of a distribution; None if it is not installed."""
        if name in self.held:
            return self.held[name]
        if self.closed or name in self.absent:
            return None
        needed_by = next((other for other, brought in _BRINGS.items() if brought == name and other in self.held), None)
        if needed_by:
            return KnownVersion(why=f"is not named ({needed_by} brings it)")
        return KnownVersion(may_be_absent=True, why="is not named: another distribution may bring it")

    def under_alias(self, name: str) -> "Stack | None":
        """The stack with a distribution as its alias states it; None if that says nothing else."""
        alias = ALIASES.get(name)
        if alias is None or alias not in self.held or self.held.get(name) == self.held[alias]:
            return None
        return replace(self, held={**self.held, name: self.held[alias]})

    def moved(self, versions: Mapping[str, str]) -> "Stack":
        """The stack with some distributions at other versions, or new."""
        return replace(
            self, held={**self.held, **{name: KnownVersion((version,)) for name, version in versions.items()}}
        )

    def readings(self, specifiers: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
        """Every combination of versions that the stack allows, told apart no finer than ``specifiers`` do.

        A distribution that is not installed is missing in a combination.
        """
        values = {name: self._values(name, tuple(texts)) for name, texts in specifiers.items()}
        return [
            {name: version for name, version in zip(values, chosen, strict=True) if version is not None}
            for chosen in product(*values.values())
        ]

    def _values(self, name: str, specifiers: tuple[str, ...]) -> tuple[str | None, ...]:
        held = self.get(name)
        if held is None:
            return (None,)
        found: dict[str, None] = {}
        for version in held.versions:
            between = span(version, held.inexact)
            found |= dict.fromkeys(representatives(between, specifiers) if between else (version,))
        for text in () if held.versions else held.ranges:
            found |= dict.fromkeys(representatives(text, specifiers))
        return (*found, None) if held.may_be_absent else tuple(found)

    def newest(self, specifiers: Mapping[str, Iterable[str]]) -> dict[str, str] | None:
        """The newest versions that the stack allows; None if it is not certain what is installed at all."""
        found = {}
        for name, texts in specifiers.items():
            held = self.get(name)
            if held is None:
                continue
            within = [item for text in held.ranges for item in allowed(text, texts)]
            if held.may_be_absent or not (held.versions or within):
                return None
            found[name] = max(held.versions, key=Version) if held.versions else str(max(within))
        return found


def representatives(within: str, specifiers: Iterable[str]) -> tuple[str, ...]:
    """Versions in a range, one for every way in which the specifiers can hold or not hold there."""
    texts = tuple(specifiers)
    found: dict[tuple[bool, ...], str] = {}
    for version in allowed(within, texts):
        shape = tuple(SpecifierSet(text).contains(version, prereleases=True) for text in texts)
        found.setdefault(shape, str(version))
    return tuple(found.values())


def allowed(within: str, specifiers: Iterable[str]) -> list[Version]:
    """Versions in a range, the oldest first: all at which one of the specifiers may begin or end to hold."""
    held = SpecifierSet(within)
    return [version for version in _points([within, *specifiers]) if held.contains(version, prereleases=True)]


def _points(specifiers: Iterable[str]) -> list[Version]:
    """The bounds that specifiers name, and a version right after each: between two of them nothing changes."""
    points = {Version("0")}
    for text in specifiers:
        for clause in SpecifierSet(text):
            bound = parsed_version(clause.version.removesuffix(".*"))
            if bound is None:
                continue  # === compares text: then there is a version, and no range
            after_series = Version(".".join(str(part) for part in (*bound.release[:-1], bound.release[-1] + 1)))
            points |= {bound, _right_after(bound), after_series, _right_after(after_series)}
            if clause.operator == "~=" and len(bound.release) > 1:
                *kept, last = bound.release[:-1]
                points.add(Version(".".join(str(part) for part in (*kept, last + 1))))
    return sorted(points)


def _right_after(version: Version) -> Version:
    return Version(f"{version.epoch}!{'.'.join(str(part) for part in version.release)}.0.0.1")
