"""``repro list``, ``repro show``, ``repro check``."""

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from repro import checking
from repro.catalog.records import Failure
from repro.cli.options import Elsewhere, Json
from repro.errors import RecordError
from repro.project import Project
from repro.report.terminal import console
from repro.report.words import releases_words, signature_words


def list_failures(*, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """List the failures of the catalogue.

    Example: repro list
    """
    held = Project.here(catalog=catalog).catalog
    if as_json:
        failures = [entry.failure.model_dump(mode="json", include=_BRIEF) for entry in held]
        typer.echo(json.dumps({"format": 1, "failures": failures}, indent=1))
        return
    table = Table(box=None, pad_edge=False, show_header=True)
    for heading in ("id", "kind", "affected", "title"):
        table.add_column(heading, overflow="fold")
    for entry in held:
        failure = entry.failure
        affected = " or ".join(releases_words(releases) for releases in failure.affected)
        table.add_row(*(Text(text) for text in (failure.id, failure.kind, affected, failure.title)))
    console().print(table)


_BRIEF = {"id", "title", "kind", "affected", "fixed_in", "upstream"}


def show(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="A failure's id, as `repro list` shows it.")],
    *,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Show one failure: what goes wrong, who is affected, what to do.

    Example: repro show lightning-19492
    """
    failure = Project.here(catalog=catalog).catalog[failure_id].failure
    if as_json:
        typer.echo(json.dumps(failure.model_dump(mode="json"), indent=1))
        return
    for line in _described(failure):
        typer.echo(line)


def _described(failure: Failure) -> list[str]:
    lines = [f"{failure.id}: {failure.title}", "", failure.summary.strip(), ""]
    lines += [f"affected   {releases_words(releases)}" for releases in failure.affected]
    lines += [f"rejected   {releases_words(rejection.releases)}" for rejection in failure.rejected]
    lines += [f"fixed in   {name} {version}" for name, version in failure.fixed_in.items()]
    lines += [f"upstream   {failure.upstream.state}: {', '.join(failure.upstream.issues) or 'no issue'}"]
    if failure.upstream.fixes:
        lines += [f"fixed by   {', '.join(failure.upstream.fixes)}"]
    lines += [f"signature  {signature_words(failure.signature)}"]
    for lane, other in failure.differs_in.items():
        lines += [f"in {lane:<8}{signature_words(other.signature)}"] if other.signature else []
        lines += [f"in {lane:<8}{other.why.strip()}"]
    for cure in failure.cures:
        if cure.upgrade:
            lines.append(f"cure       upgrade to {releases_words(cure.upgrade)}")
        elif cure.backport:
            backport = failure.backport(cure.backport)
            lines.append(f"cure       backport {cure.backport}: {backport.meaning if backport else ''}")
        else:
            lines.append(f"cure       {cure.setting}")
    if failure.factors:
        lines += ["", "factors (the first value is the default, with which it fails)"]
        lines += [f"  {f.name}={'|'.join(f.values)}  {f.meaning}" for f in failure.factors]
    if failure.claims:
        lines += ["", "claims"]
        lines += [f"  {claim.verdict:<11} {claim.id}: {claim.statement}" for claim in failure.claims]
    return lines


def check(*, catalog: Elsewhere = None) -> None:
    """Validate all records, the matrix and the locks; names every fault with file, line, key and remedy.

    Example: repro check
    """
    project = Project.here(catalog=catalog)
    faults = checking.check(project)
    if faults:
        raise RecordError(faults)
    failures, environments = project.catalog.entries, project.matrix.environments
    typer.echo(f"{len(failures)} failures, {len(environments)} environments with locks: no fault")
