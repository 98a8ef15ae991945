"""Trains by FSDP2 on one rank, with the sentinels of ``repro_reach.py`` and without them, and says what steps took.

``python watched_loop.py FILE TRIALS SEED STEPS``, where STEPS come before the first trial: see
``tests/bench/reach_overhead.py``.
"""

import importlib.util
import json
import os
import random
import sys
import time
from typing import Any


class Switch:
    """Starts the exported sentinels, and takes all of them off and sets them again, wherever modules hold them."""

    def __init__(self, file: str) -> None:
        spec = importlib.util.spec_from_file_location("repro_reach_sentinels", file)
        assert spec
        assert spec.loader
        self.module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.calls: dict[str, int] | None = None
        self.set: list[tuple[Any, str, Any]] = []
        set_one = self.module.Sentinels._set

        def set_and_remember(own: object, owner: Any, key: str, sentinel: Any, path: str) -> None:
            set_one(own, owner, key, sentinel, path)
            self.set.append((owner, key, sentinel))

        self.module.Sentinels._set = set_and_remember
        setattr(self.module, "BESIDE", self.module.Path(file).with_suffix(".json"))  # noqa: B010
        self.sentinels = self.module.start()

    def find(self) -> None:
        """Also the modules that imported a sentinel by its name."""
        known = {id(sentinel): sentinel for _, _, sentinel in self.set}
        for module in list(sys.modules.values()):
            for key, value in list(vars(module).items()) if hasattr(module, "__dict__") else ():
                if id(value) in known:
                    self.set.append((module, key, value))

    def turn(self, *, on: bool) -> None:
        for owner, key, sentinel in self.set:
            setattr(owner, key, sentinel if on else sentinel.__wrapped__)

    def calls_by(self, step: Any) -> dict[str, int]:
        """How often a step calls each sentinel whose calls are only counted, and how many others there are."""
        for site in self.sentinels.sites:
            site.flush()
        step()
        return {site.path: site.pending for site in self.sentinels.sites if site.pending}


def main() -> None:
    """Print the facts and the trials as JSON."""
    switch = Switch(sys.argv[1])
    import torch  # noqa: PLC0415 - after the sentinels
    import torch.distributed as dist  # noqa: PLC0415
    from torch import nn  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    torch.manual_seed(0)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    width = 64
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

    for _ in range(3):
        step()
    calls = switch.calls_by(step)
    for _ in range(int(sys.argv[4])):
        step()
    switch.find()
    draw = random.Random(int(sys.argv[3]))
    trials = []
    for _ in range(int(sys.argv[2])):
        trial = {}
        for arm in draw.sample(["watched", "plain", "again"], 3):
            switch.turn(on=arm == "watched")
            began = time.process_time_ns()
            step()
            trial[arm] = time.process_time_ns() - began
        trials.append(trial)
    facts = {
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "sentinels_set": len(switch.sentinels.wrapped),
        "calls_in_a_step": calls,
        "let_go": switch.sentinels.report()["let_go"],
    }
    sys.stdout.write(json.dumps({**facts, "trials": trials}))
    sys.stdout.flush()
    os._exit(0)  # nothing of the end is measured


if __name__ == "__main__":
    main()
