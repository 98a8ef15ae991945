"""A library that is made up, its distribution, and a catalogue with one failure of it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.factories import RECORD, write_failure

ID = "toylib-7"
CURE = '''\
"""Cures it.  Before the job: ``import backport; backport.apply()``."""


def apply() -> None:
    import toylib

    toylib.answer += 1
'''
BACKPORTS = [
    {"name": "placebo", "file": "placebo.py", "meaning": "nothing", "cures": False},
    {"name": "cure", "file": "backport.py", "meaning": "one more", "cures": True},
    {"name": "other", "file": "other.py", "meaning": "one more, otherwise", "cures": True},
]

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install toylib in a version, for this process."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def installed(version: str) -> None:
        info = site / "toylib-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toylib\nVersion: {version}\n")
        (site / "toylib.py").write_text("answer = 41\n")

    yield installed
    for name in [name for name in sys.modules if name == "toylib" or name.startswith("repro.backports.applied.")]:
        del sys.modules[name]


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A catalogue of one failure, which toylib has from 1.0 to 2.0."""
    root = tmp_path / "failures"
    assert RECORD["id"] != ID
    changes: dict[str, Any] = {
        "affected": [{"toylib": ">=1.0,<2.0"}],
        "fixed_in": {"toylib": "2.0"},
        "cures": [{"backport": "other"}],
    }
    write_failure(root, id=ID, backports=BACKPORTS, backport=CURE, **changes)
    return root
