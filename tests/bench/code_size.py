"""How long does ``doctor --code`` take on a large repository?

    python -m tests.bench.code_size [--files 2000]
    python -m tests.bench.code_size --folder CHECKOUT --name OWNER/NAME

Without a checkout the repository is generated: Python files of which most import some of the four libraries, with
models, loaders, loops and what the projects of the tests hold, and notebooks, YAML, TOML, JSON and shell scripts.  The
command is a process of its own; its processor time is that of all its processes.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from repro.model.errors import Exit
from tests.bench.figures import publish

PROJECTS = Path(__file__).parents[1] / "data" / "code_projects.yaml"
SHARES = {".py": 0.7, ".yaml": 0.12, ".sh": 0.06, ".ipynb": 0.05, ".json": 0.04, ".toml": 0.03}
IMPORTS = (
    "import torch\nfrom torch import nn\nimport torch.distributed as dist\n",
    "import torch\nimport torch.nn.functional as F\nfrom torch.utils.data import DataLoader, DistributedSampler\n",
    "import lightning as L\nimport torch\nfrom lightning.pytorch.callbacks import ModelCheckpoint\n",
    "from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments\nimport torch\n",
    "from accelerate import Accelerator\nfrom accelerate.utils import set_seed\nimport torch\n",
    "import json\nimport os\nfrom pathlib import Path\n",
    "import numpy as np\nimport pandas as pd\n",
)
BLOCKS = (
    '''
class Block{n}(nn.Module):
    """A block of the model."""

    def __init__(self, width: int, heads: int = 8, dropout: float = 0.{d}) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.heads = heads
        self.dropout = dropout

    def forward(self, x, mask=None):
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in (q, k, v))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=self.dropout)
        return x + self.out(y.transpose(1, 2).reshape(batch, length, width))
''',
    """
def load_{n}(folder, split="train", limit=None):
    rows = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".jsonl") or split not in name:
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if limit is not None and number >= limit:
                    break
                row = json.loads(line)
                rows.append({{"text": row["text"].strip(), "label": row.get("label", {d}), "weight": 1.0}})
    return rows
""",
    """
def train_{n}(model, loader, optimizer, steps={d}00, device="cuda"):
    model.train()
    total, seen = 0.0, 0
    for step, batch in enumerate(loader):
        batch = {{key: value.to(device) for key, value in batch.items()}}
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        total, seen = total + loss.item(), seen + 1
        if step % 50 == 0:
            print(f"step {{step}} loss {{total / seen:.4f}}")
        if step >= steps:
            break
    return total / max(seen, 1)
""",
    """
@dataclass
class Config{n}:
    name: str = "run-{n}"
    learning_rate: float = {d}e-5
    batch_size: int = 8
    accumulate: int = 4
    precision: str = "bf16"
    betas: tuple[float, float] = (0.9, 0.95)
    tags: list[str] = field(default_factory=list)

    def scaled(self, world: int) -> "Config{n}":
        return replace(self, learning_rate=self.learning_rate * world, batch_size=self.batch_size // world or 1)
""",
)


def python(draw: random.Random, pieces: list[str]) -> str:
    """A Python file of 60 to 400 lines."""
    text = draw.choice(IMPORTS)
    lines = draw.randint(60, 400)
    if draw.random() < 0.05:  # some of them hold what a record names
        text += draw.choice(pieces)
    while text.count("\n") < lines:
        text += draw.choice(BLOCKS).format(n=draw.randrange(10**6), d=draw.randint(1, 9))
    return text


def configuration(draw: random.Random) -> dict[str, object]:
    return {
        "model": {"name": draw.choice(["llama", "qwen", "t5"]), "width": draw.randrange(64, 4096), "layers": 24},
        "trainer": {"precision": "bf16-mixed", "devices": 8, "strategy": draw.choice(["ddp", "auto"]), "max_epochs": 3},
        "data": [{"path": f"/data/part-{n}.jsonl", "weight": draw.random()} for n in range(draw.randint(3, 40))],
    }


def content(suffix: str, draw: random.Random, pieces: list[str]) -> str:
    """The text of a file of that kind."""
    if suffix == ".py":
        return python(draw, pieces)
    if suffix == ".ipynb":
        cells = [python(draw, pieces).splitlines(keepends=True)[:60] for _ in range(draw.randint(4, 16))]
        return json.dumps({"cells": [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells]}, indent=1)
    if suffix == ".sh":
        flags = " \\\n  ".join(f"--{name} {draw.randint(1, 99)}" for name in ("epochs", "batch-size", "seed", "warmup"))
        return f"#!/bin/bash\nset -e\nexport OMP_NUM_THREADS=8\ntorchrun --nproc-per-node 8 train.py \\\n  {flags}\n"
    if suffix == ".toml":
        return "[project]\nname = 'x'\n[tool.trainer]\nprecision = 'bf16'\nstrategy = 'ddp'\n" + "key = 1\n" * 20
    dump = json.dumps if suffix == ".json" else yaml.safe_dump
    return str(dump(configuration(draw)))


def generate(folder: Path, files: int) -> None:
    """Write a repository of so many files."""
    draw = random.Random(19)
    samples = yaml.safe_load(PROJECTS.read_text(encoding="utf-8"))
    pieces = [text for row in samples for name, text in row["files"].items() if name.endswith(".py")]
    kinds = draw.choices([*SHARES], [*SHARES.values()], k=files)
    for number, suffix in enumerate(kinds):
        file = folder / f"package{number % 40}" / f"module{number}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = content(suffix, draw, pieces)
        file.write_text(text, encoding="utf-8")


def measured(folder: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """The seconds that the command takes for a folder, and its answer."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "repro", "doctor", "--code", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {Exit.OK, Exit.CHANGED, Exit.UNKNOWN}, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": round(cpu, 2), "wall_s": round(time.monotonic() - began, 2)}, json.loads(done.stdout)


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000, help="of the repository that is generated")
    parser.add_argument("--folder", type=Path, help="measure this checkout instead")
    parser.add_argument("--name", help="what the figures call the checkout")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = args.folder or Path(made)
        if args.folder is None:
            generate(folder, args.files)
        files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
        code = [file for file in files if file.suffix == ".py" and file.is_file()]
        taken = [measured(folder) for _ in range(args.runs)]
        found = taken[-1][1]["code"]
        answer = {
            "format": 2,
            "repository": args.name or ("generated" if args.folder is None else folder.name),
            "files": len(files),
            "files_read": found["files"],
            "lines_of_python": sum(file.read_bytes().count(b"\n") for file in code),
            "cores": os.cpu_count(),
            "failures": len(found["failures"]),
            "runs": [seconds for seconds, _ in taken],
        }
    publish(answer, args.output)


if __name__ == "__main__":
    main()
