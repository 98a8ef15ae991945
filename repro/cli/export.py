"""``repro export``."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere
from repro.cli.skipped import print_skipped
from repro.doctor.osv.record import OsvRecord, osv_record
from repro.model.errors import UsageError


class Kind(StrEnum):
    """Kinds of failures."""

    CRASH = "crash"
    SILENT = "silent"
    DATA_LOSS = "data-loss"
    HANG = "hang"
    GROWTH = "growth"
    WARNING = "warning"


def export(
    *,
    files: Annotated[
        Path | None, typer.Option("--files", metavar="DIR", help="Write an OSV record for each failure there.")
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option(
            "--offline",
            metavar="DIR",
            help="Write the archive that osv-scanner reads offline, with OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=DIR.",
        ),
    ] = None,
    reach: Annotated[
        Path | None,
        typer.Option(
            "--reach",
            metavar="DIR",
            help="Write repro_reach.py there: sentinels that watch a run, for an environment without this project.",
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Answer pip-audit and uv audit on this machine, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of --serve; 0: any that is free.")] = 0,
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Failures of this kind; may be repeated [default: silent and data-loss]."),
    ] = None,
    catalog: Elsewhere = None,
) -> None:
    """Export the catalogue for auditors, or to watch a run.

    Each failure is an OSV record, for pip-audit, uv audit and osv-scanner.

    A condition over several packages is left out of the ranges, and stands under database_specific.

    Example: repro export --serve --port 8642
    """
    if not (files or offline or serve or reach):
        raise UsageError("say what to do with the records: --files DIR, --offline DIR, --serve or --reach DIR")
    project = Project.here(catalog=catalog)
    if reach:
        from repro.doctor.code.export_reach import write_reach  # noqa: PLC0415 - not for --help

        script = write_reach(reach, [entry.failure for entry in project.catalog])
        typer.echo(f"python {script} -- torchrun train.py")
        if not (files or offline or serve):
            print_skipped(project.catalog.skipped)
            return
    records = _records(project, kinds or [Kind.SILENT, Kind.DATA_LOSS])
    from repro.doctor.osv.write import write_files, write_offline  # noqa: PLC0415 - not for --help

    if files:
        typer.echo(f"{len(write_files(files, records))} records in {files}")
    if offline:
        typer.echo(f"{len(records)} records in {write_offline(offline, records)}")
    without = [record.id for record in records if record.database_specific.conditions]
    if without:
        typer.echo(f"conditions over several packages are left out of the ranges of {', '.join(without)}", err=True)
    if serve:
        _serve(records, port)


def _records(project: Project, kinds: list[Kind]) -> list[OsvRecord]:
    print_skipped(project.catalog.skipped)
    return [
        osv_record(entry.failure, datetime.fromtimestamp((entry.folder / "failure.yaml").stat().st_mtime, UTC))
        for entry in project.catalog
        if entry.failure.kind in kinds
    ]


def _serve(records: list[OsvRecord], port: int) -> None:
    from repro.doctor.osv.service import HOST, service  # noqa: PLC0415 - not for the other options

    try:
        server = service(records, port)
    except OSError as error:
        raise UsageError(f"--port {port}: cannot be used: {error.strerror}") from None
    address = f"http://{HOST}:{server.server_port}"
    typer.echo(f"{len(records)} records at {address}")
    typer.echo(f"pip-audit --vulnerability-service osv --osv-url {address}/v1/query -r requirements.txt")
    typer.echo(f"uv audit --service-url {address}")
    with server:
        server.serve_forever()
