"""Finds and loads the records of a catalogue folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro.catalog.known_records import KnownRecords
from repro.catalog.open_questions import first_question
from repro.errors import Fault, RecordError, UsageError, unknown
from repro.files import PACKAGE
from repro.model.failure import Failure
from repro.model.script_failure import ScriptFailure

RECORD = "failure.yaml"
SCRIPT = "repro.py"
NOT_FAILURES = ("locks", "reports", "tests")
"""Folders that a catalogue outside the package may hold besides its failures."""


@dataclass(frozen=True)
class Entry:
    """A failure and the folder that holds it."""

    failure: Failure
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the ranks of a user's script see besides ours."""

    @property
    def script(self) -> Path:
        return self.folder / (self.failure.script if isinstance(self.failure, ScriptFailure) else SCRIPT)

    @property
    def shown_folder(self) -> str:
        """The folder as pages and commands show it, without the path of the catalogue on this machine."""
        catalog = "repro/failures" if self._is_ours else self.folder.parent.name
        return f"{catalog}/{self.folder.name}"

    @property
    def catalog_option(self) -> tuple[str, ...]:
        """The ``--catalog`` option of a command for this failure; empty for a failure of our own catalogue."""
        return () if self._is_ours else ("--catalog", self.folder.parent.name)

    @property
    def _is_ours(self) -> bool:
        return self.folder.parent.resolve() == PACKAGE / "failures"

    def backport_file(self, name: str) -> Path:
        """The file of a backport of this failure; raises UsageError for an unknown name."""
        backport = self.failure.backport(name)
        if backport is None:
            names = [known.name for known in self.failure.backports]
            raise unknown(f"backport of {self.failure.id}", name, names)
        return self.folder / backport.file


@dataclass(frozen=True)
class Catalog:
    """All failures by id.

    Iteration gives the finished ones.  A failure with open questions runs only if it is asked for by id; a record
    that is not valid never runs.  Neither stops the commands that work on all failures.
    """

    root: Path
    entries: dict[str, Entry]
    """The finished failures."""
    drafts: Mapping[str, Entry] = field(default_factory=dict)
    """Failures whose record is valid, but whose folder has open questions."""
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Why a failure is not among ``entries``: its first open question, or every fault of its record."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __getitem__(self, failure_id: str) -> Entry:
        """The failure of that id, finished or not.

        Raises RecordError if its record is not valid, UsageError that names the nearest id if there is none.
        """
        found = self.get(failure_id)
        if found is not None:
            return found
        if failure_id in self.faults:
            raise RecordError(self.faults[failure_id])
        raise unknown("failure", failure_id, self.ids)

    def named(self, name: str) -> Entry:
        """The failure of that id, or the one whose upstream issue or fix it is: ``transformers-34928``.

        Raises as the failure of an id does, and UsageError if it is upstream of several.
        """
        if name in self.ids:
            return self[name]
        found = [entry for entry in self.entries.values() if name in upstream_names(entry.failure)]
        if len(found) > 1:
            ids = ", ".join(entry.failure.id for entry in found)
            raise UsageError(f"{name} is upstream of several failures: {ids}")
        return found[0] if found else self[name]

    def get(self, failure_id: str) -> Entry | None:
        """The failure of that id, finished or not; None if there is none or its record is not valid."""
        return self.entries.get(failure_id) or self.drafts.get(failure_id)

    @property
    def ids(self) -> frozenset[str]:
        """Every id, also those of drafts and of records that are not valid."""
        return frozenset({*self.entries, *self.faults})

    @property
    def broken(self) -> tuple[Fault, ...]:
        """The faults of all records that are not valid."""
        return tuple(fault for name, faults in self.faults.items() if name not in self.drafts for fault in faults)

    @property
    def skipped(self) -> list[str]:
        """One line for each failure that a command for all failures leaves out: its id and the first fault."""
        return [f"skipped {name}: {_in_one_line(faults)}" for name, faults in sorted(self.faults.items())]


def _in_one_line(faults: tuple[Fault, ...]) -> str:
    more = f" (and {len(faults) - 1} more: `repro check`)" if len(faults) > 1 else ""
    return f"{' '.join(str(faults[0]).split())}{more}"


def load(root: Path, cache: Path | None = None) -> Catalog:
    """Load every record below ``root``; one that is not valid is left out, with its faults.

    ``cache`` is a folder where records are remembered between commands.  Raises UsageError if the folder is missing.
    """
    if not root.is_dir():
        raise UsageError(f"no catalogue at {root}: a folder with one folder a failure is expected")
    entries: dict[str, Entry] = {}
    drafts: dict[str, Entry] = {}
    faults: dict[str, tuple[Fault, ...]] = {}
    known = KnownRecords(root, cache)
    folders = (path for path in root.iterdir() if path.is_dir() and path.name not in NOT_FAILURES)
    for folder in sorted(path for path in folders if not path.name.startswith(("_", "."))):
        file = folder / RECORD
        try:
            entry = Entry(known.parsed(Failure, file), folder)
        except RecordError as error:
            faults[folder.name] = error.faults
            continue
        if entry.failure.id != folder.name:
            problem = f"{entry.failure.id!r} differs from the folder's name"
            faults[folder.name] = (Fault(file, 1, "id", problem, f"write {folder.name}"),)
            continue
        question = first_question(folder)
        if question is None:
            entries[folder.name] = entry
        else:
            drafts[folder.name] = entry
            faults[folder.name] = (question,)
    known.save()
    return Catalog(root, entries, drafts, faults)


def upstream_names(failure: Failure) -> set[str]:
    """Names of a failure's issues and fixes: ``transformers-34928`` and ``huggingface/transformers#34928``."""
    references = {*failure.upstream.issues, *failure.upstream.fixes}
    return references | {reference.rpartition("/")[2].replace("#", "-") for reference in references}
