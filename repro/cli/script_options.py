"""Options and steps that the commands for a user's own script share."""

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.catalog.snapshot import Snapshot, take
from repro.doctor.stack.files import read_stack
from repro.doctor.stack.sources import FROM_GIT
from repro.environments.interpreter import find_interpreter, probe
from repro.launch.first_imports import first_imports
from repro.model.errors import UsageError, unknown
from repro.model.failure import Lane, Signature
from repro.model.observation import Observation
from repro.model.script_failure import ScriptFailure, script_failure
from repro.model.verdict import Side
from repro.search.environments import Vector
from repro.search.lead import today
from repro.search.metric import PEAK_MEMORY
from repro.search.own_stack import from_given, from_imports, from_requirements, from_versions, sources_in
from repro.search.script_search import RUNS, SCRIPTS, Surroundings, stack_vector
from repro.search.start import vector_of
from repro.store.answers import Bisected, Blamed
from repro.store.observations import Store

Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[-- ARG]...", help="For a script: its own arguments, after --.")
]
ScriptTarget = Annotated[
    str, typer.Argument(metavar="ID|SCRIPT", help="A failure's id, or the path of your own script.")
]


@dataclass(frozen=True)
class ScriptOptions:
    """How a user's script runs, and how it is judged."""

    requirements: Annotated[
        Path | None,
        typer.Option(
            "--requirements",
            metavar="FILE",
            help="For a script: the rest of the stack; what it does not pin is the newest of today.",
        ),
    ] = None
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            metavar="PATH",
            help="For a script: an interpreter or environment whose versions are kept where the releases allow.",
        ),
    ] = None
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="NAME",
            help="For a script: an environment of matrix.yaml as the rest of the stack "
            "[default: what the script imports, as of the day of the good release].",
        ),
    ] = None
    ranks: Annotated[int, typer.Option("--ranks", min=1, help="For a script: the number of ranks.")] = 2
    by_exit: Annotated[
        bool, typer.Option("--exit", help="For a script: judge by exit code alone, whatever the error.")
    ] = False
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="FILE", help="For a script: take the signature from the last traceback of a log."
        ),
    ] = None
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME[@N]",
            help="For a script: judge by a number: NAME of its lines `measured NAME = NUMBER`, the N-th of them, or "
            "peak_memory. If the noise is normal and the same at all releases, at most 1 % of all searches (including "
            "those that are refused) place a release on the wrong side.",
        ),
    ] = None
    timeout: Annotated[
        int,
        typer.Option(
            "--timeout", min=1, help="For a script: seconds after which a run is stopped as one that does not end."
        ),
    ] = 120

    @property
    def words(self) -> list[str]:
        """The options as they are written on a command line."""
        named: dict[str, object] = {
            "--requirements": self.requirements,
            "--python": self.python,
            "--base": self.base,
            "--like": self.like,
        }
        named["--metric"] = self.metric
        words = [part for name, value in named.items() if value is not None for part in (name, str(value))]
        words += ["--ranks", str(self.ranks)] if self.ranks != 2 else []  # noqa: PLR2004 - the default
        words += ["--timeout", str(self.timeout)] if self.timeout != 120 else []  # noqa: PLR2004 - the default
        return words + (["--exit"] if self.by_exit else [])

    @property
    def words_of_stack(self) -> list[str]:
        """The option that says what the rest of the stack is."""
        named = {"--requirements": self.requirements, "--python": self.python, "--base": self.base}
        return [part for name, value in named.items() if value is not None for part in (name, str(value))]


def is_script(target: str) -> bool:
    """True if a target names a script rather than a failure: ids have no dot and no slash."""
    return target.endswith(".py") or "/" in target


def refuse_script_options(how: ScriptOptions, arguments: list[str] | None) -> None:
    """Raise UsageError for options of a script where a failure's id was given."""
    words = [*how.words, *(["--"] if arguments else [])]
    if words:
        raise UsageError(f"{words[0]} goes with a script, and an id was given")


def variables_of(settings: list[str] | None) -> dict[str, str]:
    """``KEY`` or ``KEY=VALUE`` -> the variables that the ranks see; raises UsageError for one that is not set."""
    found: dict[str, str] = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals and key not in os.environ:
            raise UsageError(f"--env {key}: it is not set; give --env {key}=VALUE")
        if not key or "\0" in setting:
            raise UsageError(f"--env {setting!r}: KEY or KEY=VALUE is expected")
        found[key] = value if equals else os.environ[key]
    return found


@dataclass(frozen=True)
class OwnScript:
    """A user's script that is ready to be searched."""

    given: Path
    snapshot: Snapshot
    failure: ScriptFailure
    variables: dict[str, str]
    project: Project
    """The project whose environments, deny list and catalogue are used; its reports are the folder of the runs."""

    @property
    def again(self) -> list[str]:
        """The arguments of the script as they end a command line."""
        return ["--", *self.failure.arguments] if self.failure.arguments else []


def own_script(
    target: str,
    moved: tuple[str, ...],
    how: ScriptOptions,
    *,
    env: list[str] | None,
    arguments: list[str] | None,
    lane: Lane,
    reports: Path | None,
    catalog: Path | None,
) -> OwnScript:
    """Copy the script and what lies beside it, and make the failure that nothing is known of yet."""
    given = Path(target)
    variables = variables_of(env)
    project = Project.here(reports or Path.cwd() / RUNS, catalog)
    snapshot = take(given, project.reports / SCRIPTS, arguments or [], variables)
    failure = script_failure(
        snapshot.id,
        snapshot.script,
        snapshot.content,
        moved,
        ranks=how.ranks,
        lane=lane,
        timeout=how.timeout,
        arguments=tuple(arguments or ()),
        variables=tuple(variables),
        # A forked rank shares memory with the process that it comes from.
        torchrun=needs_torchrun(snapshot, variables) or how.metric == PEAK_MEMORY,
    )
    return OwnScript(given, snapshot, failure, variables, project)


def needs_torchrun(snapshot: Snapshot, variables: dict[str, str]) -> bool:
    """True if imports that are made ahead would not see what a run sees: modules beside the script, or variables."""
    if variables:
        return True
    try:
        imports = first_imports(snapshot.folder / snapshot.script)
    except (SyntaxError, ValueError, OSError, RecursionError):
        return True
    return any(module.partition(".")[0] in snapshot.modules for module, _ in imports)


def surroundings(own: OwnScript, how: ScriptOptions) -> Surroundings:
    """The rest of the stack, from one of --requirements, --python and --base; else from the script's imports."""
    given = [name for name in ("requirements", "python", "base") if getattr(how, name) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]}: one of them says what the rest of the stack is")
    today = datetime.now(UTC).date().isoformat()
    if how.base is not None:
        return Surroundings(name=how.base)
    if how.requirements is not None:
        return Surroundings(wanted=from_requirements(how.requirements), day=today)
    if how.python is not None:
        found = probe(find_interpreter(how.python), "the interpreter")
        wanted = from_versions(found.installed.distributions, found.installed.python, found.inexact)
        return Surroundings(wanted=wanted, day=today)
    return Surroundings(wanted=from_imports(own.snapshot.folder / own.snapshot.script, own.snapshot.modules))


def sources_given(own: OwnScript, how: ScriptOptions) -> Mapping[str, str]:
    """The development versions of --requirements or --base, with their addresses on this machine.

    Raises UsageError where neither is given.
    """
    if how.requirements is not None:
        return from_requirements(how.requirements).sources
    if how.base is not None:
        return vector_of(own.project, how.base).environment.sources
    raise UsageError(
        "--resume: a log names no folder of a machine, and this search has a local development version: give the "
        "--requirements or the --base of the search again"
    )


def command(words: list[str]) -> str:
    """A command line that a shell reads as these words."""
    return shlex.join(words)


def signature_given(how: ScriptOptions) -> Signature | None:
    """The signature of --like; None where none was given.  Raises UsageError if the log shows no traceback."""
    if how.like is None:
        return None
    if how.by_exit:
        raise UsageError("--like and --exit: a signature, or the exit code alone")
    from repro.doctor.log.last_error import signature_in  # noqa: PLC0415 - for this option only

    return signature_in(how.like)


def bad_runs(project: Project, answer: Bisected | Blamed) -> list[Observation]:
    """The stored runs of a script's answer that show the failure."""
    ids = {name for fact in answer.all_tried for name in fact.observations if fact.side is Side.BAD}
    return [found for found in Store(project.reports / "data").of_failure(answer.failure) if found.id in ids]


def gates_of(runs: Iterable[Observation]) -> set[str]:
    """The gates that the CPU lane lifted in some rank of the runs."""
    return {gate for found in runs for rank in found.ranks for gate in rank.gates}


def given_stack(project: Project, name: str) -> Vector:
    """A stack by name: an environment of matrix.yaml, or a file that states versions; raises UsageError."""
    if name in project.matrix.environments:
        return vector_of(project, name)
    file = Path(name)
    if not file.exists():
        raise unknown("environment or file", name, project.matrix.environments)
    stack = read_stack(file)
    unpinned = [held for held in stack.held if held not in stack.versions]
    sources = sources_in(file)
    for held in unpinned:
        if held not in sources and (why := stack.held[held].why).startswith(FROM_GIT):
            raise UsageError(
                f"{file}: {held} {why}: name it in a freeze or in requirements, as {held} @ git+ADDRESS@COMMIT"
            )
    wanted = from_given(stack.versions, unpinned, stack.python, sources)
    if not wanted.pins and not wanted.sources:
        raise UsageError(f"{file}: states no exact version: a freeze, a lock or pinned requirements are expected")
    return stack_vector(project, f"{file.name} ({file.parent.name or '.'})", wanted, today())
