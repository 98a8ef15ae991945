"""Does an exception or a stack have the documented signature?"""

import re
from collections.abc import Iterable

from repro.model.failure import Signature
from repro.model.observation import Frame, Origin, Raised, Rank
from repro.model.pattern import is_found

SIGABRT = 6

CONSEQUENCES = re.compile(
    r"""Connection\ closed\ by\ peer | Connection\ reset\ by\ peer | Broken\ pipe
    | Read\ error\ \[ | Socket\ closed | Application\ timeout\ caused\ pair\ closure
    | ncclRemoteError | remote\ process\ exited | NCCL\ communicator\ was\ aborted
    | Connection\ was\ likely\ closed | failed\ to\ recv,\ got\ 0\ bytes
    | Timed\ out\ waiting\ \d+ms\ for\ (recv|send) | wait\ timeout\ after\ \d+ms
    | Rank\ \d+\ (failed|is\ not\ ready)""",
    re.VERBOSE,
)
"""What a rank says when a peer has gone: gloo, NCCL and the TCP store.  Never a cause."""

WATCHDOG = re.compile(
    r"""NCCL\ watchdog\ thread\ terminated | Watchdog\ caught\ collective\ operation\ timeout
    | taking\ the\ entire\ process\ down | ProcessGroupNCCL.{0,80}(heartbeat|HeartbeatMonitor)
    | c10d::ProcessGroupNCCL::(watchdogHandler|ncclCommWatchdog|Watchdog|heartbeatMonitor|HeartbeatMonitor|WorkNCCL)""",
    re.VERBOSE,
)
"""What NCCL's watchdog prints before it aborts a rank whose peer has gone.  Never a cause."""

RESOURCES = re.compile(
    r"""No\ space\ left\ on\ device | Cannot\ allocate\ memory | out\ of\ memory | Too\ many\ open\ files
    | (EADDRINUSE|Address\ already\ in\ use) | Disk\ quota\ exceeded | Read-only\ file\ system
    | (unable\ to\ open|failed\ to\ open)\ shared\ memory | can't\ start\ new\ thread""",
    re.VERBOSE,
)
"""The machine, not the library."""


_OWNERS = {Origin.LIBRARY, Origin.SCRIPT, Origin.HARNESS}
"""Whose innermost frame says who raised: the standard library and generated code act for their caller."""


def is_consequence(error: Raised) -> bool:
    """Whether an exception only tells that another rank has gone."""
    return bool(CONSEQUENCES.search(error.message)) and error.type not in {"AssertionError", "KeyError"}


def is_watchdog_abort(rank: Rank) -> bool:
    """Whether a rank was aborted by NCCL's watchdog: it only waited for a peer that had gone."""
    return rank.signal == SIGABRT and rank.error is None and bool(WATCHDOG.search(rank.tail))


def is_resource_fault(chain: Iterable[Raised]) -> bool:
    """Whether an exception comes from a resource that the machine lacks."""
    return any(error.type == "MemoryError" or RESOURCES.search(error.message) for error in chain)


def is_missing_import(chain: Iterable[Raised]) -> bool:
    """Whether a package or a part of it could not be imported."""
    return any(error.type in {"ImportError", "ModuleNotFoundError"} or "ImportError" in error.bases for error in chain)


def shows(error: Raised, signature: Signature) -> bool:
    """Whether an exception has the signature's type, message and place."""
    if error.type != signature.type or not is_found(signature.message, error.message):
        return False
    if signature.kind == "assertion":
        frame = error.innermost_frame
        return frame is not None and frame.origin is Origin.SCRIPT and signature.function in {"", frame.function}
    frame = error.innermost_library_frame
    if frame is None or signature.library not in {"", frame.package} or signature.function not in {"", frame.function}:
        return False
    # A named library must have raised it: not our script or a backport that the library called.
    return not signature.library or frame is next(found for found in reversed(error.frames) if found.origin in _OWNERS)


def hangs(stacks: tuple[tuple[Frame, ...], ...], signature: Signature) -> bool:
    """Whether a rank stands still in the signature's function: the same place in two dumps."""
    if len(stacks) < 2 or not stacks[0] or stacks[0] != stacks[-1]:  # noqa: PLR2004 - two dumps
        return False
    return any(
        frame.function == signature.function and signature.library in {"", frame.package} for frame in stacks[-1]
    )
