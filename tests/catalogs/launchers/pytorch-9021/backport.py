"""Sets what the script looks for."""

import torch


def apply() -> None:
    torch.cured = True
