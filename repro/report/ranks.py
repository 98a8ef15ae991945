"""The traces of each rank of a run, in the order in which a person looks for the cause.  Pure."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from repro.model.observation import Frame, Origin, Raised, Rank
from repro.verdict.result import Result


@dataclass(frozen=True)
class Error:
    """One exception of a chain; the frame that raised it comes first."""

    line: str
    link: str
    """How it relates to the exception before: ``caused by``, ``while handling``; empty for the first one."""
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class RankTrace:
    """Ranks that ended in the same way."""

    ranks: tuple[int, ...]
    ended: str
    errors: tuple[Error, ...]
    stack: tuple[Frame, ...]
    """The stack at the deadline, the innermost frame first."""
    decided: bool
    """True if the verdict rests on one of these ranks."""

    @property
    def names(self) -> str:
        """``rank 0`` or ``ranks 0 and 1``."""
        numbers = [str(number) for number in self.ranks]
        if len(numbers) == 1:
            return f"rank {numbers[0]}"
        return f"ranks {', '.join(numbers[:-1])} and {numbers[-1]}"


_LINKS = {None: "", "cause": "caused by", "context": "while handling"}


def format_end(rank: Rank) -> str:
    """``exit code 1``, ``killed by SIGSEGV``, ``stopped in its tracks``."""
    if rank.stopped:
        return "stopped by the launcher or the deadline"
    if rank.signal is not None:
        try:
            return f"killed by {signal.Signals(rank.signal).name}"
        except ValueError:
            return f"killed by signal {rank.signal}"
    if not rank.started:
        return "never started"
    return f"exit code {rank.exit_code}" if rank.exit_code is not None else "no exit code"


def _innermost_first(frames: Iterable[Frame]) -> tuple[Frame, ...]:
    return tuple(reversed([frame for frame in frames if frame.origin is not Origin.HARNESS]))


def _errors(chain: Iterable[Raised]) -> tuple[Error, ...]:
    return tuple(Error(raised.line, _LINKS[raised.link], _innermost_first(raised.frames)) for raised in chain)


def traces(result: Result) -> tuple[RankTrace, ...]:
    """The ranks of the newest run that failed: first those that decided the verdict, then by the time of the error."""
    deciding = result.judgement.rank
    bad = [rank for rank in result.newest.ranks if not rank.finished or rank.chain or rank.exit_code]
    bad.sort(key=lambda rank: (rank.rank != deciding, rank.failed_at is None, rank.failed_at or 0.0, rank.rank))

    def alike(rank: Rank) -> tuple[object, ...]:
        stack = _innermost_first(rank.stacks[-1]) if rank.stacks else ()
        return (format_end(rank), _errors(rank.chain), stack)

    found = []
    for (ended, errors, stack), ranks in groupby(bad, key=alike):
        numbers = tuple(sorted(rank.rank for rank in ranks))
        found.append(RankTrace(numbers, str(ended), errors, stack, deciding in numbers))  # type: ignore[arg-type]
    return tuple(found)
