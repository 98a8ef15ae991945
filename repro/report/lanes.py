"""Compares the lanes: does the CPU lane show what the CUDA lane shows?  Reads stored observations and runs nothing.

A pair is one cell in both lanes on the same interpreter with the same distributions.  The lanes agree if the verdict
is the same, the same ranks raise the same errors themselves, and the ranks measured the same facts, such as dtypes.
Numbers with a fraction are ignored, since devices round and draw random numbers differently.  How the other ranks
end is ignored too: when a peer is gone, a rank fails at once under gloo and waits under NCCL.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from packaging.version import Version

from repro.catalog.catalog import Catalog
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.observation import Observation, Rank
from repro.model.verdict import Verdict
from repro.report.format import VERDICT_GLYPHS, format_where
from repro.report.matrix_page import code, escape
from repro.report.private import Redact, as_it_is
from repro.report.rows import Row
from repro.store.observations import Store
from repro.store.recipe import environment_key, recipe_of
from repro.verdict.judge import failed_itself, judge, seen_in
from repro.verdict.signature import is_watchdog_abort, why_not_still

FRACTION = "..."
COMPARED = (
    "The verdict, the errors of each rank, and its measurements, except numbers with a fraction: devices round and"
    " draw random numbers differently."
)


@dataclass(frozen=True)
class LaneRun:
    """The newest run of a cell in one lane."""

    verdict: Verdict
    own: tuple[tuple[int, str], ...]
    """Rank and error of each rank that failed by itself, not because a peer did."""
    others: tuple[tuple[int, str], ...]
    """Every other rank, and how it ended."""
    devices: str
    date: str
    observation: str
    facts: tuple[tuple[int, str, str], ...] = ()
    """Rank, name and value of every measurement, without fractions."""
    stands: bool = False
    """True if a rank stood still when the deadline passed."""

    @property
    def is_conclusive(self) -> bool:
        """True if the run is conclusive: the ranks ended, or were seen hanging."""
        return self.verdict is not Verdict.UNRUNNABLE or self.stands

    def does(self, rank: int) -> str:
        """The error of a rank, or how it ended."""
        return dict(self.own + self.others).get(rank, "was not there")


@dataclass(frozen=True)
class LanePair:
    """One cell in both lanes, on one interpreter."""

    cell: Cell
    """In the CUDA lane."""
    versions: dict[str, str]
    python: str
    cpu: LaneRun | None
    cuda: LaneRun
    why: str = ""
    """Why the lanes differ, from the record."""

    @property
    def agree(self) -> bool | None:
        """True if the lanes show the same; None if one of the two runs is inconclusive."""
        if self.cpu is None or not (self.cpu.is_conclusive and self.cuda.is_conclusive):
            return None
        return (self.cpu.verdict, self.cpu.own) == (self.cuda.verdict, self.cuda.own) and not self.measured

    @property
    def measured(self) -> tuple[str, ...]:
        """The facts that a rank measured in both lanes with different values."""
        if self.cpu is None:
            return ()
        cpu, cuda = ({(rank, name): value for rank, name, value in one.facts} for one in (self.cpu, self.cuda))
        return tuple(
            f"rank {rank}: {name} {cpu[rank, name]} on CPU, {cuda[rank, name]} on CUDA"
            for rank, name in sorted(cpu.keys() & cuda.keys())
            if cpu[rank, name] != cuda[rank, name]
        )

    @property
    def differences(self) -> tuple[str, ...]:
        """The differences as text: the verdict, the ranks with different errors, the facts."""
        if self.cpu is None or self.agree is not False:
            return ()
        found = []
        if self.cpu.verdict is not self.cuda.verdict:
            found.append(f"{self.cpu.verdict} on CPU, {self.cuda.verdict} on CUDA")
        stood = self.cpu.stands or self.cuda.stands
        ranks = sorted({rank for one in (self.cpu, self.cuda) for rank, _ in one.own + (one.others if stood else ())})
        for rank in ranks:
            cpu, cuda = self.cpu.does(rank), self.cuda.does(rank)
            same = cpu == cuda and ((rank, cpu) in self.cpu.own) == ((rank, cuda) in self.cuda.own)
            if not same:
                found.append(f"rank {rank}: {cpu} on CPU, {cuda} on CUDA")
        return (*found, *self.measured)


def of_lanes(store: Store, catalog: Catalog) -> Iterator[Observation]:
    """The stored runs of the CUDA lane, and the CPU runs that they can be compared with."""
    twins = set()
    for seen in store.of_lane(Lane.CUDA):
        yield seen
        if seen.installed is not None and seen.cell.failure in catalog.entries:
            cell = seen.cell.model_copy(update={"lane": Lane.CPU})
            recipe = recipe_of(cell, catalog[cell.failure], environment_key(seen.installed, seen.roles))
            twins.add((cell.failure, recipe))
    for failure, recipes in groupby(sorted(twins), key=lambda twin: twin[0]):
        files = store.by_key(failure)
        for _, recipe in recipes:
            # Only the newest run that reached a rank is compared.
            runs = store.newest_first(failure, recipe, files)
            yield from islice((seen for seen in runs if seen.installed is not None and seen.ranks), 1)


def pairs(observations: Iterable[Observation], catalog: Catalog) -> tuple[LanePair, ...]:
    """Every cell that ran on CUDA with today's sources, and its newest CPU run on the same interpreter.

    A run that never reached a rank counts as not run.
    """
    newest: dict[tuple[str, Lane], Observation] = {}
    for seen in sorted(observations, key=lambda found: (found.started, found.id)):
        if seen.installed is None or not seen.ranks or seen.cell.failure not in catalog.entries:
            continue
        key = environment_key(seen.installed, seen.roles)
        if seen.recipe == recipe_of(seen.cell, catalog[seen.cell.failure], key):
            same = seen.cell.model_copy(update={"lane": Lane.CPU}).model_dump_json(exclude={"environment"})
            newest[f"{key} {same}", seen.cell.lane] = seen
    found = []
    for (key, lane), seen in newest.items():
        if lane is not Lane.CUDA or seen.installed is None:
            continue
        beside = newest.get((key, Lane.CPU))
        failure = catalog[seen.cell.failure].failure
        named = {*failure.distributions, "torch"}
        held = seen.installed.distributions
        found.append(
            LanePair(
                cell=seen.cell,
                versions={name: held[name] for name in sorted(named) if name in held},
                python=seen.installed.python,
                cpu=_shown(beside, catalog) if beside else None,
                cuda=_shown(seen, catalog),
                why=" ".join(item.why.strip() for item in failure.differs_in.values()),
            )
        )
    return tuple(sorted(found, key=lambda pair: pair.cell.label))


def torches_had(observations: Iterable[Observation], catalog: Catalog) -> frozenset[str]:
    """The releases of torch that the newest run of each cell of the CUDA lane had."""
    newest: dict[str, tuple[str, str, Observation]] = {}
    for seen in observations:
        if seen.cell.lane is Lane.CUDA and seen.cell.failure in catalog.entries:
            label, at = seen.cell.label, (seen.started, seen.run)
            if label not in newest or at >= newest[label][:2]:
                newest[label] = (*at, seen)
    return frozenset(torch for *_, seen in newest.values() if (torch := torch_of(seen)))


def torch_of(seen: Observation) -> str | None:
    """The public version of torch that a run had; None if it is not known."""
    held = seen.installed.distributions.get("torch") if seen.installed else None
    return Version(held).public if held else None


def distrusted(found: Iterable[LanePair]) -> tuple[str, ...]:
    """The failures whose lanes differ in some cell: their CPU lane is not trusted."""
    return tuple(sorted({pair.cell.failure for pair in found if pair.agree is False}))


def _shown(seen: Observation, catalog: Catalog) -> LaneRun:
    own, others = [], []
    failure = seen_in(catalog[seen.cell.failure].failure, seen)
    for rank in seen.ranks:
        error = rank.error
        if error is not None and failed_itself(rank, failure):
            frame = error.innermost_library_frame or error.innermost_frame
            own.append((rank.rank, f"{error.type} in {frame.function if frame else '?'}"))
        else:
            others.append((rank.rank, _end(rank, seen)))
    machine = seen.hardware
    cuda = f", CUDA {machine.cuda}, NCCL {machine.nccl}, driver {machine.driver}" if machine.cuda else ""
    return LaneRun(
        judge(failure, seen).verdict,
        tuple(own),
        tuple(others),
        f"{len(machine.accelerators)} x {machine.accelerators[0]}{cuda}" if machine.accelerators else "",
        seen.started[:10],
        seen.id,
        tuple(
            (rank.rank, name, json.dumps(_whole(value))) for rank in seen.ranks for name, value in rank.measured.items()
        ),
        seen.cut_off and any(why_not_still(rank) is None for rank in seen.ranks),
    )


def _whole(value: Any) -> Any:
    """A measured value with ``...`` for each finite number with a fraction, also for numbers inside text."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    try:
        number = float(value) if isinstance(value, float | str) else math.nan
    except ValueError:
        return value
    return FRACTION if math.isfinite(number) else value


def _end(rank: Rank, seen: Observation) -> str:
    """How a rank without an error of its own ended."""
    failures = [other.failed_at for other in seen.ranks if other.failed_at is not None]
    late = rank.ended_at - min(failures) if rank.ended_at is not None and failures else None
    after = f" {late:.1f} s after the failure" if late is not None else ""
    if rank.error is not None:
        return f"loses its peer{after}"
    if is_watchdog_abort(rank):
        return f"is aborted by the watchdog{after}"
    if seen.cut_off and why_not_still(rank) is None:
        return f"stands still in {rank.stacks[-1][-1].function}"
    if rank.stopped:
        return f"waits until it is ended{after}"
    return "passes" if rank.exit_code == 0 else f"ends by signal {rank.signal}" if rank.signal else "ends"


def format_lanes(found: Sequence[LanePair]) -> str:
    """Two sentences: how many pairs agree, and for which failures the CPU lane is not trusted."""
    if not found:
        return "Nothing has been run in the CUDA lane."
    compared = [pair for pair in found if pair.agree is not None]
    agreeing = sum(pair.agree is True for pair in compared)
    counted = f"{agreeing} of {len(compared)} pairs agree; {len(found) - len(compared)} cannot be compared."
    bad = [_bad(name, found) for name in distrusted(found)]
    return f"{counted} The CPU lane is not trusted for {', '.join(bad)}." if bad else f"{counted} No lanes differ."


def _bad(failure: str, found: Iterable[LanePair]) -> str:
    """``accelerate-3982 (widths=different)``: a failure whose lanes differ, and the factors under which they do."""
    cells = [pair.cell for pair in found if pair.cell.failure == failure and pair.agree is False]
    settings = [" ".join(f"{name}={value}" for name, value in cell.factors.items()) for cell in cells]
    return failure if "" in settings else f"{failure} ({'; '.join(sorted(set(settings)))})"


def lanes_markdown(found: Sequence[LanePair], redact: Redact = as_it_is) -> str:
    """``lanes.md``: the table of all pairs, and the failures whose CPU lane is not trusted.

    The texts of runs are redacted only when written, since lanes are compared by what ranks really showed.
    """
    lines = ["# Lane equivalence", ""]
    lines += ["The same cell in both lanes, on the same interpreter with the same libraries.", ""]
    lines += [format_lanes(found), ""]
    if not found:
        return "\n".join(lines)
    lines += ["| failure | environment | versions | CPU | CUDA | lanes |", "| --- | --- | --- | --- | --- | --- |"]
    words = {True: "agree", False: "**differ**", None: "not judged"}
    for pair in found:
        place = format_where(Row(cell=pair.cell.model_copy(update={"lane": Lane.CPU})))
        versions = ", ".join(f"{name} {version}" for name, version in pair.versions.items())
        cells = (
            escape(pair.cell.failure),
            escape(place),
            escape(versions),
            _format_shown(pair.cpu, redact),
            _format_shown(pair.cuda, redact),
        )
        result = "; ".join([words[pair.agree], *(escape(redact(item)) for item in pair.differences)])
        lines.append(f"| {' | '.join(cells)} | {result} |")
    lines += ["", "## What is compared", "", _compared(found, redact)]
    differing = {pair.cell.failure: pair.why or "No reason is known." for pair in found if pair.agree is False}
    if differing:
        lines += ["", "## Why they differ", "", *(f"- {name}: {escape(why)}" for name, why in differing.items())]
    machines = sorted({f"{pair.cuda.devices}, Python {pair.python}, {pair.cuda.date}" for pair in found})
    return "\n".join([*lines, "", "## Devices", "", *(f"- {escape(redact(machine))}" for machine in machines), ""])


def _compared(found: Iterable[LanePair], redact: Redact) -> str:
    """What is compared, with the names of the facts that ranks measured in both lanes."""
    both = {fact[1:] for pair in found if pair.cpu for fact in {*pair.cpu.facts} & {*pair.cuda.facts}}
    whole = {name for name, value in both if value.replace(json.dumps(FRACTION), "").strip("[], ")}
    names = sorted({code(redact(name)) for name in whole})
    measured = f" Measured, and the same in both lanes: {', '.join(names)}." if names else ""
    return f"{COMPARED}{measured}"


def _format_shown(shown: LaneRun | None, redact: Redact) -> str:
    if shown is None:
        return "· not run"
    parts = [f"rank {rank}: {text}" for rank, text in sorted(shown.own + shown.others) if text != "passes"]
    shows = f" {code(redact('; '.join(parts)))}" if parts else ""
    return f"{VERDICT_GLYPHS[shown.verdict]} {shown.verdict}{shows}"
