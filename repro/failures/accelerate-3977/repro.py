# /// script
# requires-python = ">=3.10"
# dependencies = ["torch==2.15.0", "transformers==5.23.0", "accelerate==1.15.0"]
# ///
"""A model that was evaluated before it is trained is not wrapped in DDP: each rank trains a model of its own.

``Trainer.evaluate`` and ``predict`` let accelerate prepare the model for evaluation, without DDP.  It marks it as
prepared, so that ``train`` gets it back as it is.  Gradients are averaged by nobody, and nothing is raised.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/pull/3977
"""

import argparse
import json
import os
import tempfile

import torch
import transformers
from accelerate import Accelerator
from accelerate.utils import gather_object

PLAIN = {"max_steps": 1, "per_device_train_batch_size": 1, "max_grad_norm": 0.0, "save_strategy": "no", "report_to": []}


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.layer.weight)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.layer(x).mean(), "logits": self.layer(x)}


def train_plain(before: str, model: Model, data: list[dict[str, torch.Tensor]]) -> None:
    """One step by accelerate alone; whatever comes before is ``prepare_model(evaluation_mode=True)``."""
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    if before != "none":
        accelerator.prepare_model(model, evaluation_mode=True)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    sample = data[accelerator.process_index]
    accelerator.backward(model(sample["x"].to(accelerator.device), sample["labels"])["loss"])
    optimizer.step()


def train_by_trainer(flags: argparse.Namespace, model: Model, data: list[dict[str, torch.Tensor]]) -> None:
    arguments = transformers.TrainingArguments(
        tempfile.mkdtemp(), use_cpu=not torch.cuda.is_available(), eval_on_start=flags.before == "on-start", **PLAIN
    )
    given = {"train_dataset": data, "eval_dataset": data}

    def new_trainer() -> transformers.Trainer:
        return transformers.Trainer(
            model, arguments, **given, optimizers=(torch.optim.SGD(model.parameters(), lr=1.0), None)
        )

    trainer = new_trainer()
    if flags.before == "evaluate":
        trainer.evaluate()
    if flags.before == "predict":
        trainer.predict(data)
    (new_trainer() if flags.trainer == "new" else trainer).train()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", choices=["evaluate", "predict", "on-start", "none"], default="evaluate")
    parser.add_argument("--trainer", choices=["same", "new"], default="same")
    parser.add_argument("--loop", choices=["trainer", "plain"], default="trainer")
    flags = parser.parse_args()
    ranks = int(os.environ["WORLD_SIZE"])
    data = [{"x": torch.tensor([at + 1.0]), "labels": torch.tensor(0)} for at in range(ranks)]  # a sample for each rank
    model = Model()
    if flags.loop == "plain":
        train_plain(flags.before, model, data)
    else:
        train_by_trainer(flags, model, data)
    weights = gather_object([round(model.layer.weight.item(), 6)])
    expected = -(ranks + 1) / 2  # minus the mean of the samples
    print("measured weights =", json.dumps(weights))
    print("measured expected =", json.dumps(expected))
    assert all(weight == expected for weight in weights), f"gradients were not averaged: weights {sorted(weights)}"
    print(f"oracle passed: after one step the weight of all ranks is {expected}, as of one rank with all samples")


if __name__ == "__main__":
    main()
