# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.11.0", "numpy"]
# ///
"""FSDP2 with CPU offload initialises parameters of one shape with the same numbers, on every rank.

The mesh is of CUDA devices and the shards lie on the CPU: the generator of DTensors moves CUDA's generator and puts the
CPU's back to where it was after each draw.  Needs CUDA devices.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/180088
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.fsdp import CPUOffloadPolicy, fully_shard

WIDTH, LAYERS = 64, 4
INITIALISERS = {
    "normal": torch.nn.init.normal_,
    "uniform": torch.nn.init.uniform_,
    "kaiming": torch.nn.init.kaiming_uniform_,
    "local": lambda parameter: torch.nn.init.normal_(parameter.to_local()),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--offload", choices=["cpu", "none"], default="cpu")
    parser.add_argument("--initialiser", choices=list(INITIALISERS), default="normal")
    flags = parser.parse_args()
    dist.init_process_group("cpu:gloo,cuda:nccl")
    torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())

    with torch.device("meta"):
        model = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))
    options = {"offload_policy": CPUOffloadPolicy()} if flags.offload == "cpu" else {}
    for layer in model:
        fully_shard(layer, **options)
    fully_shard(model, **options)
    model.to_empty(device="cpu" if flags.offload == "cpu" else "cuda")
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            INITIALISERS[flags.initialiser](parameter)

    shards = [parameter.detach().to_local().cpu() for parameter in model.parameters()]
    equal_layers = sum(torch.equal(shards[0], shard) for shard in shards[1:])
    whole: list[list[torch.Tensor]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(whole, shards)
    equal_ranks = sum(torch.equal(first, last) for first, last in zip(whole[0], whole[-1], strict=True))
    print("measured equal_layers =", json.dumps(equal_layers))
    print("measured equal_ranks =", json.dumps(equal_ranks))
    assert equal_layers == 0, f"{equal_layers} of {LAYERS - 1} layers have the numbers of the first one"
    print(f"oracle passed: {LAYERS} layers of one shape have different numbers")


if __name__ == "__main__":
    main()
