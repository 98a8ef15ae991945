"""Does a lock still install?  Into a place that is thrown away, from the index, as a stranger would do it."""

import tempfile
from pathlib import Path
from typing import Literal

from repro.environments.locks import Lock
from repro.environments.uv import run_uv
from repro.errors import EnvironmentFailure
from repro.model.base import Strict

FORMAT: Literal[1] = 1


class Rot(Strict):
    """What became of one lock; a state of its own, no verdict on any failure."""

    environment: str
    state: Literal["installs", "rotten"]
    reason: str = ""
    """The installer's cause, in one line."""


class Rots(Strict):
    """``rot.json``: all that were tried."""

    format: Literal[1] = FORMAT
    date: str
    """UTC, ISO 8601."""
    dry: bool
    """Only resolved and found on the index, nothing downloaded."""
    locks: tuple[Rot, ...]


def try_lock(name: str, python: str, lock: Lock, *, dry: bool) -> Rot:
    """Install the distributions of a lock, with their hashes, into a folder that is removed again.

    ``dry`` only resolves: what was deleted or yanked away shows, a damaged file does not.  The packages that only
    torch's accelerator builds need are gigabytes: they are always only resolved.
    """
    with tempfile.TemporaryDirectory(prefix="repro-rot-") as folder:
        place = Path(folder) / "environment"
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(package.text for package in lock.libraries) + "\n", encoding="utf-8")
        accelerator = Path(folder) / "accelerator.txt"
        accelerator.write_text("\n".join(package.text for package in lock.accelerator) + "\n", encoding="utf-8")
        dry_run = ["--dry-run"] if dry else []
        install = ["pip", "install", "--quiet", "--no-deps", "--python", str(place), *dry_run]
        try:
            run_uv(["venv", "--quiet", "--python", python, str(place)])
            if lock.torch:
                run_uv([*install, lock.torch.without_hashes])
            run_uv([*install, "--require-hashes", "--requirement", str(file)])
            if lock.accelerator:
                run_uv(
                    [*install, *([] if dry else ["--dry-run"]), "--require-hashes", "--requirement", str(accelerator)]
                )
        except EnvironmentFailure as error:
            return Rot(environment=name, state="rotten", reason=str(error))
    return Rot(environment=name, state="installs")
