"""A catalogue of small failures, real uv environments without torch, and a real cluster to run them on."""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from repro.catalog.project import Project
from repro.environments.resolve import resolve
from repro.files import PACKAGE, write_whole
from repro.launch.session import Options
from repro.launch.slurm import spread
from repro.launch.slurm.batches import SlurmOptions
from repro.launch.slurm.spread import Spread
from repro.model.cell import Cell, make_cell
from repro.store.observations import Store
from repro.verdict.result import Result
from tests.slurm.cluster import Cluster, lacking, running, wait_for
from tests.unit.search.local_index import LocalIndex, Published, served
from tests.unit.search.watch_world import TORCH

SOURCE = "__version__ = '1.0'\n\ndef save():\n    raise ValueError('save is broken')\n"
TOOL = Published("tool", "1.0", "2025-01-01", {"tool/__init__.py": SOURCE})
MENDED = Published("tool", "1.1", "2025-07-01", {"tool/__init__.py": "__version__ = '1.1'\n\ndef save():\n    pass\n"})
"""The release that repairs it, younger than the locked environment."""
SCRIPT = """\
import os, time
import torch
import tool

def main():
    {body}
    print("oracle passed: it is whole")

if __name__ == "__main__":
    main()
"""
BODIES = {
    "tool-1": "tool.save()",
    "tool-2": "pass",
    "tool-3": "print('on', os.environ.get('SLURMD_NODENAME'))",
    "tool-9": "open({gate!r} + '.began', 'a').write('x')\n    while not os.path.exists({gate!r}): time.sleep(0.05)",
}
"""What the ranks of each failure do; those of tool-9 wait until the gate is opened."""


def record(name: str) -> str:
    signature = {"type": "ValueError", "message": "save is broken", "function": "save", "library": "tool"}
    content = {
        "format": 1,
        "id": name,
        "title": "saving is broken",
        "summary": "It raises.",
        "kind": "crash",
        "upstream": {"state": "open"},
        "affected": [{"tool": "<2"}],
        "needs": {"world_size": 2, "lanes": ["cpu"]},
        "signature": {**signature, "ranks": "all"},
    }
    return yaml.safe_dump(content, sort_keys=False)


@dataclass
class Heard:
    """A listener that notes everything."""

    texts: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    def progress(self, text: str) -> None:
        self.texts.append(text)

    def started(self, cell: Cell) -> None:
        self.begun.append(cell.failure)

    def finished(self, result: Result) -> None:
        self.results.append(result)

    def skipped(self, cell: Cell, reason: str) -> None:
        self.texts.append(f"skipped {cell.label}: {reason}")


@dataclass
class Lab:
    """What a test runs cells with."""

    cluster: Cluster
    project: Project
    gate: Path
    heard: Heard = field(default_factory=Heard)

    @property
    def store(self) -> Store:
        return Store(self.project.reports / "data")

    @property
    def began(self) -> bool:
        """True once a rank waits at the gate."""
        return self.gate.with_name(f"{self.gate.name}.began").exists()

    def cells(self, *names: str, nodes: int = 1) -> list[Cell]:
        return [make_cell(self.project.catalog[name].failure, "small", nodes=nodes) for name in names]

    def spread(self, **options: object) -> Spread:
        slurm = SlurmOptions(jobs=int(str(options.pop("jobs", 8))))
        made = replace(Options(warm=False), **options)  # type: ignore[arg-type]
        return Spread(self.project, self.store, made, self.heard, slurm)

    def run(self, cells: Sequence[Cell], **options: object) -> list[Result]:
        return self.spread(**options).run(cells)

    def jobs(self) -> str:
        """The jobs that wait or run."""
        return self.cluster.call("squeue", "--noheader", "--format=%i")


class Background:
    """Runs cells in a thread, while the test does something to the cluster."""

    def __init__(self, lab: Lab, cells: Sequence[Cell]) -> None:
        self.results: list[Result] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(lab, cells), daemon=True)
        self._thread.start()

    def _run(self, lab: Lab, cells: Sequence[Cell]) -> None:
        try:
            self.results = lab.run(cells)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def wait(self, seconds: float = 60) -> None:
        self._thread.join(seconds)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One cluster for the tests of a file; nodes that a test killed are started again."""
    reason = lacking()
    if reason:
        pytest.skip(reason)
    # pytest's own folders are closed to the user of munged.
    with tempfile.TemporaryDirectory(prefix="repro-slurm-") as folder, running(Path(folder)) as made:
        yield made


@pytest.fixture(scope="session")
def index() -> Iterator[str]:
    with served(LocalIndex([TORCH, TOOL, MENDED])) as made:
        yield made.address


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str) -> Project:
    """The catalogue, with a lock; its environment is built by the first node that needs it."""
    monkeypatch.setenv("REPRO_INDEX", index)
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE.parent))
    for name in ("UV_FIND_LINKS", "UV_TORCH_BACKEND", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "catalogue"
    for name, body in BODIES.items():
        write_whole(folder / name / "failure.yaml", record(name))
        text = SCRIPT.format(body=body.format(gate=str(tmp_path / "gate")))
        write_whole(folder / name / "repro.py", text)
    small = {"cutoff": "2025-06-01", "pins": {"torch": "2.2.2", "tool": "1.0"}, "why": "small"}
    matrix = {
        "format": 1,
        "environments": {"small": small},
        "floating": {"small": {"libraries": ["torch", "tool"]}},
        "runs": {name: {"environments": ["small"]} for name in BODIES},
    }
    write_whole(folder / "matrix.yaml", yaml.safe_dump(matrix, sort_keys=False))
    project = Project.here(tmp_path / "reports", folder)
    lock = resolve("small", project.matrix.environments["small"], project.matrix)
    write_whole(project.locks / "small.txt", lock.text)
    return project


@pytest.fixture
def full_queue() -> Iterator[Cluster]:
    """A cluster that takes two jobs at most, and forgets those that have ended at once."""
    settings = "MaxJobCount=2\nMinJobAge=2"
    with tempfile.TemporaryDirectory(prefix="repro-slurm-") as folder, running(Path(folder), settings) as made:
        yield made


@pytest.fixture
def lab(cluster: Cluster, world: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    # A cluster of one's own may be asked often.
    for name, seconds in {"STATE_SECONDS": 0.5, "SETTLE_SECONDS": 2.0, "RETRY_SECONDS": 1.0}.items():
        monkeypatch.setattr(spread, name, seconds)
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/bin:/usr/sbin")
    made = Lab(cluster, world, tmp_path / "gate")
    yield made
    made.gate.touch()
    cluster.call("scancel", "--user=root")
    wait_for(lambda: not made.jobs(), "jobs that end")
