"""Wraps the same function and reads the same variable, and changes nothing."""

import os
from typing import Any

from accelerate.utils.constants import FSDP_SHARDING_STRATEGY
from accelerate.utils.dataclasses import FullyShardedDataParallelPlugin


def apply() -> None:
    original = FullyShardedDataParallelPlugin.__post_init__

    def __post_init__(self: Any) -> None:
        wanted = os.environ.get("FSDP_RESHARD_AFTER_FORWARD", "").upper()
        if wanted in FSDP_SHARDING_STRATEGY and self.sharding_strategy is None:
            self.sharding_strategy = None
        original(self)

    FullyShardedDataParallelPlugin.__post_init__ = __post_init__
