"""The lock of a floating environment on a day: a kept one, else one that is resolved and kept."""

from repro.catalog.project import Project
from repro.environments.locks import header_of
from repro.environments.resolve import refuse_denied, resolve
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Environment
from repro.store.kept_locks import KeptLock, KeptLocks


def resolve_float(project: Project, locks: KeptLocks, name: str, definition: Environment) -> KeptLock:
    """The lock of a generated environment, kept in the store.

    A kept lock of the same definition is reused unless it holds a release that has been denied since.  Raises
    EnvironmentFailure if it does not resolve, StoreError if the lock is damaged or cannot be written.
    """
    header = header_of(name, definition)
    for kept in locks:
        if kept.lock.header == header and not _is_denied(kept, project):
            return kept
    lock = resolve(name, definition, project.matrix)
    locks.put(lock)
    return KeptLock(name, definition, lock)


def _is_denied(kept: KeptLock, project: Project) -> bool:
    try:
        refuse_denied(kept.lock, project.matrix)
    except EnvironmentFailure:
        return True
    return False


def holding_kept(project: Project, kept: KeptLock) -> Project:
    """The project with the environment of a kept lock added to its matrix."""
    return project.holding({kept.name: (kept.environment, kept.lock)})
