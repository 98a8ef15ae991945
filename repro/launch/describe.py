"""Runs upstream's own command that describes an environment, with the variables of a rank."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repro.environments.interpreter import Interpreter
from repro.launch.job import rank_variables
from repro.model.failure import Lane

DESCRIBE_SECONDS = 180

# The fields of lightning's form, since lightning installs no command for them.
_FIELDS = r"""
import platform, sys
from importlib import metadata
held = {str(found.metadata["Name"]).lower(): found for found in metadata.distributions() if found.metadata["Name"]}
def version(*names):
    return next((held[name].version for name in names if name in held), "not installed")
def installer(*names):
    return next(((held[name].read_text("INSTALLER") or "unknown").strip() for name in names if name in held), "unknown")
import torch
cuda = torch.cuda.is_available()
cudnn = torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None
devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if cuda else []
names = ("lightning", "pytorch-lightning")
for name, value in (
    ("PyTorch Lightning Version", version(*names)),
    ("PyTorch Version", torch.__version__),
    ("Python version", platform.python_version()),
    ("OS", platform.system() + " " + platform.machine()),
    ("CUDA/cuDNN version", "%s / %s" % (torch.version.cuda, cudnn)),
    ("GPU models and configuration", ", ".join(devices) or "none visible"),
    ("How you installed Lightning", installer(*names)),
    ("torchmetrics", version("torchmetrics")),
    ("lightning-utilities", version("lightning-utilities")),
):
    print("#- %s: %s" % (name, value))
"""


@dataclass(frozen=True)
class DescribeCommand:
    """One command: its display name, and what is run."""

    text: str
    program: str = ""
    """A console script of the environment; empty for its interpreter."""
    arguments: tuple[str, ...] = ()


COLLECT = DescribeCommand("python -m torch.utils.collect_env", arguments=("-m", "torch.utils.collect_env"))
ACCELERATE = DescribeCommand("accelerate env", "accelerate", ("env",))
TRANSFORMERS = DescribeCommand("transformers env", "transformers", ("env",))
TRANSFORMERS_OLD = DescribeCommand("transformers-cli env", "transformers-cli", ("env",))
FIELDS = DescribeCommand("the fields of the form, read from the environment", arguments=("-c", _FIELDS))


@dataclass(frozen=True)
class Described:
    """The description of an environment."""

    command: str
    text: str = ""
    problem: str | None = None
    """Why there is no text, in one line."""


def describe(interpreter: Interpreter, ways: Sequence[DescribeCommand], lane: Lane = Lane.CPU) -> Described:
    """The answer of the first command that the environment has; if it fails, no other is tried."""
    programs = interpreter.executable.parent
    for way in ways:
        program = programs / way.program if way.program else interpreter.executable
        if program.is_file():
            return _ask(interpreter, way, program, lane)
    names = " or ".join(way.program for way in ways)
    return Described(ways[0].text, problem=f"the environment has no command {names}")


def _ask(interpreter: Interpreter, way: DescribeCommand, program: Path, lane: Lane) -> Described:
    with tempfile.TemporaryDirectory(prefix="repro-describe-") as folder:
        variables = rank_variables(lane, Path(folder), interpreter)
        # As after `activate`, since accelerate searches the path for its own command.
        variables["PATH"] = os.pathsep.join([str(interpreter.executable.parent), variables.get("PATH", "")])
        try:
            done = subprocess.run(
                [str(program), *way.arguments],
                env=variables,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DESCRIBE_SECONDS,
                check=False,
            )
        except OSError as error:
            return Described(way.text, problem=f"could not be started: {error.strerror}")
        except subprocess.TimeoutExpired:
            return Described(way.text, problem=f"no answer within {DESCRIBE_SECONDS} s")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return Described(way.text, problem=f"ended with exit code {done.returncode}: {last}")
    return Described(way.text, text=done.stdout.strip().replace("\r\n", "\n"))
