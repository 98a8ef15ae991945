"""The packages that must move with a release, because it does not accept their old versions.  Pure.

transformers 5 requires huggingface-hub 1, so it cannot be installed with the release of huggingface-hub that
transformers 4 used.  The two moves are one change, named after transformers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.model.version import parsed_version
from repro.model.version_change import VersionChange

Requires = Mapping[str, Sequence[str]]
"""The requirements of each distribution's release, from its metadata (``Requires-Dist``)."""


def companions(
    changes: Sequence[VersionChange], requires: Requires, python: str
) -> dict[VersionChange, tuple[VersionChange, ...]]:
    """For each change: the other changes that its new release forces, directly or indirectly.

    ``requires`` are the requirements of the releases after the changes.  A change that forces no other is left out.
    """
    known = {change.distribution: change for change in changes}
    forced = {name: tuple(_forced(change, known, requires, python)) for name, change in known.items()}
    found = {}
    for name, change in known.items():
        reached = _reached(name, forced)
        if len(reached) > 1:
            found[change] = tuple(other for other in changes if other.distribution in reached and other != change)
    return found


def _reached(name: str, forced: Mapping[str, Sequence[str]]) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        new = [other for other in forced[waiting.pop()] if other not in found]
        found.update(new)
        waiting += new
    return found


def _forced(
    change: VersionChange, known: Mapping[str, VersionChange], requires: Requires, python: str
) -> Iterator[str]:
    if change.after is None:
        return
    for requirement in _applying(requires.get(change.distribution, ()), python):
        other = known.get(canonicalize_name(requirement.name))
        if other is None or other.before is None or other.after is None or other == change:
            continue
        held = parsed_version(other.before)
        if held is not None and not requirement.specifier.contains(held, prereleases=True):
            yield other.distribution


def applies(requirement: Requirement, python: str) -> bool:
    """True if a requirement applies to this Python on this platform, without extras."""
    here = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return requirement.marker is None or requirement.marker.evaluate(here)


def _applying(texts: Iterable[str], python: str) -> Iterator[Requirement]:
    """The requirements that apply; unreadable ones are left out."""
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if applies(requirement, python):
            yield requirement
