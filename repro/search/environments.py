"""Generates environments for searches: another release, another day, a mixture of two locks.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.environments.development import at_locked
from repro.environments.locks import Lock, is_accelerator
from repro.model.errors import UsageError
from repro.model.matrix import Environment
from repro.model.specifiers import with_python
from repro.model.version_change import VersionChange
from repro.search.companions import applies


@dataclass(frozen=True)
class Variant:
    """A named environment; without a definition it is one of the matrix."""

    name: str
    definition: Environment | None = None


@dataclass(frozen=True)
class Vector:
    """A named environment with all versions that its lock installs on this platform."""

    name: str
    environment: Environment
    versions: Mapping[str, str]
    days: tuple[str, ...] = ()

    @property
    def sources(self) -> dict[str, str]:
        """Its development versions, by canonical name."""
        return {str(canonicalize_name(name)): text for name, text in self.environment.sources.items()}

    @property
    def of_record(self) -> dict[str, str]:
        """The versions by which a record judges: Python's too."""
        return with_python(self.versions, self.environment.python)


def with_release(base: Vector, distribution: str, version: str, day: str, companions: Iterable[str] = ()) -> Variant:
    """The base environment with one package at another release, resolved as of the younger of the two days.

    All other packages keep their versions wherever the release allows it.  Pinned packages always keep them, except
    companions, which some release of this package requires to be newer.
    """
    environment = base.environment
    own: dict[str, str] = {canonicalize_name(pin): held for pin, held in environment.pins.items()}
    if distribution in own and Version(own[distribution]) == Version(version):
        return Variant(base.name)
    sources = {name: text for name, text in environment.sources.items() if canonicalize_name(name) != distribution}
    freed = tuple(name for name in companions if name in own and name != distribution)
    own = {name: held for name, held in own.items() if name not in freed}
    cutoffs = dict(environment.cutoffs)
    if distribution in cutoffs:
        cutoffs[distribution] = max(cutoffs[distribution], day)
    cutoffs |= {name: max(cutoffs[name], day) for name in freed if name in cutoffs}
    definition = Environment(
        python=environment.python,
        cutoff=max(environment.cutoff, day),
        cutoffs=cutoffs,
        pins=own | {distribution: version},
        floating=(*(name for name in environment.floating if canonicalize_name(name) != distribution), *freed),
        preferred={name: held for name, held in base.versions.items() if name not in {distribution, *own, *sources}},
        sources=sources,
        why=f"{distribution} {version} in {base.name}",
    )
    besides = f" and the {', '.join(freed)} that it requires" if freed else ""
    return Variant(f"{base.name} with {distribution} {version}{besides}", definition)


def as_of(base: str, environment: Environment, day: str, keep: Mapping[str, str]) -> Variant:
    """The base environment's packages resolved as of a day; ``keep`` holds packages at a version."""
    names = [canonicalize_name(name) for name in (*environment.pins, *environment.floating)]
    # Kept packages may be younger than the day, so their cut-offs are those of the base environment.
    own: dict[str, str] = {canonicalize_name(name): held for name, held in environment.cutoffs.items()}
    cutoffs = {name: max(day, own.get(name, environment.cutoff)) for name in keep}
    definition = Environment(
        python=environment.python,
        cutoff=day,
        cutoffs=cutoffs,
        pins=dict(keep),
        floating=tuple(name for name in dict.fromkeys(names) if name not in keep),
        sources={name: text for name, text in environment.sources.items() if canonicalize_name(name) not in keep},
        why=f"the names of {base} as of {day}",
    )
    kept = "".join(f" with {name} {version}" for name, version in keep.items())
    return Variant(f"{base} as of {day}{kept}", definition)


def days_between(first: str, last: str) -> tuple[str, ...]:
    """Every day from the first to the last, inclusive."""
    start = date.fromisoformat(first)
    return tuple((start + timedelta(days=n)).isoformat() for n in range((date.fromisoformat(last) - start).days + 1))


def kept_versions(settings: Iterable[str]) -> dict[str, str]:
    """``torch==2.2.2`` -> name and version; raises UsageError."""
    kept: dict[str, str] = {}
    for setting in settings:
        name, equals, version = setting.partition("==")
        if not (name and equals and version):
            raise UsageError(f"--keep {setting}: NAME==VERSION is expected")
        kept[canonicalize_name(name.strip())] = version.strip()
    return kept


def vector(name: str, environment: Environment, lock: Lock) -> Vector:
    """The versions of a lock that apply to its Python here, without packages that only serve torch's builds.

    Development versions are those that the lock names, whatever their branch holds today.
    """
    versions = {
        package.name: package.version
        for package in lock.packages
        if not is_accelerator(package.name) and applies(Requirement(package.without_hashes.strip()), environment.python)
    }
    days = (environment.cutoff, *environment.cutoffs.values())
    return Vector(name, at_locked(environment, lock), versions, days)


def version_changes(start: Vector, end: Vector) -> tuple[VersionChange, ...]:
    """The changes between two environments; packages that an environment names come first, the others by name.

    A development version differs from a release of the same version, and from another commit.
    """
    names = {name for side in (start, end) for name in _named(side.environment)}
    held = {**start.versions, **end.versions}
    built = start.environment.public_sources, end.environment.public_sources
    changes = [
        VersionChange(
            distribution=name,
            before=start.versions.get(name),
            after=end.versions.get(name),
            source_before=built[0].get(name, ""),
            source_after=built[1].get(name, ""),
        )
        for name in sorted(held, key=lambda name: (name not in names, name))
    ]
    return tuple(
        change for change in changes if (change.before, change.source_before) != (change.after, change.source_after)
    )


def _named(environment: Environment) -> Iterable[str]:
    """The distributions that an environment names, pinned or not."""
    yield from map(canonicalize_name, (*environment.pins, *environment.sources))
    for text in environment.floating:
        yield canonicalize_name(Requirement(text).name)


def mixture(start: Vector, end: Vector, taken: Sequence[VersionChange], every: Sequence[VersionChange]) -> Variant:
    """The starting environment with some of the changes; all versions are pinned, or have their source."""
    if not taken:
        return _whole(start)
    if len(taken) == len(every):
        return _whole(end)
    sources = start.sources
    versions = {package: held for package, held in start.versions.items() if package not in sources}
    for move in taken:
        versions.pop(move.distribution, None)
        sources.pop(move.distribution, None)
        if move.source_after:
            sources[move.distribution] = end.sources[move.distribution]
        elif move.after is not None:
            versions[move.distribution] = move.after
    newest = max((*start.days, *end.days))
    words = ", ".join(move.text_after for move in taken)
    name = f"{start.name} with {words}"
    if len(name) > _NAME_CHARACTERS:
        name = f"{start.name} with {len(taken)} of {len(every)} changes {sha256(words.encode()).hexdigest()[:8]}"
    definition = Environment(
        python=start.environment.python,
        cutoff=newest,
        pins=versions,
        # For packages that a combination needs and neither end pins.
        preferred={
            package: held
            for package, held in {**end.versions, **start.versions}.items()
            if package not in {*versions, *sources}
        },
        sources=sources,
        why=f"{start.name} with {words}",
    )
    return Variant(name, definition)


_NAME_CHARACTERS = 120


def _whole(held: Vector) -> Variant:
    return Variant(held.name, None)
