"""The names of the libraries; several names of the same code are resolved to one."""

import re
from functools import cache

from repro.model.reach import LIBRARIES

ROOTS = {
    "pytorch_lightning": "lightning.pytorch",
    "lightning_fabric": "lightning.fabric",
    "lightning_pytorch": "lightning.pytorch",
    # Their trainers and arguments derive from those of transformers.
    "trl": "transformers.trl",
    "sentence_transformers": "transformers.sentence_transformers",
    "setfit": "transformers.setfit",
    "optimum": "transformers.optimum",
}
OURS = frozenset(LIBRARIES)
"""Roots that records speak of."""


def canonical(name: str) -> str:
    """``pytorch_lightning.Trainer`` as ``lightning.pytorch.Trainer``; other names unchanged."""
    root, dot, rest = name.partition(".")
    return f"{ROOTS[root]}{dot}{rest}" if root in ROOTS else name


@cache
def _expression(symbol: str) -> re.Pattern[str]:
    parts = [r"(?:\w+\.)*" if part == "**" else part.replace("*", r"\w*") + r"\." for part in symbol.split(".")[:-1]]
    return re.compile("".join(parts) + symbol.rpartition(".")[2].replace("*", r"\w*"))


def fits(symbol: str, name: str) -> bool:
    """True if a name matches a record's symbol: ``torch.**.fully_shard`` matches in any module of torch."""
    return _expression(symbol).fullmatch(name) is not None


def fits_unresolved(symbol: str, name: str) -> bool:
    """True if a name outside the libraries ends like the symbol; the project may re-export it."""
    root = name.partition(".")[0]
    last = symbol.rpartition(".")[2].replace("*", r"\w*")
    return root not in OURS and re.fullmatch(last, name.rpartition(".")[2]) is not None
