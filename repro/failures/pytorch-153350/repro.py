# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""set_model_state_dict(strict=True, full_state_dict=True) accepts a state dict that lacks a parameter.

It returns ``<All keys matched successfully>``; the parameter stays as it was initialised and the caller's
dictionary is filled up with it.  Without ``full_state_dict=True`` the load raises ``Missing key(s)``.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/153350
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

MISSING = "1.weight"


def new_model(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--full-state-dict", choices=["on", "off"], default="on")
    parser.add_argument("--broadcast-from-rank0", choices=["off", "on"], default="off")
    parser.add_argument("--strict", choices=["on", "off"], default="on")
    parser.add_argument("--checkpoint", choices=["incomplete", "complete"], default="incomplete")
    parser.add_argument("--sharding", choices=["none", "tensor-parallel"], default="none")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())

    saved = new_model(seed=0).to(device).state_dict()
    model = new_model(seed=1).to(device)
    if flags.sharding == "tensor-parallel":
        mesh = init_device_mesh(device, (dist.get_world_size(),))
        parallelize_module(model, mesh, {"0": ColwiseParallel(), "1": ColwiseParallel()})
    left_out = {MISSING} if flags.checkpoint == "incomplete" else set()
    given = {name: value for name, value in saved.items() if name not in left_out}
    names = set(given)
    options = {"full_state_dict": flags.full_state_dict == "on", "strict": flags.strict == "on"}
    if flags.broadcast_from_rank0 == "on":
        options["broadcast_from_rank0"] = True  # torch 2.2 does not know it

    answer = set_model_state_dict(model, given, options=StateDictOptions(**options))

    added = sorted(set(given) - names)
    values = {name: whole(parameter) for name, parameter in model.named_parameters()}
    stale = sorted(name for name in saved if not torch.equal(values[name], saved[name]))
    if dist.get_rank() == 0:
        print("measured parameters_not_loaded =", json.dumps(stale))
        print("measured missing_keys_reported =", json.dumps(sorted(answer.missing_keys)))
        print("measured keys_added_to_the_state_dict =", json.dumps(added))
    assert stale == sorted(answer.missing_keys), f"not loaded: {stale}; the load says {answer}"
    print(f"oracle passed: all parameters equal the checkpoint's, but for those reported as missing: {stale}")


if __name__ == "__main__":
    main()
