"""The releases of a distribution, and the skipped ones with their reasons.  Pure, except for fetching."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import groupby
from typing import Literal, overload

from packaging import tags
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from repro.model.base import Strict
from repro.model.errors import UsageError, nearest
from repro.model.version import parsed_version
from repro.store.answers import Every, SkippedRelease


@dataclass(frozen=True)
class IndexFile:
    """One file of a distribution in the index."""

    filename: str
    version: str
    kind: Literal["wheel", "sdist", "other"]
    uploaded: datetime | None
    requires_python: str = ""
    yanked: str | None = None
    """The reason, perhaps empty, if the file is yanked."""


class Release(Strict):
    """A release that can be tried."""

    version: str
    day: str
    """The upload day of its first file, in UTC."""
    requires_python: str = ""


@dataclass(frozen=True)
class Listing:
    """All releases of a distribution, the oldest version first."""

    releases: tuple[Release, ...]
    left_out: tuple[SkippedRelease, ...]


PRERELEASE = "pre-release"
"""The reason for leaving out a pre-release."""
Fetch = Callable[[str], list[IndexFile]]
Refuse = Callable[[str], str | None]
"""Returns why a version must not be tried, or None."""


def listing(
    files: Iterable[IndexFile], python: str, refuse: Refuse = lambda _: None, *, prereleases: bool = False
) -> Listing:
    """Sort the files of a distribution into releases for a Python version and skipped releases.  Pure."""
    by_version: dict[Version, list[IndexFile]] = {}
    left_out: list[SkippedRelease] = []
    for file in files:
        parsed = parsed_version(file.version)
        if parsed is not None:
            by_version.setdefault(parsed, []).append(file)
        else:
            left_out.append(SkippedRelease(version=file.version or file.filename, reason="its version is not valid"))
    releases: list[Release] = []
    for version, held in sorted(by_version.items()):
        name = held[0].version
        reason = refuse(name) or _objection(version, held, python, prereleases=prereleases)
        days = [file.uploaded for file in held if file.uploaded is not None]
        if reason is None and not days:
            reason = "the index does not state when it was uploaded"
        if reason is not None:
            left_out.append(SkippedRelease(version=name, reason=reason))
            continue
        required = next(file.requires_python for file in held if file.yanked is None)
        day = min(days).astimezone(UTC).date().isoformat()
        releases.append(Release(version=name, day=day, requires_python=required))
    return Listing(tuple(releases), tuple(left_out))


def _objection(version: Version, files: Sequence[IndexFile], python: str, *, prereleases: bool) -> str | None:
    offered = [file for file in files if file.yanked is None]
    if not offered:
        why = next((file.yanked for file in files if file.yanked), "no reason given")
        return f"yanked: {' '.join(why.split())}"
    if version.is_prerelease and not prereleases:
        return PRERELEASE
    allowed = [file for file in offered if _allows(file.requires_python, python)]
    if not allowed:
        return f"needs Python {offered[0].requires_python}"
    if not any(_installs(file, python) for file in allowed):
        return f"has no wheel for Python {python} on this platform, and no source"
    return None


def _allows(requires_python: str, python: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(python)
    except InvalidSpecifier:
        return True


def _installs(file: IndexFile, python: str) -> bool:
    if file.kind != "wheel":
        return file.kind == "sdist"
    try:
        return not parse_wheel_filename(file.filename)[3].isdisjoint(_supported(python))
    except InvalidWheelFilename:
        return False


@cache
def _supported(python: str) -> frozenset[tags.Tag]:
    """The wheel tags that a CPython of that version supports on this platform."""
    major, minor = (int(part) for part in python.split(".")[:2])
    platforms = list(tags.platform_tags())
    return frozenset(
        [
            *tags.cpython_tags((major, minor), platforms=platforms),
            *tags.compatible_tags((major, minor), f"cp{major}{minor}", platforms),
        ]
    )


def _end(text: str) -> Version:
    """Parse an end that a user named."""
    version = parsed_version(text)
    if version is None:
        raise UsageError(f"{text!r} is no version: one such as '2.5.1' is expected")
    return version


class Releases(Sequence[Release]):
    """The releases of a distribution that can be tried, fetched on first use."""

    def __init__(self, distribution: str, python: str, refuse: Refuse = lambda _: None, *, fetch: Fetch) -> None:
        self.distribution = distribution
        self._python = python
        self._refuse = refuse
        self._fetch = fetch

    @cached_property
    def _listing(self) -> Listing:
        return listing(self._fetch(self.distribution), self._python, self._refuse)

    @property
    def left_out(self) -> tuple[SkippedRelease, ...]:
        """The skipped releases, each with the reason."""
        return self._listing.left_out

    def __len__(self) -> int:
        return len(self._listing.releases)

    @overload
    def __getitem__(self, index: int) -> Release: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Release]: ...

    def __getitem__(self, index: int | slice) -> Release | Sequence[Release]:
        return self._listing.releases[index]

    def between(self, first: str | None, last: str | None) -> Sequence[Release]:
        """The releases from one version to another, both included; raises UsageError for an invalid version."""
        lowest, highest = (_end(text) if text else None for text in (first, last))
        return [
            release
            for release in self
            if (lowest is None or Version(release.version) >= lowest)
            and (highest is None or Version(release.version) <= highest)
        ]

    def place(self, version: str) -> int:
        """The index of a version; raises UsageError, with the reason, if it is missing."""
        wanted = parsed_version(version)
        if wanted is None:
            raise UsageError(f"{version!r} is no version")
        for index, release in enumerate(self):
            if Version(release.version) == wanted:
                return index
        for entry in self.left_out:
            if _same(entry.version, wanted):
                raise UsageError(f"{self.distribution} {version} is left out: {entry.reason}")
        known = [release.version for release in self]
        near = nearest(version, known) if known else "it has no release for this Python"
        raise UsageError(f"no release {self.distribution} {version}; {_short(near)}")


def _same(text: str, version: Version) -> bool:
    return parsed_version(text) == version


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def series(version: str) -> tuple[int, ...]:
    """``4.49`` of ``4.49.2``."""
    parsed = Version(version)
    return (parsed.epoch, *parsed.release[:2])


def chosen(releases: Sequence[Release], every: Every) -> list[Release]:
    """All releases, or the last release of every minor series."""
    if every is Every.ALL:
        return list(releases)
    return [list(group)[-1] for _, group in groupby(releases, key=lambda release: series(release.version))]
