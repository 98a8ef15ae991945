"""``repro check``: all faults of records, matrix and locks at once."""

from collections.abc import Sequence
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.catalog.check_failure import EntryCheck
from repro.catalog.open_questions import unanswered
from repro.catalog.project import Project
from repro.catalog.public_threads import reported_failures
from repro.environments.locks import read_lock, stale
from repro.environments.resolve import refuse_denied
from repro.model.errors import EnvironmentFailure, Fault, RecordError, UsageError


def check(project: Project) -> Sequence[Fault]:
    """Every fault of the project, sorted by file and line."""
    catalog = project.catalog
    faults = list(catalog.broken)
    try:
        reported_failures(project)
    except RecordError as error:
        faults += error.faults
    try:
        matrix = project.matrix
    except RecordError as error:
        faults += error.faults
    else:
        faults += _locks(project)
        faults += unanswered(project.matrix_file)
        for entry in (*catalog.entries.values(), *catalog.drafts.values()):
            faults += EntryCheck(entry, matrix, project.tests).faults()
            faults += _absences(project, entry)
        faults += [
            Fault(project.matrix_file, 0, f"runs.{name}", "no such failure in the catalogue")
            for name in matrix.runs
            if name not in catalog.ids
        ]
    return sorted(_relative(fault) for fault in faults)


def _locks(project: Project) -> list[Fault]:
    """The faults of the project's own locks, not of those that it takes from its base."""
    faults: list[Fault] = []
    for name, environment in project.own_matrix.environments.items():
        file = project.locks / f"{name}.txt"
        try:
            lock = read_lock(file)
            refuse_denied(lock, project.matrix)
        except RecordError as error:
            faults += error.faults
            continue
        except EnvironmentFailure as error:
            faults.append(Fault(file, 0, "", str(error)))
            continue
        problem = stale(lock, name, environment)
        if problem:
            faults.append(Fault(file, 0, "", problem, f"run `repro lock {name}`"))
    known = {f"{name}.txt" for name in project.own_matrix.environments}
    faults += [
        Fault(file, 0, "", "belongs to no environment of the matrix", "remove it")
        for file in sorted(project.locks.glob("*.txt"))
        if file.name not in known
    ]
    return faults


def _absences(project: Project, entry: Entry) -> list[Fault]:
    """The fault of a failure that needs a distribution to be absent, and that every default environment installs."""
    failure, runs = entry.failure, project.matrix.runs.get(entry.failure.id)
    if not failure.may_be_absent or runs is None:
        return []
    try:
        held = [project.environments.lock(name).versions for name in runs.environments]
    except (RecordError, UsageError):
        return []  # reported elsewhere
    names = ", ".join(failure.may_be_absent)
    if not all(set(failure.may_be_absent) & set(versions) for versions in held):
        return []
    problem = f"no default environment of {failure.id} is without {names}: another distribution brings it"
    return [Fault(project.matrix_file, 0, f"runs.{failure.id}", problem, "add one whose lock does not hold it")]


def _relative(fault: Fault) -> Fault:
    """The fault, with its file relative to the working directory."""
    try:
        file = fault.file.resolve().relative_to(Path.cwd())
    except ValueError:
        return fault
    return Fault(file, fault.line, fault.key, fault.problem, fault.remedy)
