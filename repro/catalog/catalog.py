"""Finds and loads the records of a catalogue folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repro.catalog.known_records import KnownRecord, KnownRecords
from repro.catalog.open_questions import first_question
from repro.files import PACKAGE
from repro.model.errors import Fault, RecordError, UsageError, unknown
from repro.model.failure import Failure
from repro.model.script_failure import ScriptFailure

RECORD = "failure.yaml"
SCRIPT = "repro.py"
NOT_FAILURES = ("locks", "reports", "tests")
"""Folders of an external catalogue that are not failures."""


@dataclass(frozen=True)
class Entry:
    """A failure and its folder."""

    failure: Failure
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    """Additional environment variables for the ranks of a user's script."""

    @property
    def script(self) -> Path:
        return self.folder / (self.failure.script if isinstance(self.failure, ScriptFailure) else SCRIPT)

    @property
    def shown_folder(self) -> str:
        """The folder for display, without the path of the catalogue on this machine."""
        catalog = "repro/failures" if self._is_ours else self.folder.parent.name
        return f"{catalog}/{self.folder.name}"

    @property
    def catalog_option(self) -> tuple[str, ...]:
        """The ``--catalog`` option of a command for this failure; empty for our own catalogue."""
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

    Iteration yields the finished ones.  A failure with open questions runs only if it is named by id; an invalid record
    never runs.  Neither stops commands for all failures.
    """

    root: Path
    entries: Mapping[str, Entry]
    """The finished failures."""
    drafts: Mapping[str, Entry] = field(default_factory=dict)
    """Failures with a valid record and open questions."""
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Why a failure is not in ``entries``: its first open question, or all faults of its record."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __getitem__(self, failure_id: str) -> Entry:
        """The failure of that id, finished or not.

        Raises RecordError if its record is invalid, UsageError with the nearest id if there is none.
        """
        found = self.get(failure_id)
        if found is not None:
            return found
        if failure_id in self.faults:
            raise RecordError(self.faults[failure_id])
        raise unknown("failure", failure_id, self.ids)

    def named(self, name: str) -> Entry:
        """The failure with that id, or with that upstream issue or fix: ``transformers-34928``.

        Raises the errors of ``[]``, and UsageError if several failures match.
        """
        if name in self.ids:
            return self[name]
        found = [entry for entry in self.entries.values() if name in upstream_names(entry.failure)]
        if len(found) > 1:
            ids = ", ".join(entry.failure.id for entry in found)
            raise UsageError(f"{name} is upstream of several failures: {ids}")
        return found[0] if found else self[name]

    def get(self, failure_id: str) -> Entry | None:
        """The failure of that id, finished or not; None if it does not exist or its record is invalid."""
        return self.entries.get(failure_id) or self.drafts.get(failure_id)

    @property
    def ids(self) -> frozenset[str]:
        """Every id, including drafts and invalid records."""
        return frozenset({*self.entries, *self.faults})

    @property
    def broken(self) -> tuple[Fault, ...]:
        """The faults of all invalid records."""
        return tuple(fault for name, faults in self.faults.items() if name not in self.drafts for fault in faults)

    @property
    def skipped(self) -> list[str]:
        """One line, with id and first fault, for each failure that commands for all failures skip."""
        return [f"skipped {name}: {_in_one_line(faults)}" for name, faults in sorted(self.faults.items())]


def _in_one_line(faults: tuple[Fault, ...]) -> str:
    more = f" (and {len(faults) - 1} more: `repro check`)" if len(faults) > 1 else ""
    return f"{' '.join(str(faults[0]).split())}{more}"


def load(root: Path, cache: Path | None = None) -> Catalog:
    """Load every record below ``root``; invalid ones are left out, with their faults.

    ``cache`` is a folder that caches records between commands.  Raises UsageError if ``root`` is missing.
    """
    if not root.is_dir():
        raise UsageError(f"no catalogue at {root}: a folder with one folder a failure is expected")
    entries: dict[str, KnownRecord[Failure]] = {}
    drafts: dict[str, Entry] = {}
    faults: dict[str, tuple[Fault, ...]] = {}
    known = KnownRecords(root, cache)
    folders = (path for path in root.iterdir() if path.is_dir() and path.name not in NOT_FAILURES)
    for folder in sorted(path for path in folders if not path.name.startswith(("_", "."))):
        file = folder / RECORD
        try:
            record = known.record(Failure, file)
        except RecordError as error:
            faults[folder.name] = error.faults
            continue
        if record.id != folder.name:
            problem = f"{record.id!r} differs from the folder's name"
            faults[folder.name] = (Fault(file, 1, "id", problem, f"write {folder.name}"),)
            continue
        question = first_question(folder)
        if question is None:
            entries[folder.name] = record
        else:
            drafts[folder.name] = Entry(record.value, folder)
            faults[folder.name] = (question,)
    known.save()
    return Catalog(root, _Entries(root, entries), drafts, faults)


class _Entries(Mapping[str, Entry]):
    """The entries of a catalogue, each made when it is first used."""

    def __init__(self, root: Path, records: Mapping[str, KnownRecord[Failure]]) -> None:
        self._root, self._records = root, records

    def __getitem__(self, name: str) -> Entry:
        return Entry(self._records[name].value, self._root / name)

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def upstream_names(failure: Failure) -> set[str]:
    """The names of a failure's issues and fixes: ``transformers-34928`` and ``huggingface/transformers#34928``."""
    references = {*failure.upstream.issues, *failure.upstream.fixes}
    return references | {reference.rpartition("/")[2].replace("#", "-") for reference in references}
