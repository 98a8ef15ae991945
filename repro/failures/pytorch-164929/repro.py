# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""Asking for the state dict of a fresh Adam advances its step: the first real update is that of step 2.

Typical for a job that builds the target dictionary of a checkpoint, finds no checkpoint, and trains on.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/164929
"""

import argparse
import copy
import json

import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.5),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
}


def job(optimizer: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 4).to("cuda" if torch.cuda.is_available() else "cpu")
    return model, OPTIMIZERS[optimizer](model.parameters())


def update(model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), default="adam")
    parser.add_argument("--asked", choices=["before-step-1", "after-step-1", "never"], default="before-step-1")
    parser.add_argument("--checkpoint", choices=["none", "found"], default="none")
    parser.add_argument("--clear-state", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    reference, reference_optimizer = job(flags.optimizer)
    model, optimizer = job(flags.optimizer)
    update(reference, reference_optimizer, seed=1)

    if flags.asked == "after-step-1":
        update(model, optimizer, seed=1)
    if flags.asked != "never":
        get_optimizer_state_dict(model, optimizer)
    steps = sorted({float(state["step"]) for state in optimizer.state.values() if "step" in state})
    if flags.clear_state == "on" and flags.checkpoint == "none":
        optimizer.state.clear()
    if flags.checkpoint == "found":
        model.load_state_dict(reference.state_dict())
        saved = copy.deepcopy(get_optimizer_state_dict(reference, reference_optimizer))
        set_optimizer_state_dict(model, optimizer, optim_state_dict=saved)
    elif flags.asked != "after-step-1":
        update(model, optimizer, seed=1)
    for done in (reference, reference_optimizer), (model, optimizer):
        update(*done, seed=2)

    pairs = zip(model.parameters(), reference.parameters(), strict=True)
    difference = max((one - other).abs().max().item() for one, other in pairs)
    print("measured steps_counted_after_the_call =", json.dumps(steps))
    print("measured parameter_difference =", json.dumps(difference))
    assert difference == 0, f"parameters differ by {difference:.3g} from those of a job that never asked"
    print("oracle passed: after two updates the parameters equal those of a job that never asked")


if __name__ == "__main__":
    main()
