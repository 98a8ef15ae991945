# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""set_optimizer_state_dict drops the saved state of parameters that are frozen at the time of the load.

A layer is trained, frozen, the job is resumed from a checkpoint, and the layer is unfrozen again: its moments
and its step count are gone, although the checkpoint holds them.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/192202
"""

import argparse
import copy
import json

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict, set_optimizer_state_dict


def new_job() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def update(model: torch.nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    for parameter in model.parameters():
        gradient = torch.randn_like(parameter)
        parameter.grad = gradient if parameter.requires_grad else None
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frozen-at-load", choices=["on", "off"], default="on")
    parser.add_argument("--load", choices=["set-optimizer-state-dict", "optimizer"], default="set-optimizer-state-dict")
    parser.add_argument("--flatten", choices=["off", "on"], default="off")
    flags = parser.parse_args()
    options = StateDictOptions()
    options.flatten_optimizer_state_dict = flags.flatten == "on"

    reference, reference_optimizer = new_job()
    update(reference, reference_optimizer, seed=1)
    reference[0].requires_grad_(False)
    update(reference, reference_optimizer, seed=2)
    weights = copy.deepcopy(reference.state_dict())
    if flags.load == "optimizer":
        saved = copy.deepcopy(reference_optimizer.state_dict())
    else:
        saved = copy.deepcopy(get_optimizer_state_dict(reference, reference_optimizer, options=options))

    model, optimizer = new_job()
    model.load_state_dict(weights)
    model[0].requires_grad_(flags.frozen_at_load == "off")
    if flags.load == "optimizer":
        optimizer.load_state_dict(saved)
    else:
        set_optimizer_state_dict(model, optimizer, optim_state_dict=saved, options=options)
    names = {parameter: name for name, parameter in model.named_parameters()}
    restored = sorted(names[parameter] for parameter, state in optimizer.state.items() if state)
    for resumed in (reference, reference_optimizer), (model, optimizer):
        resumed[0].requires_grad_(True)
        update(*resumed, seed=3)

    pairs = zip(model.parameters(), reference.parameters(), strict=True)
    difference = max((one - other).abs().max().item() for one, other in pairs)
    print("measured parameters_with_state_after_the_load =", json.dumps(restored))
    print("measured parameter_difference =", json.dumps(difference))
    assert difference == 0, (
        f"parameters differ by {difference:.3g} from an uninterrupted run; state only for {restored}"
    )
    print(f"oracle passed: all parameters equal those of an uninterrupted run; state for {restored}")


if __name__ == "__main__":
    main()
