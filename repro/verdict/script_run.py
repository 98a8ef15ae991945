"""Judges a run of a user's script before its signature counts: imports, endings, exit codes.  Pure."""

import re
import signal
from collections.abc import Sequence

from repro.model.observation import Installed, Raised, Rank
from repro.verdict.signature import CRASHES

_NO_MODULE = re.compile(r"^No module named '([\w.]+)'")


def lacks_package(chain: Sequence[Raised], installed: Installed | None, imported: Sequence[str]) -> bool:
    """True if an import failed because a distribution is missing, not because a release has dropped a name.

    ``cannot import name 'X' from 'lib'``, and a missing submodule of an installed package, are failures of the library.
    """
    there = {name for names in installed.modules.values() for name in names} if installed else set()
    there |= set(imported)
    for error in chain:
        if error.type not in {"ImportError", "ModuleNotFoundError"} and "ImportError" not in error.bases:
            continue
        if error.message.startswith("cannot import name"):
            continue
        found = _NO_MODULE.match(error.message)
        package, dot, _ = found[1].partition(".") if found else ("", "", "")
        if not (dot and package in there):
            return True
    return False


def foreign_import(rank: Rank, installed: Installed, distributions: Sequence[str]) -> str:
    """The first module of these distributions that a rank imported from elsewhere; empty if there is none."""
    names = (name for distribution in distributions for name in installed.modules.get(distribution, ()))
    return next((name for name in names if name in rank.imported and not rank.imported[name].inside), "")


def ending(rank: Rank) -> str:
    """How a rank's process ended without an exception: ``SIGSEGV``, ``exit code 3``; empty if it did not."""
    if rank.stopped or rank.error is not None:
        return ""
    if rank.signal is not None:
        return signal.Signals(rank.signal).name if rank.signal in CRASHES else ""
    return f"exit code {rank.exit_code}" if rank.exit_code not in {0, None} else ""


def completed(ranks: Sequence[Rank]) -> bool:
    """True if every rank ended with exit code 0; ``sys.exit()`` is a normal end of a script."""
    return bool(ranks) and all(rank.exit_code == 0 and rank.error is None and not rank.stopped for rank in ranks)
