"""Starts a record from a finished search with a user's script."""

from pathlib import Path

from repro.catalog.project import Project
from repro.catalog.scaffold import NewFailure, SeenFailure
from repro.environments.locks import Lock, header_of
from repro.files import read_bytes_file, read_text_file
from repro.model.errors import UndecidedError, UsageError
from repro.model.matrix import Environment
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side
from repro.search.log import SearchLog, SearchPoint
from repro.search.script_search import SCRIPTS
from repro.store.answers import Bisected, read_answer


def read_answered(log: Path) -> tuple[SearchLog, Bisected, Path]:
    """A log of a user's script, its answer, and the copy of the script.

    Raises UsageError if it is another kind of log, UndecidedError if the search is not finished.
    """
    journal = SearchLog.read(log)
    learned = journal.question.script
    if learned is None:
        raise UsageError(f"{log} is a search of {journal.question.failure}, which has a record")
    answers = [read_answer(file) for file in sorted(log.parent.glob("*.json"))]
    found = next((answer for answer in answers if isinstance(answer, Bisected) and answer.log == log.name), None)
    if found is None:
        raise UndecidedError(f"{log} has no answer yet: continue with --resume")
    return journal, found, copy_of(learned, log.resolve().parents[3])


def copy_of(learned: ScriptFailure, reports: Path) -> Path:
    """The folder of a searched script, beside the store; raises UsageError if it is gone."""
    folder = reports / SCRIPTS / learned.id
    if not (folder / learned.script).is_file():
        raise UsageError(f"{folder}: the copy of the script is gone; search again")
    return folder


def read_finished(log: Path) -> tuple[SearchLog, Bisected, Path]:
    """Like ``read_answered``, but raises UsageError if the search was not judged by a signature."""
    journal, found, folder = read_answered(log)
    learned = journal.question.script
    if journal.question.metric is not None or learned is None or learned.rule != "signature":
        raise UsageError(f"{log} judges by a number or an exit code: a record needs a signature")
    return journal, found, folder


def new_failure(
    failure_id: str, upstream: str | None, log: Path, project: Project, script: Path | None = None
) -> NewFailure:
    """A new failure from a finished search; ``script`` is the reproduction if it is not the searched script."""
    journal, answer, folder = read_finished(log)
    learned = journal.question.script
    assert learned is not None  # noqa: S101 - as read
    package = str(answer.package)
    bad, good = (answer.before, answer.after) if answer.older is Side.BAD else (answer.after, answer.before)
    points = {point.label: point for point in journal.question.points}
    environments: dict[str, Environment] = {}
    locks: dict[str, str] = {}
    names = []
    for label in (bad.label, good.label):
        name, environment, lock = _environment(project, points[label], f"{package}-{label}-{failure_id}")
        if lock is not None:
            environments[name], locks[name] = environment, lock
        names.append(name)
    if answer.older is Side.BAD:
        first, fixed = answer.ends[0], answer.after.label
    else:
        first, fixed = answer.after.label, None
    return NewFailure(
        failure_id,
        upstream,
        package,
        "hang" if learned.signature.kind == "hang" else "crash",
        first,
        fixed,
        SeenFailure(
            signature=learned.signature,
            world_size=learned.needs.world_size,
            timeout=learned.timeout,
            script=read_text_file(script or folder / learned.script),
            beside=_beside(folder, learned),
            failing=names[0],
            passing=names[1],
            versions=bad.versions,
            environments=environments,
            locks=locks,
        ),
    )


def _beside(folder: Path, learned: ScriptFailure) -> dict[str, bytes]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink())
    names = {str(file.relative_to(folder)): file for file in files}
    return {name: read_bytes_file(file) for name, file in names.items() if name != learned.script}


def _environment(project: Project, point: SearchPoint, name: str) -> tuple[str, Environment, str | None]:
    """The environment of a point under a new name, with its lock; an environment of the matrix keeps its name."""
    if point.definition is None:
        return point.environment, project.environments.environment(point.environment), None
    held = project.deriving({point.environment: point.definition}).environments.lock(point.environment)
    return name, point.definition, Lock(header_of(name, point.definition), held.packages).text
