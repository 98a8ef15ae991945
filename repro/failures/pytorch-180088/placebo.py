"""The same hook, without effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.tensor._random import OffsetBasedRNGTracker


def apply() -> None:
    """Enter the tracker's region as before."""
    original = OffsetBasedRNGTracker._distribute_region

    @contextmanager
    def distribute_region(self: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
        with original(self, *args, **kwargs):
            yield
            torch.get_rng_state()

    OffsetBasedRNGTracker._distribute_region = distribute_region
