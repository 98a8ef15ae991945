# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.9.0", "numpy"]
# ///
"""accelerate launch ignores the sharding strategy that accelerate config wrote for FSDP1.

``accelerate config`` asks for the strategy and writes it as ``fsdp_reshard_after_forward``.  ``accelerate launch`` also
sets ``FSDP_SHARDING_STRATEGY``, always, to FULL_SHARD, and the plugin looks at that alone.  Each unit drops what it has
gathered for its forward pass and gathers it again in the backward pass.  Nothing is said.

    accelerate launch --config_file accelerate.yaml repro.py

Numbers are those of the other strategy; only time, memory and traffic differ.
"""

import json

import torch
from accelerate import Accelerator
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

WANTED = "SHARD_GRAD_OP"  # as in the configuration


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(8, 16), torch.nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(torch.nn.functional.gelu(self.up(x)))


def elements(module: torch.nn.Module) -> int:
    """The elements that this rank holds now."""
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    accelerator = Accelerator()
    model = torch.nn.Sequential(Block(), Block(), torch.nn.Linear(8, 1))
    whole = elements(model[0])
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    units = [module for module in model.modules() if isinstance(module, FSDP)]
    assert len(units) == 3, f"FSDP1 has {len(units)} units where two blocks and the model were expected"

    loss = model(torch.ones(4, 8, device=accelerator.device)).square().mean()
    kept = elements(units[1]) / whole
    accelerator.backward(loss)
    optimizer.step()
    strategies = sorted({unit.sharding_strategy.name for unit in units})
    if accelerator.is_main_process:
        print("measured strategies =", json.dumps(strategies))
        print("measured kept_after_forward =", json.dumps(kept))
    found = ", ".join(strategies)
    assert strategies == [WANTED], f"the configuration says {WANTED}, and FSDP runs {found}"
    assert kept == 1, f"a block keeps {kept:.0%} of its parameters after the forward pass of {found}"
    print(f"oracle passed: FSDP runs {WANTED}, and a block keeps all parameters after its forward pass")
    accelerator.end_training()


if __name__ == "__main__":
    main()
