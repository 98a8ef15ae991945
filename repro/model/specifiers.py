"""Which versions a set of specifiers covers.  Light: it also serves users' own processes, beside their training."""

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from repro.model.version import parsed_version


class Untried(NamedTuple):
    """Releases of a distribution that nobody tried."""

    name: str
    specifier: str
    words: str
    """``torch before 2.11.0``."""


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Versions of those distributions that this very process can import, by name."""
    found = {}
    for name in sorted(distributions):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def covers(releases: Mapping[str, str], versions: Mapping[str, str]) -> bool:
    """Whether the versions lie in the releases; a distribution that is not installed does not.

    Pre-releases and local builds (``2.13.0+cpu``) count by their version; what is no version lies nowhere.
    """
    for name, text in releases.items():
        version = parsed_version(versions[name]) if name in versions else None
        if version is None or not SpecifierSet(text).contains(version, prereleases=True):
            return False
    return True
