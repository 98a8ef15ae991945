# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""RReLU at the end of a checkpointed block gets gradients from uninitialised memory.

Non-reentrant checkpointing stops the recomputation as soon as it has the last saved tensor.  That is RReLU's
noise, which is saved before the operator fills it.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/193671
"""

import argparse
import contextlib
import json

import torch
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", choices=["non-reentrant", "reentrant", "none"], default="non-reentrant")
    parser.add_argument("--early-stop", choices=["on", "off"], default="on")
    parser.add_argument("--block-ends-with", choices=["rrelu", "linear", "leaky-relu"], default="rrelu")
    parser.add_argument("--new-memory", choices=["nan", "as-is"], default="nan")
    flags = parser.parse_args()
    # fills what torch.empty returns with NaN, so that the run shows the same every time
    torch.use_deterministic_algorithms(flags.new_memory == "nan", warn_only=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    layers = {"rrelu": [torch.nn.RReLU()], "leaky-relu": [torch.nn.LeakyReLU()]}
    layers["linear"] = [torch.nn.RReLU(), torch.nn.Linear(64, 64)]
    block = torch.nn.Sequential(torch.nn.Linear(64, 64), *layers[flags.block_ends_with]).to(device)
    x = torch.randn(64, 64, device=device)

    def gradient(how: str) -> torch.Tensor:
        block.zero_grad()
        torch.manual_seed(1)
        given = x.clone().requires_grad_()
        y = block(given) if how == "none" else checkpoint(block, given, use_reentrant=how == "reentrant")
        y.sum().backward()
        return block[0].weight.grad.clone()

    early = contextlib.nullcontext() if flags.early_stop == "on" else set_checkpoint_early_stop(False)
    with early:
        found, expected = gradient(flags.checkpoint), gradient("none")
    wrong = int((~torch.isclose(found, expected)).sum())
    print("measured wrong_gradients =", json.dumps(wrong))
    print("measured largest_gradient =", json.dumps(str(found.abs().max().item())))
    assert wrong == 0, f"{wrong} of {found.numel()} gradients differ from those without checkpointing"
    print(f"oracle passed: all {found.numel()} gradients equal those without checkpointing")


if __name__ == "__main__":
    main()
