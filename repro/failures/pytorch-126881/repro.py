# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""``dcp.load`` leaves out what the state dict that it fills does not name: the optimizer starts afresh, in silence.

A new optimizer has no moments until its first step, so its ``state_dict()`` names none.  The moments of the checkpoint
are then passed over, and training goes on as if it had just begun.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/126881
"""

import argparse
import json
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict

OPTIMIZERS = {"adamw": torch.optim.AdamW, "momentum": torch.optim.SGD, "sgd": torch.optim.SGD}


def job(flags: argparse.Namespace) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 8)
    options = {"momentum": 0.9} if flags.optimizer == "momentum" else {}
    return model, OPTIMIZERS[flags.optimizer](model.parameters(), lr=0.05, **options)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.linspace(-1, 1, 32).reshape(4, 8)).square().mean().backward()
    optimizer.step()


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--template", choices=["state-dict", "get-state-dict", "after-step"], default="state-dict")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), default="adamw")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    names = [tempfile.mkdtemp() if dist.get_rank() == 0 else ""]
    dist.broadcast_object_list(names, src=0)

    model, optimizer = job(flags)
    for _ in range(3):
        step(model, optimizer)
    named = flags.template == "get-state-dict"
    saved = get_optimizer_state_dict(model, optimizer) if named else optimizer.state_dict()
    state = {"model": model.state_dict(), "optimizer": saved}
    dcp.save(state, storage_writer=dcp.FileSystemWriter(names[0]))
    moments = len(optimizer.state)
    step(model, optimizer)  # where an uninterrupted training would be
    expected = flat(model).clone()

    model, optimizer = job(flags)
    if flags.template == "after-step":
        step(model, optimizer)
    template = get_optimizer_state_dict(model, optimizer) if named else optimizer.state_dict()
    state = {"model": model.state_dict(), "optimizer": template}
    dcp.load(state, storage_reader=dcp.FileSystemReader(names[0]))
    model.load_state_dict(state["model"])
    if named:
        set_optimizer_state_dict(model, optimizer, optim_state_dict=state["optimizer"])
    else:
        optimizer.load_state_dict(state["optimizer"])
    loaded = len(optimizer.state)
    step(model, optimizer)
    error = ((flat(model) - expected).norm() / expected.norm()).item()
    print("measured states =", json.dumps([moments, loaded]))
    print("measured relative_error =", json.dumps(error))
    assert error < 1e-6, f"{loaded} of {moments} optimizer states were loaded; the next step is off by {error:.3g}"
    print(f"oracle passed: {loaded} of {moments} optimizer states were loaded, and the next step is that of no stop")


if __name__ == "__main__":
    main()
