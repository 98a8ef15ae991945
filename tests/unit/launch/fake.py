"""An environment under test without torch: an interpreter that finds a small ``torch`` and ``lightning`` of ours."""

import os
import shlex
import sys
import sysconfig
from pathlib import Path

from repro.environments.interpreter import Interpreter
from tests.unit.factories import installed

# As torchrun: ranks in sessions of their own; after a failure, or when asked, all others of the agent are ended.
# Agents of several nodes meet at a folder beside the ranks, where torchrun's meet at the endpoint.
TORCHRUN = """\
import argparse, os, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--standalone", action="store_true")
parser.add_argument("--nnodes", type=int, default=1)
parser.add_argument("--rdzv-backend", choices=["c10d"])
parser.add_argument("--rdzv-endpoint")
parser.add_argument("--rdzv-id")
parser.add_argument("--local-addr", required=True)
parser.add_argument("--nproc-per-node", type=int, required=True)
parser.add_argument("rest", nargs=argparse.REMAINDER)
flags = parser.parse_args()
several = (flags.rdzv_backend, flags.rdzv_endpoint, flags.rdzv_id)
assert all(several) if flags.nnodes > 1 else flags.standalone and not any(several)
class Asked(Exception): pass
def ask(*_): raise Asked
signal.signal(signal.SIGTERM, ask)
node = 0
while flags.nnodes > 1:
    try:
        os.mkdir(f"{flags.rdzv_id}-{flags.rdzv_endpoint}-{node}")
        break
    except FileExistsError:
        node += 1
while flags.nnodes > 1 and not os.path.exists(f"{flags.rdzv_id}-{flags.rdzv_endpoint}-{flags.nnodes - 1}"):
    time.sleep(0.02)
ranks = []
for local in range(flags.nproc_per_node):
    rank, size = node * flags.nproc_per_node + local, flags.nnodes * flags.nproc_per_node
    own = {"RANK": str(rank), "LOCAL_RANK": str(local), "GROUP_RANK": str(node), "WORLD_SIZE": str(size)}
    own["TORCHELASTIC_RUN_ID"] = "fake"
    ranks.append(subprocess.Popen([sys.executable, *flags.rest], env=os.environ | own, start_new_session=True))
try:
    while any(rank.poll() is None for rank in ranks) and not any(rank.poll() for rank in ranks):
        time.sleep(0.02)
except Asked:
    print("asked to end")
for rank in ranks:
    if rank.poll() is None:
        os.killpg(rank.pid, signal.SIGTERM)
codes = [rank.wait() for rank in ranks]
print("codes", codes)
sys.exit(1 if any(codes) else 0)
"""

LIGHTNING = """\
__version__ = "2.2.1"

def save_checkpoint(state):
    return state.pop("optimizer_states")
"""


LATE_SCRIPT = """
import json
import os
import torch
seen = hasattr(torch, "_dyna" + "mo")  # a script that has to do with the late import has it made by itself
print("measured late =", json.dumps([seen, torch.step(), os.getpid()]))
print("oracle passed: yes")
"""
"""Tells whether torch's late import is seen before the first step, which process made it, and which one runs."""
LATE_TORCH = """
def step():
    from torch import _dynamo
    return _dynamo.PID
"""
LATE_MODULE = "import os\nPID = os.getpid()\n"


def environment(root: Path, *, lightning: str = LIGHTNING) -> Interpreter:
    """Write the environment below ``root``; its interpreter is this one, started through a wrapper."""
    site = (root / "site-packages").resolve()
    files = {
        "torch/__init__.py": "__version__ = '2.2.2+cpu'\n",
        "torch/distributed/__init__.py": "class TCPStore:\n    port = 29500\n    def __init__(self, *_, **__): ...\n",
        "torch/distributed/run.py": TORCHRUN,
        "lightning/__init__.py": lightning,
    }
    for name, text in files.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    python = root / "python"
    # A run's variables are an allow-list, so the settings of a measured test come in through the wrapper.
    measured = shlex.quote(os.environ.get("COVERAGE_PROCESS_CONFIG", ""))
    variables = f"PYTHONPATH={site} COVERAGE_PROCESS_CONFIG={measured}"
    python.write_text(f'#!/bin/sh\n{variables} exec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    return Interpreter(
        executable=python,
        installed=installed(),
        libraries=(str(site),),
        stdlib=tuple(sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})),
        prefix=sys.prefix,
        adopted=False,
    )
