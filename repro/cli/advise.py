"""``repro advise``."""

import platform
from typing import Annotated

import typer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.doctor import FromFile, Python
from repro.cli.options import Elsewhere, Json
from repro.cli.skipped import chosen_failures
from repro.doctor.advice import Advice
from repro.doctor.advice_table import print_advice
from repro.doctor.cap import Cap, cap, upper_bound
from repro.doctor.denied import denied_releases
from repro.doctor.exposure import Exposure, exposure, may_affect
from repro.doctor.known_outlines import releases_of
from repro.doctor.remedy import RemedySearch, releases_of_distribution
from repro.doctor.stack.conda_spec import CONDA_NAMES
from repro.doctor.stack.given import interpreter_path, stack_from
from repro.doctor.stack.stack import ALIASES, Stack
from repro.doctor.upgrade import Step, steps
from repro.environments.interpreter import probe
from repro.model.errors import Exit, UsageError, exit_of
from repro.model.failure import Failure
from repro.model.matrix import Matrix
from repro.model.version import parsed_version
from repro.report.console import console
from repro.report.terminal import Progress
from repro.search.index import fetch_files
from repro.search.lead import today


def targets(texts: list[str], matrix: Matrix) -> dict[str, str]:
    """``lightning==2.6.6,transformers==5.23.0`` -> versions; raises UsageError, also for a denied release."""
    found: dict[str, str] = {}
    for text in (part.strip() for given in texts for part in given.split(",") if part.strip()):
        name, equals, version = (part.strip() for part in text.partition("=="))
        parsed = parsed_version(version)
        if not (name and equals) or parsed is None:
            raise UsageError(f"--to {text}: NAME==VERSION is expected")
        held = str(parsed)
        distribution = CONDA_NAMES.get(canonicalize_name(name), canonicalize_name(name))
        if found.get(distribution, held) != held:
            raise UsageError(f"--to {text}: {distribution}=={found[distribution]} is asked for as well")
        denied = matrix.denied(distribution, held)
        if denied:
            raise UsageError(f"--to {text}: must not be installed: {denied.reason}")
        found[distribution] = held
    return found


def bounds(texts: list[str], stack: Stack, spoken_of: set[str]) -> list[tuple[str, str]]:
    """The upper bounds to judge: the named ones, and those of the file; raises UsageError."""
    found = [
        (name, held.specifiers)
        for name, held in stack.held.items()
        if name in spoken_of and held.specifiers and upper_bound(held.specifiers)
    ]
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise UsageError(f"--cap {text}: a bound such as 'transformers<4.50' is expected") from None
        name, specifiers = canonicalize_name(requirement.name), str(requirement.specifier)
        if not upper_bound(specifiers):
            raise UsageError(f"--cap {text}: has no upper bound such as 'transformers<4.50'")
        if name not in spoken_of:
            raise UsageError(f"--cap {text}: no failure speaks of {name}; valid: {', '.join(sorted(spoken_of))}")
        found.append((name, specifiers))
    return found


def advise(
    *,
    python: Python = None,
    source: FromFile = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="NAME==V,...", help="Versions that you may move to.")
    ] = None,
    caps: Annotated[
        list[str] | None,
        typer.Option("--cap", metavar="BOUND", help="An upper bound to judge; those of FILE are judged anyway."),
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help="Find the smallest set of changes that leaves no failure.")
    ] = False,
    care: Annotated[
        list[str] | None,
        typer.Option("--care", metavar="ID", help="A failure that must go [default: all that you have]."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Run what --search finds in a fresh environment.")
    ] = True,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Find what changing versions would cure and bring.

    It can also search for the smallest change that cures, and judge upper bounds.

    Without an option: the failures that you have, what cures each of them, and the upper bounds of FILE.

    Exit code 1 if --to brings a failure, --search leaves one or a malicious release is there, 3 if something is
    not known.

    Example: repro advise --python .venv/bin/python --to "lightning==2.6.6,transformers==5.23.0"
    """
    project = Project.here(catalog=catalog)
    failures = chosen_failures(project, None)
    where, stack = stack_from(python, source, failures)
    wished = targets(to or [], project.matrix)
    cared = [project.catalog[name].failure for name in care or ()]
    spoken_of = {name for failure in failures for name in failure.distributions}
    bounded = bounds(caps or [], stack, spoken_of)
    if cared and not search:
        raise UsageError("--care goes with --search")
    version = ".".join((stack.python or platform.python_version()).split(".")[:2])
    out = console(error=as_json)
    affected = [failure for failure in failures if exposure(failure, stack) is Exposure.AFFECTED]
    advice = Advice(
        source=where,
        python=stack.python,
        versions={name: stack.versions[name] for name in sorted(spoken_of) if name in stack.versions},
        ranges={
            name: held.specifiers or "any"
            for name, held in sorted(stack.held.items())
            if name in spoken_of and name not in stack.versions
        },
        denied=denied_releases(releases_of(project).denied, stack),
        notes=stack.notes,
        affected=tuple(failure.id for failure in affected),
        unknown=tuple(f.id for f in failures if f not in affected and may_affect(f, stack)),
        steps=steps(failures, stack, wished) if wished else (),
        caps=tuple(_cap(project.matrix, failures, stack, bound, version) for bound in bounded),
    )
    if search:
        # For a distribution that is given with a range, a pin may choose a fixed release.
        unsure = [f for f in failures if f not in affected and may_affect(f, stack) and _is_named(f, stack)]
        wanted = cared or [*affected, *unsure]
        local = () if source else probe(interpreter_path(python), "advise").local
        with Progress(console(error=True)) as progress:
            question = RemedySearch(
                project,
                stack,
                version,
                today(),
                fetch_files,
                local=local,
                verify=verify,
                notify=lambda text: console(error=True).print(Text(text, style="dim")),
                listener=progress,
            )
            others = [failure for failure in failures if failure not in wanted]
            advice = advice.model_copy(update={"sought": question.answer(wanted, others)})
    if as_json:
        typer.echo(advice.model_dump_json(indent=1))
    else:
        print_advice(out, advice, project.catalog)
    raise typer.Exit(exit_of_advice(advice, verify=verify))


def _is_named(failure: Failure, stack: Stack) -> bool:
    names = {*failure.judged_by, *(ALIASES[name] for name in failure.judged_by if name in ALIASES)}
    return bool(names & stack.held.keys())


def _cap(matrix: Matrix, failures: list[Failure], stack: Stack, bound: tuple[str, str], python: str) -> Cap:
    name, specifiers = bound
    releases = [release.version for release in releases_of_distribution(matrix, name, python, fetch_files)]
    if not releases:
        raise UsageError(f"{name} has no release for Python {python}")
    return cap(failures, stack, name, specifiers, releases)


def exit_of_advice(advice: Advice, *, verify: bool) -> Exit:
    """Changed if all of --to together brings a failure, or --search leaves one."""
    last: Step | None = advice.steps[-1] if advice.steps else None
    sought = advice.sought
    left = sought is not None and bool(sought.open or (sought.care and sought.found is None))
    unverified = sought is not None and sought.found is not None and verify and not sought.found.verified
    return exit_of(
        changed=bool(advice.denied) or left or (last is not None and bool(last.brought)),
        unknown=unverified or (last is not None and bool(last.unknown)),
    )
