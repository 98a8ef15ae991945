"""The device "cuda" means the one that the rank has chosen."""

from typing import Any

import safetensors.torch
import torch


def apply() -> None:
    """Wrap ``load_file``."""
    original = safetensors.torch.load_file

    def load_file(file: Any, device: Any = "cpu", **kwargs: Any) -> dict[str, torch.Tensor]:
        chosen = f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device
        return original(file, device=chosen, **kwargs)

    safetensors.torch.load_file = load_file
