# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.6.0", "numpy"]
# ///
"""Of a key that the model does not know only rank 0 learns: the other ranks load and go on, and the job hangs.

With broadcast_from_rank0=True and strict=True an unexpected key raises on rank 0 alone.  A job that treats
the error as "no usable checkpoint" then takes two ways, and each rank waits in another collective.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/pytorch/pytorch/issues/149516
"""

import argparse

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict


def resume(model: torch.nn.Module, checkpoint: dict, flags: argparse.Namespace) -> int:
    """Load the checkpoint and return its step; 0 if it does not fit the model."""
    chosen = {"strict": flags.strict == "on", "cpu_offload": flags.cpu_offload == "on"}
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, **chosen)
    try:
        set_model_state_dict(model, checkpoint, options=options)
    except RuntimeError as error:
        if flags.on_error == "raise":
            raise
        print(f"the checkpoint does not fit, training starts from scratch: {error}")
        return 0
    step = [7]  # which rank 0 read from the checkpoint
    dist.broadcast_object_list(step, src=0)
    return step[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", choices=["unexpected-key", "missing-key", "matching"], default="unexpected-key")
    parser.add_argument("--strict", choices=["on", "off"], default="on")
    parser.add_argument("--cpu-offload", choices=["off", "on"], default="off")
    parser.add_argument("--on-error", choices=["log", "raise"], default="log")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    torch.manual_seed(dist.get_rank())
    model = torch.nn.Sequential(torch.nn.Linear(4, 4)).to(device)
    checkpoint = {"0.weight": torch.ones(4, 4, device=device), "0.bias": torch.ones(4, device=device)}
    if flags.checkpoint == "missing-key":
        del checkpoint["0.bias"]
    elif flags.checkpoint == "unexpected-key":
        checkpoint["1.weight"] = torch.ones(4, 4, device=device)

    step = resume(model, checkpoint if dist.get_rank() == 0 else {}, flags)

    model(torch.ones(1, 4, device=device)).sum().backward()
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
    steps = [None] * dist.get_world_size()
    dist.all_gather_object(steps, step)
    assert len(set(steps)) == 1, f"the ranks continue from different steps: {steps}"
    print(f"oracle passed: all ranks continue from step {step} and have exchanged gradients")


if __name__ == "__main__":
    main()
