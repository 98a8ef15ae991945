"""The raw output of a run as a text file: the last output of the launcher and of every rank."""

from repro.model.observation import Observation
from repro.report.ranks import format_end


def log_name(observation: Observation) -> str:
    """The name of a log's file below ``reports/``."""
    return f"logs/{observation.cell.failure}/{observation.id}.txt"


def log_text(observation: Observation) -> str:
    """All stored output, after a header that identifies the run."""
    installed = observation.installed
    lines = [
        f"cell      {observation.cell.label}",
        f"run       {observation.run}",
        f"started   {observation.started}",
        f"seconds   {observation.seconds}",
        f"launcher  {observation.launcher}, exit code {observation.launcher_code}",
    ]
    if installed:
        lines.append(f"python    {installed.implementation} {installed.python}")
    if observation.fault:
        lines.append(f"fault     {observation.fault}")
    if observation.deadline_passed:
        lines.append(f"deadline  passed, {observation.timeout} s")
    if observation.stood_still is not None:
        lines.append(f"ended     since no rank had done anything for {observation.stood_still:.1f} s")
    for rank in observation.ranks:
        lines += ["", f"=== rank {rank.rank}: {format_end(rank)}", "", rank.tail.rstrip("\n") or "(printed nothing)"]
    if observation.launcher_tail:
        lines += ["", "=== launcher", "", observation.launcher_tail.rstrip("\n")]
    return "\n".join(lines) + "\n"
