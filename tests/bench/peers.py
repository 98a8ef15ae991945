"""What the peers of a rank that fails alone do, and for how long: ``transformers-36626`` with a long grace.

    python tests/bench/peers.py --overlay PACK --env transformers-4.49.0-torch-2.13 --lane cuda --out peers.json

Under the launchers a failed rank's end is held back for some seconds only.  Here it is held back beyond the run's
deadline, so that the peers do what they would do if nobody ended them; at the deadline they write their stacks twice.
"""

import argparse
import json
import sys
import tempfile
import threading
from contextlib import nullcontext
from pathlib import Path

from repro.catalog.project import Project
from repro.environments.pack.overlay import lay, read_pack
from repro.launch import job
from repro.launch.devices import Devices
from repro.launch.guard import Limits
from repro.launch.hardware import cuda_stack
from repro.launch.run_cell import run_cell
from repro.model.cell import Overlaid, make_cell
from repro.model.failure import Lane
from repro.verdict.judge import judge

FAILURE = "transformers-36626"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--overlay", type=Path, required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--lane", type=Lane, default=Lane.CUDA)
    parser.add_argument("--seconds", type=int, default=90)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--out", type=Path, required=True)
    flags = parser.parse_args()
    job.GRACE_SECONDS = 10 * flags.seconds
    project = Project.here(Path(tempfile.mkdtemp()))
    environment = Overlaid(flags.env)
    over = lay(
        flags.overlay,
        read_pack(flags.overlay),
        flags.env,
        over=flags.python,
        cache=project.cache,
        called=environment.label,
    )
    entry = project.catalog[FAILURE]
    cell = make_cell(entry.failure, environment, lane=flags.lane)
    cuda = flags.lane is Lane.CUDA
    pool = Devices.here(project.cache / "devices")
    with pool.take(cell.world_size, threading.Event()) if cuda else nullcontext(()) as devices:
        observation = run_cell(
            cell,
            entry,
            over,
            run="peers",
            limits=Limits(flags.seconds),
            devices=devices,
            stack=cuda_stack(over) if cuda else None,
        )
    judgement = judge(entry.failure, observation)
    flags.out.write_text(observation.model_dump_json(indent=1, exclude_defaults=True) + "\n", encoding="utf-8")
    root = observation.ranks[judgement.rank or 0]
    print(judgement.verdict, judgement.reason)
    for rank in observation.ranks:
        waited = round((rank.ended_at or 0) - (root.failed_at or 0), 1)
        where = [f"{frame.file}:{frame.line} {frame.function}" for frame in rank.stacks[-1][-6:]] if rank.stacks else []
        facts = {"ended_after_the_failure": waited, "signal": rank.signal, "code": rank.exit_code}
        print(rank.rank, json.dumps(facts | {"stopped": rank.stopped, "error": rank.error and rank.error.line}), where)


if __name__ == "__main__":
    main()
