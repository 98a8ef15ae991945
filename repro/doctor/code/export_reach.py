"""Writes the sentinels as two self-contained files, for an environment without this project."""

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from repro.doctor.code.run_time import sentinel_data
from repro.files import write_whole, writing
from repro.model.errors import UsageError
from repro.model.failure import Failure

NAME = "repro_reach"


def data_text(failures: Iterable[Failure]) -> str:
    """The JSON data of the script."""
    return json.dumps(sentinel_data(failures), indent=1) + "\n"


def write_reach(folder: Path, failures: Iterable[Failure]) -> Path:
    """Write ``repro_reach.py`` and its JSON; returns the path of the script.  Raises UsageError if that fails."""
    script = folder / f"{NAME}.py"
    with writing(script, UsageError):
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(script, (files("repro.reach") / "sentinels.py").read_text(encoding="utf-8"))
        write_whole(script.with_suffix(".json"), data_text(failures))
    return script
