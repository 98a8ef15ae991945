"""Which release goes on from the checkpoints of which: the tables of reports/writer-reader*.md.

    python -m tests.bench.writer_reader                       # all pairs that are not stored yet, and the pages
    python -m tests.bench.writer_reader --table lightning     # one table: torch, lightning, accelerate, transformers
    python -m tests.bench.writer_reader --table torch --releases torch-2.6 newest   # pairs of these environments only
    python -m tests.bench.writer_reader --table torch --pairs-of torch-2.7   # pairs that have it as writer or reader
    python -m tests.bench.writer_reader --confirm             # pairs that load and differ once more, by torchrun
    python -m tests.bench.writer_reader --releases            # no run: the pages from stored runs

Each pair is a run of a record in tests/catalogs/checkpoints: a job of the writer, then one of the reader.  The runs
are kept in reports/writer-reader/data, and a run that is stored already is not made again.  Which records,
environments and kinds there are is said in checkpoint_tables.py.
"""

import argparse
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product
from pathlib import Path

from repro.catalog.project import Project
from repro.files import write_whole
from repro.launch.session import Options, Session, Silent
from repro.model.cell import Cell, make_cell
from repro.model.failure import Failure
from repro.model.observation import Installed, Observation, Raised, Rank
from repro.model.verdict import Verdict
from repro.report.matrix_page import code
from repro.store.observations import Store
from repro.verdict.judge import judge
from repro.verdict.result import Result
from tests.bench.checkpoint_tables import TABLES, Table

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "tests" / "catalogs" / "checkpoints"
REPORTS = ROOT / "reports" / "writer-reader"
_INNER = re.compile(r"^(\w+(?:Error|Exception)): ?(.*)$", re.MULTILINE)


class Outcome(StrEnum):
    """What a pair shows."""

    EQUAL = "equal"
    DIFFERS = "**loads and differs**"
    REFUSED = "refused"
    RAISES = "raises"
    NOT_WRITTEN = "cannot be written"
    NOT_THERE = "not in this release"
    UNDECIDED = "not decided"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Shown:
    """The outcome of a run, with the error or the difference in one line."""

    outcome: Outcome
    detail: str = ""


def shown(failure: Failure, observation: Observation) -> Shown:
    """What a run shows.  Pure."""
    judgement = judge(failure, observation)
    first = _first_failing(observation.ranks)
    if judgement.verdict is Verdict.ABSENT:
        return Shown(Outcome.EQUAL)
    if judgement.verdict is Verdict.REPRODUCED:
        return Shown(Outcome.DIFFERS, first.line if first else judgement.reason)
    if judgement.verdict is not Verdict.DIFFERENT or first is None:
        return Shown(Outcome.UNDECIDED, judgement.reason)
    if first.type == "NotImplementedError" and first.innermost_library_frame is None:
        return Shown(Outcome.NOT_THERE, first.message)
    name, message = cause_of(first)
    line = f"{name}: {message}" if message else name
    if observation.stage == "write":
        return Shown(Outcome.NOT_WRITTEN, line)
    return Shown(Outcome.REFUSED if _on_purpose(first, name) else Outcome.RAISES, line)


def cause_of(error: Raised) -> tuple[str, str]:
    """Type and first line of what went wrong: of a CheckpointException, what the ranks raised below it."""
    if error.type == "CheckpointException" and (inner := _INNER.findall(error.message)):
        name, message = inner[-1]
        return name, message
    return error.type, error.message.strip().partition("\n")[0]


def _on_purpose(error: Raised, name: str) -> bool:
    """True if a library checked and refused; False if its code met what it does not know."""
    if error.type == "CheckpointException":
        return name in {"RuntimeError", "CheckpointException"}
    frame = error.innermost_frame
    return frame is not None and frame.code.startswith("raise ")


def _first_failing(ranks: Iterable[Rank]) -> Raised | None:
    failed = [rank for rank in ranks if rank.error is not None]
    return min(failed, key=lambda rank: rank.failed_at or 0.0).error if failed else None


def cells_of(table: Table, failure: Failure, releases: Sequence[str]) -> list[Cell]:
    """All pairs of environments in all kinds."""
    return [
        make_cell(failure, reader, factors=dict(factors), roles={"writer": writer})
        for factors, writer, reader in product(table.kinds.values(), releases, releases)
    ]


class Lines(Silent):
    """Prints a line for each run."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    def finished(self, result: Result) -> None:
        found = shown(self._failure, result.newest)
        print(f"{result.cell.label} | {found.outcome} | {found.detail[:150]}\n", end="", flush=True)


def versions_of(table: Table, installed: Installed | None) -> str:
    """The head of a column: the library's version, and those of the others that the table names."""
    held = installed.distributions if installed else {}
    first, *others = (held.get(name, "?") for name in table.distributions)
    return ", ".join([first, *(f"{name} {held}" for name, held in zip(table.distributions[1:], others, strict=True))])


def page(table: Table, failure: Failure, observations: Iterable[Observation]) -> str:
    """The page, from the newest run of each cell of the table.  Pure."""
    wanted = {cell.label for cell in cells_of(table, failure, table.environments)}
    kept = [seen for seen in observations if seen.cell.label in wanted]
    newest = newest_of(kept)
    versions = {seen.cell.environment.label: versions_of(table, seen.installed) for seen in newest.values()}
    names = {release: versions.get(release, release) for release in table.environments}
    lines = [f"# {table.title}", "", *filled(f"{table.head} Rows are the writers, columns the readers."), ""]
    lines += [*_outcomes(table), ""]
    if table.found:
        lines += ["## What differs", ""]
    for paragraph in table.found:
        lines += [*filled(paragraph), ""]
    notes: list[str] = []
    counts: dict[Outcome, int] = {}
    for title, factors in table.kinds.items():
        lines += [f"## {title[0].upper()}{title[1:]}", ""]
        lines += ["| writer \\ reader | " + " | ".join(names.values()) + " |", "| --- |" + " --- |" * len(names)]
        for writer in table.environments:
            row = []
            for reader in table.environments:
                cell = make_cell(failure, reader, factors=dict(factors), roles={"writer": writer})
                run = newest.get(cell.label)
                found = shown(failure, run) if run else Shown(Outcome.NOT_RUN)
                counts[found.outcome] = counts.get(found.outcome, 0) + 1
                if found.detail and found.detail not in notes:
                    notes.append(found.detail)
                mark = f" ({notes.index(found.detail) + 1})" if found.detail else ""
                row.append(f"{found.outcome}{mark}")
            lines.append(f"| **{names[writer]}** | " + " | ".join(row) + " |")
        lines.append("")
    if notes:
        lines += ["## What was said", "", *(_note(table, *one) for one in enumerate(notes, 1)), ""]
    lines += ["## Runs", "", *_runs(table, list(newest.values()), counts, _confirmed(failure, kept)), ""]
    lines += [*_other_pages(table), ""]
    return "\n".join(lines)


def newest_of(observations: Iterable[Observation]) -> dict[str, Observation]:
    """The newest run of each cell, by the cell's label."""
    return {seen.cell.label: seen for seen in sorted(observations, key=lambda seen: seen.started)}


def _confirmed(failure: Failure, kept: Sequence[Observation]) -> list[str]:
    """How many pairs that load and differ did so in a run by torchrun too."""
    differ = {
        label: found
        for label, run in newest_of(kept).items()
        if (found := shown(failure, run)).outcome is Outcome.DIFFERS
    }
    cold = {run.cell.label for run in kept if run.is_cold and differ.get(run.cell.label) == shown(failure, run)}
    return (
        [f"Pairs that load and differ, and show the same in a run by torchrun: {len(cold)} of {len(differ)}."]
        if differ
        else []
    )


def filled(paragraph: str) -> list[str]:
    """The paragraph in lines, those after the first indented below a bullet."""
    later = "  " if paragraph.startswith("- ") else ""
    return textwrap.wrap(paragraph, 118, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)


def _note(table: Table, number: int, said: str) -> str:
    meant = next((meaning for part, meaning in table.meanings.items() if part in said), "")
    return f"{number}. {code(said[:300])}" + (f": {meant}" if meant else "")


def _outcomes(table: Table) -> list[str]:
    return [
        *filled(f"- **equal**: {table.compared}; the next update is that of the writer's own next step to 1e-6."),
        "- **loads and differs**: nothing was raised, and one of these is not so. The harmful case.",
        "- **refused**: a library checked the checkpoint and said no. **raises**: its code met what it does not know.",
        "- **cannot be written**: the writer failed. **not in this release**: writer or reader has no such kind.",
        "- **not decided**: the run shows nothing, for example if it ended at its deadline. **not run**: none is kept.",
    ]


def _other_pages(table: Table) -> list[str]:
    others = [f"[{name}]({one.page})" for name, one in TABLES.items() if one.page != table.page]
    return [f"The other tables: {', '.join(others)}. What they are for: [a how-to](../docs/how-to/old-checkpoints.md)."]


def _runs(
    table: Table, seen: Sequence[Observation], counts: Mapping[Outcome, int], confirmed: Sequence[str]
) -> list[str]:
    if not seen:
        return ["None is stored."]
    days = sorted({run.started[:10] for run in seen})
    machines = sorted({f"{run.hardware.cores} cores, {run.hardware.system} {run.hardware.machine}" for run in seen})
    ranks = [rank for run in seen for rank in (*run.ranks, *(one for stage in run.earlier for one in stage.ranks))]
    gates = sorted({gate for rank in ranks for gate in rank.gates})
    total = ", ".join(f"{counts[kind]} {kind.strip('*')}" for kind in Outcome if kind in counts)
    name = next(name for name, one in TABLES.items() if one.page == table.page)
    return [
        f"Pairs that were run: {len(seen)}, {days[0]} to {days[-1]}, on {'; '.join(machines)}, CPU and gloo: {total}.",
        *confirmed,
        f"Lifted refusals of a machine without an accelerator: {', '.join(map(code, gates)) or 'none'}.",
        *filled(table.method),
        "The runs are kept in [`writer-reader/data`](writer-reader/data), and the script is",
        f"[`repro.py`](../tests/catalogs/checkpoints/{table.record}/repro.py). One command makes all of it again:",
        "",
        "```bash",
        f"python -m tests.bench.writer_reader --table {name}",
        "```",
        "",
        f"Not tested: {table.not_tested}.",
    ]


def main() -> None:
    """Run what is not stored, and write the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kinds = sorted({kind_of(factors) for table in TABLES.values() for factors in table.kinds.values()})
    parser.add_argument("--table", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--releases", nargs="*", metavar="ENVIRONMENT", help="[default: all of the table]")
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--pairs-of", metavar="ENVIRONMENT", help="only pairs that have it as writer or reader")
    parser.add_argument("--confirm", action="store_true", help="only pairs that load and differ, again and by torchrun")
    given = parser.parse_args()
    options = Options(fresh=given.confirm, warm=not given.confirm)
    project, store = Project.here(reports=REPORTS, catalog=CATALOG), Store(REPORTS / "data")
    for table in (TABLES[name] for name in given.table):
        failure = project.catalog[table.record].failure
        releases = table.environments if given.releases is None else given.releases
        cells = [cell for cell in cells_of(table, failure, releases) if kind_of(cell.factors, failure) in given.kinds]
        if given.pairs_of:
            cells = [cell for cell in cells if given.pairs_of in {place.label for place in cell.environments}]
        if given.confirm:
            stored = newest_of(store.of_failure(table.record))
            differ = {label for label, run in stored.items() if shown(failure, run).outcome is Outcome.DIFFERS}
            cells = [cell for cell in cells if cell.label in differ]
        # Two environments at a time: what they import is kept, and that of more would be thrown away again and again.
        places = list(dict.fromkeys(place for cell in cells for place in cell.environments))
        for both in [set(pair) for pair in combinations(places, 2)] or [set(places)]:
            chosen = [cell for cell in cells if set(cell.environments) <= both]
            cells = [cell for cell in cells if cell not in chosen]
            if chosen:
                Session(project, store, options, Lines(failure)).run(chosen)
        write_whole(REPORTS.parent / table.page, page(table, failure, store.of_failure(table.record)))


def kind_of(factors: Mapping[str, str], failure: Failure | None = None) -> str:
    """The kind of checkpoint; a cell does not name the record's default."""
    default = next((one.default for one in failure.factors if one.name == "kind"), "") if failure else ""
    return factors.get("kind", default)


if __name__ == "__main__":
    main()
