"""The requirements of an environment's distributions, from their metadata."""

from collections.abc import Iterable
from importlib import metadata

from packaging.utils import canonicalize_name


def stated_requirements(libraries: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """``Requires-Dist`` of each distribution in the folders, by name; the first distribution of a name counts.

    Unreadable metadata has no requirements.  Nothing is imported.
    """
    found: dict[str, tuple[str, ...]] = {}
    for held in metadata.distributions(path=list(libraries)):
        try:
            stated, texts = held.metadata, held.requires
        except (OSError, ValueError):
            continue
        if "Name" in stated:
            found.setdefault(canonicalize_name(stated["Name"]), tuple(texts or ()))
    return found
