"""Checks that a lock still installs from the index, into a temporary folder."""

import tempfile
from pathlib import Path
from typing import Literal

from repro.environments.build import install
from repro.environments.locks import Lock
from repro.environments.place import EnvironmentFolder
from repro.environments.pythons import base_python
from repro.environments.resolve import refuse_denied
from repro.environments.torch_build import choose_torch
from repro.environments.uv import run_uv
from repro.model.base import Strict
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Matrix

FORMAT: Literal[1] = 1


class Rot(Strict):
    """The state of one lock.  It is not a verdict on any failure."""

    environment: str
    state: Literal["installs", "rotten"]
    reason: str = ""
    """The installer's cause, in one line."""


class Rots(Strict):
    """``rot.json``: the results of all tried locks."""

    format: Literal[1] = FORMAT
    date: str
    """UTC, ISO 8601."""
    dry: bool
    """True if locks were only resolved on the index and nothing was downloaded."""
    locks: tuple[Rot, ...]


def try_lock(name: str, python: str, lock: Lock, matrix: Matrix, *, dry: bool) -> Rot:
    """Install the distributions of a lock, with their hashes, into a folder that is then removed.

    ``dry`` only resolves, which finds a deleted file but not a damaged one.  Packages that only serve torch's
    accelerator builds have gigabytes and are never downloaded.  Raises EnvironmentFailure, and installs nothing, if the
    lock contains a denied release, or NoPythonError if its Python is not on this machine.
    """
    refuse_denied(lock, matrix)
    base = base_python(python)
    with tempfile.TemporaryDirectory(prefix="repro-rot-") as folder:
        place = EnvironmentFolder(name, Path(folder) / "environment")
        try:
            run_uv(["venv", "--quiet", "--no-project", "--python", base, str(place.folder)])
            if lock.torch and not lock.torch.source:
                torch = choose_torch(lock.torch, place.python)
                install(place.python, [torch.requirement], hashes=bool(torch.hashes), dry=dry)
            # A development version is no file of an index that could be gone.
            install(place.python, [package.text for package in lock.libraries if not package.source], dry=dry)
            if lock.accelerator:
                install(place.python, [package.text for package in lock.accelerator], dry=True)
        except EnvironmentFailure as error:
            return Rot(environment=name, state="rotten", reason=str(error))
    return Rot(environment=name, state="installs")
