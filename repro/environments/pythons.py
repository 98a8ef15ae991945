"""Finds the interpreter of a series, such as 3.12, that this machine has.  None is ever downloaded."""

import os
import re
from pathlib import Path

from repro.environments.uv import run_uv
from repro.model.errors import EnvironmentFailure, NoPythonError

_PYENV = "PYENV_ROOT"


def base_python(series: str) -> str:
    """What uv is to build an environment of this Python on: the series where uv finds it itself, else a path.

    Raises NoPythonError if this machine has none.
    """
    try:
        run_uv(["python", "find", "--quiet", "--no-project", series])
    except EnvironmentFailure:
        found = newest_of_pyenv(series, Path(os.environ.get(_PYENV, Path.home() / ".pyenv")))
        if found is None:
            raise NoPythonError(series) from None
        return str(found)
    return series


def newest_of_pyenv(series: str, root: Path) -> Path | None:
    """The newest interpreter of a series in pyenv's folder of versions; its shims hide those that are not chosen."""
    name = re.compile(re.escape(series) + r"\.(\d{1,4})")
    found = [
        (int(match[1]), folder / "bin" / "python")
        for folder in (root / "versions").glob(f"{series}.*")
        if (match := name.fullmatch(folder.name)) and (folder / "bin" / "python").is_file()
    ]
    return max(found)[1] if found else None
