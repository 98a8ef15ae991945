"""The stack: the known and unknown versions of an environment.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.doctor.stack.inexact import span
from repro.model.specifiers import ABSENT, PYTHON, covers, python_release
from repro.model.version import parsed_version

LIBRARIES = frozenset({"torch", "lightning", "pytorch-lightning", "transformers", "accelerate"})
"""The libraries of our own records."""
ALIASES = {"lightning": "pytorch-lightning"}
"""Distributions that are also published under another name, with the same code and version."""
_BRINGS = {"lightning": "torch", "pytorch-lightning": "torch", "accelerate": "torch"}
"""Dependencies that all relevant releases have."""


@dataclass(frozen=True)
class KnownVersion:
    """What is known about the version of one distribution."""

    versions: tuple[str, ...] = ()
    """A single entry is the version; if there are several, it is one of them."""
    specifiers: str = ""
    """If no version is known: the specifiers that it satisfies; empty for any version."""
    may_be_absent: bool = False
    why: str = ""
    """Why the version is not certain, as a predicate of the distribution's name: ``is not pinned``."""
    any_of: tuple[str, ...] = ()
    """Alternative specifier sets, one of which it satisfies (``specifiers`` is then empty)."""
    inexact: str = ""
    """Why the code may differ from that release, as a predicate: ``is an editable install``.

    Such a version is undecided near a bound, and reliable far from one."""

    @property
    def ranges(self) -> tuple[str, ...]:
        """If no version is known: the alternative specifier sets."""
        return self.any_of or (self.specifiers,)

    @property
    def version(self) -> str | None:
        """The version if it is certain, else None."""
        return self.versions[0] if len(self.versions) == 1 and not self.may_be_absent else None


@dataclass(frozen=True)
class Stack:
    """What is known about an environment's distributions, by canonical name."""

    held: Mapping[str, KnownVersion] = field(default_factory=dict)
    closed: bool = True
    """True if there is positive evidence that distributions that are not named are not installed.

    Such as an interpreter, a lock with dependencies, a freeze or a full export, but never direct requirements."""
    python: str | None = None
    """The Python version, if it is known."""
    notes: tuple[str, ...] = ()
    """Notes on how the text was read, one sentence each: contradictions, overridden pins, unread includes."""
    skipped: int = 0
    """The number of lines that were not understood and name none of the libraries."""
    absent: frozenset[str] = frozenset()
    """Stated not to be installed, regardless of ``closed``: ``Accelerate version: not installed``."""
    requires_python: str = ""
    """The specifiers that limit the Python version, where it is not known."""
    unlisted: frozenset[str] = frozenset()
    """Distributions that a list leaves out though they may be installed, regardless of ``closed``."""

    @classmethod
    def of(cls, versions: Mapping[str, str], python: str | None = None) -> "Stack":
        """The stack of an environment with all distributions known."""
        return cls({name: KnownVersion((version,)) for name, version in versions.items()}, python=python)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of distributions that are certain."""
        return {name: held.version for name, held in self.held.items() if held.version is not None}

    def surely(self, releases: Mapping[str, str]) -> bool:
        """True if all versions that the stack allows lie in these releases."""
        found = self.readings({name: [text] for name, text in releases.items()})
        return bool(found) and all(covers(releases, versions) for versions in found)

    def get(self, name: str) -> KnownVersion | None:
        """What is known about a distribution; None if it is not installed."""
        if name == PYTHON:
            return self._python
        if name in self.held:
            return self.held[name]
        if name in self.unlisted and name not in self.absent:
            return KnownVersion(may_be_absent=True, why="is not named: lists of this kind leave it out")
        if self.closed or name in self.absent:
            return None
        needed_by = next((other for other, brought in _BRINGS.items() if brought == name and other in self.held), None)
        if needed_by:
            return KnownVersion(why=f"is not named ({needed_by} brings it)")
        return KnownVersion(may_be_absent=True, why="is not named: another distribution may bring it")

    @property
    def _python(self) -> KnownVersion:
        """What is known about the interpreter; of ``3.11`` the series only."""
        version = parsed_version(python_release(self.python)) if self.python else None
        if version is not None and len(version.release) >= len(("major", "minor", "micro")):
            return KnownVersion((str(version),))
        if version is not None:
            return KnownVersion(specifiers=f"=={version}.*", why=f"is known as {version} only")
        limit = self.requires_python
        return KnownVersion(specifiers=limit, why=f"is limited only ({limit})" if limit else "is not stated")

    def under_alias(self, name: str) -> "Stack | None":
        """The stack with a distribution at the version of its alias; None if that changes nothing."""
        alias = ALIASES.get(name)
        if alias is None or alias not in self.held or self.held.get(name) == self.held[alias]:
            return None
        return replace(self, held={**self.held, name: self.held[alias]})

    def moved(self, versions: Mapping[str, str]) -> "Stack":
        """The stack with some distributions added or at other versions."""
        return replace(
            self, held={**self.held, **{name: KnownVersion((version,)) for name, version in versions.items()}}
        )

    def readings(self, specifiers: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
        """Every combination of versions that the stack allows, one for each that ``specifiers`` distinguish.

        Distributions that are not installed are missing in a combination.
        """
        values = {
            name: self._values(name, tuple(text for text in texts if text != ABSENT))
            for name, texts in specifiers.items()
        }
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
        """The newest versions that the stack allows; None if it is not certain which distributions are installed."""
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
    """Versions in a range, one for each combination of specifiers that can hold there."""
    texts = tuple(specifiers)
    found: dict[tuple[bool, ...], str] = {}
    for version in allowed(within, texts):
        shape = tuple(SpecifierSet(text).contains(version, prereleases=True) for text in texts)
        found.setdefault(shape, str(version))
    return tuple(found.values())


def allowed(within: str, specifiers: Iterable[str]) -> list[Version]:
    """Versions in a range, the oldest first: all at which a specifier may start or stop to hold."""
    held = SpecifierSet(within)
    return [version for version in _points([within, *specifiers]) if held.contains(version, prereleases=True)]


def _points(specifiers: Iterable[str]) -> list[Version]:
    """The bounds of the specifiers, and a version right after each; between two of them nothing changes."""
    points = {Version("0")}
    for text in specifiers:
        for clause in SpecifierSet(text):
            bound = parsed_version(clause.version.removesuffix(".*"))
            if bound is None:
                continue  # === compares text: that is a version, not a range
            after_series = Version(".".join(str(part) for part in (*bound.release[:-1], bound.release[-1] + 1)))
            points |= {bound, _right_after(bound), after_series, _right_after(after_series)}
            if clause.operator == "~=" and len(bound.release) > 1:
                *kept, last = bound.release[:-1]
                points.add(Version(".".join(str(part) for part in (*kept, last + 1))))
    return sorted(points)


def _right_after(version: Version) -> Version:
    return Version(f"{version.epoch}!{'.'.join(str(part) for part in version.release)}.0.0.1")
