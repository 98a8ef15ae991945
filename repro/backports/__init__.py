"""Cures of known failures at run time, for users who cannot upgrade.

    import repro.backports
    repro.backports.apply("lightning-19492")  # before the job

Importing this costs almost nothing: the laboratory itself is not loaded beside a training job.

NotAffectedError     the installed releases do not have the failure; nothing was changed
BackportWarning      issued once for each failure whose backport is applied
"""

import sys
import warnings
from pathlib import Path

from repro.model.errors import ReproError, UsageError

__all__ = ["BackportWarning", "NotAffectedError", "apply", "is_affected"]


class NotAffectedError(ReproError):
    """The installed releases do not have the failure."""


class BackportWarning(UserWarning):
    """A library was changed at run time."""


def apply(failure_id: str, backport: str | None = None, *, catalog: Path | None = None) -> None:
    """Apply the record's first cure of a failure, or a named backport, to the libraries of this process.

    A second call does nothing.

    Raises NotAffectedError, before any library is imported, if the installed releases do not have the failure;
    UsageError for an unknown name, or if another backport of the failure is already applied; RecordError if the record
    cannot be read.
    """
    from repro.backports.find import find  # noqa: PLC0415 - importing the package stays cheap

    chosen = find(failure_id, backport, catalog)
    applied = sys.modules.get(chosen.module)
    if applied is not None:
        if applied.__file__ != str(chosen.file):
            raise UsageError(f"{failure_id}: {Path(str(applied.__file__)).name} is applied already, and one is enough")
        return
    if not chosen.is_affected:
        raise NotAffectedError(
            f"{failure_id}: not applied: {chosen.affected_text} is affected, and {chosen.installed_text}; "
            "remove the call"
        )
    module = chosen.load()
    module.apply()
    sys.modules[chosen.module] = module
    warnings.warn(f"{failure_id}: {chosen.installed_text}; applied: {chosen.meaning}", BackportWarning, stacklevel=2)


def is_affected(failure_id: str, *, catalog: Path | None = None) -> bool:
    """True if the installed releases have the failure, by the specifiers of its record.  Nothing is imported.

    Raises UsageError for an unknown name, RecordError if the record cannot be read.
    """
    from repro.backports.find import find  # noqa: PLC0415 - importing the package stays cheap

    return find(failure_id, None, catalog).is_affected
