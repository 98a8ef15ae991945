# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.53.3", "accelerate==1.9.0", "numpy"]
# ///
"""The Trainer, resumed inside a later epoch, goes on in the order of epoch 0.

It gives the loader its epoch, and then lets accelerate make another loader that skips the trained batches.  The new
loader begins with epoch 0: it skips the first batches of another permutation, and gives the rest of that.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/transformers/issues/40691
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from accelerate.utils import gather_object

SAMPLES, BATCH, EPOCHS = 32, 4, 2


class Model(torch.nn.Module):
    """Notes which samples it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(1, 1), []

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        self.seen += labels.tolist()
        return {"loss": self.layer(x).square().mean()}


def train(flags: argparse.Namespace, folder: Path, steps: int, checkpoint: Path | None = None) -> list[int]:
    """Train with a new Trainer and model, as a new process would: the samples that this rank was given."""
    model, data = Model(), [{"x": torch.ones(1), "labels": at} for at in range(SAMPLES)]
    arguments = transformers.TrainingArguments(
        str(folder),
        per_device_train_batch_size=BATCH,
        max_steps=steps,
        save_strategy="steps",
        save_steps=int(flags.stop),
        save_only_model=True,
        ignore_data_skip=flags.skip == "off",
        use_cpu=not torch.cuda.is_available(),
        report_to=[],
        disable_tqdm=True,
        seed=3,
    )
    transformers.Trainer(model, arguments, train_dataset=data).train(resume_from_checkpoint=checkpoint)
    return model.seen


def run(flags: argparse.Namespace, folder: Path) -> None:
    each = SAMPLES // int(os.environ["WORLD_SIZE"])  # samples of an epoch that this rank is given
    expected = train(flags, folder, EPOCHS * each // BATCH)
    done = int(flags.stop) * BATCH
    found = train(flags, folder, EPOCHS * each // BATCH, folder / f"checkpoint-{flags.stop}")
    epoch = done // each * each  # where the epoch of the stop begins
    trained = gather_object(expected[epoch:done] + found[: epoch + each - done])
    if os.environ["RANK"] == "0":
        print("measured order_of_epoch_0 =", json.dumps(found[: epoch + each - done] == expected[done - epoch : each]))
        print("measured trained_twice =", json.dumps(len(trained) - len(set(trained))))
        print("measured never_trained =", json.dumps(SAMPLES - len(set(trained))))
    wrong = sum(one != other for one, other in zip(found, expected[done:], strict=True))
    assert wrong == 0, f"{wrong} of {len(found)} samples after the resume are not those of an uninterrupted run"
    print("oracle passed: after the resume this rank is given the samples of an uninterrupted run, in the same order")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stop", choices=["6", "2"], default="6")
    parser.add_argument("--skip", choices=["on", "off"], default="on")
    folder = Path(tempfile.gettempdir(), f"transformers-40691-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
