"""Small builders: a record, ranks, observations and folders, each valid as it is and changed by keyword."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter
from repro.environments.pack.manifest import Pack, PackedEnvironment, Wheel
from repro.model.cell import Cell
from repro.model.failure import Failure
from repro.model.matrix import Matrix
from repro.model.observation import (
    BetweenDumps,
    Frame,
    Hardware,
    Imported,
    Installed,
    Observation,
    Origin,
    Phase,
    Raised,
    Rank,
)

FAILURE = "lightning-19492"
VERSIONS = {"lightning": "2.2.1", "torch": "2.2.2+cpu"}
MODULES = {"lightning": ("lightning", "lightning_fabric"), "torch": ("torch", "functorch")}

RECORD: dict[str, Any] = {
    "format": 1,
    "id": FAILURE,
    "title": "Sharded weights-only checkpoints cannot be saved",
    "summary": "A key is missing.",
    "kind": "crash",
    "upstream": {"state": "closed", "issues": ["https://example.org/19492"]},
    "affected": [{"lightning": ">=2.1.0,<2.2.2"}],
    "signature": {
        "type": "KeyError",
        "message": "optimizer_states",
        "function": "save_checkpoint",
        "library": "lightning",
        "ranks": "all",
    },
    "reach": {"who": "Jobs that save weights only.", "when": {"settings": ["save_weights_only"], "values": [True]}},
    "seen_as": [{"name": "silent", "nothing": "a test needs no log"}],
    "factors": [{"name": "state-dict-type", "values": ["sharded", "full"], "meaning": "how states are saved"}],
    "backports": [
        {"name": "cure", "file": "backport.py", "meaning": "a default", "cures": True},
        {"name": "placebo", "file": "placebo.py", "meaning": "nothing", "cures": False},
        {"name": "refusal", "file": "refusal.py", "meaning": "an error", "cures": True, "verdict": "rejected"},
    ],
}

REJECTION: dict[str, Any] = {
    "releases": {"lightning": ">=2.2.2"},
    "signature": {
        "type": "ValueError",
        "message": "not supported",
        "function": "setup",
        "library": "lightning",
        "ranks": "all",
    },
}

HANG: dict[str, Any] = {"kind": "hang", "function": "all_gather", "library": "torch", "ranks": "all"}
ASSERTION: dict[str, Any] = {"kind": "assertion", "type": "AssertionError", "message": "weights differ"}


def failure(**changes: Any) -> Failure:
    """A complete record; ``signature`` is merged into the default one unless it names a kind."""
    signature = changes.pop("signature", {})
    merged = signature if "kind" in signature else RECORD["signature"] | signature
    return Failure.model_validate(RECORD | changes | {"signature": merged})


def frame(
    function: str = "save_checkpoint",
    file: str = "lightning/pytorch/strategies/fsdp.py",
    origin: Origin = Origin.LIBRARY,
    line: int = 560,
) -> Frame:
    return Frame(origin=origin, file=file, function=function, line=line)


def script_frame(function: str = "<module>", line: int = 40) -> Frame:
    return frame(function, "repro.py", Origin.SCRIPT, line)


def raised(kind: str = "KeyError", message: str = "'optimizer_states'", *frames: Frame, **changes: Any) -> Raised:
    """An exception; by default the documented one, from the library called by the script."""
    return Raised(
        type=kind,
        module=changes.pop("module", "builtins"),
        message=message,
        frames=frames or (script_frame(), frame()),
        **changes,
    )


def lost_peer(
    message: str = "[/pytorch/third_party/gloo/transport/tcp/pair.cc:534] Connection closed by peer",
) -> Raised:
    return raised("RuntimeError", message, script_frame(), frame("all_reduce", "torch/distributed/c10d.py"))


def imported(versions: Mapping[str, str] = VERSIONS) -> dict[str, Imported]:
    """What a rank says that it imported, all from the environment under test."""
    return {name: Imported(version=version, inside=True) for name, version in versions.items()}


IMPORTED = imported()


def rank(number: int, **changes: Any) -> Rank:
    """A rank that ran to its end, with its oracle's words."""
    facts: dict[str, Any] = {
        "rank": number,
        "started": True,
        "reached": True,
        "finished": True,
        "oracle": "all 12 tensors are equal",
        "exit_code": 0,
        "ended": True,
        "seconds": 3.5,
        "imported": IMPORTED,
    }
    return Rank(**facts | changes)


def failed(number: int, error: Raised | None = None, at: float = 5.0, **changes: Any) -> Rank:
    """A rank that an exception left."""
    facts: dict[str, Any] = {
        "finished": False,
        "oracle": None,
        "exit_code": 1,
        "phase": Phase.RUN,
        "chain": (error or raised(),),
        "failed_at": at,
    }
    return rank(number, **facts | changes)


def killed(number: int, signal: int, **changes: Any) -> Rank:
    """A rank that died by a signal."""
    facts: dict[str, Any] = {"finished": False, "oracle": None, "exit_code": None, "signal": signal}
    return rank(number, **facts | changes)


STILL = BetweenDumps(seconds=2.5, cpu_seconds=0.0, wakeups=2)
"""A process that did nothing between two dumps."""


def waiting(number: int, *stack: Frame, then: tuple[Frame, ...] | None = None, **changes: Any) -> Rank:
    """A rank that the deadline found in this stack, and later in ``then`` or the same; it did nothing between."""
    place = stack or (script_frame(), frame("all_gather", "torch/distributed/c10d.py"))
    stacks = (place, place if then is None else then)
    return killed(number, 15, **{"stopped": True, "stacks": stacks, "between_dumps": STILL} | changes)


def cell(**changes: Any) -> Cell:
    return Cell(**{"failure": FAILURE, "environment": "old"} | changes)


def installed(versions: Mapping[str, str] = VERSIONS, **changes: Any) -> Installed:
    facts: dict[str, Any] = {
        "name": "old",
        "python": "3.11.7",
        "implementation": "CPython",
        "distributions": dict(versions),
        "modules": MODULES,
        "lock": "0" * 64,
    }
    return Installed(**facts | changes)


HARDWARE = Hardware(system="Linux", machine="x86_64", cores=2, memory_bytes=8 << 30)
RECIPE = "abcdef012345" + "0" * 52


def observation(*ranks: Rank, **changes: Any) -> Observation:
    """A run under torchrun that ended by itself; its exit code follows from the ranks'."""
    held = ranks or (rank(0), rank(1))
    facts: dict[str, Any] = {
        "id": "abcdef012345-20260101T000000Z-000001",
        "recipe": RECIPE,
        "run": "20260101T000000Z-00000a",
        "cell": cell(world_size=len(held)),
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 9.5,
        "launcher": "torchrun",
        "launcher_code": 0 if all(item.exit_code == 0 for item in held) else 1,
        "timeout": 120,
        "installed": installed(),
        "hardware": HARDWARE,
        "ranks": held,
    }
    return Observation(**facts | changes)


def late(*ranks: Rank, **changes: Any) -> Observation:
    """A run that the deadline ended."""
    return observation(*ranks, **{"deadline_passed": True, "launcher_code": -15} | changes)


STAGES: list[dict[str, Any]] = [
    {"name": "write", "role": "writer", "meaning": "writes", "affected": [{"lightning": "<2.2.2"}]},
    {"name": "read", "role": "reader", "meaning": "reads"},
]
"""Two jobs, one after the other; the writer's side of RECORD's boundary."""

SCRIPT = '''\
# /// script
# requires-python = ">=3.9"
# dependencies = ["torch==2.2.2", "lightning==2.2.1"]
# ///
"""Fails to save."""

import argparse

import torch


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state-dict-type", choices=["sharded", "full"], default="sharded")
    parser.parse_args()
    print("oracle passed: all is equal", torch)


if __name__ == "__main__":
    main()
'''

BACKPORT = "def apply() -> None:\n    pass\n"


def write_failure(
    root: Path,
    *,
    script: str | None = SCRIPT,
    folder: str | None = None,
    backport: str | None = BACKPORT,
    **changes: Any,
) -> Path:
    """A failure's folder, complete and without a fault, changed by keyword; returns the folder."""
    record = RECORD | changes
    place = root / (folder or str(record["id"]))
    place.mkdir(parents=True)
    (place / "failure.yaml").write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    if script is not None:
        (place / "repro.py").write_text(script, encoding="utf-8")
    if backport is not None:
        for item in record["backports"]:
            (place / item["file"]).write_text(backport, encoding="utf-8")
    return place


def entry(root: Path, **changes: Any) -> Entry:
    """A failure with its folder below ``root``."""
    place = write_failure(root, **changes)
    held = {name: value for name, value in changes.items() if name in Failure.model_fields}
    return Entry(Failure.model_validate(RECORD | held), place)


MATRIX: dict[str, Any] = {
    "format": 1,
    "environments": {
        "old": {"cutoff": "2024-03-28", "pins": {"torch": "2.2.2", "lightning": "2.2.1"}, "why": "affected"},
        "new": {"cutoff": "2024-04-12", "pins": {"torch": "2.2.2", "lightning": "2.2.2"}, "why": "fixed"},
    },
    "runs": {FAILURE: {"environments": ["old", "new"], "backports": {"old": ["cure"]}}},
}


def matrix(**changes: Any) -> Matrix:
    return Matrix.model_validate(MATRIX | changes)


def lock_text(name: str, pins: Mapping[str, str], cutoff: str, python: str = "3.11") -> str:
    """A lock as `repro lock` writes it: two layers, hashes for all but torch."""
    pinned = " ".join(f"{package}=={version}" for package, version in sorted(pins.items()))
    libraries = [
        f"{package}=={version} \\\n    --hash=sha256:{'a' * 64}"
        for package, version in pins.items()
        if package != "torch"
    ]
    return "\n".join(
        [
            "# repro lock, format 1; written by `repro lock`, not by hand",
            f"# environment: {name}",
            f"# python: {python}",
            f"# cutoff: {cutoff}",
            f"# pins: {pinned}",
            "",
            "# torch layer: installed first, its build is the machine's choice",
            f"torch=={pins['torch']}",
            "",
            "# libraries",
            *libraries,
            "",
        ]
    )


def project(root: Path, *, content: Mapping[str, Any] = MATRIX, failures: bool = True) -> Project:
    """A project on disk with one failure, two environments and their locks."""
    made = Project(root / "failures", root / "matrix.yaml", root / "locks", root / "reports", root / "cache")
    made.failures.mkdir(parents=True)
    made.locks.mkdir()
    if failures:
        write_failure(made.failures)
    made.matrix_file.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    for name, environment in content["environments"].items():
        text = lock_text(name, environment["pins"], environment["cutoff"])
        (made.locks / f"{name}.txt").write_text(text, encoding="utf-8")
    return made


def write_pack(folder: Path, lightning: str = "2.2.1", python: str = "3.11") -> Path:
    """A pack of the environment ``old`` with a wheel of lightning, which no test unpacks."""
    wheel = Wheel(file="lightning.whl", distribution="lightning", version=lightning, sha256="0" * 64)
    old = PackedEnvironment(lock="0" * 64, wheels=(wheel.file,), left={})
    facts: dict[str, Any] = {"python": python, "platform": "any", "harness": (), "project": "0" * 64}
    folder.mkdir()
    (folder / "pack.json").write_text(Pack(wheels=(wheel,), environments={"old": old}, **facts).model_dump_json())
    return folder


def interpreter(**changes: Any) -> Interpreter:
    """This interpreter, said to hold the distributions of VERSIONS."""
    facts: dict[str, Any] = {
        "executable": Path(sys.executable),
        "installed": installed(),
        "libraries": ("/venv/lib/python3.11/site-packages",),
        "stdlib": ("/usr/lib/python3.11",),
        "prefix": "/venv",
        "adopted": False,
    }
    return Interpreter(**facts | changes)


def journal(file: Path) -> list[dict[str, Any]]:
    """The events of a rank's journal, every line of which must be whole."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
