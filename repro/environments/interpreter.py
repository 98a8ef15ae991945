"""What an interpreter holds, as it says itself."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from repro.errors import EnvironmentFailure
from repro.observation import Installed

PROBE_SECONDS = 60

_PROBE = r"""
import json, platform, sys, sysconfig
from importlib import metadata
distributions, modules = {}, {}
for found in metadata.distributions():
    name = found.metadata["Name"]
    if not name or not found.version or name in distributions:
        continue
    distributions[name] = found.version
    stated = found.read_text("top_level.txt")
    if stated:
        modules[name] = stated.split()
    else:
        tops = {str(file).split("/")[0] for file in found.files or ()}
        modules[name] = sorted(
            top.removesuffix(".py") if hasattr(top, "removesuffix") else top.split(".")[0]
            for top in tops if not top.endswith((".dist-info", "..", "__pycache__", ".pth", ".libs"))
        )
paths = sysconfig.get_paths()
print(json.dumps({
    "python": platform.python_version(), "implementation": platform.python_implementation(),
    "distributions": distributions, "modules": modules,
    "libraries": [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))],
    "stdlib": sorted({paths["stdlib"], paths["platstdlib"]}), "prefix": sys.prefix,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that can be the environment under test."""

    executable: Path
    installed: Installed
    libraries: tuple[str, ...]
    """Folders that hold its distributions."""
    stdlib: tuple[str, ...]
    prefix: str
    adopted: bool
    """An existing interpreter, used as it is; else one that we built from a lock."""


def clean_environment() -> dict[str, str]:
    """Variables without those that would let another environment's modules in."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_", "UV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def probe(executable: Path, name: str, *, lock: str | None = None) -> Interpreter:
    """Ask an interpreter what it is and holds.  Nothing is installed or written there.

    Raises EnvironmentFailure if it cannot be started or its answer cannot be read.
    """
    environment = clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"}
    if lock is not None:
        environment["PYTHONNOUSERSITE"] = "1"
    try:
        with tempfile.TemporaryDirectory() as elsewhere:
            answer = subprocess.run(
                [executable, "-c", _PROBE],
                env=environment,
                cwd=elsewhere,
                capture_output=True,
                text=True,
                timeout=PROBE_SECONDS,
                check=True,
            )
        return _interpreter(executable, name, lock, json.loads(answer.stdout))
    except FileNotFoundError:
        raise EnvironmentFailure(f"{executable}: no such interpreter") from None
    except PermissionError:
        raise EnvironmentFailure(f"{executable}: not executable") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"{executable}: no answer within {PROBE_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise EnvironmentFailure(f"{executable}: does not run: {last}") from None
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentFailure(f"{executable}: its answer cannot be read: {reason}") from None


def _interpreter(executable: Path, name: str, lock: str | None, facts: dict[str, Any]) -> Interpreter:
    return Interpreter(
        executable=executable,
        installed=Installed(
            name=name,
            python=facts["python"],
            implementation=facts["implementation"],
            distributions={canonicalize_name(key): value for key, value in sorted(facts["distributions"].items())},
            modules={canonicalize_name(key): tuple(value) for key, value in sorted(facts["modules"].items())},
            lock=lock,
        ),
        libraries=tuple(facts["libraries"]),
        stdlib=tuple(facts["stdlib"]),
        prefix=facts["prefix"],
        adopted=lock is None,
    )
