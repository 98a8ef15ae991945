"""Trains by FSDP2 on one rank, some steps for each line that it reads, and answers with the processor time they took.

``python watched_loop.py [FILE]``: with the exported ``repro_reach.py``, sentinels watch the process, and a line
``calls N`` is answered with the calls of each sentinel in N steps.
"""

import importlib.util
import json
import os
import sys
import time
from typing import Any


def watch(file: str) -> dict[str, int]:
    """Start the exported sentinels, as a script does at its top; the calls of each are counted there if asked for.

    Counting costs time itself: a process that is asked for calls is not one that is measured.
    """
    spec = importlib.util.spec_from_file_location("repro_reach_sentinels", file)
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    calls: dict[str, int] = {}
    if os.environ.get("COUNT_CALLS"):
        module._counting = lambda function, note, *_: module._noting(function, note)
        noted = module.Sentinels._note

        def note(self: object, site: Any, *given: object) -> None:
            calls[site.path] = calls.get(site.path, 0) + 1
            noted(self, site, *given)

        module.Sentinels._note = note
    module.BESIDE = module.Path(file).with_suffix(".json")
    module.start()
    return calls


def main() -> None:
    """Answer each number of steps with nanoseconds."""
    calls = watch(sys.argv[1]) if len(sys.argv) > 1 else {}
    import torch  # noqa: PLC0415 - after the sentinels
    import torch.distributed as dist  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    width = int(os.environ.get("WIDTH", "64"))
    layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    for part in model.layers:
        fully_shard(part)
    fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    inputs = torch.randn(8, 32, width)

    def step() -> None:
        loss = nn.functional.mse_loss(model(inputs), inputs)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        float(norm.full_tensor())
        optimizer.step()
        optimizer.zero_grad()
        seen = loss.detach()
        dist.all_reduce(seen)
        seen.item()

    for line in sys.stdin:
        if line.startswith("calls"):
            calls.clear()
            for _ in range(int(line.split()[1])):
                step()
            sys.stdout.write(json.dumps(calls) + "\n")
            sys.stdout.flush()
            continue
        begun = time.process_time_ns()
        for _ in range(int(line)):
            step()
        sys.stdout.write(f"{time.process_time_ns() - begun}\n")
        sys.stdout.flush()
    os._exit(0)  # nothing of the end is measured


if __name__ == "__main__":
    main()
