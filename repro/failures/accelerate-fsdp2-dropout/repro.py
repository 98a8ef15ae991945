# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.14.0", "numpy"]
# ///
"""accelerate's activation checkpointing under FSDP2 recomputes with other dropout masks than the forward pass had.

It wraps the layers with ``preserve_rng_state=False``.  The backward pass draws new masks, so the gradients are those of
another network than the one whose loss was computed.  The loss is right, and nothing is raised.

    torchrun --standalone --nproc-per-node 2 repro.py

FullyShardedDataParallelPlugin(fsdp_version=2, activation_checkpointing=True)
"""

import argparse
import json
from contextlib import nullcontext
from functools import partial

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.utils.checkpoint import checkpoint

TOLERANCE = 1e-5  # of the loss, and of the norm of all gradients; float32 sums in another order differ by less


class Block(torch.nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.up, self.down, self.dropout = torch.nn.Linear(8, 16), torch.nn.Linear(16, 8), torch.nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropout(self.down(torch.nn.functional.gelu(self.up(x))))


def step(model: torch.nn.Module, device: torch.device) -> torch.Tensor:
    """The loss, with masks of each rank's own that depend on nothing else."""
    torch.manual_seed(1 + torch.distributed.get_rank())
    return model(torch.ones(4, 8, device=device)).square().mean()


def new_model(dropout: str) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(*(Block(float(dropout)) for _ in range(2)), torch.nn.Linear(8, 1))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dropout", choices=["0.5", "0.1", "0"], default="0.5")
    parser.add_argument("--checkpointing", choices=["plugin", "wrapper", "call", "off"], default="plugin")
    parser.add_argument("--fsdp-version", choices=["2", "1"], default="2")
    flags = parser.parse_args()
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=int(flags.fsdp_version),
        use_orig_params=True,
        cpu_ram_efficient_loading=False,
        auto_wrap_policy="transformer_based_wrap",
        transformer_cls_names_to_wrap=["Block"],
        activation_checkpointing=flags.checkpointing == "plugin",
    )
    accelerator = Accelerator(fsdp_plugin=plugin)

    plain = new_model(flags.dropout).to(accelerator.device)
    expected_loss = step(plain, accelerator.device)
    expected_loss.backward()
    expected = accelerator.reduce(torch.cat([value.grad.flatten() for value in plain.parameters()]), "mean")

    model = new_model(flags.dropout)
    for at, block in enumerate(model[:2]):
        if flags.checkpointing == "wrapper":
            model[at] = checkpoint_wrapper(block, preserve_rng_state=True)
        if flags.checkpointing == "call":
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    model, _ = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    loss = step(model, accelerator.device)
    accelerator.backward(loss)

    with FSDP.summon_full_params(model, with_grads=True) if flags.fsdp_version == "1" else nullcontext():
        grads = [getattr(value.grad, "full_tensor", value.grad.clone)() for value in model.parameters()]
        found = torch.cat([grad.flatten() for grad in grads])
    error = ((found - expected).norm() / expected.norm()).item()
    difference = abs(loss - expected_loss).item()
    if accelerator.is_main_process:
        print("measured loss_difference =", json.dumps(difference))
        print("measured gradient_relative_error =", json.dumps(round(error, 6)))
    assert difference <= TOLERANCE, f"the loss differs by {difference:.3g} from that without checkpointing"
    assert error <= TOLERANCE, f"the loss is right, and gradients are off by {error:.3g} of those without checkpointing"
    print(f"oracle passed: loss and gradients equal those without checkpointing and sharding within {TOLERANCE}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
