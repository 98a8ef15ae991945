# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "lightning==2.5.6"]
# ///
"""What the Trainer of one Lightning wrote, that of another resumes: all is compared, and the next update.

The reader begins with other weights, rates and decays, so that whatever is not loaded differs.  Each rank compares its
own part with what the writer's rank had, which is kept as numbers in a text file.  Every step of a rank has the same
batch: the order of the data is no part of it.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR    # with one release
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR     # with another
"""

import argparse
import inspect
import json
import os
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import FSDPStrategy
from torch.utils.data import DataLoader

RANK, RANKS = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
WRITER = {"lr": 0.05, "decay": 0.5, "gamma": 0.5}
READER = {"lr": 0.01, "decay": 0.25, "gamma": 0.9}


def numbers(value: object) -> object:
    value = value.to_local() if hasattr(value, "to_local") else value
    return value.detach().flatten().tolist() if isinstance(value, torch.Tensor) else value


def held(module: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: object, step: int) -> dict:
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
    }
    return json.loads(json.dumps(found))


def different(saved: dict, found: dict) -> list[str]:
    """The parts that are not equal, bit by bit; an option counts if both releases know it."""
    parts = [part for part in ("parameters", "moments", "steps", "global step") if saved[part] != found[part]]
    for part in ("options", "scheduler"):
        for known, group in zip(saved[part], found[part], strict=True):
            parts += [f"{part}: {name}" for name in known if name in group and known[name] != group[name]]
    return list(dict.fromkeys(parts))


def check_shards(kind: str, found: dict) -> None:
    """FSDP that was asked for is there: two layers of 8 x 8 have 144 numbers, of which this rank has some."""
    here = sum(len(one) for one in found["parameters"])
    if (here < 144) is (kind == "ddp"):
        raise RuntimeError(f"{kind}: this rank has {here} of 144 numbers")


def files_below(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def apart(expected: list[list[float]], found: list[list[float]]) -> float:
    pairs = zip(expected, found, strict=True)
    return max((abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)), default=0.0)


class Model(lightning.LightningModule):
    """Notes what it has before the third step and after it."""

    def __init__(self, given: dict[str, float]) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
        self.given, self.before, self.after = given, {}, {}

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layers(batch).square().mean()

    def configure_optimizers(self) -> dict[str, object]:
        named = list(self.named_parameters())
        weights, others = ([one for name, one in named if ("weight" in name) is chosen] for chosen in (True, False))
        groups = [{"params": weights, "weight_decay": self.given["decay"]}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.given["lr"])
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, self.given["gamma"])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def held(self) -> dict:
        scheduler = self.trainer.lr_scheduler_configs[0].scheduler
        return held(self, self.trainer.optimizers[0], scheduler, self.trainer.global_step)

    def on_train_batch_start(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.before = self.held()

    def on_train_batch_end(self, outputs: object, batch: torch.Tensor, batch_idx: int) -> None:
        self.after = self.held()


def strategy_of(kind: str) -> str | FSDPStrategy:
    if kind != "fsdp-sharded":
        return "ddp" if kind == "ddp" else FSDPStrategy()
    if "state_dict_type" not in inspect.signature(FSDPStrategy).parameters:
        raise NotImplementedError("FSDPStrategy has no state_dict_type")
    return FSDPStrategy(state_dict_type="sharded")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kind", choices=["ddp", "fsdp-full", "fsdp-sharded"], default="ddp")
    flags = parser.parse_args()
    writes, kept = flags.stage == "write", flags.folder / f"rank-{RANK}.json"
    lightning.seed_everything(0 if writes else 1)
    model = Model(WRITER if writes else READER)
    saving = ModelCheckpoint(flags.folder, "checkpoint", every_n_train_steps=2, save_top_k=-1)
    options = {"callbacks": [saving]} if writes else {"enable_checkpointing": False}
    trainer = lightning.Trainer(
        devices=RANKS,
        strategy=strategy_of(flags.kind),
        max_steps=3,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **options,
    )
    loader = DataLoader((torch.linspace(-1, 1, 8) * (1 + RANK)).repeat(32, 1), batch_size=4)
    trainer.fit(model, loader, ckpt_path=None if writes else flags.folder / "checkpoint.ckpt")
    check_shards(flags.kind, model.before)
    if writes:
        print("measured files =", json.dumps(files_below(flags.folder / "checkpoint.ckpt")))
        kept.write_text(json.dumps({"saved": model.before, "next": model.after}))
        said = "two steps were trained, the checkpoint was written, and the next step was taken"
    else:
        expected = json.loads(kept.read_text())
        differs = different(expected["saved"], model.before)
        update = apart(expected["next"]["parameters"], model.after["parameters"])
        differs += ["the next update"] if update > 1e-6 else []
        print("measured differs =", json.dumps(differs))
        print("measured update_error =", json.dumps(update))
        assert not differs, f"loads and differs: {', '.join(differs)}"
        said = "parameters, moments, steps, options and scheduler are equal, and the next update is to 1e-6"
    trainer.strategy.barrier()
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
