# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = ["torch==2.2.2", "numpy<2"]
# ///
"""Asking for the state dict of a fresh AdamW changes the model: its weights are decayed.

The same happens when a checkpoint is resumed in the usual order, first the model, then the optimizer: the
weights that were just loaded are decayed once more.

    torchrun --standalone --nproc-per-node 1 repro.py

https://github.com/pytorch/pytorch/issues/121186
"""

import argparse
import json

import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def job(flags: argparse.Namespace, trained: bool) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 4).to("cuda" if torch.cuda.is_available() else "cpu")
    decay = 0.5 if flags.weight_decay == "on" else 0.0
    made = OPTIMIZERS[flags.optimizer](model.parameters(), lr=0.1, weight_decay=decay)
    if trained:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        made.step()
        made.zero_grad()
    return model, made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--call", choices=["get", "set"], default="get")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), default="adamw")
    parser.add_argument("--weight-decay", choices=["on", "off"], default="on")
    parser.add_argument("--state", choices=["fresh", "in-use"], default="fresh")
    parser.add_argument("--order", choices=["model-first", "optimizer-first"], default="model-first")
    flags = parser.parse_args()
    saved, saved_optimizer = job(flags, trained=True)
    checkpoint = {name: value.clone() for name, value in saved.state_dict().items()}
    optimizer_checkpoint = get_optimizer_state_dict(saved, saved_optimizer)

    model, optimizer = job(flags, trained=flags.state == "in-use")
    if flags.order == "model-first":
        model.load_state_dict(checkpoint)
    if flags.call == "get":
        get_optimizer_state_dict(model, optimizer)
    else:
        set_optimizer_state_dict(model, optimizer, optim_state_dict=optimizer_checkpoint)
    if flags.order == "optimizer-first":
        model.load_state_dict(checkpoint)

    change = max((value - checkpoint[name]).abs().max().item() for name, value in model.state_dict().items())
    print("measured parameter_change =", json.dumps(change))
    assert change == 0, f"the loaded parameters were changed by up to {change:.3g}"
    print("oracle passed: all parameters equal the checkpoint's exactly")


if __name__ == "__main__":
    main()
