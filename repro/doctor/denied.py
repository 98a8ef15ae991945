"""Releases that must not be installed, found in a stack.  Pure."""

from repro.doctor.stack.stack import Stack
from repro.model.matrix import Matrix

WHAT_TO_DO = (
    "import nothing there, remove the release, replace every credential that the machine could reach, "
    "and install another release"
)


def denied_releases(matrix: Matrix, stack: Stack) -> tuple[str, ...]:
    """One line, with what to do, for each denied release that a stack holds or may hold."""
    found = []
    for name, held in sorted(stack.held.items()):
        for version in held.versions:
            entry = matrix.denied(name, version)
            if entry:
                found.append(f"{name} {version}: {entry.reason}; {WHAT_TO_DO}")
    return tuple(found)
