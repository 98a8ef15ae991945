"""How commands keep up with a large catalogue and a long history: synthetic records and runs, nothing is started.

    python -m tests.bench.scale [--failures 1000] [--environments 30] [--observations 100000] [--write]

A catalogue and a store of that size are made in a temporary folder.  Then each command runs in a process of its own,
which reports the processor time that it and the processes that it started used.  Memory is that of all of them
together, sampled; pages that several of them share count once.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from packaging.version import Version

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.doctor.browser.box import box_knowledge, box_script
from repro.environments.interpreter import Interpreter
from repro.launch.hardware import hardware
from repro.launch.session import Options, Session
from repro.model.cell import Cell, make_cell
from repro.report.site.answer_box import AnswerBox
from repro.report.site.publish import publish
from repro.report.write import MATRIX, write_pages, write_reports
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.store.rejudge import rejudge
from tests.unit import factories

ROOT = Path(__file__).parents[2]
FILE = ROOT / "reports" / "measurements" / "scale.json"
TORCH = "2.2.2"
SAMPLE_SECONDS = 1.0
WRITERS = os.cpu_count() or 1
"""The number of processes that write the store."""
FIXED = Version("2.2.2")
"""The release with the fix."""
ODD = 101
"""One run of so many is not as the record says."""
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first run was."""


def releases(environments: int) -> list[str]:
    """Releases of lightning, the older half of which is affected."""
    half = environments // 2
    return [f"2.1.{number}" for number in range(half)] + [f"2.2.{number + 2}" for number in range(environments - half)]


def project_of(root: Path) -> Project:
    """The project in a folder."""
    return Project(root / "failures", root / "matrix.yaml", root / "locks", root / "reports", root / "cache")


def make(root: Path, failures: int, environments: int, observations: int) -> None:
    """Write records, locks and observations: each failure on each environment, as often as the total allows."""
    names = {f"lightning-{version}": version for version in releases(environments)}
    ids = [f"lightning-{number}" for number in range(1, failures + 1)]
    content = {
        "format": 1,
        "environments": {
            name: {"cutoff": "2024-04-12", "pins": {"torch": TORCH, "lightning": version}, "why": "a release"}
            for name, version in names.items()
        },
        "runs": {identity: {"environments": list(names)} for identity in ids},
    }
    factories.project(root, content=content, failures=False)
    for identity in ids:
        factories.write_failure(root / "failures", id=identity, title=f"Failure {identity}")
    project = project_of(root)
    cells = [
        (project.catalog[identity], make_cell(project.catalog[identity].failure, name))
        for identity in ids
        for name in names
    ]
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_write_some, args=(project, cells, range(first, observations, WRITERS)))
        for first in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        if writer.exitcode:
            raise SystemExit("the store could not be written")


def _write_some(project: Project, cells: Sequence[tuple[Entry, Cell]], numbers: Iterable[int]) -> None:
    for number in numbers:
        entry, cell = cells[number % len(cells)]
        _write(project, entry, cell, number)


def _write(project: Project, entry: Entry, cell: Cell, number: int) -> None:
    lock = project.environments.lock(cell.environment.label)
    recipe = recipe_of(cell, entry, lock.digest)
    version = lock.versions["lightning"]
    imported = {
        name: found.model_copy(update={"version": version if name == "lightning" else found.version})
        for name, found in factories.rank(0).imported.items()
    }
    fails = (Version(version) < FIXED) != (number % ODD == 0)
    rank = factories.failed if fails else factories.rank
    tail = "\n".join(f"a line of output, and the last one says {number % 2000}" for _ in range(30))
    ranks = [rank(place, imported=imported, tail=tail) for place in (0, 1)]
    seen = factories.observation(
        *ranks,
        id=f"{recipe[:12]}-{number:08}",
        recipe=recipe,
        run=f"run-{number // 5000}",
        cell=cell,
        started=(FIRST + timedelta(minutes=number)).isoformat(timespec="seconds"),
        installed=factories.installed(lock.versions, name=cell.environment.label, lock=lock.digest),
        launcher_code=1 if fails else 0,
        hardware=hardware(),
    )
    store = Store(project.reports / "data")
    store.add(seen)
    store.record_verdict(seen.id, "reproduced" if fails else "absent")


def reuse(project: Project) -> None:
    """Run one failure on all environments, where every run is stored already, and write its page."""
    identity = next(iter(project.catalog.entries))
    failure = project.catalog[identity].failure

    def provide(name: str) -> Interpreter:
        lock = project.environments.lock(name)
        held = factories.installed(lock.versions, name=name, lock=lock.digest)
        return factories.interpreter(installed=held)

    store = Store(project.reports / "data")
    cells = [make_cell(failure, name) for name in project.matrix.environments]
    results = Session(project, store, Options(fresh=False), provide=provide).run(cells)
    if not all(result.reused for result in results):
        raise SystemExit("a cell was not reused")
    write_pages(project, store, {identity})


def report(project: Project) -> None:
    """Write every page of Markdown."""
    write_reports(project, Store(project.reports / "data"))


def site(project: Project) -> None:
    """Write the site."""
    store = Store(project.reports / "data")
    publish(project, store, write_reports(project, store), AnswerBox(box_script(), box_knowledge(project)))


def judge_again(project: Project) -> None:
    """Judge every observation."""
    found = rejudge(Store(project.reports / "data"), project.catalog)
    if found.changed:
        raise SystemExit(f"{len(found.changed)} verdicts changed")


WORK: dict[str, Callable[[Project], None]] = {"report": report, "reuse": reuse, "rejudge": judge_again, "site": site}


def measured(name: str, root: Path) -> dict[str, float]:
    """What one command used, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.scale", "--work", name, "--folder", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        sampled = 0.0
        while running.poll() is None:
            sampled = max(sampled, memory(running.pid))
            time.sleep(SAMPLE_SECONDS)
        out, err = running.communicate()
    if running.returncode:
        raise SystemExit(f"{name}: {err[-2000:]}")
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found | {"peak_mb": round(max(sampled, found["peak_mb"]))}


def memory(pid: int) -> float:
    """The memory of a process and of those that it started, in MB; 0 where the system does not tell it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return 0.0
    own = sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    return own + sum(memory(child) for child in children)


def work(name: str, root: Path) -> dict[str, float]:
    """Do one command's work here."""
    began = time.monotonic()
    before = processor_seconds()
    WORK[name](project_of(root))
    return {
        "cpu_seconds": round(processor_seconds() - before, 2),
        "seconds": round(time.monotonic() - began, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def processor_seconds() -> float:
    """The processor time of this process, and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def sizes(root: Path) -> Iterator[tuple[str, float]]:
    """Bytes of the store, of the reports that Git keeps, of the site beside them and of its first page, in MB."""
    reports = root / "reports"
    yield "store_mb", sum(file.stat().st_size for file in (reports / "data").rglob("*") if file.is_file()) / 1e6
    files = [file for file in reports.rglob("*") if file.is_file() and "data" not in file.relative_to(reports).parts]
    kept = {file for file in files if file.suffix == ".md" or file.name == MATRIX}
    yield "reports_mb", sum(file.stat().st_size for file in kept) / 1e6
    yield "site_mb", sum(file.stat().st_size for file in files if file not in kept) / 1e6
    index = reports / "index.html"
    yield "first_page_mb", index.stat().st_size / 1e6 if index.is_file() else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--failures", type=int, default=1000)
    parser.add_argument("--environments", type=int, default=30)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--only", action="append", choices=sorted(WORK))
    parser.add_argument("--folder", type=Path, help="keep the catalogue and the store there, or use those that are")
    parser.add_argument("--work", choices=sorted(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=f"write the figures to {FILE.relative_to(ROOT)}")
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(given.work, given.folder)))
        return
    with tempfile.TemporaryDirectory() as made:
        root = given.folder or Path(made)
        if not (root / "matrix.yaml").is_file():
            make(root, given.failures, given.environments, given.observations)
        counts = {"failures": given.failures, "environments": given.environments, "observations": given.observations}
        figures = {name: measured(name, root) for name in given.only or WORK}
        held = {name: round(size, 1) for name, size in sizes(root)}
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        content = {"format": 1, "machine": machine, **counts, "sizes": held, "used": figures}
    print(json.dumps(content, indent=1))
    if given.write:
        FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
