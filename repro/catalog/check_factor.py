"""Checks the factors of a record that are environment variables."""

from collections.abc import Iterator

from repro.model.base import Location
from repro.model.failure import Failure

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
SET = (
    *("HOME", "TMPDIR", "PYTHONUNBUFFERED", "OMP_NUM_THREADS", "HF_HUB_OFFLINE", "PYTHONDONTWRITEBYTECODE"),
    *("PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
    "JE_ARROW_MALLOC_CONF",
)
OF_LAUNCHERS = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    *("GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCH_NCCL_ASYNC_ERROR_HANDLING"),
)
DANGEROUS = ("LD_PRELOAD", "PYTHONHOME", "PYTHONHASHSEED")
"""Variables that change which program runs, or make repetitions pointless."""
_KEPT = frozenset({*PASSED_ON, *SET, *OF_LAUNCHERS, *DANGEROUS})


def problems_of(failure: Failure) -> Iterator[tuple[Location, str, str]]:
    """The problems of the variables that factors set: key, problem and remedy."""
    seen: set[str] = set()
    for index, factor in enumerate(failure.factors):
        at = ("factors", index, "variable")
        if factor.variable in _KEPT or factor.variable.startswith("TORCHELASTIC_"):
            problem = f"{factor.variable} belongs to the harness or the launcher"
            yield at, problem, "name a variable that they leave alone: docs/records.md lists theirs"
        if factor.variable in seen:
            yield at, f"{factor.variable} is set by another factor too", "one factor sets a variable"
        seen |= {factor.variable} - {""}
