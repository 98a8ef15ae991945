"""Lane equivalence: does the CPU lane show what CUDA shows?  Reads stored observations, runs nothing.

A pair is one cell in both lanes on the same interpreter with the same distributions.  The lanes agree where the verdict
is the same and the same ranks fail by the same errors of their own; how the other ranks then end is a consequence that
differs by nature: gloo tells a rank at once that its peer has gone, under NCCL it waits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from repro.catalog.loading import Catalog
from repro.catalog.records import Lane
from repro.cell import Cell
from repro.launch import environment_key, recipe_of
from repro.observation import Observation, Rank
from repro.report.markdown import code, escape
from repro.report.rows import Row
from repro.report.words import VERDICT_GLYPHS, where_words
from repro.store import Store
from repro.verdict import Verdict, failed_itself, judge
from repro.verdict.signature import is_watchdog_abort


@dataclass(frozen=True)
class Shown:
    """What the newest run of a cell showed in one lane."""

    verdict: Verdict
    own: tuple[tuple[int, str], ...]
    """Rank and error of each rank that failed by itself."""
    others: tuple[tuple[int, str], ...]
    """Rank and end of each other one."""
    devices: str
    date: str
    observation: str

    def does(self, rank: int) -> str:
        """The error of a rank, or else its end."""
        return dict(self.own + self.others).get(rank, "was not there")


@dataclass(frozen=True)
class Pair:
    """One cell in both lanes, on one interpreter."""

    cell: Cell
    """In the CUDA lane."""
    versions: dict[str, str]
    python: str
    cpu: Shown | None
    cuda: Shown

    @property
    def agree(self) -> bool | None:
        """Whether the lanes show the same; None where one of them says nothing."""
        if self.cpu is None or Verdict.UNRUNNABLE in {self.cpu.verdict, self.cuda.verdict}:
            return None
        return (self.cpu.verdict, self.cpu.own) == (self.cuda.verdict, self.cuda.own)

    @property
    def differences(self) -> tuple[str, ...]:
        """In what the lanes differ, in words: the verdict, then each rank with another error of its own."""
        if self.cpu is None or self.agree is not False:
            return ()
        found = []
        if self.cpu.verdict is not self.cuda.verdict:
            found.append(f"{self.cpu.verdict} on CPU, {self.cuda.verdict} on CUDA")
        ranks = sorted({rank for shown in (self.cpu, self.cuda) for rank, _ in shown.own})
        for rank in ranks:
            cpu, cuda = self.cpu.does(rank), self.cuda.does(rank)
            if (rank, cpu) not in self.cpu.own or (rank, cuda) not in self.cuda.own or cpu != cuda:
                found.append(f"rank {rank}: {cpu} on CPU, {cuda} on CUDA")
        return tuple(found)


def of_lanes(store: Store, catalog: Catalog) -> Iterator[Observation]:
    """The stored runs of the CUDA lane, and those of the CPU lane that they can be compared with."""
    twins = set()
    for seen in store.of_lane(Lane.CUDA):
        yield seen
        if seen.installed is not None and seen.cell.failure in catalog.entries:
            cell = seen.cell.model_copy(update={"lane": Lane.CPU})
            recipe = recipe_of(cell, catalog[cell.failure], environment_key(seen.installed))
            twins.add((cell.failure, recipe))
    for failure, recipe in sorted(twins):
        yield from store.of_recipe(failure, recipe)


def pairs(observations: Iterable[Observation], catalog: Catalog) -> tuple[Pair, ...]:
    """Every cell with a CUDA run of today's sources, beside its newest CPU run on the same interpreter.

    What never reached a rank counts as not run.
    """
    newest: dict[tuple[str, Lane], Observation] = {}
    for seen in sorted(observations, key=lambda found: (found.started, found.id)):
        if seen.installed is None or not seen.ranks or seen.cell.failure not in catalog.entries:
            continue
        key = environment_key(seen.installed)
        if seen.recipe == recipe_of(seen.cell, catalog[seen.cell.failure], key):
            same = seen.cell.model_copy(update={"lane": Lane.CPU}).model_dump_json(exclude={"environment"})
            newest[f"{key} {same}", seen.cell.lane] = seen
    found = []
    for (key, lane), seen in newest.items():
        if lane is not Lane.CUDA or seen.installed is None:
            continue
        beside = newest.get((key, Lane.CPU))
        named = {*catalog[seen.cell.failure].failure.distributions, "torch"}
        held = seen.installed.distributions
        found.append(
            Pair(
                cell=seen.cell,
                versions={name: held[name] for name in sorted(named) if name in held},
                python=seen.installed.python,
                cpu=_shown(beside, catalog) if beside else None,
                cuda=_shown(seen, catalog),
            )
        )
    return tuple(sorted(found, key=lambda pair: pair.cell.label))


def distrusted(found: Iterable[Pair]) -> tuple[str, ...]:
    """The failures whose lanes differ somewhere: their CPU lane is not to be trusted."""
    return tuple(sorted({pair.cell.failure for pair in found if pair.agree is False}))


def _shown(seen: Observation, catalog: Catalog) -> Shown:
    own, others = [], []
    failure = catalog[seen.cell.failure].failure
    for rank in seen.ranks:
        error = rank.error
        if error is not None and failed_itself(rank, failure):
            frame = error.innermost_library_frame or error.innermost_frame
            own.append((rank.rank, f"{error.type} in {frame.function if frame else '?'}"))
        else:
            others.append((rank.rank, _end(rank, seen)))
    machine = seen.hardware
    cuda = f", CUDA {machine.cuda}, NCCL {machine.nccl}, driver {machine.driver}" if machine.cuda else ""
    return Shown(
        judge(failure, seen).verdict,
        tuple(own),
        tuple(others),
        f"{len(machine.accelerators)} x {machine.accelerators[0]}{cuda}" if machine.accelerators else "",
        seen.started[:10],
        seen.id,
    )


def _end(rank: Rank, seen: Observation) -> str:
    """How a rank without an error of its own ended."""
    failures = [other.failed_at for other in seen.ranks if other.failed_at is not None]
    late = rank.ended_at - min(failures) if rank.ended_at is not None and failures else None
    after = f" {late:.1f} s after the failure" if late is not None else ""
    if rank.error is not None:
        return f"loses its peer{after}"
    if is_watchdog_abort(rank):
        return f"is aborted by the watchdog{after}"
    if rank.stopped:
        return f"waits until it is ended{after}"
    return "passes" if rank.exit_code == 0 else f"ends by signal {rank.signal}" if rank.signal else "ends"


def lanes_words(found: Sequence[Pair]) -> str:
    """How many pairs agree, and which failures' CPU lane is not to be trusted, in two sentences."""
    if not found:
        return "Nothing has been run in the CUDA lane."
    told = [pair for pair in found if pair.agree is not None]
    agreeing = sum(pair.agree is True for pair in told)
    counted = f"{agreeing} of {len(told)} pairs agree; {len(found) - len(told)} cannot be compared."
    bad = distrusted(found)
    return f"{counted} The CPU lane is not trusted for {', '.join(bad)}." if bad else f"{counted} No lanes differ."


def lanes_markdown(found: Sequence[Pair]) -> str:
    """``lanes.md``: the table of all pairs, and which failures' CPU lane is not to be trusted."""
    lines = ["# Lane equivalence", ""]
    lines += ["The same cell in both lanes, on the same interpreter with the same libraries.", ""]
    lines += [lanes_words(found), ""]
    if not found:
        return "\n".join(lines)
    lines += ["| failure | environment | versions | CPU | CUDA | lanes |", "| --- | --- | --- | --- | --- | --- |"]
    words = {True: "agree", False: "**differ**", None: "not told"}
    for pair in found:
        place = where_words(Row(cell=pair.cell.model_copy(update={"lane": Lane.CPU})))
        versions = ", ".join(f"{name} {version}" for name, version in pair.versions.items())
        cells = (escape(pair.cell.failure), escape(place), escape(versions), _words(pair.cpu), _words(pair.cuda))
        told = "; ".join([words[pair.agree], *(escape(item) for item in pair.differences)])
        lines.append(f"| {' | '.join(cells)} | {told} |")
    machines = sorted({f"{pair.cuda.devices}, Python {pair.python}, {pair.cuda.date}" for pair in found})
    return "\n".join([*lines, "", "## Devices", "", *(f"- {escape(machine)}" for machine in machines), ""])


def _words(shown: Shown | None) -> str:
    if shown is None:
        return "· not run"
    parts = [f"rank {rank}: {text}" for rank, text in sorted(shown.own + shown.others) if text != "passes"]
    told = f" {code('; '.join(parts))}" if parts else ""
    return f"{VERDICT_GLYPHS[shown.verdict]} {shown.verdict}{told}"
