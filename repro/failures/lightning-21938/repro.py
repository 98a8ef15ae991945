# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.13.0", "lightning==2.6.6"]
# ///
"""Lightning, resumed from the end of an epoch: the first epoch trains in the order of epoch 0 again.

The iterator of the training data is made before the sampler learns its epoch.  Workers fetch their first indices when
the iterator is made, so with ``num_workers > 0`` the order is that of epoch 0, whatever epoch the job is in.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/21938
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import lightning as L
import torch
from torch.utils.data import DataLoader, DistributedSampler

SAMPLES, BATCH, EPOCHS = 32, 4, 3


class Model(L.LightningModule):
    """Notes which samples it is given, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: dict[int, list[int]] = {}

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.seen.setdefault(self.current_epoch, []).extend(batch.flatten().long().tolist())
        return self.layer(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fit(flags: argparse.Namespace, epochs: int, checkpoint: Path | None = None, start: int = 0) -> L.Trainer:
    """Train with a new Trainer, model and loader, as a new process would."""
    L.seed_everything(1)
    samples = torch.arange(float(SAMPLES)).unsqueeze(1)
    sampler = None
    if flags.sampler != "trainer":
        sampler = DistributedSampler(samples, int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"]), seed=1)
        sampler.set_epoch(start if flags.sampler == "own-with-epoch" else 0)
    loader = DataLoader(samples, BATCH, shuffle=sampler is None, sampler=sampler, num_workers=int(flags.workers))
    options = {"max_epochs": epochs, "use_distributed_sampler": sampler is None, "logger": False}
    options["limit_train_batches"] = 2 if flags.limit == "2" else 1.0
    trainer = L.Trainer(devices=int(os.environ["WORLD_SIZE"]), strategy="ddp", enable_checkpointing=False, **options)
    trainer.fit(Model(), loader, ckpt_path=checkpoint)
    return trainer


def run(flags: argparse.Namespace, folder: Path) -> None:
    expected = fit(flags, EPOCHS).lightning_module.seen
    stopped = fit(flags, int(flags.stop))
    checkpoint = folder / "end-of-epoch.ckpt"
    stopped.save_checkpoint(checkpoint)
    stopped.strategy.barrier()
    resumed = fit(flags, EPOCHS, checkpoint, int(flags.stop))
    found = {**stopped.lightning_module.seen, **resumed.lightning_module.seen}
    wrong = [epoch for epoch in sorted(expected) if found.get(epoch) != expected[epoch]]
    first = int(flags.stop)
    if resumed.is_global_zero:
        print("measured wrong_epochs =", json.dumps(wrong))
        print("measured first_epoch_has_the_order_of_epoch_0 =", json.dumps(found.get(first) == found[0]))
        for name, seen in (("samples_seen_by_then", found), ("samples_without_interruption", expected)):
            print(f"measured {name} =", json.dumps(len({i for epoch in range(first + 1) for i in seen[epoch]})))
    assert not wrong, f"after the resume epochs {wrong} have another order than an uninterrupted run"
    print(f"oracle passed: all {EPOCHS} epochs give this rank the samples of an uninterrupted run, in the same order")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", choices=["2", "0"], default="2")
    parser.add_argument("--sampler", choices=["trainer", "own", "own-with-epoch"], default="trainer")
    parser.add_argument("--limit", choices=["none", "2"], default="none")
    parser.add_argument("--stop", choices=["1", "2"], default="1")
    folder = Path(tempfile.gettempdir(), f"lightning-21938-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
