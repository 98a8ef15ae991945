# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "accelerate==1.14.0", "numpy"]
# ///
"""accelerate's save_state keeps no epoch and no shuffle of a loader: a resumed epoch has the order of epoch 0.

A job that stops in epoch 1 and goes on by ``load_state`` and ``skip_first_batches`` skips the first batches of another
permutation.  Some samples of the epoch are trained on twice, and as many never.

    torchrun --standalone --nproc-per-node 2 repro.py

https://github.com/huggingface/accelerate/issues/3996
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import gather_object, set_seed
from torch.utils.data import DataLoader

SAMPLES, BATCH, STOP = 64, 4, 2  # the job stops after two batches of an epoch


def prepared(accelerator: Accelerator) -> DataLoader:
    """A new loader from the same seed, as the same script makes it in a new process."""
    accelerator.free_memory()
    set_seed(7)
    model = torch.nn.Linear(1, 1)
    loader = DataLoader(torch.arange(SAMPLES), batch_size=BATCH, shuffle=True)
    *_, loader = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1), loader)
    return loader


def run(flags: argparse.Namespace, folder: Path) -> None:
    config = DataLoaderConfiguration(use_seedable_sampler=flags.sampler == "seedable")
    accelerator, epoch = Accelerator(dataloader_config=config), int(flags.epoch)
    loader, before, expected = prepared(accelerator), [], []
    for at in range(epoch + 1):
        expected = []
        for number, batch in enumerate(loader, start=1):
            expected += batch.tolist()
            if at == epoch and number == STOP:
                accelerator.save_state(folder)
        before = before or expected
    done, expected = expected[: STOP * BATCH], expected[STOP * BATCH :]

    loader = prepared(accelerator)
    accelerator.load_state(folder)
    if flags.set_epoch == "on":
        loader.set_epoch(epoch)
    found = [index for batch in accelerator.skip_first_batches(loader, STOP) for index in batch.tolist()]

    trained = gather_object(done + found)
    if accelerator.is_main_process:
        print("measured order_of_epoch_0 =", json.dumps(found == before[STOP * BATCH :]))
        print("measured trained_twice =", json.dumps(len(trained) - len(set(trained))))
        print("measured never_trained =", json.dumps(SAMPLES - len(set(trained))))
    wrong = sum(one != other for one, other in zip(found, expected, strict=True))
    assert wrong == 0, f"{wrong} of {len(expected)} samples after the resume are not those of an uninterrupted epoch"
    print("oracle passed: the rest of the epoch gives this rank the samples of an uninterrupted run, in the same order")
    accelerator.end_training()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epoch", choices=["1", "0"], default="1")
    parser.add_argument("--sampler", choices=["default", "seedable"], default="default")
    parser.add_argument("--set-epoch", choices=["off", "on"], default="off")
    folder = Path(tempfile.gettempdir(), f"accelerate-3996-{os.environ['TORCHELASTIC_RUN_ID']}")
    try:
        run(parser.parse_args(), folder)
    finally:
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
