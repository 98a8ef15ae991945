# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["torch==2.15.0", "lightning==2.6.6", "torchmetrics"]
# ///
"""Lightning's ``self.log(..., sync_dist=True)``: means of an epoch are too large if the samples do not divide evenly.

The sum of the values is averaged over the ranks, and so is the number of samples, which is an integer: 5 samples on
two ranks become 2 instead of 2.5.  Every metric of the epoch is too large by the same factor, here 2.5 / 2.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/Lightning-AI/pytorch-lightning/issues/21859
"""

import argparse
import json
import os

import lightning as L
import torch
from torchmetrics import MeanMetric


class Model(L.LightningModule):
    def __init__(self, log: str) -> None:
        super().__init__()
        self.way, self.layer, self.metric = log, torch.nn.Linear(1, 1), MeanMetric()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        if self.way == "metric":
            self.metric.update(batch)
            self.log("value", self.metric, on_epoch=True)
        else:
            size = float(len(batch)) if self.way == "float" else len(batch)
            self.log("value", batch.mean(), on_epoch=True, sync_dist=True, batch_size=size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", choices=["3-2", "1-2", "4-2", "3-3"], default="3-2")
    parser.add_argument("--log", choices=["tensor", "float", "metric"], default="tensor")
    flags = parser.parse_args()
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    counts = [int(count) for count in flags.batches.split("-")][:ranks]
    data = [torch.full((count,), 1.0 + 2 * at) for at, count in enumerate(counts)]  # 1 on rank 0, 3 on rank 1
    expected = torch.cat(data).mean().item()

    trainer = L.Trainer(
        devices=ranks,
        strategy="ddp",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    loader = torch.utils.data.DataLoader(data[rank], batch_size=1)
    found = trainer.validate(Model(flags.log), loader, verbose=False)[0]["value"]
    print("measured logged =", json.dumps(round(found, 4)))
    print("measured expected =", json.dumps(round(expected, 4)))
    assert abs(found - expected) < 1e-4, f"the logged mean is {found:.3f}, and that of all samples {expected:.3f}"
    print(f"oracle passed: the logged mean is that of all samples, {expected:.3f}")


if __name__ == "__main__":
    main()
