# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "numpy"]
# ///
"""What one torch wrote, another one reads: parameters, moments, steps, options and the next update are compared.

The reader begins with other weights and another learning rate, so that whatever is not loaded differs.  Each rank
compares its own part with what the writer's rank had, which is kept as numbers in a text file.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with one release of torch
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with another
"""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed import fsdp
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict


def wrapped(model: torch.nn.Module, kind: str) -> torch.nn.Module:
    if kind == "fsdp1":
        return fsdp.FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))
    if kind == "full":
        return torch.nn.parallel.DistributedDataParallel(model)
    if not hasattr(fsdp, "fully_shard"):
        raise NotImplementedError("torch.distributed.fsdp has no fully_shard")
    return fsdp.fully_shard(model, mesh=dist.device_mesh.init_device_mesh("cpu", (dist.get_world_size(),)))


def options_of(optimizer: str) -> StateDictOptions:
    if optimizer == "nested":
        return StateDictOptions()
    if not hasattr(StateDictOptions(), "flatten_optimizer_state_dict"):
        raise NotImplementedError("StateDictOptions has no flatten_optimizer_state_dict")
    return StateDictOptions(flatten_optimizer_state_dict=True)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> None:
    """A step of training; gradients of FSDP2 are set, since its forward before torch 2.7 needs an accelerator."""
    optimizer.zero_grad()
    if hasattr(next(model.parameters()), "to_local"):
        for parameter in model.parameters():
            parameter.grad = parameter.detach() * (1.0 + number)
    else:
        model(torch.linspace(-1, 1, 32).reshape(4, 8) * (1 + number)).square().mean().backward()
    optimizer.step()


def numbers(value: object) -> object:
    value = value.to_local() if hasattr(value, "to_local") else value
    return value.detach().flatten().tolist() if isinstance(value, torch.Tensor) else value


def held(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, object]:
    """What this rank has, as JSON keeps it exactly."""
    states = [optimizer.state.get(parameter, {}) for parameter in model.parameters()]
    options = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    found = {
        "parameters": [numbers(parameter) for parameter in model.parameters()],
        "moments": [[numbers(state.get(name)) for name in ("exp_avg", "exp_avg_sq")] for state in states],
        "steps": [numbers(state.get("step")) for state in states],
        "options": [{name: numbers(value) for name, value in group.items()} for group in options],
    }
    return json.loads(json.dumps(found))


def different(saved: dict, found: dict) -> list[str]:
    """The parts that are not equal, bit by bit; an option counts if both releases know it."""
    parts = [part for part in ("parameters", "moments", "steps") if saved[part] != found[part]]
    for known, group in zip(saved["options"], found["options"], strict=True):
        parts += [f"option {name}" for name in known if name in group and known[name] != group[name]]
    return list(dict.fromkeys(parts))


def apart(expected: list[list[float]], found: list[list[float]]) -> float:
    pairs = zip(expected, found, strict=True)
    return max((abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)), default=0.0)


def save(model: torch.nn.Module, optimizer: torch.optim.Optimizer, flags: argparse.Namespace, path: Path) -> None:
    if flags.kind == "full":
        if dist.get_rank() == 0:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
        return
    model_state, optimizer_state = get_state_dict(model, optimizer, options=flags.options)
    dcp.save({"model": model_state, "optimizer": optimizer_state}, storage_writer=dcp.FileSystemWriter(path))


def load(model: torch.nn.Module, optimizer: torch.optim.Optimizer, flags: argparse.Namespace, path: Path) -> None:
    if flags.kind == "full":
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return
    model_state, optimizer_state = get_state_dict(model, optimizer, options=flags.options)
    state = {"model": model_state, "optimizer": optimizer_state}
    dcp.load(state, storage_reader=dcp.FileSystemReader(path))
    names = {"model_state_dict": state["model"], "optim_state_dict": state["optimizer"]}
    set_state_dict(model, optimizer, **names, options=flags.options)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kind", choices=["full", "fsdp1", "fsdp2"], default="full")
    parser.add_argument("--optimizer", choices=["nested", "flat"], default="nested")
    flags = parser.parse_args()
    flags.options = options_of(flags.optimizer)
    dist.init_process_group("gloo")
    writes, rank = flags.stage == "write", dist.get_rank()
    torch.manual_seed(0 if writes else 1)
    model = wrapped(torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)), flags.kind)
    named = list(model.named_parameters())
    weights, others = ([one for name, one in named if ("weight" in name) is chosen] for chosen in (True, False))
    groups = [{"params": weights, "weight_decay": 0.5 if writes else 0.25}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.05 if writes else 0.01)
    path, kept = flags.folder / "checkpoint", flags.folder / f"rank-{rank}.json"
    if writes:
        for number in range(2):
            step(model, optimizer, number)
        saved = held(model, optimizer)
        save(model, optimizer, flags, path)
        step(model, optimizer, 2)
        kept.write_text(json.dumps({"saved": saved, "next": held(model, optimizer)["parameters"]}))
        said = "two steps were trained, the checkpoint was written, and the next step was taken"
    else:
        expected = json.loads(kept.read_text())
        load(model, optimizer, flags, path)
        differs = different(expected["saved"], held(model, optimizer))
        step(model, optimizer, 2)
        update = apart(expected["next"], held(model, optimizer)["parameters"])
        differs += ["the next update"] if update > 1e-6 else []
        print("measured differs =", json.dumps(differs))
        print("measured update_error =", json.dumps(update))
        assert not differs, f"loads and differs: {', '.join(differs)}"
        said = "parameters, moments, steps and options are equal, and the next update is to 1e-6"
    dist.barrier()
    dist.destroy_process_group()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
