"""Compares one exception, stack or end of a process with signatures and known causes.  Pure.

It knows the signatures of records, and the ways in which a run fails for reasons that are no evidence about the
library: a lost peer, a limit of the machine, a missing package.
"""

import re
from collections.abc import Iterable, Sequence

from repro.model.failure import Signature
from repro.model.observation import BetweenDumps, Frame, Origin, Raised, Rank
from repro.model.pattern import is_found

SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGSYS = 4, 5, 6, 8, 11, 31
CRASHES = frozenset({SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGSYS})
"""Signals with which a process's own native code ends it.

All others come from outside (SIGKILL, SIGTERM, SIGHUP) or from a limit of the machine (SIGXCPU, SIGXFSZ, and
SIGBUS, which a full shared memory or disk causes).
"""

CPU_SHARE = 0.03
"""A rank that hangs uses less than this share of one core: its threads only wait."""
MAX_WAKEUPS = 25
"""A rank that hangs sleeps in one system call; a dump itself wakes its main thread a few times."""
MIN_SECONDS = 1.0
"""Samples that are closer together do not prove that a process stands still."""

CONSEQUENCES = re.compile(
    r"""Connection\ closed\ by\ peer | Connection\ reset\ by\ peer | Broken\ pipe
    | Read\ error\ \[ | Socket\ closed | Application\ timeout\ caused\ pair\ closure
    | ncclRemoteError | remote\ process\ exited | NCCL\ communicator\ was\ aborted
    | Connection\ was\ likely\ closed | failed\ to\ recv,\ got\ 0\ bytes
    | Timed\ out\ waiting\ \d+ms\ for\ (recv|send) | wait\ timeout\ after\ \d+ms
    | Timed\ out\ after\ \d+\ seconds\ waiting\ for\ clients
    | Rank\ \d+\ (failed|is\ not\ ready)""",
    re.VERBOSE,
)
"""Messages of gloo, NCCL and the TCP store about a lost peer.  Never a cause."""

WATCHDOG = re.compile(
    r"""NCCL\ watchdog\ thread\ terminated | Watchdog\ caught\ collective\ operation\ timeout
    | taking\ the\ entire\ process\ down | ProcessGroupNCCL.{0,80}(heartbeat|HeartbeatMonitor)
    | c10d::ProcessGroupNCCL::(watchdogHandler|ncclCommWatchdog|Watchdog|heartbeatMonitor|HeartbeatMonitor|WorkNCCL)""",
    re.VERBOSE,
)
"""Messages of NCCL's watchdog before it aborts a rank that lost its peer.  Never a cause."""

LIMITS = re.compile(
    r"""\[Errno\ (11|12|23|24|26|27|28|30|105|122)\] | \bos\ error\ (11|12|23|24|27|28|30|122)\b
    | No\ space\ left\ on\ device | StorageFull | Disk\ quota\ exceeded | Read-only\ file\ system | File\ too\ large
    | File\ size\ limit\ exceeded | PytorchStreamWriter\ failed\ writing\ file | iostream\ error
    | Too\ many\ open\ files | received\ \d+\ items\ of\ ancdata | No\ file\ descriptors\ available
    | Resource\ temporarily\ unavailable | can't\ start\ new\ thread | pthread_create\ failed
    | Cannot\ allocate\ memory | [Oo]ut\ of\ memory | can't\ allocate\ memory | not\ enough\ memory | std::bad_alloc
    | (unable\ to\ (open|allocate|resize|mmap)|failed\ to\ open)\ shared\ memory | out\ of\ shared\ memory
    | unable\ to\ (mmap|write\ to\ file) | No\ buffer\ space\ available
    | CPU\ time\ limit\ exceeded
    | DataLoader\ worker\ \(pid.{0,200}\)\ (exited\ unexpectedly|is\ killed\ by\ signal)""",
    re.VERBOSE,
)
"""Messages of a program that a limit of the machine or of an administrator stops."""

NETWORK = re.compile(
    r"""EADDRINUSE | Address\ already\ in\ use | Cannot\ assign\ requested\ address | Network\ is\ unreachable
    | Temporary\ failure\ in\ name\ resolution | Name\ or\ service\ not\ known""",
    re.VERBOSE,
)
"""Limits of the network.  They count only in an exception, since torch also prints these words in healthy runs."""


_OWNERS = {Origin.LIBRARY, Origin.SCRIPT, Origin.HARNESS}
"""The owners whose innermost frame identifies who raised; the standard library and generated code act for callers."""


def is_consequence(error: Raised) -> bool:
    """True if an exception only reports a lost peer."""
    return bool(CONSEQUENCES.search(error.message)) and error.type not in {"AssertionError", "KeyError"}


def is_watchdog_abort(rank: Rank) -> bool:
    """True if NCCL's watchdog aborted the rank, which only waited for a lost peer."""
    return rank.signal == SIGABRT and rank.error is None and bool(WATCHDOG.search(rank.tail))


def is_limit(error: Raised) -> bool:
    """True if an exception comes from a limit of the machine."""
    if error.type in {"MemoryError", "BlockingIOError"}:
        return True
    said = LIMITS.search(error.message) or NETWORK.search(error.message)
    return error.type != "AssertionError" and said is not None


def met_limit(rank: Rank, documented: Sequence[Signature]) -> bool:
    """True if a limit of the machine stopped the rank, unless that is one of the documented errors.

    The whole chain counts, since a library may wrap the error of a full disk in its own.
    """
    if any(is_limit(error) and not any(shows(error, signature) for signature in documented) for error in rank.chain):
        return True
    # A process that ended without an exception has its last message only in its output.
    return rank.error is None and failed_silently(rank) and bool(LIMITS.search(rank.tail))


def failed_silently(rank: Rank) -> bool:
    """True if a rank ended by a signal or with an exit code other than 0, and not because it was asked to."""
    return not rank.stopped and (rank.signal is not None or rank.exit_code not in {0, None})


def is_missing_import(chain: Iterable[Raised]) -> bool:
    """True if a package or a part of it could not be imported."""
    return any(error.type in {"ImportError", "ModuleNotFoundError"} or "ImportError" in error.bases for error in chain)


def shows(error: Raised, signature: Signature) -> bool:
    """True if an exception has the signature's type, message and place."""
    if signature.kind in {"hang", "exit"} or signature.is_printed:
        return False
    if signature.is_unanswered or error.type != signature.type:
        return False
    if not is_found(signature.message, error.message):
        return False
    if signature.kind in {"assertion", "growth"}:
        frame = error.innermost_frame
        return frame is not None and frame.origin is Origin.SCRIPT and signature.function in {"", frame.function}
    if signature.kind == "script":
        frame = owner_of(error)
        return frame is not None and frame.origin is not Origin.LIBRARY and signature.function in {"", frame.function}
    frame = error.innermost_library_frame
    if frame is None or signature.library not in {"", frame.package} or signature.function not in {"", frame.function}:
        return False
    # A named library must have raised it itself, not our script or a backport that the library called.
    return not signature.library or frame is owner_of(error)


def owner_of(error: Raised) -> Frame | None:
    """The frame that identifies who raised: the innermost one of a library, the script or a file beside it."""
    return next((frame for frame in reversed(error.frames) if frame.origin in _OWNERS), None)


def why_not_still(rank: Rank) -> str | None:
    """Why it is not certain that a rank stood still at the deadline, or None if it is.

    A rank stands still if its main thread was in the same place in two dumps and its process did nothing between.
    """
    between = rank.between_dumps
    if rank.ended and not rank.stopped:
        return "had ended before the deadline"
    if between is not None and between.stopped:
        return "was stopped by a signal (SIGSTOP), so that the others waited for it"
    if len(rank.stacks) < 2 or not rank.stacks[0]:  # noqa: PLR2004 - two dumps
        return "did not dump its stack twice"
    if rank.stacks[0] != rank.stacks[-1]:
        return "moved between the two dumps: it is slow, not stuck"
    if between is None or between.seconds < MIN_SECONDS:
        return "was not watched between the two dumps, so it may have been working"
    active = why_active(between)
    return f"{active} between the two dumps" if active else None


def why_active(watched: BetweenDumps) -> str | None:
    """What a rank did while it was watched, or None if it did nothing."""
    if watched.running or watched.cpu_seconds > CPU_SHARE * watched.seconds:
        return f"used {watched.cpu_seconds:.2f} s of CPU in the {watched.seconds:.1f} s"
    if watched.wakeups is not None and watched.wakeups > MAX_WAKEUPS:
        return f"woke up {watched.wakeups} times in the {watched.seconds:.1f} s"
    return None


def waits_in(stack: Sequence[Frame], function: str, library: str) -> bool:
    """True if the innermost call from the script goes through a function of a library (any library if "").

    A library function that called back into the script does not count, since then the script itself waits.
    """
    if library:
        inner = next((index for index in reversed(range(len(stack))) if stack[index].origin is Origin.SCRIPT), -1)
        stack = stack[inner + 1 :]
    return any(frame.function == function and library in {"", frame.package} for frame in stack)
