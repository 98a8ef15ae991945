# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""A distributed checkpoint that torch before 2.7 wrote with AdamW or Adam cannot be loaded by torch 2.7 or newer.

The optimizers have had a new option in their parameter groups since 2.7, ``decoupled_weight_decay``.  The template
that ``dcp.load`` fills names it, the old checkpoint does not, and the load is refused: training cannot go on.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with torch 2.6
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with torch 2.13

https://github.com/pytorch/pytorch/issues/146157
"""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    batch = torch.linspace(-1, 1, 32).reshape(4, 8) * (1 + number)
    optimizer.zero_grad()
    model(batch).square().mean().backward()
    optimizer.step()


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def save(model: torch.nn.Module, optimizer: torch.optim.Optimizer, flags: argparse.Namespace, folder: Path) -> None:
    if flags.checkpoint == "full":
        if dist.get_rank() == 0:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "full.pt")
        return
    weights, moments = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": moments}, checkpoint_id=folder / "sharded")


def load(model: torch.nn.Module, optimizer: torch.optim.Optimizer, flags: argparse.Namespace, folder: Path) -> None:
    if flags.checkpoint == "full":
        state = torch.load(folder / "full.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return
    weights, moments = get_state_dict(model, optimizer)
    state = {"model": weights, "optimizer": moments}
    planner = dcp.DefaultLoadPlanner(allow_partial_load=flags.planner == "partial")
    dcp.load(state, checkpoint_id=folder / "sharded", planner=planner)
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--optimizer", choices=["adamw", "adam", "sgd"], default="adamw")
    parser.add_argument("--checkpoint", choices=["sharded", "full"], default="sharded")
    parser.add_argument("--planner", choices=["strict", "partial"], default="strict")
    flags = parser.parse_args()
    dist.init_process_group("gloo")
    torch.manual_seed(0 if flags.stage == "write" else 1)
    model = torch.nn.Linear(8, 8)
    optimizer = OPTIMIZERS[flags.optimizer](model.parameters(), lr=0.05, weight_decay=0.5)
    if flags.stage == "write":
        for number in range(2):
            step(model, optimizer, number)
        save(model, optimizer, flags, flags.folder)
        step(model, optimizer, 2)
        if dist.get_rank() == 0:  # where an uninterrupted run would be
            torch.save(flat(model), flags.folder / "next.pt")
        said = "two steps were trained, and the checkpoint and the next step were written"
    else:
        load(model, optimizer, flags, flags.folder)
        step(model, optimizer, 2)
        expected = torch.load(flags.folder / "next.pt", weights_only=True)
        error = ((flat(model) - expected).norm() / expected.norm()).item()
        print("measured relative_error =", json.dumps(error))
        assert error <= 1e-6, f"the step after the load differs by {error:.3g} from that of the uninterrupted run"
        said = "the step after the load equals that of the uninterrupted run to 1e-6"
    dist.barrier()
    dist.destroy_process_group()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
