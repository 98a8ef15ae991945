"""What Slurm says of a job, and what that means.  Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

FORMAT = "%i|%T|%r|%N"
"""The fields that squeue prints, for ``parse_states``."""


class JobPhase(StrEnum):
    """How far a job has come."""

    WAITS = "waits"
    RUNS = "runs"
    ENDED = "ended"


@dataclass(frozen=True)
class JobState:
    """One job, as squeue lists it."""

    name: str
    """``PENDING``, ``NODE_FAIL`` and so on."""
    reason: str = ""
    """Why it waits."""
    nodes: str = ""

    @property
    def phase(self) -> JobPhase:
        """How far it has come; a state that is not known here is not taken for an end."""
        if self.name in _WAITS:
            return JobPhase.WAITS
        return JobPhase.ENDED if self.name in _ENDED else JobPhase.RUNS


_WAITS = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
_ENDED = {
    "BOOT_FAIL": "Slurm could not start its node",
    "CANCELLED": "its job was cancelled",
    "COMPLETED": "its job ended without a result",
    "DEADLINE": "its job reached Slurm's deadline",
    "FAILED": "its job failed without a result",
    "LAUNCH_FAILED": "Slurm could not start its job",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "its job ran out of memory",
    "PREEMPTED": "its job was preempted",
    "REVOKED": "its job was revoked",
    "TIMEOUT": "its job reached Slurm's time limit",
}


def why_lost(state: JobState | None) -> str:
    """Why there is no result of a job that has ended; it names no machine.  None for a job that Slurm does not know."""
    if state is None:
        return "Slurm knows its job no longer"
    return _ENDED.get(state.name, f"its job ended as {state.name} without a result")


_LINE = re.compile(r"(\d+)\|([A-Z_]+)\|([^|]{0,500})\|([^|]{0,4000})")


def parse_states(text: str) -> dict[str, JobState]:
    """The jobs that squeue printed, by id; other lines are passed over."""
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {match[1]: JobState(match[2], _known(match[3]), _known(match[4])) for match in found if match}


def _known(text: str) -> str:
    return "" if text in {"None", "(null)"} else text


_FULL = re.compile(
    r"MaxSubmit|job submit limit|temporarily unable to accept job|Socket timed out|Unable to contact slurm controller"
    r"|Slurm temporarily|Resource temporarily unavailable|MaxJobCount"
)


def is_full(message: str) -> bool:
    """True if sbatch refused a job only because there are too many now, or because Slurm does not answer now."""
    return bool(_FULL.search(message))


def refusal(message: str) -> str:
    """Why sbatch refused a job, in one line."""
    lines = [
        line.removeprefix("sbatch: ").strip() for line in message.splitlines() if "error:" in line or "fatal:" in line
    ]
    text = re.split("error:|fatal:", lines[-1], maxsplit=1)[-1] if lines else message
    return " ".join(text.split())[:300] or "sbatch gave no reason"


def summary(states: Mapping[str, JobState]) -> str:
    """``2 jobs run, 1 waits (Resources)``; empty if none does."""
    runs = sum(state.phase is JobPhase.RUNS for state in states.values())
    waits = [state for state in states.values() if state.phase is JobPhase.WAITS]
    parts = [f"{runs} {'jobs run' if runs != 1 else 'job runs'}"] if runs else []
    if waits:
        reasons = ", ".join(sorted({state.reason for state in waits} - {""}))
        parts.append(
            f"{len(waits)} {'wait' if runs or len(waits) > 1 else 'job waits'}" + f" ({reasons})" * bool(reasons)
        )
    return ", ".join(parts)
