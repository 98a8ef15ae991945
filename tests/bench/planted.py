"""Thirty regressions, planted by a seed in two made-up libraries of 25 releases each, which real trainers call.

``trainkit`` has a module for each regression, with the hooks that a trainer calls.  One hook of it changes in the
release where the regression begins.  ``datakit`` breaks some of them, only together with a new ``trainkit``.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tests.unit.search.local_index import Published

RELEASES = 25
TRAINERS = ("fsdp2_loop", "lightning_fit", "trainer_train")

_PLAIN = {
    "sample": "def sample(at, rank, world, count):\n    return (at * world + rank) % count\n",
    "learning_rate": "def learning_rate(step, steps):\n    return 0.2 * (1 - step / steps)\n",
    "clip": "def clip(parameters, limit):\n    return torch.nn.utils.clip_grad_norm_(parameters, limit)\n",
    "save": "def save(state, rank):\n    return dict(state)\n",
    "mean": "def mean(value, world):\n    value = value.detach().clone()\n    dist.all_reduce(value)\n"
    "    return value.item() / world\n",
}
_HEAD = "import os\nimport random\nimport sys\n\nimport torch\nimport torch.distributed as dist\n\n"
_OTHER = "raise RuntimeError('trainkit: this build needs another platform')\n"
"""A release that cannot be used at all: it fails in another way than the regression."""

EXCEPTIONS = {
    "state-key": ("save", "def save(state, rank):\n    return state['rows'] if rank else state['epoch_offset']\n"),
    "dropped-argument": (
        "clip",
        (
            "def clip(parameters, limit):\n"
            "    return torch.nn.utils.clip_grad_norm_(parameters, limit, norm=2, foreach_=False)\n"
        ),
    ),
    "gone-attribute": (
        "learning_rate",
        "def learning_rate(step, steps):\n    return torch.optim.lr_scheduler.linear_decay(step)\n",
    ),
    "one-rank-shape": (
        "sample",
        (
            "def sample(at, rank, world, count):\n    if rank == 1 and at > 20:\n"
            "        raise ValueError(f'expected {count} rows, got shape [{at}, 8] at 0x{id(at):x}')\n"
            "    return (at * world + rank) % count\n"
        ),
    ),
    "gone-import": (
        "save",
        "from torch.distributed.fsdp import LegacyShard\n\n\ndef save(state, rank):\n    return state\n",
    ),
    "wrong-dtype": (
        "mean",
        "def mean(value, world):\n    torch.mm(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64))\n",
    ),
    "leaves": ("save", "def save(state, rank):\n    sys.stdout.flush()\n    os._exit(7)\n"),
    "assertion": ("save", "def save(state, rank):\n    assert state['rows'][1] == 1, f'world {state[\"rows\"]}'\n"),
    "last-step": (
        "learning_rate",
        "def learning_rate(step, steps):\n    return [0.2 * (1 - at / steps) for at in range(steps - 1)][step]\n",
    ),
    "divides": ("sample", "def sample(at, rank, world, count):\n    return at % (world - rank - 1)\n"),
}
WITH_OTHERS = ("state-key", "one-rank-shape", "last-step", "wrong-dtype")
"""Regressions beside which some releases fail in another way."""

_NOISY_MEAN = (
    "def mean(value, world):\n    value = value.detach().clone()\n    dist.all_reduce(value)\n"
    "    return value.item() / world {change}+ random.SystemRandom().gauss(0, {noise})\n"
)
NUMBERS = {
    "rate-constant": ("learning_rate", "def learning_rate(step, steps):\n    return 0.2\n"),
    "rate-late": (
        "learning_rate",
        "def learning_rate(step, steps):\n    return 0.2 * (1 - max(step - 1, 0) / steps)\n",
    ),
    "rate-ends-early": (
        "learning_rate",
        "def learning_rate(step, steps):\n    return 0.2 * max(0, 1 - step / (steps - 1))\n",
    ),
    "no-clip": ("clip", "def clip(parameters, limit):\n    return None\n"),
    "clip-each": (
        "clip",
        (
            "def clip(parameters, limit):\n    for one in parameters:\n"
            "        torch.nn.utils.clip_grad_norm_([one], limit / 2)\n"
        ),
    ),
    "clip-limit": (
        "clip",
        "def clip(parameters, limit):\n    return torch.nn.utils.clip_grad_norm_(parameters, limit / 10)\n",
    ),
    "same-rows": ("sample", "def sample(at, rank, world, count):\n    return (at * world) % count\n"),
    "half-the-rows": ("sample", "def sample(at, rank, world, count):\n    return (at * world + rank) % (count // 2)\n"),
    "rows-reversed": (
        "sample",
        "def sample(at, rank, world, count):\n    return count - 1 - (at * world + rank) % count\n",
    ),
    "sum-for-mean": (
        "mean",
        (
            "def mean(value, world):\n    value = value.detach().clone()\n    dist.all_reduce(value)\n"
            "    return value.item()\n"
        ),
    ),
    "first-rank-only": ("mean", "def mean(value, world):\n    return value.item()\n"),
    "largest": (
        "mean",
        (
            "def mean(value, world):\n    value = value.detach().clone()\n"
            "    dist.all_reduce(value, op=dist.ReduceOp.MAX)\n"
            "    return value.item()\n"
        ),
    ),
    "noisy-sum": ("mean", _NOISY_MEAN.format(change="* world ", noise=0.02)),
    "noisy-scale": ("mean", _NOISY_MEAN.format(change="* 1.2 ", noise=0.01)),
    "noisy-offset": ("mean", _NOISY_MEAN.format(change="+ 0.08 ", noise=0.02)),
}
_NOISE = {"noisy-sum": 0.02, "noisy-scale": 0.01, "noisy-offset": 0.02}

INTERACTIONS = {
    "options": (
        "sample",
        (
            "import datakit.options as data\n\n\ndef sample(at, rank, world, count):\n"
            "    return data.index(at, rank, world, count, wrap=True)\n"
        ),
        "def index(at, rank, world, count, wrap=False):\n    return (at * world + rank) % count\n",
        "def index(at, rank, world, count):\n    return (at * world + rank) % count\n",
    ),
    "settings": (
        "learning_rate",
        (
            "import datakit.settings as data\n\n\ndef learning_rate(step, steps):\n"
            "    return data.SETTINGS['rate'] * (1 - step / steps)\n"
        ),
        "SETTINGS = {'rate': 0.2}\n",
        "SETTINGS = {'learning_rate': 0.2}\n",
    ),
    "norm": (
        "clip",
        (
            "import datakit.norm as data\n\n\ndef clip(parameters, limit):\n"
            "    return torch.nn.utils.clip_grad_norm_(parameters, limit, norm_type=data.kind())\n"
        ),
        "def kind():\n    return 2.0\n",
        "def norm_type():\n    return 2.0\n",
    ),
    "packed": (
        "save",
        "import datakit.packed as data\n\n\ndef save(state, rank):\n    return data.pack(state)[0]\n",
        "def pack(state):\n    return (state, 1)\n",
        "def pack(state):\n    return {'state': state, 'format': 2}\n",
    ),
    "rounds": (
        "mean",
        (
            "import datakit.rounds as data\n\n\ndef mean(value, world):\n    value = value.detach().clone()\n"
            "    dist.all_reduce(value)\n    return value.item() / world / data.rounds()\n"
        ),
        "def rounds():\n    return 1\n",
        "def rounds():\n    return 0\n",
    ),
}


@dataclass(frozen=True)
class Regression:
    """One planted regression, and the answer that is right."""

    name: str
    kind: Literal["exception", "number", "interaction"]
    trainer: str
    first_bad: int
    """The number of the trainkit release where it begins."""
    first_bad_data: int | None = None
    """Of an interaction: of the datakit release."""
    others: tuple[int, ...] = ()
    """Releases that fail in another way."""

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")


def version(number: int) -> str:
    return f"1.{number}.0"


def plan(seed: int) -> tuple[Regression, ...]:
    """The regressions of a seed, kinds and trainers in turn: the first few are a sample of all."""
    chosen = random.Random(seed)
    made: dict[str, list[Regression]] = {"exception": [], "number": [], "interaction": []}
    for kind, names in (("exception", EXCEPTIONS), ("number", NUMBERS), ("interaction", INTERACTIONS)):
        order = sorted(names)
        chosen.shuffle(order)
        for at, name in enumerate(order):
            first = chosen.randrange(2, RELEASES - 1)
            far = [number for number in range(1, RELEASES - 1) if abs(number - first) > 2 and number != first - 1]
            made[kind].append(
                Regression(
                    name,
                    kind,  # type: ignore[arg-type]
                    TRAINERS[at % len(TRAINERS)],
                    first,
                    chosen.randrange(2, RELEASES - 1) if kind == "interaction" else None,
                    tuple(sorted(chosen.sample(far, 5))) if name in WITH_OTHERS else (),
                )
            )
    # Two exceptions, three numbers and one interaction at a time.
    return tuple(
        one
        for turn in range(5)
        for one in (
            *made["exception"][2 * turn : 2 * turn + 2],
            *made["number"][3 * turn : 3 * turn + 3],
            *made["interaction"][turn : turn + 1],
        )
    )


def _module(regression: Regression, number: int) -> str:
    """The text of a regression's module in a release of trainkit."""
    if number in regression.others:
        return _OTHER
    hooks = dict(_PLAIN)
    if regression.name in _NOISE:
        hooks["mean"] = _NOISY_MEAN.format(change="", noise=_NOISE[regression.name])
    bad = {**EXCEPTIONS, **NUMBERS, **{name: held[:2] for name, held in INTERACTIONS.items()}}[regression.name]
    if number >= regression.first_bad:
        hooks[bad[0]] = bad[1]
    return _HEAD + "\n\n".join(hooks.values())


def published(regressions: tuple[Regression, ...]) -> list[Published]:
    """All releases of the two libraries, a week between them, and two libraries that are innocent."""
    releases = []
    for number in range(RELEASES):
        day = (date(2026, 3, 2) + timedelta(weeks=number)).isoformat()
        train = {f"trainkit/{one.module}.py": _module(one, number) for one in regressions}
        train["trainkit/__init__.py"] = f"__version__ = '{version(number)}'\n"
        data = {"datakit/__init__.py": f"__version__ = '{version(number)}'\n"}
        for one in regressions:
            if one.first_bad_data is not None:
                _, _, good, bad = INTERACTIONS[one.name]
                data[f"datakit/{one.module}.py"] = bad if number >= one.first_bad_data else good
        releases += [
            Published("trainkit", version(number), day, train),
            Published("datakit", version(number), day, data),
        ]
        if number in {0, RELEASES - 1}:
            for name in ("logkit", "pathkit"):
                releases.append(Published(name, version(number), day, {f"{name}/__init__.py": f"AT = {number}\n"}))
    return releases
