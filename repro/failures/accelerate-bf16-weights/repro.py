# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.13.0", "numpy"]
# ///
"""accelerate 1.13.0 with FSDP2 and mixed precision trains a bfloat16 model without float32 weights.

It says that it upcasts the parameters to float32 and does not: the optimizer works on bfloat16 weights, in which an
update of a thousandth of a weight is rounded away.  Nothing is raised, and the weights stay where they are.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/pull/3905
"""

import argparse
import json
import warnings

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

TOLERANCE = 0.05  # of the change of the weights; gradients are computed in bfloat16, which resolves 2**-8
STEPS = 8


def new_model(frozen: bool) -> torch.nn.Sequential:
    """Two layers whose weights bfloat16 can hold."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8, bias=False), torch.nn.Linear(8, 8, bias=False))
    for layer in model:
        torch.nn.init.uniform_(layer.weight, 0.5, 1.0)
    model[0].requires_grad_(not frozen)
    return model.to(torch.bfloat16)


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
    torch.manual_seed(1)
    inputs, targets = torch.rand(2, 16, 8, device=accelerator.device)
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast(accelerator.device.type, torch.bfloat16):
            outputs = model(inputs)
        accelerator.backward((outputs.float() - targets).square().mean())
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--fsdp-version", choices=["2", "1"], default="2")
    parser.add_argument("--learning-rate", choices=["0.001", "0.1"], default="0.001")
    parser.add_argument("--frozen-layer", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    rate, frozen = float(flags.learning_rate), flags.frozen_layer == "on"

    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=int(flags.fsdp_version), use_orig_params=True, cpu_ram_efficient_loading=False
    )
    accelerator = Accelerator(mixed_precision="bf16", fsdp_plugin=plugin)
    initial = [value.float().to(accelerator.device) for value in new_model(frozen).parameters()]
    plain = new_model(frozen).to(accelerator.device, torch.float32)
    train(plain, torch.optim.Adam(plain.parameters(), lr=rate), accelerator)

    model = new_model(frozen).to(torch.bfloat16 if flags.weights == "bf16" else torch.float32)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model, optimizer = accelerator.prepare(model, torch.optim.Adam(model.parameters(), lr=rate))
    train(model, optimizer, accelerator)

    with FSDP.summon_full_params(model) if flags.fsdp_version == "1" else warnings.catch_warnings():
        values = [getattr(value, "full_tensor", lambda value=value: value)() for value in model.parameters()]
        change = torch.cat([(value.float() - old).flatten() for value, old in zip(values, initial, strict=True)])
    expected = torch.cat([(value - old).flatten() for value, old in zip(plain.parameters(), initial, strict=True)])
    error = ((change - expected).norm() / expected.norm()).item()
    if accelerator.is_main_process:
        print("measured weight_dtypes =", json.dumps(sorted({str(value.dtype) for value in values})))
        print("measured says_upcast =", json.dumps(any("upcast" in str(warning.message) for warning in said)))
        print("measured change_relative_error =", json.dumps(error))
        print("measured unchanged_weights =", json.dumps(int((change == 0).sum())))
    assert error <= TOLERANCE, f"the weights' change is off by {error:.3g} from training in mixed precision"
    print(f"oracle passed: the weights' change equals that of plain mixed precision within {TOLERANCE}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
