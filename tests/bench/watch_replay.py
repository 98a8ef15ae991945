"""Would the watch have named the boundaries of the catalogue?  Replays `repro watch --run` as of earlier days.

On each day the floating environment holds the newest releases of the pure-Python libraries that were old enough then,
over one release of torch.  What is run, compared and blamed is what `repro watch --run` does; releases that a younger
one had superseded by that day are not run.  The boundaries are those that the records state: a release in the time
replayed at which an affected range begins or ends.  Two kinds cannot be named, and the figures list them: those of
torch, which are not replayed, and those that newest releases never show, since another package cures the failure.

    python -m tests.bench.watch_replay [ID]... --work DIR [--first DAY] [--last DAY] [--step DAYS] [--max-minutes N]
        [--write FILE]

DIR keeps the runs: the same command goes on where it stopped.  ``--write FILE`` stores the figures, with the records
and days that they are of; those published are reports/measurements/watch-replay*.json.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from rich.console import Console
from rich.text import Text

from repro.catalog.project import Project
from repro.environments.floats import last_day
from repro.files import write_whole
from repro.launch.hardware import hardware
from repro.model.affected import is_affected
from repro.model.failure import Failure, Lane
from repro.model.matrix import Floating
from repro.report.terminal import Progress
from repro.search.index import fetch_files
from repro.search.releases import Release, listing
from repro.search.watch_run import Watch
from repro.search.watch_search import WatchBudget
from repro.store.answers import AnswerStore, Turned
from repro.store.observations import Store

NAME = "replay"
LIBRARIES = ("lightning", "transformers", "accelerate")
TORCH = "2.13.0"
COOLING_DAYS = Floating(libraries=LIBRARIES).cooling_days
TORCH_DAYS = {"torch": "2026-07-20", "sympy": "2026-07-20", "setuptools": "2025-06-01"}


@dataclass(frozen=True)
class Change:
    """A release at which the record of a failure, or the watch, says that its verdict turns."""

    failure: str
    package: str
    release: str

    @property
    def text(self) -> str:
        return f"{self.failure}: {self.package} {self.release}"


@dataclass(frozen=True)
class ReplayedDay:
    """One day of the replay."""

    day: str
    minutes: float
    complete: bool
    """Nothing that today's environment holds is owed any more."""
    owed: int


def boundaries(
    failures: Iterable[Failure],
    releases: Mapping[str, list[Release]],
    span: tuple[str, str],
    packages: Iterable[str] = LIBRARIES,
) -> set[Change]:
    """The releases uploaded within the span at which an affected range of a record begins or ends."""
    found = set()
    for failure in failures:
        for package in packages:
            ranges = [SpecifierSet(held[package]) for held in failure.affected if package in held]
            ordered = sorted(releases[package], key=lambda release: Version(release.version))
            inside = [any(held.contains(release.version) for held in ranges) for release in ordered]
            for number in range(1, len(ordered)):
                release = ordered[number]
                if inside[number] != inside[number - 1] and span[0] < release.day <= span[1]:
                    found.add(Change(failure.id, package, release.version))
    return found


def hidden(
    changes: Iterable[Change], failures: Iterable[Failure], releases: Mapping[str, list[Release]]
) -> dict[Change, str]:
    """The boundaries at which no verdict turns among newest releases, each with the other releases of its day."""
    by_id = {failure.id: failure for failure in failures}
    found = {}
    for change in changes:
        failure = by_id[change.failure]
        day = next(held.day for held in releases[change.package] if held.version == change.release)
        names = {name for held in failure.affected for name in held} - {change.package}
        others = {name: TORCH if name == "torch" else _newest(releases[name], day) for name in names}
        before = _newest([held for held in releases[change.package] if held.day < day], day)
        if is_affected(failure, others | {change.package: before}) == is_affected(
            failure, others | {change.package: change.release}
        ):
            beside = ", ".join(f"{name} {version}" for name, version in sorted(others.items()))
            found[change] = f"{change.text} (beside {beside})"
    return found


def _newest(releases: Iterable[Release], day: str) -> str:
    """The newest version uploaded by that day."""
    return max((held.version for held in releases if held.day <= day), key=Version)


def days(first: date, last: date, step: int) -> Iterator[date]:
    """Every day of the replay: the first one is the state before."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=step)


def project_of(work: Path) -> Project:
    """The project, with the floating environment of the replay and reports of its own."""
    project = Project.here(work)
    floating = Floating(libraries=LIBRARIES, pins={"torch": TORCH}, cutoffs=TORCH_DAYS)
    matrix = project.matrix.model_copy(update={"floating": {NAME: floating}})
    made = replace(project)
    vars(made)["matrix"] = matrix  # in place of what the file says: the property keeps what it has
    return made


def main() -> None:
    """Parse, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--first", type=date.fromisoformat, default=date(2025, 11, 25))
    parser.add_argument("--last", type=date.fromisoformat, default=date(2026, 11, 25))
    parser.add_argument("--step", type=int, default=30)
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    project = project_of(options.work)
    fetch = cache(fetch_files)
    failures = [
        entry.failure
        for entry in project.catalog
        if Lane.CPU in entry.failure.needs.lanes and {*LIBRARIES} & {*entry.failure.distributions}
        if not options.ids or entry.failure.id in options.ids
    ]
    lane = [entry.failure for entry in project.catalog if Lane.CPU in entry.failure.needs.lanes]
    packages = {*LIBRARIES, "torch"} | {name for failure in failures for held in failure.affected for name in held}
    releases = {name: list(listing(fetch(name), "3.11").releases) for name in packages}
    budget = WatchBudget(options.max_minutes)
    out = Console(stderr=True, highlight=False)
    timings = options.work / "minutes.json"
    spent: dict[str, float] = json.loads(timings.read_text()) if timings.is_file() else {}
    replayed: list[ReplayedDay] = []
    named: dict[Change, str] = {}
    with Progress(out) as progress:
        for day in days(options.first, options.last, options.step):
            if budget.is_spent:
                break
            began = time.monotonic()
            watch = Watch(project, NAME, day, fetch, failures, superseded=False)
            watch.run(budget, progress, lambda text: out.print(Text(text)))
            spent[day.isoformat()] = spent.get(day.isoformat(), 0.0) + (time.monotonic() - began) / 60
            write_whole(timings, json.dumps(spent))
            look = watch.look()
            owed = sum(job.in_current for job in look.jobs) + len(look.turns)
            minutes = round(spent[day.isoformat()], 1)
            replayed.append(ReplayedDay(day.isoformat(), minutes, complete=not owed, owed=owed))
            named = dict(stored_changes(project, failures, [item.day for item in replayed]))
            out.print(f"{day}: {minutes} min, {owed} owed, {len(named)} changes named so far")
    print(json.dumps(write(options.write, replayed, named, failures, releases, everything=lane), indent=1))
    sys.exit(0)


def stored_changes(
    project: Project, failures: Iterable[Failure], replayed: Iterable[str]
) -> Iterator[tuple[Change, str]]:
    """What the watch has named so far, each with the day of the replay that named it.

    For each failure the days run one after the other, in one command or in several: its change was named by the newest
    day that had begun to run it by then.
    """
    store, began = Store(project.reports / "data"), dict[tuple[str, str], str]()
    as_of = {f"{NAME} as of {last_day(date.fromisoformat(day), COOLING_DAYS)}": day for day in replayed}
    for observation in store:
        day = as_of.get(observation.cell.environment.label)
        if day is not None:
            key = observation.cell.failure, day
            began[key] = min(began.get(key, observation.started), observation.started)
    answers = AnswerStore(project.reports / "data")
    for failure in failures:
        for answer in answers.of(failure.id):
            if isinstance(answer, Turned) and answer.holds:
                runs = [day for (name, day), start in began.items() if name == failure.id and start <= answer.date]
                day = max(runs, default="")
                yield Change(answer.failure, answer.package, answer.release), day


def write(
    file: Path | None,
    replayed: list[ReplayedDay],
    named: Mapping[Change, str],
    failures: Iterable[Failure],
    releases: Mapping[str, list[Release]],
    *,
    everything: Iterable[Failure],
) -> dict[str, object]:
    """The figures: boundaries named in time, boundaries, false alarms, minutes a day."""
    ends = [last_day(date.fromisoformat(item.day), COOLING_DAYS) for item in (replayed[0], replayed[-1])]
    stated = boundaries(failures, releases, (ends[0], ends[1]))
    uploaded = {Change("", name, held.version): held.day for name in LIBRARIES for held in releases[name]}

    def due(change: Change) -> str:
        """The first day of the replay that sees the release."""
        day = uploaded[replace(change, failure="")]
        return next(item.day for item in replayed if last_day(date.fromisoformat(item.day), COOLING_DAYS) >= day)

    unnamed = stated - set(named)
    unseen = hidden(unnamed, failures, releases)
    figures: dict[str, object] = {
        "torch": TORCH,
        "libraries": LIBRARIES,
        "records": sorted(failure.id for failure in failures),
        "days": [asdict(item) for item in replayed],
        "boundaries": len(stated),
        "not_replayed": sorted(
            change.text for change in boundaries(everything, releases, (ends[0], ends[1]), ["torch"])
        ),
        "named_at_the_first_run": sorted(change.text for change in stated if named.get(change) == due(change)),
        "named_later": sorted(change.text for change in stated if change in named and named[change] != due(change)),
        "not_named": sorted(change.text for change in unnamed - set(unseen)),
        "no_verdict_turns": sorted(unseen.values()),
        "false_alarms": sorted(change.text for change in set(named) - stated),
        "minutes_a_day": round(sum(item.minutes for item in replayed) / len(replayed), 1),
        "hardware": hardware().model_dump(include={"system", "machine", "cores"}),
    }
    if file:
        write_whole(file, json.dumps(figures, indent=1) + "\n")
    return figures


if __name__ == "__main__":
    main()
