"""Which release of torch goes on from the checkpoints of which: the table of reports/writer-reader.md.

    python -m tests.bench.writer_reader                               # all pairs that are not stored yet, and the page
    python -m tests.bench.writer_reader --releases torch-2.6 newest   # pairs of these environments only
    python -m tests.bench.writer_reader --pairs-of torch-2.7          # pairs that have it as writer or reader
    python -m tests.bench.writer_reader --releases                    # no run: the page from stored runs

Each pair is a run of the record in tests/catalogs/checkpoints: a job of the writer, then one of the reader.  Its runs
are kept in reports/writer-reader/data, and a run that is stored already is not made again.
"""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
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

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "tests" / "catalogs" / "checkpoints"
RECORD = "checkpoint-between-releases"
REPORTS = ROOT / "reports" / "writer-reader"
PAGE = ROOT / "reports" / "writer-reader.md"
RELEASES = ("torch-2.2", "torch-2.6", "torch-2.7", "torch-2.13", "newest")
KINDS: Mapping[str, dict[str, str]] = {
    "one file: torch.save of a job under DDP, torch.load with its defaults": {"kind": "full"},
    "FSDP1, distributed checkpoint": {"kind": "fsdp1"},
    "FSDP1, distributed checkpoint, optimizer flattened": {"kind": "fsdp1", "optimizer": "flat"},
    "FSDP2, distributed checkpoint": {"kind": "fsdp2"},
    "FSDP2, distributed checkpoint, optimizer flattened": {"kind": "fsdp2", "optimizer": "flat"},
}
_INNER = re.compile(r"^(\w+(?:Error|Exception)): ?(.*)$", re.MULTILINE)


class Outcome(StrEnum):
    """What a pair shows."""

    EQUAL = "equal"
    DIFFERS = "**loads and differs**"
    REFUSED = "refused"
    RAISES = "raises"
    NOT_WRITTEN = "cannot be written"
    NOT_THERE = "not in this torch"
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
    """True if torch checked and refused; False if its code met what it does not know."""
    if error.type == "CheckpointException":
        return name in {"RuntimeError", "CheckpointException"}
    frame = error.innermost_frame
    return frame is not None and frame.code.startswith("raise ")


def _first_failing(ranks: Iterable[Rank]) -> Raised | None:
    failed = [rank for rank in ranks if rank.error is not None]
    return min(failed, key=lambda rank: rank.failed_at or 0.0).error if failed else None


def cells_of(failure: Failure, releases: Sequence[str]) -> list[Cell]:
    """All pairs of environments in all kinds."""
    return [
        make_cell(failure, reader, factors=dict(factors), roles={"writer": writer})
        for factors, writer, reader in product(KINDS.values(), releases, releases)
    ]


class Lines(Silent):
    """Prints a line for each run."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    def finished(self, result: Result) -> None:
        found = shown(self._failure, result.newest)
        print(result.cell.label, "|", found.outcome, "|", found.detail[:150], flush=True)


def torch_of(installed: Installed | None) -> str:
    return installed.distributions.get("torch", "?") if installed else "?"


def page(failure: Failure, observations: Iterable[Observation], releases: Sequence[str]) -> str:
    """The page, from the newest run of each cell.  Pure."""
    newest = {seen.cell.label: seen for seen in sorted(observations, key=lambda seen: seen.started)}
    versions = {}
    for seen in newest.values():
        versions[seen.cell.environment.label] = torch_of(seen.installed)
    names = {release: versions.get(release, release) for release in releases}
    lines = [*_HEAD]
    notes: list[str] = []
    counts: dict[Outcome, int] = {}
    for title, factors in KINDS.items():
        lines += [f"## {title[0].upper()}{title[1:]}", ""]
        lines += ["| writer \\ reader | " + " | ".join(names.values()) + " |", "| --- |" + " --- |" * len(names)]
        for writer in releases:
            row = []
            for reader in releases:
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
    lines += ["## What was said", ""]
    for number, detail in enumerate(notes, 1):
        lines.append(f"{number}. {code(detail[:300])}")
    lines += ["", "## Runs", "", *_runs(list(newest.values()), counts), ""]
    return "\n".join(lines)


_HEAD = (
    "# Checkpoints between releases of torch: writer × reader",
    "",
    "A job of one torch trains two steps on two ranks, with AdamW in two parameter groups, and writes a checkpoint.",
    "A job of another torch begins with other weights and another learning rate, loads it, and takes the next step.",
    "Rows are the writers, columns the readers.",
    "",
    "- **equal**: on every rank parameters, moments and steps are equal bit by bit, and so are the options of each",
    "  parameter group that both releases know; the next update is that of the writer's own next step to 1e-6.",
    "- **loads and differs**: nothing was raised, and one of these is not so. The harmful case.",
    "- **refused**: torch checked the checkpoint and said no. **raises**: code of torch met what it does not know.",
    "- **cannot be written**: the writer failed. **not in this torch**: writer or reader has no such kind.",
    "- **not decided**: the run shows nothing, for example if it ended at its deadline. **not run**: none is stored.",
    "",
)


def _runs(seen: Sequence[Observation], counts: Mapping[Outcome, int]) -> list[str]:
    if not seen:
        return ["None is stored."]
    days = sorted({run.started[:10] for run in seen})
    machines = sorted({f"{run.hardware.cores} cores, {run.hardware.system} {run.hardware.machine}" for run in seen})
    ranks = [rank for run in seen for rank in (*run.ranks, *(one for stage in run.earlier for one in stage.ranks))]
    gates = sorted({gate for rank in ranks for gate in rank.gates})
    total = ", ".join(f"{counts[kind]} {kind.strip('*')}" for kind in Outcome if kind in counts)
    return [
        f"Pairs that were run: {len(seen)}, {days[0]} to {days[-1]}, on {'; '.join(machines)}, CPU and gloo: {total}.",
        f"Lifted refusals of a machine without an accelerator: {', '.join(map(code, gates)) or 'none'}.",
        "Gradients of FSDP2 are set instead of computed, since its forward pass before torch 2.7 needs an accelerator.",
        "The runs are kept in [`writer-reader/data`](writer-reader/data), and the script is",
        f"[`repro.py`](../tests/catalogs/checkpoints/{RECORD}/repro.py). One command makes all of it again:",
        "",
        "```bash",
        "python -m tests.bench.writer_reader",
        "```",
        "",
        "Not tested: other optimizers, compiled models, more than two ranks or another number of them, CUDA and NCCL.",
    ]


def main() -> None:
    """Run what is not stored, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--releases", nargs="*", default=list(RELEASES), metavar="ENVIRONMENT")
    parser.add_argument("--kinds", nargs="*", choices=["full", "fsdp1", "fsdp2"], default=["full", "fsdp1", "fsdp2"])
    parser.add_argument("--pairs-of", metavar="ENVIRONMENT", help="only pairs that have it as writer or reader")
    given = parser.parse_args()
    project = Project.here(reports=REPORTS, catalog=CATALOG)
    failure, store = project.catalog[RECORD].failure, Store(REPORTS / "data")
    cells = [cell for cell in cells_of(failure, given.releases) if cell.factors.get("kind", "full") in given.kinds]
    if given.pairs_of:
        cells = [cell for cell in cells if given.pairs_of in {place.label for place in cell.environments}]
    Session(project, store, Options(fresh=False), Lines(failure)).run(cells)
    write_whole(PAGE, page(failure, store.of_failure(RECORD), RELEASES))


if __name__ == "__main__":
    main()
