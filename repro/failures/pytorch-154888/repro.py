# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""FSDP1's HYBRID_SHARD with one rank for each group of shards trains every replica alone.

With one GPU on each node there is nothing to shard: FSDP switches to NO_SHARD, and reduces gradients over the group
of one rank, not over the replicas.  It still divides them by the number of ranks.  A warning says that the world size
is 1.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/154888
"""

import argparse
import json
import warnings

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.distributed.fsdp import ShardingStrategy
from torch.nn.parallel import DistributedDataParallel

TOLERANCE = 1e-6  # the gradients are small integers and halves
STRATEGIES = {
    "hybrid": ShardingStrategy.HYBRID_SHARD,
    "hybrid-zero2": ShardingStrategy._HYBRID_SHARD_ZERO2,
    "no-shard": ShardingStrategy.NO_SHARD,
    "full": ShardingStrategy.FULL_SHARD,
}


def wrapped(model: torch.nn.Module, flags: argparse.Namespace) -> torch.nn.Module:
    device, size = next(model.parameters()).device, dist.get_world_size()
    if flags.strategy == "ddp":
        return DistributedDataParallel(model)
    groups = {}
    if flags.strategy.startswith("hybrid"):
        shards = int(flags.shards)
        mesh = init_device_mesh(device.type, (size // shards, shards), mesh_dim_names=("replicate", "shard"))
        groups = {"device_mesh": mesh}
        if flags.groups == "process-groups":
            groups = {"process_group": (mesh.get_group("shard"), mesh.get_group("replicate"))}
    strategy = STRATEGIES[flags.strategy]
    return FSDP(model, sharding_strategy=strategy, device_id=device, use_orig_params=True, **groups)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--strategy", choices=[*STRATEGIES, "ddp"], default="hybrid")
    parser.add_argument("--shards", choices=["1", "2"], default="1")
    parser.add_argument("--groups", choices=["mesh", "process-groups"], default="mesh")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    device = torch.device(device, torch.cuda.current_device()) if device == "cuda" else torch.device(device)

    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 1, bias=False).to(device)
    before = layer.weight.detach().clone()
    inputs = [torch.full((1, 4), 1.0 + rank, device=device) for rank in range(dist.get_world_size())]
    expected = before - torch.stack(inputs).mean(0)  # one step of SGD on the mean of the ranks' losses

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = wrapped(layer, flags)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(inputs[dist.get_rank()]).sum().backward()
    optimizer.step()

    with FSDP.summon_full_params(model):
        weight = next(iter(model.parameters())).detach().reshape(1, 4).clone()
    replicas = [torch.empty_like(weight) for _ in inputs]
    dist.all_gather(replicas, weight)
    ratios = [((replica - before).mean() / (expected - before).mean()).item() for replica in replicas]
    spread = max((replica - replicas[0]).abs().max().item() for replica in replicas)
    if dist.get_rank() == 0:
        print("measured update_ratios =", json.dumps([round(ratio, 4) for ratio in ratios]))
        print("measured spread =", json.dumps(round(spread, 4)))
        print("measured says_world_size_1 =", json.dumps(any("world size is 1" in str(one.message) for one in said)))
    error = max((replica - expected).abs().max().item() for replica in replicas)
    assert error <= TOLERANCE, f"replicas differ by {spread:.4g} after one step, from the right weights by {error:.4g}"
    print(f"oracle passed: every replica equals one step on the mean of all losses within {TOLERANCE}")


if __name__ == "__main__":
    main()
