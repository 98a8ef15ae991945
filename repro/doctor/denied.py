"""Releases that must not be installed, found in a stack.  Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from repro.doctor.stack.stack import Stack
from repro.model.specifiers import same_release

WHAT_TO_DO = (
    "import nothing there, remove the release, replace every credential that the machine could reach, "
    "and install another release"
)


class DeniedRelease(NamedTuple):
    """An entry of the deny list."""

    distribution: str
    version: str
    reason: str


def denied_releases(deny: Iterable[DeniedRelease], stack: Stack) -> tuple[str, ...]:
    """One line, with what to do, for each denied release that a stack holds or may hold."""
    listed = list(deny)
    found = []
    for name, held in sorted(stack.held.items()):
        for version in held.versions:
            entry = next((entry for entry in listed if same_release(entry[:2], (name, version))), None)
            if entry:
                found.append(f"{name} {version}: {entry.reason}; {WHAT_TO_DO}")
    return tuple(found)
