"""A training script as people keep it: options, a data set, a small transformer, FSDP2, schedules, evaluation."""

import argparse
import dataclasses
import importlib
import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.utils.data import DataLoader, Dataset


@dataclasses.dataclass
class Settings:
    """All that can be set."""

    kit: str
    width: int = 32
    heads: int = 4
    layers: int = 2
    words: int = 64
    length: int = 16
    batch: int = 4
    steps: int = 6
    warmup: int = 2
    evaluate_every: int = 3
    clip: float = 0.5
    decay: float = 0.01
    seed: int = 0
    window: int = 5
    folder: str = "states"


def parsed(words: list[str]) -> Settings:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kit")
    for field in dataclasses.fields(Settings):
        if field.name != "kit":
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    return Settings(**vars(parser.parse_args(words)))


class Sentences(Dataset):
    """Made-up sentences: each word is the sum of the two before it."""

    def __init__(self, settings: Settings, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        rows = [torch.randint(0, settings.words, (count,), generator=generator) for _ in range(2)]
        while len(rows) < settings.length + 1:
            rows.append((rows[-1] + rows[-2]) % settings.words)
        self.rows = torch.stack(rows, dim=1)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        row = self.rows[index]
        return {"inputs": row[:-1], "targets": row[1:]}


class Attention(nn.Module):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.heads = settings.heads
        self.joined = nn.Linear(settings.width, 3 * settings.width)
        self.out = nn.Linear(settings.width, settings.width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        batch, length, width = values.shape
        parts = self.joined(values).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.first = nn.LayerNorm(settings.width)
        self.attention = Attention(settings)
        self.second = nn.LayerNorm(settings.width)
        self.inner = nn.Sequential(
            nn.Linear(settings.width, 4 * settings.width),
            nn.GELU(),
            nn.Linear(4 * settings.width, settings.width),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        values = values + self.attention(self.first(values))
        return values + self.inner(self.second(values))


class Small(nn.Module):
    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.words = nn.Embedding(settings.words, settings.width)
        self.places = nn.Embedding(settings.length, settings.width)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(settings.width)
        self.head = nn.Linear(settings.width, settings.words, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        places = torch.arange(inputs.shape[1])
        values = self.words(inputs) + self.places(places)
        for block in self.blocks:
            values = block(values)
        return self.head(self.norm(values))


class Meter:
    """A mean over the last values, and the time since the last look."""

    def __init__(self, window: int) -> None:
        self.values: deque[float] = deque(maxlen=window)
        self.began = time.monotonic()

    def add(self, value: float) -> None:
        self.values.append(value)

    @property
    def mean(self) -> float:
        return sum(self.values) / len(self.values) if self.values else math.nan

    def lap(self) -> float:
        now = time.monotonic()
        spent, self.began = now - self.began, now
        return spent


def sharded(model: Small) -> Small:
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for block in model.blocks:
        fully_shard(block, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
    return model


def groups_of(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weights of matrices decay, all others do not."""
    matrices = [one for one in model.parameters() if one.dim() > 1]
    others = [one for one in model.parameters() if one.dim() <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def batches(kit: Any, data: Sentences, settings: Settings, rank: int, world: int) -> Iterator[dict[str, torch.Tensor]]:
    order = [kit.sample(at, rank, world, len(data)) for at in range(settings.steps * settings.batch)]
    yield from DataLoader(torch.utils.data.Subset(data, order), batch_size=settings.batch)


def loss_of(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    found = model(batch["inputs"]).float()
    return nn.functional.cross_entropy(found.flatten(0, 1), batch["targets"].flatten())


def evaluate(model: nn.Module, data: Sentences, settings: Settings) -> float:
    model.eval()
    with torch.no_grad():
        losses = [loss_of(model, batch).item() for batch in DataLoader(data, batch_size=settings.batch)]
    model.train()
    return sum(losses) / len(losses)


def keep(kit: Any, settings: Settings, step: int, rank: int, world: int) -> None:
    state = {"steps": step, "rows": [rank, world], "settings": dataclasses.asdict(settings)}
    kit.save(state, rank)
    if rank == 0:
        folder = Path(settings.folder)
        folder.mkdir(exist_ok=True)
        (folder / f"step{step}.json").write_text(json.dumps(state))


def train(settings: Settings) -> float:
    rank, world = dist.get_rank(), dist.get_world_size()
    kit = importlib.import_module(f"trainkit.{settings.kit}")
    data, held_out = Sentences(settings, 64, settings.seed), Sentences(settings, 8, settings.seed + 1)
    model = sharded(Small(settings))
    optimizer = torch.optim.AdamW(groups_of(model, settings.decay), lr=1e-3, betas=(0.9, 0.95))
    meter = Meter(settings.window)
    for step, batch in enumerate(batches(kit, data, settings, rank, world)):
        rate = 1e-2 * kit.learning_rate(step, settings.steps)
        if step < settings.warmup:
            rate *= (step + 1) / settings.warmup
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, batch)
        loss.backward()
        kit.clip(list(model.parameters()), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        meter.add(loss.item())
        if rank == 0:
            print(f"step {step}: loss {meter.mean:.4f}, rate {rate:.5f}, {meter.lap():.2f} s")
        if (step + 1) % settings.evaluate_every == 0:
            found = evaluate(model, held_out, settings)
            if rank == 0:
                print(f"step {step}: held out {found:.4f}")
    keep(kit, settings, settings.steps, rank, world)
    return kit.mean(torch.tensor(meter.mean), world)


def main() -> int:
    settings = parsed(sys.argv[1:])
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    try:
        loss = train(settings)
        if dist.get_rank() == 0:
            print(f"measured loss = {loss}")
    finally:
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
