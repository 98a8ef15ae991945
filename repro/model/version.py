"""Reads version texts that may be no versions.  Light: it also serves users' own processes, beside their training."""

from functools import lru_cache

from packaging.version import InvalidVersion, Version


@lru_cache(maxsize=4096)
def parsed_version(text: str) -> Version | None:
    """The version that a text states, or None if it is not a valid version."""
    try:
        return Version(text)
    except InvalidVersion:
        return None
