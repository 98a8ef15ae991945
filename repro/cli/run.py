"""``repro run``."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.choose_cells import CellRequest, check_run_name, choose_cells, parse_factors, parse_roles
from repro.catalog.default_cells import NotApplicable
from repro.catalog.project import Project
from repro.cli.cluster_options import ClusterOptions
from repro.cli.execute import execute
from repro.cli.options import Ids, Junit, RunOptions, grouped
from repro.cli.skipped import exit_with_skipped, print_skipped
from repro.environments.floats import float_of
from repro.environments.interpreter import Interpreter
from repro.environments.pack.manifest import Pack
from repro.environments.pack.overlay import lay, read_pack
from repro.model.cell import Overlaid
from repro.model.errors import Exit
from repro.model.failure import Lane
from repro.report.console import console
from repro.report.rows import Report, row_of
from repro.report.terminal import table
from repro.report.write import write_junit
from repro.store.kept_locks import KeptLocks
from repro.store.observations import Store
from repro.store.resolve_float import holding_kept, resolve_float
from repro.store.seconds import measured_seconds
from repro.verdict.status import exit_code


@dataclass(frozen=True)
class CellOptions:
    """Which cells to run."""

    env: Annotated[list[str] | None, typer.Option("--env", metavar="NAME", help="Run on this environment.")] = None
    floating: Annotated[
        list[str] | None,
        typer.Option("--floating", metavar="NAME", help="Run on this floating environment, resolved as of today."),
    ] = None
    lock: Annotated[
        list[str] | None,
        typer.Option("--lock", metavar="DIGEST", help="Run on the environment of this lock, kept in the store."),
    ] = None
    python: Annotated[
        list[Path] | None, typer.Option("--python", metavar="PATH", help="Run on an existing interpreter, as it is.")
    ] = None
    everywhere: Annotated[
        bool, typer.Option("--all-environments", help="Run on every environment of the matrix that applies.")
    ] = False
    backport: Annotated[bool, typer.Option("--backport", help="Apply the record's cure first.")] = False
    backport_named: Annotated[
        str | None, typer.Option("--backport-named", metavar="NAME", help="Apply this backport first.")
    ] = None
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            metavar="DIR",
            help="Lay the environments of this pack over the one --python [default: the interpreter that runs this].",
        ),
    ] = None
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="FACTOR=VALUE", help="Change a factor.")] = None
    stage_env: Annotated[
        list[str] | None,
        typer.Option("--stage-env", metavar="ROLE=NAME", help="Environment of one role of a failure with stages."),
    ] = None
    lane: Annotated[Lane, typer.Option("--lane", help="Where ranks run.")] = Lane.CPU
    nodes: Annotated[
        int,
        typer.Option(
            "--nodes",
            min=1,
            help="Divide the ranks among so many torchrun agents, on this host or, with --on slurm, on nodes.",
        ),
    ] = 1
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="K/N[@DIGEST]", help="Only this part of the default cells, as `repro matrix` names it."
        ),
    ] = None

    def resolved(self, project: Project) -> tuple[Project, tuple[str, ...]]:
        """The project with the environments of ``--floating`` and ``--lock``, and the names of all that were asked for.

        Raises UsageError for an unknown name, EnvironmentFailure for one that does not resolve.
        """
        locks = KeptLocks(project.reports / "data")
        names = list(self.env or ())
        today = datetime.now(UTC).date()
        floats = [float_of(project.matrix, name, today) for name in self.floating or ()]
        found = [resolve_float(project, locks, held.label, held.definition) for held in floats]
        for kept in [*found, *(locks.get(digest) for digest in self.lock or ())]:
            project = holding_kept(project, kept)
            names.append(kept.name)
        return project, tuple(names)

    def request(
        self, ids: list[str], pack: Pack | None, environments: tuple[str, ...], planned: Project
    ) -> CellRequest:
        """The requested cells; ``planned`` is the project whose store `repro matrix` divides by."""
        by_seconds = self.shard is not None and "@" in self.shard
        store = Store(planned.reports / "data")
        return CellRequest(
            ids=ids,
            environments=environments,
            pythons=tuple(self.python or ()),
            everywhere=self.everywhere,
            lane=self.lane,
            backport=self.backport_named or ("cure" if self.backport else None),
            factors=parse_factors(self.settings or []),
            nodes=self.nodes,
            packed=pack.environments if pack else None,
            shard=self.shard,
            measured=measured_seconds(store, planned.catalog.entries) if by_seconds else {},
            roles=parse_roles(self.stage_env or []),
        )

    def overlaid(self, pack: Pack | None, cache: Path) -> Callable[[Overlaid], Interpreter] | None:
        """How to lay the pack's environments over the interpreter that was named; None without a pack."""
        if self.overlay is None or pack is None:
            return None
        folder, base = self.overlay, (self.python[0] if self.python else Path(sys.executable)).absolute()
        return lambda wanted: lay(folder, pack, wanted.name, over=base, cache=cache, called=wanted.label)


@grouped
def run(
    ids: Ids = None,
    *,
    which: CellOptions,
    how: RunOptions,
    where: ClusterOptions,
    timeout: Annotated[
        int | None, typer.Option("--timeout", min=1, help="Time limit of a run, in seconds [default: the record's].")
    ] = None,
    run_name: Annotated[
        str | None,
        typer.Option(
            "--run-name",
            metavar="NAME",
            help="Name of the run; shards with the same name count as one run [default: a new name].",
        ),
    ] = None,
    junit: Junit = None,
) -> None:
    """Run failures, print verdicts, write the reports.

    `--on slurm` sends the cells to a cluster: repro run --on slurm --partition batch --jobs 20

    Example: repro run lightning-19492 --env newest --set state-dict-type=full
    """
    slurm = where.slurm
    project, environments = which.resolved(Project.here(how.reports, how.catalog))
    pack = read_pack(which.overlay) if which.overlay else None
    selection = choose_cells(project, which.request(ids or [], pack, environments, Project.here(catalog=how.catalog)))
    out = console(error=how.as_json)
    if not ids:
        print_skipped(project.catalog.skipped)
    _print_left_out(out, selection.left_out)
    results = execute(
        project,
        selection.cells,
        how,
        out,
        which.overlaid(pack, project.cache),
        timeout=timeout,
        # The whole matrix is published, so each verdict needs a run through torchrun too.
        confirm=not ids,
        run_name=check_run_name(run_name),
        slurm=slurm,
    )
    rows = tuple(row_of(result, project.catalog[result.cell.failure].failure.concerns) for result in results)
    write_junit(junit, rows, project)
    if how.as_json:
        typer.echo(Report(rows=rows).model_dump_json(indent=1))
    else:
        out.print(table(rows, out.width))
    if not results:
        out.print("no cell was run: none of the failures applies")
    code = exit_code([result.status for result in results]) if results else Exit.UNKNOWN
    raise typer.Exit(exit_with_skipped(code, project, ids))


def _print_left_out(out: Console, left_out: list[NotApplicable]) -> None:
    """A line for each failure and reason: ``skipped: lightning-19492 on torch-2.2, torch-2.6: needs lightning…``."""
    grouped_by_reason: dict[tuple[str, str], list[str]] = {}
    for item in left_out:
        grouped_by_reason.setdefault((item.failure, item.reason), []).append(item.environment)
    for (failure, reason), environments in grouped_by_reason.items():
        out.print(Text(f"skipped: {failure} on {', '.join(environments)}: {reason}", style="dim"))
