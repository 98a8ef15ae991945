# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3", "accelerate==1.9.0", "numpy", "safetensors"]
# ///
"""``load_state`` of a sharded FSDP1 checkpoint leaves out the optimizer's moments and steps, in silence.

Weights and learning rate are those of the checkpoint; the next update is that of an optimizer that begins anew.

    torchrun --standalone --nproc-per-node 2 repro.py
"""

import argparse
import importlib
import json
import os
import tempfile
from functools import partial

import torch
from accelerate import Accelerator, FullyShardedDataParallelPlugin, PartialState
from accelerate.utils import broadcast_object_list

KINDS = {"sharded": "SHARDED_STATE_DICT", "full": "FULL_STATE_DICT"}
SGD = torch.optim.SGD
OPTIMIZERS = {"adamw": torch.optim.AdamW, "momentum": partial(SGD, momentum=0.9), "sgd": SGD}
ROW = {"x": torch.linspace(-1, 1, 8), "labels": torch.tensor(0)}
WRITER, READER = (0, 0.05), (1, 0.01)  # seed and rate of the job that goes on; a new one that loads begins with others
TOLERANCE = 1e-6


class Model(torch.nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.inner, self.outer = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.outer(self.inner(x * (1 + int(os.environ["RANK"])))).square().mean()}


def held(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """This rank's part of the weights, and for each parameter that it has a part of: moments and step."""

    def flat(values: list) -> torch.Tensor:
        here = [value.to_local() if hasattr(value, "to_local") else torch.as_tensor(value) for value in values]
        return torch.cat([value.detach().cpu().flatten().clone() for value in here])

    states = [optimizer.state.get(parameter, {}) for parameter in model.parameters() if flat([parameter]).numel()]
    return flat(list(model.parameters())), [flat([state[name] for name in sorted(state)]) for state in states if state]


def prepared(flags: argparse.Namespace, begins: tuple[int, float]) -> tuple:
    """Accelerator, model and optimizer."""
    seed, rate = begins
    given = {"fsdp_version": int(flags.fsdp)} if flags.fsdp == "2" else {"use_orig_params": flags.orig_params == "on"}
    given["cpu_ram_efficient_loading"] = flags.ram_efficient == "on"
    plugin = FullyShardedDataParallelPlugin(state_dict_type=KINDS[flags.state_dict], **given)
    accelerator, model, new = Accelerator(fsdp_plugin=plugin), Model(seed), OPTIMIZERS[flags.optimizer]
    if flags.made == "after":
        model = accelerator.prepare(model)
        return accelerator, model, accelerator.prepare(new(model.parameters(), lr=rate))
    return accelerator, *accelerator.prepare(model, new(model.parameters(), lr=rate))


def step(accelerator: Accelerator, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    accelerator.backward(model(**{name: value.to(accelerator.device) for name, value in ROW.items()})["loss"])
    optimizer.step()
    optimizer.zero_grad()


def by_accelerate(flags: argparse.Namespace, folder: str) -> list[tuple]:
    """What a job that goes on has after three steps, and what one has that loads its checkpoint after two."""
    job = prepared(flags, WRITER)
    step(*job)
    step(*job)
    job[0].save_state(folder)
    saved = held(*job[1:])[0]
    step(*job)
    went_on = held(*job[1:])
    job = job if flags.into == "same" else prepared(flags, READER)
    if flags.into == "stepped":
        step(*job)
    job[0].load_state(folder)
    print("measured weights_loaded =", json.dumps(torch.equal(held(*job[1:])[0], saved)))
    step(*job)
    return [went_on, held(*job[1:])]


def by_trainer(flags: argparse.Namespace, folder: str) -> list[tuple]:
    transformers = importlib.import_module("transformers")  # accelerate alone does without
    os.environ["FSDP_STATE_DICT_TYPE"] = kind = KINDS[flags.state_dict]  # transformers 4 looks here
    config = {"version": int(flags.fsdp), "state_dict_type": kind}
    given = {"max_steps": 3, "save_steps": 2, "report_to": [], "fsdp": "full_shard", "fsdp_config": config}
    found = []
    for (seed, rate), resumed in ((WRITER, None), (READER, f"{folder}/checkpoint-2")):
        arguments = transformers.TrainingArguments(folder, learning_rate=rate, **given)
        trainer = transformers.Trainer(Model(seed), arguments, train_dataset=[ROW] * 64)
        trainer.train(resume_from_checkpoint=resumed)
        found.append(held(trainer.model, trainer.optimizer))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", choices=["accelerate", "trainer"], default="accelerate")
    parser.add_argument("--state-dict", choices=list(KINDS), default="sharded")
    parser.add_argument("--fsdp", choices=["1", "2"], default="1")
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS), default="adamw")
    parser.add_argument("--made", choices=["before", "after"], default="before")
    parser.add_argument("--orig-params", choices=["on", "off"], default="on")
    parser.add_argument("--ram-efficient", choices=["off", "on"], default="off")
    parser.add_argument("--into", choices=["new", "stepped", "same"], default="new")
    flags = parser.parse_args()
    PartialState()
    folder = [tempfile.mkdtemp()]
    broadcast_object_list(folder)
    run = by_trainer if flags.loop == "trainer" else by_accelerate
    (weights, states), (resumed, found) = run(flags, folder[0])
    right = sum(torch.allclose(one, other, rtol=0, atol=TOLERANCE) for one, other in zip(states, found))
    error = (resumed - weights).abs().max().item()
    print("measured states =", json.dumps([len(states), right]))
    print("measured update_error =", json.dumps(error))
    said = f"after the next update {right} of {len(states)} states are those of no stop; weights are off by {error:.3g}"
    assert right == len(states) and error <= TOLERANCE, said
    print(f"oracle passed: after the next update states and weights are those of no stop within {TOLERANCE}")


if __name__ == "__main__":
    main()
