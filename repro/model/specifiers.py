"""Which versions a set of specifiers covers.  Light: it also serves users' own processes, beside their training."""

import platform
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.model.version import parsed_version

PYTHON = "python"
"""The name of the interpreter in ranges: no distribution, but its version may decide too."""
ABSENT = "absent"
"""In the place of a specifier: the distribution is not installed."""


class Untried(NamedTuple):
    """Releases of a distribution that nobody tried."""

    name: str
    specifier: str
    words: str
    """``torch before 2.11.0``."""


def installed_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Versions of those distributions that this very process can import, by name, and that of its Python."""
    from importlib import metadata  # noqa: PLC0415 - slow, and not for versions that are known

    found = {}
    for name in sorted(distributions):
        if name == PYTHON:
            found[name] = python_release(platform.python_version())
            continue
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def python_release(text: str) -> str:
    """The version of an interpreter without the ``+`` of a build from a repository."""
    return text.removesuffix("+")


def with_python(versions: Mapping[str, str], python: str) -> dict[str, str]:
    """Versions of distributions, and that of the interpreter beside them."""
    return {**versions, PYTHON: python_release(python)}


def same_release(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """True if two names and versions mean the same release; what is no version means none."""
    (name, version), (other_name, other_version) = one, other
    if canonicalize_name(name) != canonicalize_name(other_name):
        return False
    parsed = parsed_version(version)
    return parsed is not None and parsed == parsed_version(other_version)


def range_in_words(name: str, text: str) -> str:
    """``torch >=2.2``, ``no flash-attn``; the name alone where any version will do."""
    return f"no {name}" if text == ABSENT else f"{name} {text}".strip()


def releases_beside(names: Iterable[str], versions: Mapping[str, str]) -> list[dict[str, str]]:
    """The releases before and after the development versions among these, such as 4 and 5.0.0 of ``5.0.0.dev0``.

    Its code lies between the two; PEP 440 has it in neither ``>=5.0`` nor ``<5.0``.  Empty if there is none.
    """
    parsed = {name: parsed_version(versions[name]) for name in names if name in versions}
    found = {name: version for name, version in parsed.items() if version is not None and version.is_devrelease}
    if not found:
        return []
    before = {name: _release_before(version) for name, version in found.items()}
    return [before, {name: version.base_version for name, version in found.items()}]


def _release_before(version: Version) -> str:
    if version.micro:
        return f"{version.major}.{version.minor}.{version.micro - 1}"
    return f"{version.major}.{version.minor - 1}" if version.minor else str(max(version.major - 1, 0))


def covers(releases: Mapping[str, str], versions: Mapping[str, str]) -> bool:
    """Whether the versions lie in the releases; a distribution that is not installed lies in ``absent`` only.

    Pre-releases and local builds (``2.13.0+cpu``) count by their version; what is no version lies nowhere.
    """
    for name, text in releases.items():
        if text == ABSENT:
            if name in versions:
                return False
            continue
        if name not in versions or not _lies_in(versions[name], text):
            return False
    return True


@lru_cache(maxsize=8192)
def _lies_in(version: str, text: str) -> bool:
    """Whether a version lies in releases; cached, since a report asks the same of thousands of runs."""
    parsed = parsed_version(version)
    return parsed is not None and SpecifierSet(text).contains(parsed, prereleases=True)
