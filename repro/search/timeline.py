"""Which releases a sweep looks at.  Pure."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

from packaging.version import Version

from repro.search.releases import Release


class Every(StrEnum):
    """Which releases of a package."""

    MINOR = "minor"
    """The last one of every minor series."""
    ALL = "all"


def series(version: str) -> tuple[int, ...]:
    """``4.49`` of ``4.49.2``."""
    parsed = Version(version)
    return (parsed.epoch, *parsed.release[:2])


def chosen(releases: Sequence[Release], every: Every) -> list[Release]:
    """All releases, or the last one of every minor series."""
    if every is Every.ALL:
        return list(releases)
    return [list(group)[-1] for _, group in groupby(releases, key=lambda release: series(release.version))]
