"""Trains by FSDP2 on one rank, some steps for each line that it reads, and answers with the processor time they took.

``python watched_loop.py [FILE]``: with the exported ``repro_reach.py``, sentinels watch the process.
"""

import importlib.util
import os
import sys
import time


def watch(file: str) -> None:
    """Import the exported sentinels, as a script does at its top."""
    spec = importlib.util.spec_from_file_location("repro_reach", file)
    assert spec
    assert spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def main() -> None:
    """Answer each number of steps with nanoseconds."""
    if len(sys.argv) > 1:
        watch(sys.argv[1])
    import torch  # noqa: PLC0415 - after the sentinels
    import torch.distributed as dist  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    width = 192
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
        begun = time.process_time_ns()
        for _ in range(int(line)):
            step()
        sys.stdout.write(f"{time.process_time_ns() - begun}\n")
        sys.stdout.flush()
    os._exit(0)  # nothing of the end is measured


if __name__ == "__main__":
    main()
