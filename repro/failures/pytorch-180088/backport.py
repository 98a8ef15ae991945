"""After a draw, the CPU's generator stays where the draw left it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.tensor._random import OffsetBasedRNGTracker


def apply() -> None:
    """Keep the CPU generator's state over the end of the tracker's region, where fork_rng puts it back."""
    original = OffsetBasedRNGTracker._distribute_region

    @contextmanager
    def distribute_region(self: Any, *args: Any, **kwargs: Any) -> Iterator[None]:
        with original(self, *args, **kwargs):
            yield
            state = torch.get_rng_state()
        torch.set_rng_state(state)

    OffsetBasedRNGTracker._distribute_region = distribute_region
