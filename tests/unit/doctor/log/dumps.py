"""Dumps of torch's flight recorder, in the form of torch 2.15."""

import json
import pickle
from pathlib import Path
from typing import Any

SITE = "/opt/venv/lib/python3.11/site-packages/torch/distributed"
MAIN = {"filename": "/job/load.py", "line": 41, "name": "main"}
START = {"filename": "/job/load.py", "line": 60, "name": "<module>"}
WRAPPER = {"filename": f"{SITE}/c10d_logger.py", "line": 83, "name": "wrapper"}
ALL_REDUCE = [{"filename": f"{SITE}/distributed_c10d.py", "line": 4174, "name": "all_reduce"}, WRAPPER, MAIN, START]
OBJECTS = [
    {"filename": f"{SITE}/distributed_c10d.py", "line": 2730, "name": "broadcast"},
    WRAPPER,
    {"filename": f"{SITE}/distributed_c10d.py", "line": 3490, "name": "broadcast_object_list"},
    WRAPPER,
    MAIN,
    START,
]
"""The innermost frame first, as torch writes them."""


def entry(number: int, operation: str = "all_reduce", **changed: Any) -> dict[str, Any]:
    """A call that waits."""
    return {
        "collective_seq_id": number, "p2p_seq_id": 0, "is_p2p": False, "op_id": number, "record_id": number - 1,
        "pg_id": 0, "process_group": ("0", "default_pg"), "profiling_name": f"nccl:{operation}", "frames": ALL_REDUCE,
        "input_sizes": [[4]], "input_dtypes": ["Float"], "output_sizes": [[4]], "output_dtypes": ["Float"],
        "state": "scheduled", "retired": False, "time_created_ns": 1795724621189066496, "timeout_ms": 600000,
        "time_discovered_started_ns": None, "time_discovered_completed_ns": None,
    } | changed  # fmt: skip


def done(number: int, operation: str = "all_reduce", **changed: Any) -> dict[str, Any]:
    return entry(number, operation, **{"state": "completed", "retired": True} | changed)


def dump(*entries: dict[str, Any], ranks: str = "[0, 1]", group: str = "0") -> dict[str, Any]:
    return {
        "version": "2.10", "comm_lib_version": "2.27.5", "nccl_comm_state": {}, "entries": list(entries),
        "pg_config": {group: {"name": group, "desc": "default_pg", "ranks": ranks}},
        "pg_status": {group: {"last_completed_collective": 1, "last_enqueued_collective": 2}},
    }  # fmt: skip


def write(folder: Path, *dumps: dict[str, Any], as_json: bool = False) -> Path:
    """A file for each rank; torch's JSON form has no frames."""
    for rank, value in enumerate(dumps):
        if as_json:
            bare = [{key: item[key] for key in item if key != "frames"} for item in value["entries"]]
            (folder / f"nccl_trace_rank_{rank}.json").write_text(json.dumps(value | {"entries": bare}))
        else:
            (folder / f"nccl_trace_rank_{rank}").write_bytes(pickle.dumps(value, 2))
    return folder
