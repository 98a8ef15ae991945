"""``repro watch``."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.cli.cluster_options import ClusterOptions
from repro.cli.options import Elsewhere, Json, Reports, grouped
from repro.cli.skipped import print_skipped
from repro.files import write_whole, writing
from repro.launch.slurm.batches import SlurmOptions
from repro.model.errors import UsageError, exit_of
from repro.model.failure import Failure, Lane
from repro.report.answers import turned_lines
from repro.report.console import console
from repro.report.overdue import Overdue, stale, watched_lines
from repro.report.rows import Lookup
from repro.report.terminal import Progress
from repro.report.write import stored_watch, write_reports
from repro.search.index import fetch_files
from repro.search.watch_plan import WATCH_FILE
from repro.search.watch_run import Watch, known_unresolved, look_at_all
from repro.search.watch_search import WatchBudget, write_bound
from repro.search.write_lock import write_lock
from repro.store.answers import Turned
from repro.store.observations import Store


@dataclass(frozen=True)
class Watching:
    """What a watch over releases looks at and does."""

    names: Annotated[
        list[str] | None,
        typer.Option("--floating", metavar="NAME", help="Only this floating environment [default: all of them]."),
    ] = None
    offline: Annotated[bool, typer.Option("--offline", help="Ask no index; look at the age of runs only.")] = False
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DAY", help="Watch as if it were this day [default: today, UTC].")
    ] = None
    run: Annotated[
        bool, typer.Option("--run", help="Run what is owed, then find the release to blame for each change.")
    ] = False
    minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", min=0, metavar="N", help="Begin no run later; the rest stays owed."),
    ] = None
    write: Annotated[bool, typer.Option("--write", help="Write the proposed bounds into the records.")] = False
    write_locks: Annotated[
        bool,
        typer.Option(
            "--write-locks", help="Move the locked environment of the same name to today's releases, with its lock."
        ),
    ] = False

    @property
    def today(self) -> date:
        """The day of the watch; raises UsageError."""
        now = datetime.now(UTC).date()
        if self.as_of is None:
            return now
        try:
            day = date.fromisoformat(self.as_of)
        except ValueError:
            raise UsageError(f"--as-of {self.as_of}: a day such as 2026-11-22 is expected") from None
        if day > now:
            raise UsageError(f"--as-of {self.as_of}: a day that is not in the future is expected")
        return day

    def check(self, slurm: SlurmOptions | None) -> None:
        """Raise UsageError for options that do not go together."""
        needing = {
            "--max-minutes": self.minutes is not None,
            "--write": self.write,
            "--write-locks": self.write_locks,
            "--on slurm": slurm is not None,
        }
        for name, given in needing.items():
            if given and not self.run:
                raise UsageError(f"{name} goes with --run")
        if self.offline and (self.run or self.as_of or self.names):
            raise UsageError("--offline asks no index: it goes with --max-age alone")


@grouped
def watch(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Only these failures; all where none is given.")
    ] = None,
    *,
    releases: Watching,
    days: Annotated[float, typer.Option("--max-age", min=0, metavar="DAYS", help="The greatest age of a run.")] = 8,
    reports: Reports = None,
    catalog: Elsewhere = None,
    as_json: Json = False,
    where: ClusterOptions,
) -> None:
    """Find new releases that need runs, and outdated cells.

    The releases are those of the libraries of the floating environments in matrix.yaml.  With --run, the affected and
    the fixed records that a new release concerns run on it; a changed verdict is run again, and the release to blame
    is found.  The command can be repeated: what is stored is not run again.

    Exit code 1 if a verdict on a new release is not as documented, 3 if a run is owed or a default cell of the CPU
    lane is too old.

    Example: repro watch --run --max-minutes 60
    """
    slurm = where.slurm
    releases.check(slurm)
    project = Project.here(reports, catalog)
    out = console(error=as_json)
    if not ids:
        print_skipped(project.catalog.skipped)
    store = Store(project.reports / "data")
    watches = [] if releases.offline else _watches(project, releases, ids, slurm)
    found = _run(watches, releases, out) if releases.run else ()
    if releases.write or releases.write_locks:
        # What was written is read again: the records, the matrix and its locks.
        project = replace(project)
        watches = [held.in_project(project) for held in watches]
    watched = look_at_all(watches) if watches else None
    if watched and not ids and releases.as_of is None:
        known = stored_watch(project.reports)
        if not releases.names or known:
            seen = watched.beside(known) if releases.names and known else watched
            with writing(project.reports / WATCH_FILE):
                write_whole(project.reports / WATCH_FILE, seen.model_dump_json(indent=1) + "\n")
    if releases.run:
        write_reports(project, store, of={answer.failure for answer in found} or None)
    lookup = Lookup(project.catalog, project.environments, store)
    rows = [lookup.row(cell) for cell in default_cells(project.matrix, project.catalog, ids, Lane.CPU)]
    old = stale(rows, datetime.now(UTC) - timedelta(days=days))
    if as_json:
        answer = Overdue(cells=len(rows), max_age_days=days, stale=tuple(old), watched=watched, found=tuple(found))
        typer.echo(answer.model_dump_json(indent=1))
    else:
        for line in [*old, *(watched_lines(watched) if watched else ())]:
            out.print(Text(line))
        out.print(f"{len(rows) - len(old)} of {len(rows)} default cells of lane cpu were run in the last {days:g} days")
        for answered in found:
            for line in turned_lines(answered):
                out.print(Text(line))
    owed = watched is not None and watched.is_owed
    changed = bool(found) or bool(watched and watched.unexpected)
    raise typer.Exit(exit_of(changed=changed, unknown=bool(old) or owed))


def _watches(project: Project, asked: Watching, ids: list[str] | None, slurm: SlurmOptions | None) -> list[Watch]:
    failures = _failures(project, ids)
    known = stored_watch(project.reports)
    made = []
    for name in asked.names or project.matrix.floating:
        watch = Watch(project, name, asked.today, cache(fetch_files), failures, keep=asked.run, slurm=slurm)
        watch.unresolved.update(known_unresolved(known, watch.float.label))
        made.append(watch)
    return made


def _failures(project: Project, ids: list[str] | None) -> list[Failure]:
    """The failures to watch: those that matrix.yaml runs and that have the CPU lane."""
    chosen = ids or [name for name in project.matrix.runs if name in project.catalog.entries]
    found = [project.catalog[name].failure for name in chosen]
    return [failure for failure in found if Lane.CPU in failure.needs.lanes]


def _run(watches: list[Watch], asked: Watching, out: Console) -> list[Turned]:
    budget = WatchBudget(asked.minutes)
    found: list[Turned] = []

    def notify(text: str) -> None:
        out.print(Text(text))

    with Progress(out) as steps:
        for held in watches:
            found += held.run(budget, steps, notify)
        if asked.write:
            for answer in found:
                notify(write_bound(held.project, answer))
    if asked.write_locks:
        for held in watches:
            notify(write_lock(held.project, held.float, held.current()))
    return found
