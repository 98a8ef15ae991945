# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3", "accelerate==1.9.0", "numpy"]
# ///
"""What the Trainer of one transformers wrote, that of another resumes: all is compared, and the next update.

The reader begins with other weights, rates and decays, so that whatever is not loaded differs.  Each rank compares its
own part with what the writer's rank had, which is kept as numbers in a text file.  Every step of a rank has the same
batch: the order of the data is no part of it.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with one release
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with another
"""

import argparse
import json
import os
import random
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import transformers

RANK = int(os.environ["RANK"])
WRITER = {"learning_rate": 0.05, "weight_decay": 0.5}
READER = {"learning_rate": 0.01, "weight_decay": 0.25}
KINDS = ["ddp", "fsdp1-full", "fsdp1-sharded", "fsdp2-full", "fsdp2"]
ROW = {"x": torch.linspace(-1, 1, 8), "labels": torch.tensor(0)}


def numbers(value: object) -> object:
    value = value.to_local() if hasattr(value, "to_local") else value
    return value.detach().flatten().tolist() if isinstance(value, torch.Tensor) else value


def held(module: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: object, step: int, drawn: list) -> dict:
    """What this rank has, as JSON keeps it exactly."""
    states = [optimizer.state.get(parameter, {}) for parameter in module.parameters()]
    options = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    found = {
        "parameters": [numbers(parameter) for parameter in module.parameters()],
        "moments": [[numbers(state.get(name)) for name in ("exp_avg", "exp_avg_sq")] for state in states],
        "steps": [float(state["step"]) if "step" in state else None for state in states],
        "options": [{name: numbers(value) for name, value in group.items()} for group in options],
        "scheduler": [{name: numbers(value) for name, value in scheduler.state_dict().items()}],
        "global step": step,
        "random numbers": drawn,
    }
    return json.loads(json.dumps(found))


def different(saved: dict, found: dict) -> list[str]:
    """The parts that are not equal, bit by bit; an option counts if both releases know it."""
    parts = [
        part
        for part in ("parameters", "moments", "steps", "global step", "random numbers")
        if saved[part] != found[part]
    ]
    for part in ("options", "scheduler"):
        for known, group in zip(saved[part], found[part], strict=True):
            parts += [f"{part}: {name}" for name in known if name in group and known[name] != group[name]]
    return list(dict.fromkeys(parts))


def check_shards(kind: str, module: torch.nn.Module, found: dict) -> None:
    """FSDP that was asked for is there: two layers of 8 x 8 have 144 numbers, of which this rank has some."""
    here = sum(len(one) for one in found["parameters"])
    second = [hasattr(one, "to_local") for one in module.parameters()]  # FSDP2 makes each parameter a DTensor
    if (here < 144) is (kind == "ddp") or set(second) != {kind.startswith("fsdp2")}:
        raise RuntimeError(f"{kind}: this rank has {here} of 144 numbers; in DTensor: {second}")


def files_below(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def apart(expected: list[list[float]], found: list[list[float]]) -> float:
    pairs = zip(expected, found, strict=True)
    return max((abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)), default=0.0)


class Model(transformers.PreTrainedModel):
    config_class = transformers.PretrainedConfig

    def __init__(self, config: transformers.PretrainedConfig) -> None:
        super().__init__(config)
        self.inner, self.outer = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        self.post_init()

    def get_input_embeddings(self) -> None:
        """It has none."""

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Those of torch stay, in all releases."""

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.outer(self.inner(x * (1 + RANK))).square().mean()}


class Notes(transformers.TrainerCallback):
    """Notes what this rank has before the third step and after it."""

    def __init__(self) -> None:
        self.before, self.after, self.trainer = {}, {}, None

    def held(self) -> dict:
        trainer, drawn = self.trainer, [random.random(), float(np.random.rand()), torch.rand(()).item()]
        return held(trainer.model, trainer.optimizer, trainer.lr_scheduler, trainer.state.global_step, drawn)

    def on_step_begin(self, args: object, state: transformers.TrainerState, control: object, **given: object) -> None:
        if state.global_step == 2:
            self.before = self.held()

    def on_step_end(self, args: object, state: transformers.TrainerState, control: object, **given: object) -> None:
        if state.global_step == 3:
            self.after = self.held()


def plain(storage: object, location: str) -> object:
    """A storage that is to be on "cpu:0" or "cpu:1": the Trainer of CPU ranks asks so, and torch knows "cpu" only."""
    return storage if location.startswith("cpu:") else None


def asked_of(kind: str) -> tuple[int, str]:
    """The version of FSDP, and the type of its state."""
    return 2 if kind.startswith("fsdp2") else 1, "FULL_STATE_DICT" if kind.endswith("full") else "SHARDED_STATE_DICT"


def sharding_of(kind: str) -> dict[str, object]:
    """The Trainer's arguments; some releases take them from the environment, which `accelerate launch` sets."""
    if kind == "ddp":
        return {}
    version, state = asked_of(kind)
    os.environ["FSDP_VERSION"], os.environ["FSDP_STATE_DICT_TYPE"] = str(version), state
    return {"fsdp": "full_shard", "fsdp_config": {"version": version, "state_dict_type": state}}


def check_plugin(kind: str, plugin: object) -> None:
    """The FSDP that was asked for is what accelerate was told."""
    if kind == "ddp":
        return
    version, state = asked_of(kind)
    if version == 2 and not hasattr(plugin, "fsdp_version"):
        raise NotImplementedError("FullyShardedDataParallelPlugin has no fsdp_version")
    told = getattr(plugin, "fsdp_version", 1), plugin.state_dict_type.name
    if told != (version, state):
        raise RuntimeError(f"{kind}: accelerate was told {told}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, default="ddp")
    flags = parser.parse_args()
    writes, kept = flags.stage == "write", flags.folder / f"rank-{RANK}.json"
    transformers.set_seed(0 if writes else 1)
    torch.serialization.register_package(0, lambda _: None, plain)
    arguments = transformers.TrainingArguments(
        str(flags.folder / ("written" if writes else "read")),
        per_device_train_batch_size=4,
        max_steps=4,
        save_steps=2,
        report_to=[],
        **(WRITER if writes else READER),
        **sharding_of(flags.kind),
    )
    notes = Notes()
    trainer = transformers.Trainer(
        Model(transformers.PretrainedConfig()), arguments, train_dataset=[ROW] * 64, callbacks=[notes]
    )
    notes.trainer = trainer
    check_plugin(flags.kind, getattr(trainer.accelerator.state, "fsdp_plugin", None))
    trainer.train(resume_from_checkpoint=None if writes else str(flags.folder / "written" / "checkpoint-2"))
    check_shards(flags.kind, trainer.model, notes.before)
    if writes:
        print("measured files =", json.dumps(files_below(flags.folder / "written")))
        kept.write_text(json.dumps({"saved": notes.before, "next": notes.after["parameters"]}))
        said = "two steps were trained, the checkpoint was written, and the next step was taken"
    else:
        expected = json.loads(kept.read_text())
        differs = different(expected["saved"], notes.before)
        update = apart(expected["next"], notes.after["parameters"])
        differs += ["the next update"] if update > 1e-6 else []
        print("measured differs =", json.dumps(differs))
        print("measured update_error =", json.dumps(update))
        assert not differs, f"loads and differs: {', '.join(differs)}"
        said = "state, options, scheduler and random numbers are equal, and the next update is to 1e-6"
    dist.barrier()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
