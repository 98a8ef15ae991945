# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["torch==2.13.0", "transformers==4.40.2", "accelerate==0.30.1", "numpy<2"]
# ///
"""The Trainer cannot resume: torch refuses the states of the random generators that the Trainer itself has written.

The Trainer writes NumPy's state beside torch's.  Since torch 2.6 ``torch.load`` reads plain weights only, and refuses
NumPy's arrays unless the caller names them as safe, which transformers does since 4.47.

    torchrun --standalone --nproc-per-node 2 repro.py --stage write --folder DIR
    torchrun --standalone --nproc-per-node 2 repro.py --stage read --folder DIR    # with torch 2.6 or newer

https://github.com/huggingface/transformers/issues/34631
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
import transformers

SAMPLES = [{"x": torch.linspace(-1, 1, 8) * (1 + at), "labels": at} for at in range(16)]


class Trainer(transformers.Trainer):
    def _load_optimizer_and_scheduler(self, checkpoint: Path | None) -> None:
        """Nothing to load: SGD without momentum, a constant rate.  On CPUs some releases cannot load either."""


class Model(torch.nn.Module):
    """Its dropout is of ``torch.rand``, which draws the same numbers in all releases of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = torch.nn.Linear(8, 64), torch.nn.Linear(64, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.inner(x)
        return {"loss": self.outer(2 * hidden * (torch.rand(hidden.shape) < 0.5)).square().mean()}


def train(folder: Path, checkpoint: Path | None) -> torch.Tensor:
    """Two steps, or the second one from a checkpoint; returns the weights."""
    torch.manual_seed(0)
    model = Model()
    arguments = transformers.TrainingArguments(
        str(folder),
        per_device_train_batch_size=4,
        max_steps=2,
        save_steps=1,
        optim="sgd",
        learning_rate=0.01,
        lr_scheduler_type="constant",
        use_cpu=True,
        report_to=[],
    )
    Trainer(model, arguments, train_dataset=SAMPLES).train(resume_from_checkpoint=checkpoint)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def allow(what: str) -> None:
    """Tell ``torch.load`` what it may read: the one thing that its message names, or all that NumPy's state needs."""
    types = [np.empty(0).__reduce__()[0], np.ndarray, np.dtype, type(np.dtype("uint32"))]
    torch.serialization.add_safe_globals(types[:1] if what == "named" else types)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stage", choices=["write", "read"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rng", choices=["kept", "removed"], default="kept")
    parser.add_argument("--allow", choices=["none", "named", "all"], default="none")
    flags = parser.parse_args()
    rank = os.environ["RANK"]
    if flags.stage == "write":
        weights = train(flags.folder / "trained", None)
        if rank == "0":
            torch.save(weights, flags.folder / "uninterrupted.pt")
        said = "two steps were trained, with a checkpoint after each"
    else:
        checkpoint = flags.folder / "trained" / "checkpoint-1"
        if flags.rng == "removed":
            Path(checkpoint, f"rng_state_{rank}.pth").unlink()
        if flags.allow != "none":
            allow(flags.allow)
        weights, expected = train(flags.folder / "resumed", checkpoint), torch.load(flags.folder / "uninterrupted.pt")
        error = ((weights - expected).norm() / expected.norm()).item()
        print("measured relative_error =", json.dumps(error))
        assert error <= 1e-6, f"the resumed step differs by {error:.3g} from that of the uninterrupted run"
        said = "the resumed step equals that of the uninterrupted run to 1e-6"
    print(f"oracle passed: {said}")


if __name__ == "__main__":
    main()
