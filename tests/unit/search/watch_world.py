"""A small world for watches: a served index, real uv and wheels, real ranks; torch is a few lines of ours."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.environments.resolve import resolve
from repro.files import write_whole
from repro.launch.session import Options, Session
from repro.model.cell import make_cell
from repro.model.verdict import Verdict
from repro.store.observations import Store
from tests.unit.launch.fake import TORCHRUN
from tests.unit.search.local_index import LocalIndex, Published, served

STORE = "class TCPStore:\n    port = 29500\n    def __init__(self, *_, **__): ...\n"
TORCH = Published(
    "torch",
    "2.2.2",
    "2025-01-01",
    {
        "torch/__init__.py": "__version__ = '2.2.2'\n",
        "torch/distributed/__init__.py": STORE,
        "torch/distributed/run.py": TORCHRUN,
    },
)
SCRIPT = """\
import torch
import tool

def main():
    tool.{name}()
    print("oracle passed: {name} is whole")

if __name__ == "__main__":
    main()
"""


def record(name: str, affected: str, state: str) -> str:
    """A record of a function of ``tool`` that raises."""
    signature = {"type": "ValueError", "message": f"{name} is broken", "function": name, "library": "tool"}
    content = {
        "format": 1,
        "id": f"tool-{name}",
        "title": f"{name} is broken",
        "summary": "It raises.",
        "kind": "crash",
        "upstream": {"state": state},
        "affected": [{"tool": affected}],
        "needs": {"world_size": 1, "lanes": ["cpu"]},
        "signature": {**signature, "ranks": "all"},
    }
    return yaml.safe_dump(content, sort_keys=False)


def in_folder(root: Path, cache: Path) -> Project:
    return Project(root / "failures", root / "matrix.yaml", root / "locks", root / "reports", cache)


@contextmanager
def watched_world(
    root: Path, releases: Sequence[Published], matrix: dict[str, Any], records: Mapping[str, tuple[str, Verdict]]
) -> Iterator[Project]:
    """A served index, and a project whose environment ``newest`` is locked; each record was run there.

    ``records`` says what each affects, and what it shows in the locked environment.
    """
    with served(LocalIndex(list(releases))) as index, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_INDEX", index.address)
        patch.setenv("UV_CACHE_DIR", str(root / "uv"))
        patch.setenv("UV_PYTHON_DOWNLOADS", "never")
        for name in ("UV_FIND_LINKS", "UV_TORCH_BACKEND", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        made = in_folder(root / "project", root / "cache")
        for name, (affected, _) in records.items():
            folder = made.failures / f"tool-{name}"
            write_whole(folder / "failure.yaml", record(name, affected, "open"))
            write_whole(folder / "repro.py", SCRIPT.format(name=name))
        write_whole(made.matrix_file, yaml.safe_dump(matrix, sort_keys=False))
        lock = resolve("newest", made.matrix.environments["newest"], made.matrix)
        write_whole(made.locks / "newest.txt", lock.text)
        cells = [make_cell(entry.failure, "newest") for entry in made.catalog]
        found = Session(made, Store(made.reports / "data"), Options()).run(cells)
        shown = {result.cell.failure: result.verdict for result in found}
        expected = {f"tool-{name}": verdict for name, (_, verdict) in records.items()}
        assert shown == expected, [result.judgement for result in found]
        yield made
