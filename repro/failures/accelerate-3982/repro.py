# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.9.0", "numpy", "safetensors"]
# ///
"""accelerate loads a full state dict into an FSDP2 model by position, so weights land in the wrong parameters.

Rank 0 sends the tensors in the order of the dict, the other ranks take them in the order of the model.  A
safetensors file is in alphabetical order, "10" before "2": from rank 1 on the shards hold other layers' weights.
Nothing is raised.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/pull/3982
"""

import argparse
import itertools
import json
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import fsdp2_load_full_state_dict
from safetensors.torch import load_file, save_file
from torch.distributed.fsdp import fully_shard


def new_model(layers: int, widths: str) -> torch.nn.Sequential:
    torch.manual_seed(0)
    sizes = [8 + 2 * index * (widths == "different") for index in range(layers + 1)]
    pairs = itertools.pairwise(sizes)
    return torch.nn.Sequential(*(torch.nn.Linear(size, following, bias=False) for size, following in pairs))


def from_file(state: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """The state dict after a way through a checkpoint's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        if kind == "safetensors":
            save_file(state, path)
            return load_file(path)
        torch.save(state, path)
        return torch.load(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", choices=["safetensors", "torch"], default="safetensors")
    parser.add_argument("--layers", choices=["12", "10"], default="12")
    parser.add_argument("--widths", choices=["equal", "different"], default="equal")
    parser.add_argument("--extra-key", choices=["off", "on"], default="off")
    flags = parser.parse_args()

    accelerator = Accelerator()
    expected = new_model(int(flags.layers), flags.widths).state_dict()
    extra = {"0.weight.scale": torch.ones(1)} if flags.extra_key == "on" else {}
    checkpoint = from_file(extra | expected, flags.file) if accelerator.is_main_process else {}

    with torch.device("meta"):
        model = new_model(int(flags.layers), flags.widths)
    for layer in model:
        fully_shard(layer)
    fully_shard(model)
    fsdp2_load_full_state_dict(accelerator, model, checkpoint)

    loaded = {name: value.full_tensor().cpu() for name, value in model.state_dict().items()}
    wrong = sorted(name for name, value in loaded.items() if not value.equal(expected[name]))
    last = {name: loaded[name].chunk(dist.get_world_size())[-1] for name in wrong}
    of = {name: value.chunk(dist.get_world_size())[-1] for name, value in expected.items()}
    holds = {name: [other for other in of if last[name].equal(of[other])] for name in wrong}
    if dist.get_rank() == 0:
        print("measured wrong_parameters =", json.dumps(wrong))
        print("measured last_shard_holds =", json.dumps(holds))
    assert not wrong, f"{len(wrong)} of {len(expected)} parameters hold other values than the checkpoint"
    print("oracle passed: all parameters equal the checkpoint's exactly")
    accelerator.end_training()


if __name__ == "__main__":
    main()
