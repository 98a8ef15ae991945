"""The strategy of the configuration counts: the plugin of FSDP1 reads FSDP_RESHARD_AFTER_FORWARD before the default."""

import os
from typing import Any

from accelerate.utils.constants import FSDP_SHARDING_STRATEGY
from accelerate.utils.dataclasses import FullyShardedDataParallelPlugin


def apply() -> None:
    original = FullyShardedDataParallelPlugin.__post_init__

    def __post_init__(self: Any) -> None:
        version = self.fsdp_version or int(os.environ.get("FSDP_VERSION", "1"))
        wanted = os.environ.get("FSDP_RESHARD_AFTER_FORWARD", "").upper()
        # "TRUE", the default of accelerate launch, is no strategy of FSDP1.
        if version == 1 and self.sharding_strategy is None and wanted in FSDP_SHARDING_STRATEGY:
            self.sharding_strategy = wanted
        original(self)

    FullyShardedDataParallelPlugin.__post_init__ = __post_init__
