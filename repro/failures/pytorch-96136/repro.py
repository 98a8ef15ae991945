# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.15.0", "numpy"]
# ///
"""BatchNorm under activation checkpointing takes every batch twice: the recomputation updates its statistics too.

Loss and gradients are right.  The running mean and variance, which evaluation uses, are averages with about
twice the momentum that was asked for, and ``num_batches_tracked`` is doubled.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/96136
"""

import argparse
import copy
import json

import torch
from torch.utils.checkpoint import checkpoint


class Model(torch.nn.Module):
    def __init__(self, momentum: float | None) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(4, momentum=momentum)
        self.block = torch.nn.Sequential(torch.nn.Linear(4, 4), self.norm, torch.nn.ReLU(), torch.nn.Linear(4, 1))

    def forward(self, x: torch.Tensor, mode: str) -> torch.Tensor:
        if mode == "off" or not self.training:
            return self.block(x)
        return checkpoint(self.block, x, use_reentrant=mode == "reentrant")


def train(model: Model, batches: torch.Tensor, mode: str, statistics: str) -> torch.Tensor:
    """One backward pass a batch; the gradients of all together."""
    if statistics == "frozen":
        model.norm.eval()
    for batch in batches:
        model(batch.clone().requires_grad_(), mode).square().mean().backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", choices=["non-reentrant", "reentrant", "off"], default="non-reentrant")
    parser.add_argument("--momentum", choices=["given", "adjusted", "cumulative"], default="given")
    parser.add_argument("--statistics", choices=["tracked", "frozen"], default="tracked")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    plain = Model(None if flags.momentum == "cumulative" else 0.1).to(device)
    model = copy.deepcopy(plain)
    if flags.momentum == "adjusted":  # two updates with it weigh a batch as one with 0.1 does
        model.norm.momentum = 1 - (1 - 0.1) ** 0.5
    batches = 3 + torch.arange(8.0).reshape(8, 1, 1) + torch.randn(8, 16, 4)
    batches = batches.to(device)

    expected_gradients = train(plain, batches, "off", flags.statistics)
    gradients = train(model, batches, flags.checkpoint, flags.statistics)
    difference = (gradients - expected_gradients).norm() / expected_gradients.norm()
    errors = {}
    for name in ("running_mean", "running_var"):
        expected, found = getattr(plain.norm, name), getattr(model.norm, name)
        errors[name] = ((found - expected).norm() / expected.norm().clamp(min=1e-6)).item()
    with torch.no_grad():
        losses = [module.eval()(batches[-1], "off").square().mean().item() for module in (model, plain)]
    print("measured batches_tracked =", json.dumps(model.norm.num_batches_tracked.item()))
    print("measured gradient_relative_error =", json.dumps(difference.item()))
    print("measured mean_relative_error =", json.dumps(errors["running_mean"]))
    print("measured variance_relative_error =", json.dumps(errors["running_var"]))
    print("measured evaluation_loss_ratio =", json.dumps(losses[0] / losses[1]))
    assert difference <= 1e-5, f"gradients differ by {difference:.3g} from those without checkpointing"
    error = max(errors.values())
    assert error <= 1e-5, f"running statistics differ by {error:.3g} from those without checkpointing"
    print("oracle passed: running statistics and gradients equal those without checkpointing to 1e-5")


if __name__ == "__main__":
    main()
