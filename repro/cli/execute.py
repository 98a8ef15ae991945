"""Runs cells with live progress, stores their observations and writes the reports."""

from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from repro.catalog.project import Project
from repro.cli.options import Launcher, RunOptions
from repro.environments.interpreter import Interpreter
from repro.launch.session import Options, Session
from repro.launch.slurm.batches import SlurmOptions
from repro.launch.slurm.spread import Spread
from repro.launch.spares.client import keep_warm, minutes_of
from repro.model.cell import Cell, Named, Overlaid
from repro.report.terminal import Progress
from repro.report.write import write_pages, write_reports
from repro.store.observations import Store
from repro.verdict.result import Result


def session_options(how: RunOptions) -> Options:
    """The options of the sessions that run the cells."""
    warm = how.launcher is Launcher.WARM
    minutes = minutes_of(how.keep_warm)
    return Options(how.repeat, warm=warm, fresh=how.fresh, full_deadline=how.full_deadline, keep_warm=minutes)


def execute(
    project: Project,
    cells: list[Cell],
    how: RunOptions,
    out: Console,
    overlaid: Callable[[Overlaid], Interpreter] | None = None,
    *,
    timeout: int | None = None,
    confirm: bool = False,
    run_name: str | None = None,
    slurm: SlurmOptions | None = None,
) -> list[Result]:
    """Run cells with live progress, store their observations and write the reports.

    ``slurm`` sends them to a cluster.  Raises RecordError for a lock that does not fit, before anything is run.
    """
    held = {environment for cell in cells for environment in cell.environments}
    for name in {environment.name for environment in held if isinstance(environment, Named)}:
        project.environments.lock(name)
    options = replace(session_options(how), timeout=timeout, confirm=confirm)
    store = Store(project.reports / "data")
    with Progress(out, len(cells)) as progress:
        if slurm is not None:
            results = Spread(project, store, options, progress, slurm, run_name=run_name).run(cells)
        else:
            with keep_warm(project.cache, options.keep_warm, progress.progress) as spares:
                session = Session(project, store, options, progress, overlaid=overlaid, spares=spares)
                session.id = run_name or session.id
                results = session.run(cells)
    failures = {cell.failure for cell in cells}
    if all(result.n == result.reused for result in results):
        write_pages(project, store, failures)
    else:
        write_reports(project, store, of=failures)
    out.print(_counts(results))
    return results


def _counts(results: list[Result]) -> str:
    """``3 run, 21 reused``: how many runs were made and how many were found in the store."""
    reused = sum(result.reused for result in results)
    return f"{sum(result.n for result in results) - reused} run, {reused} reused"
