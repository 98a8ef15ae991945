"""The pytest plugin in an environment under test: what it says is what a run shows."""

import subprocess
import sysconfig
from pathlib import Path
from shutil import copytree

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.model.verdict import Expectation
from repro.testing.venue import expected

PROJECT = Project.here()
NEWEST = max(PROJECT.matrix.environments, key=lambda name: PROJECT.matrix.environments[name].cutoff)
"""Ours needs libraries that are no older than itself."""
CELLS = [
    cell
    for cell in default_cells(PROJECT.matrix, PROJECT.catalog)
    if cell.environment.label == NEWEST and cell.backport is None and PROJECT.catalog[cell.failure].failure.rate is None
]
"""One run decides each: a failure with a rate would be run many times."""
START = "import sys; sys.path += {paths!r}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
SOURCE = "import pytest\n\n@pytest.mark.known_failure({failure!r})\ndef test_it():\n    raise KeyError\n"


def ran(failure: str, folder: Path, option: str) -> str:
    """The output of pytest in the newest environment, with ours behind its own, on a catalogue of one failure."""
    copytree(PROJECT.catalog[failure].folder, folder / "catalog" / failure)
    (folder / "test_it.py").write_text(SOURCE.format(failure=failure))
    python = str(PROJECT.environments.interpreter(NEWEST).executable)
    start = START.format(paths=[str(PACKAGE.parent), sysconfig.get_path("purelib")])
    plugins = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "repro.testing.plugin"]
    arguments = [python, "-c", start, *plugins, "--repro-catalog", "catalog", option, "test_it.py"]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=folder, timeout=600).stdout


def test_seen(tmp_path: Path) -> None:
    """Where a failure is documented it is run and seen, and the marked test waits."""
    affected = next(cell for cell in CELLS if expected(PROJECT, cell) is Expectation.REPRODUCED)
    told = ran(affected.failure, tmp_path, "--repro-run")
    assert "repro doctor: 1 of 1 documented failures concern this environment" in told
    assert "    suffers: " in told
    assert "1 xfailed" in told


def test_not_affected(tmp_path: Path) -> None:
    """Where it is mended nothing is said of it, and the marked test is red."""
    mended = next(cell for cell in CELLS if expected(PROJECT, cell) is not Expectation.REPRODUCED)
    told = ran(mended.failure, tmp_path, "--repro-doctor")
    assert "repro doctor" not in told
    assert "1 failed" in told
