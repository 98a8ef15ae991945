"""Compares the flight recorder dumps of ranks: in which collective each rank waits, and where they differ.  Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repro.doctor.log.flight_recorder import Collective, Dump
from repro.doctor.log.log_answer import WaitingRank
from repro.doctor.log.traces import Trace, package_of
from repro.model.observation import Raised

MOST_SHOWN = 64
MOST_GROUPS = 256
_SAME_SIZES = ("all_reduce", "broadcast", "reduce", "barrier")
"""Collectives whose inputs must have the same sizes on all ranks."""


@dataclass(frozen=True)
class Waits:
    """What dumps show."""

    ranks: tuple[WaitingRank, ...]
    traces: tuple[Trace, ...]
    """A stack for each rank that waits, if its dump has frames and the ranks do not all wait in the same call."""
    without_frames: int
    """The number of ranks that wait and whose dumps have no frames."""
    agreed: bool
    """True if all ranks wait in the same call of the same group."""
    notes: tuple[str, ...]


def waits_of(dumps: Sequence[Dump]) -> Waits:
    """In which collective each rank waits, and how the ranks differ."""
    dumps, left_out = _one_of_each_rank(dumps)
    calls = _calls_by_group(dumps)
    if len(calls) > MOST_GROUPS:
        left_out.append(f"only the first {MOST_GROUPS} of {len(calls)} process groups were compared")
    groups = [_Group(name, calls[name], dumps) for name in list(calls)[:MOST_GROUPS]]
    stuck = [group for group in groups if group.waiting]
    agreed = bool(stuck) and all(group.agrees for group in stuck)
    ranks, traces, without = [], [], 0
    for dump in dumps:
        first = _first_waits(dump)
        without += any(not call.frames for call in first)
        ranks += [_shown(dump, call) for call in first or dump.calls[-1:]]
        traces += [_trace(dump, call) for call in first if call.frames and not agreed]
    notes = tuple(text for group in stuck for text in group.statements())
    return Waits(tuple(ranks[:MOST_SHOWN]), tuple(traces), without, agreed, (*left_out, *notes[:MOST_SHOWN]))


def _one_of_each_rank(dumps: Sequence[Dump]) -> tuple[list[Dump], list[str]]:
    """One dump of each rank, with frames if one has them, and what is said of the others."""
    chosen: dict[str, Dump] = {}
    for dump in sorted(dumps, key=lambda dump: not any(call.frames for call in dump.calls)):
        chosen.setdefault(dump.rank or dump.name, dump)
    kept = [dump for dump in dumps if chosen[dump.rank or dump.name] is dump]
    other = [dump for dump in dumps if chosen[dump.rank or dump.name] is not dump]
    return kept, [
        f"{dump.name} was left out: {chosen[dump.rank or dump.name].name} is of the same rank" for dump in other
    ]


def _calls_by_group(dumps: Sequence[Dump]) -> dict[str, dict[str, list[Collective]]]:
    """Group -> rank -> its collectives in this group."""
    found: dict[str, dict[str, list[Collective]]] = {}
    for dump in dumps:
        for call in dump.calls:
            if not call.is_p2p:
                found.setdefault(call.group, {}).setdefault(dump.rank or dump.name, []).append(call)
    return found


def _first_waits(dump: Dump) -> list[Collective]:
    """The first call of each group that is not complete, in the order in which the rank called them."""
    found: dict[str, Collective] = {}
    for call in dump.calls:
        if call.waits:
            found.setdefault(call.group, call)
    return list(found.values())


def _shown(dump: Dump, call: Collective) -> WaitingRank:
    own = next((frame for frame in reversed(call.frames) if package_of(frame) == "script"), None)
    return WaitingRank(
        rank=dump.rank, file=dump.name, waits=call.waits, operation=call.operation, number=call.number,
        group=call.title, tensors=call.tensors, state=call.state, place=call.place,
        called_from=f"{own.function} ({own.file}:{own.line})" if own else "",
    )  # fmt: skip


def _trace(dump: Dump, call: Collective) -> Trace:
    raised = Raised(type="", module="", message="", frames=call.frames)
    return Trace(raised, call.place, dump.rank, stack=True)


class _Group:
    """The calls of one process group on all ranks whose dumps are there."""

    def __init__(self, name: str, found: Mapping[str, Sequence[Collective]], dumps: Sequence[Dump]) -> None:
        # torch names the default group "" there, and "0" in its calls.
        names = (name, "") if name == "0" else (name,)
        stated = next((dump.members[item] for item in names for dump in dumps if item in dump.members), ())
        known = {dump.rank or dump.name for dump in dumps}
        self._of: dict[str, dict[int, Collective]] = {rank: {} for rank in stated if rank in known}
        """Rank -> its calls by their number."""
        self._of |= {rank: {call.number: call for call in calls} for rank, calls in found.items()}
        self._without_dump = [rank for rank in stated if rank not in known]
        self.title = next(call.title for calls in found.values() for call in calls)
        firsts = [call.number for calls in self._of.values() if (call := self._first(calls))]
        self.number = min(firsts, default=0)
        """The first call of which a rank knows no end."""
        self.at = {rank: calls[self.number] for rank, calls in self._of.items() if self.number in calls}
        self.waiting = [rank for rank, call in self.at.items() if call.waits] if firsts else []
        self.behind = [rank for rank, calls in self._of.items() if max(calls, default=0) < self.number]

    @staticmethod
    def _first(calls: Mapping[int, Collective]) -> Collective | None:
        return next((call for call in calls.values() if call.waits), None)

    @property
    def agrees(self) -> bool:
        """True if every rank of the group waits in the same call, with the same sizes where they must be equal."""
        return (
            len(self.waiting) == len(self._of) > 1
            and not self._without_dump
            and len(self._by(lambda call: call.operation)) == 1
            and not self._differ_in_sizes()
        )

    def statements(self) -> Iterator[str]:
        """What the ranks have in common, and how they differ."""
        where = f"group {self.title}, call {self.number}"
        operations = self._by(lambda call: call.operation)
        if len(operations) > 1:
            said = "; ".join(f"{_ranks(ranks)} {operation}" for operation, ranks in operations.items())
            yield f"{where}: the ranks call different collectives: {said}"
        elif self._differ_in_sizes():
            said = "; ".join(f"{_ranks(ranks)} {text}" for text, ranks in self._by(lambda call: call.tensors).items())
            yield f"{where}: the ranks call {next(iter(operations))} with different inputs: {said}"
        elif self.agrees:
            yield (
                f"{where}: all {len(self.waiting)} ranks wait in {next(iter(operations))} with the same inputs: they "
                "agree, so that the network or a device is more likely at fault than the program"
            )
        if self.behind:
            yield (
                f"{where}: {_ranks(self.behind)} never called it, and the others wait for it: its own stack "
                "(py-spy dump) shows where it is"
            )
        if self._without_dump:
            yield f"{where}: the dumps of {_ranks(self._without_dump)} are not here; with them more could be said"

    def _differ_in_sizes(self) -> bool:
        named = {call.operation.rpartition(":")[2] for call in self.at.values()}
        return bool(named) and named <= set(_SAME_SIZES) and len(self._by(lambda call: call.tensors)) > 1

    def _by(self, key: Callable[[Collective], str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for rank, call in self.at.items():
            found.setdefault(key(call), []).append(rank)
        return found


def _ranks(ranks: Iterable[str]) -> str:
    held = list(ranks)
    shown = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "")  # noqa: PLR2004
    return f"{'rank' if len(held) == 1 else 'ranks'} {shown}"
