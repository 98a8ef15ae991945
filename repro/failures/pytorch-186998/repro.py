# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""FSDP2 forgets the type in which gradients are reduced if the first forward pass runs while all weights are frozen.

After unfreezing, the backward pass reduces gradients in bfloat16 in place of float32.  torch 2.11 to 2.13 refuse to
store the result; with the advertised ``grad_dtype = None`` they train on rounded gradients and say nothing.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/186998
"""

import argparse
import json

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

TOLERANCE = 0.0  # the gradients of the ranks are 1 and 1 + 2**-7: float32 holds their mean, bfloat16 does not


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--first-forward", choices=["frozen", "no-grad", "none", "one-trainable"], default="frozen")
    parser.add_argument("--grad-dtype", choices=["unset", "none"], default="unset")
    parser.add_argument("--reduce", choices=["fp32", "bf16"], default="fp32")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())

    torch.manual_seed(0)
    model = torch.nn.Linear(4, 4).to(device)
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=types[flags.reduce])
    fully_shard(model, mesh=init_device_mesh(device, (dist.get_world_size(),)), mp_policy=policy)
    if flags.grad_dtype == "none":
        for parameter in model.parameters():
            parameter.grad_dtype = None

    ones = torch.ones(1, 4, device=device)
    if flags.first_forward in ("frozen", "one-trainable"):
        model.requires_grad_(False)
        model.bias.requires_grad_(flags.first_forward == "one-trainable")
        model(ones)
        model.requires_grad_(True)
    if flags.first_forward == "no-grad":
        with torch.no_grad():
            model(ones)

    inputs = [1.0 + rank * 2**-7 for rank in range(dist.get_world_size())]
    model(ones * inputs[dist.get_rank()]).sum().backward()
    expected = sum(inputs) / len(inputs)
    gradient = model.weight.grad.full_tensor()
    found = gradient.float()
    error = (found - expected).abs().max().item()
    if dist.get_rank() == 0:
        print("measured gradient =", json.dumps(found[0, 0].item()))
        print("measured gradient_dtype =", json.dumps(str(gradient.dtype)))
    assert error <= TOLERANCE, f"gradients are {found[0, 0].item():.7f} where float32 reduces to {expected:.7f}"
    print(f"oracle passed: gradients equal the float32 mean of all ranks' exactly, {expected:.7f}")


if __name__ == "__main__":
    main()
