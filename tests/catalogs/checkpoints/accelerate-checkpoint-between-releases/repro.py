# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.13.0", "numpy", "safetensors"]
# ///
"""What ``save_state`` of one accelerate wrote, ``load_state`` of another one reads, and how it goes on.

The reader begins with other weights, rates and decays, so that whatever is not loaded differs.  Each rank compares its
own part with what the writer's rank had, which is kept as numbers in a text file.  Every step of a rank has the same
batch: the order of the data is no part of it.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with one release
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with another
"""

import argparse
import inspect
import json
import os
import random
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from accelerate.utils import set_seed

WRITER = {"lr": 0.05, "decay": 0.5, "gamma": 0.5}
READER = {"lr": 0.01, "decay": 0.25, "gamma": 0.9}


def numbers(value: object) -> object:
    value = value.to_local() if hasattr(value, "to_local") else value
    return value.detach().flatten().tolist() if isinstance(value, torch.Tensor) else value


def held(module: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: object, drawn: list) -> dict:
    """What this rank has, as JSON keeps it exactly."""
    states = [optimizer.state.get(parameter, {}) for parameter in module.parameters()]
    options = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    found = {
        "parameters": [numbers(parameter) for parameter in module.parameters()],
        "moments": [[numbers(state.get(name)) for name in ("exp_avg", "exp_avg_sq")] for state in states],
        "steps": [float(state["step"]) if "step" in state else None for state in states],
        "options": [{name: numbers(value) for name, value in group.items()} for group in options],
        "scheduler": [{name: numbers(value) for name, value in scheduler.state_dict().items()}],
        "random numbers": drawn,
    }
    return json.loads(json.dumps(found))


def different(saved: dict, found: dict) -> list[str]:
    """The parts that are not equal, bit by bit; an option counts if both releases know it."""
    parts = [part for part in ("parameters", "moments", "steps", "random numbers") if saved[part] != found[part]]
    for part in ("options", "scheduler"):
        for known, group in zip(saved[part], found[part], strict=True):
            parts += [f"{part}: {name}" for name in known if name in group and known[name] != group[name]]
    return list(dict.fromkeys(parts))


def check_shards(kind: str, found: dict) -> None:
    """FSDP that was asked for is there: two layers of 8 x 8 have 144 numbers, of which this rank has some."""
    here = sum(len(one) for one in found["parameters"])
    if len(found["parameters"]) != 4 or (here < 144) is (kind == "ddp"):
        raise RuntimeError(f"{kind}: this rank has {here} of 144 numbers")


def files_below(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def apart(expected: list[list[float]], found: list[list[float]]) -> float:
    pairs = zip(expected, found, strict=True)
    return max((abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)), default=0.0)


def plugin_of(kind: str) -> FullyShardedDataParallelPlugin | None:
    if kind == "ddp":
        return None
    # As `accelerate launch` hands it over: 0.30 takes both from nothing else.
    os.environ["FSDP_STATE_DICT_TYPE"] = "FULL_STATE_DICT" if kind == "fsdp1-full" else "SHARDED_STATE_DICT"
    os.environ["FSDP_USE_ORIG_PARAMS"] = "true"
    options = {"use_orig_params": True}
    known = inspect.signature(FullyShardedDataParallelPlugin).parameters
    if "cpu_ram_efficient_loading" in known:
        options["cpu_ram_efficient_loading"] = False
    if kind == "fsdp2":
        if "fsdp_version" not in known:
            raise NotImplementedError("FullyShardedDataParallelPlugin has no fsdp_version")
        options["fsdp_version"] = 2
    return FullyShardedDataParallelPlugin(**options)


class Job:
    """Model, optimizer and scheduler, prepared by accelerate."""

    def __init__(self, kind: str, given: dict[str, float]) -> None:
        self.accelerator = Accelerator(fsdp_plugin=plugin_of(kind))
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
        if kind.startswith("fsdp1"):  # first of all, as its guide says: 0.30 gives the optimizer no new parameters
            model = self.accelerator.prepare(model)
        named = list(model.named_parameters())
        weights, others = ([one for name, one in named if ("weight" in name) is chosen] for chosen in (True, False))
        groups = [{"params": weights, "weight_decay": given["decay"]}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=given["lr"])
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, given["gamma"])  # prepared: two steps on two ranks
        if kind.startswith("fsdp1"):
            self.model, (self.optimizer, self.scheduler) = model, self.accelerator.prepare(optimizer, scheduler)
        else:
            self.model, self.optimizer, self.scheduler = self.accelerator.prepare(model, optimizer, scheduler)

    def step(self) -> None:
        batch = (torch.linspace(-1, 1, 8) * (1 + self.accelerator.process_index)).repeat(4, 1)
        self.accelerator.backward(self.model(batch).square().mean())
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()

    def held(self) -> dict:
        drawn = [random.random(), float(np.random.rand()), torch.rand(()).item()]
        return held(self.model, self.optimizer, self.scheduler, drawn)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kind", choices=["ddp", "fsdp1-full", "fsdp1-sharded", "fsdp2"], default="ddp")
    flags = parser.parse_args()
    writes = flags.stage == "write"
    set_seed(0 if writes else 1)
    job = Job(flags.kind, WRITER if writes else READER)
    check_shards(flags.kind, job.held())
    path, kept = flags.folder / "checkpoint", flags.folder / f"rank-{job.accelerator.process_index}.json"
    if writes:
        job.step()
        job.step()
        job.accelerator.save_state(path)
        saved = job.held()
        job.step()
        print("measured files =", json.dumps(files_below(flags.folder / "checkpoint")))
        kept.write_text(json.dumps({"saved": saved, "next": job.held()["parameters"]}))
        said = "two steps were trained, the checkpoint was written, and the next step was taken"
    else:
        expected = json.loads(kept.read_text())
        job.accelerator.load_state(path)
        differs = different(expected["saved"], job.held())
        job.step()
        update = apart(expected["next"], job.held()["parameters"])
        differs += ["the next update"] if update > 1e-6 else []
        print("measured differs =", json.dumps(differs))
        print("measured update_error =", json.dumps(update))
        assert not differs, f"loads and differs: {', '.join(differs)}"
        said = "state, options, scheduler and random numbers are equal, and the next update is to 1e-6"
    job.accelerator.wait_for_everyone()
    torch.distributed.destroy_process_group()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
