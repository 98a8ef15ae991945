"""The measured seconds of cells, from the newest stored observations."""

import json
from collections.abc import Iterable
from statistics import median
from typing import Any

from pydantic import ValidationError

from repro.model.cell import Cell
from repro.model.errors import StoreError
from repro.store.observations import Store, read_stored

NEWEST = 4
"""The number of observations of one recipe that are read: a few of the newest run."""
LONGEST_SECONDS = 86_400.0
"""A larger number is no measurement."""


def measured_seconds(store: Store, failures: Iterable[str]) -> dict[str, float]:
    """The seconds of each cell, by its label: of a run through torchrun and of a warm one, together.

    Each is the median of the newest stored runs.  Runs that were never started count nothing; a hang counts the time
    until its run was ended.  Damaged files are passed over.
    """
    found: dict[str, dict[bool, list[float]]] = {}
    for failure in failures:
        for files in store.by_key(failure).values():
            # The name holds the time after the key of the recipe.
            for file in files[-NEWEST:]:
                try:
                    label, warm, seconds = _stated(json.loads(read_stored(file)))
                except (StoreError, ValidationError, ValueError, TypeError, KeyError, RecursionError):
                    continue
                found.setdefault(label, {}).setdefault(warm, []).append(seconds)
    return {label: sum(median(held) for held in runs.values()) for label, runs in found.items()}


def _stated(content: dict[str, Any]) -> tuple[str, bool, float]:
    """The label, whether the run was warm, and the seconds; raises ValueError where nothing was measured."""
    if content["launcher"] == "none":
        raise ValueError("not started")
    seconds = float(content["seconds"])
    if not 0 < seconds < LONGEST_SECONDS:
        raise ValueError("no measurement")
    return Cell.model_validate(content["cell"]).label, content["launcher"] == "warm", seconds
