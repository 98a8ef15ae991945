"""Backports as a library, in the environments under test: applied where they belong, refused where they do not.

That each cures is shown by the matched pytests; here the way to it is tested, as a user goes it.
"""

import json
import subprocess
import sysconfig
import threading
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from repro.backports.export import exported
from repro.backports.find import find
from repro.catalog.catalog import load
from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.launch.session import Session
from repro.launch.slots import Slots
from repro.launch.warm import WarmLauncher
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.verdict import Expectation, Status
from repro.store.observations import Store
from repro.testing.venue import expected

PROJECT = Project.here()
CELLS = default_cells(PROJECT.matrix, PROJECT.catalog, lane=Lane.CPU)
SCRIPT = """\
import json, sys, warnings
sys.path += {paths!r}  # ours, and what it needs, behind the environment's own
import repro.backports
told = {{}}
for failure in {failures!r}:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            repro.backports.apply(failure)
            repro.backports.apply(failure)
        except repro.backports.NotAffectedError as error:
            told[failure] = ["refused", str(error)]
        else:
            ours = [item for item in said if item.category is repro.backports.BackportWarning]
            told[failure] = ["applied", len(ours)]
print(json.dumps([told, "torch" in sys.modules]))
"""


def where(expectations: set[Expectation]) -> dict[str, list[str]]:
    """Environment -> failures: of each failure one default environment of that kind, in few environments.

    Where several environments decide together, one says nothing: a backport is applied on the affected side alone.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for cell in CELLS:
        if PROJECT.catalog[cell.failure].failure.depends_on_roles:
            continue
        if cell.backport is None and expected(PROJECT, cell) in expectations:
            wanted[cell.environment.label].add(cell.failure)
    chosen: dict[str, list[str]] = {}
    while any(wanted.values()):
        name = max(wanted, key=lambda name: len(wanted[name]))
        chosen[name] = sorted(wanted[name])
        wanted = {other: failures - set(chosen[name]) for other, failures in wanted.items()}
    return chosen


AFFECTED = where({Expectation.REPRODUCED})
OTHERS = where({Expectation.ABSENT, Expectation.REJECTED})


def told(environment: str, failures: list[str]) -> tuple[dict[str, list[object]], bool]:
    """What the library did for each failure there, and whether torch was imported."""
    python = PROJECT.environments.interpreter(environment).executable
    script = SCRIPT.format(paths=[str(PACKAGE.parent), sysconfig.get_path("purelib")], failures=failures)
    with Slots.here(PROJECT.cache).take(1, threading.Event()):
        ended = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found, imported = json.loads(ended.stdout.splitlines()[-1])
    return found, imported


@pytest.mark.parametrize("environment", AFFECTED)
def test_applied(environment: str) -> None:
    """Where its releases are affected each is applied, once, with one warning; they do not hinder one another."""
    found, imported = told(environment, AFFECTED[environment])
    assert found == {failure: ["applied", 1] for failure in AFFECTED[environment]}
    assert imported


@pytest.mark.parametrize("environment", OTHERS)
def test_refused(environment: str) -> None:
    """Where they are not each is refused in one line, and no library is imported, let alone changed."""
    found, imported = told(environment, OTHERS[environment])
    assert {failure: how for failure, (how, _) in found.items()} == dict.fromkeys(OTHERS[environment], "refused")
    assert not imported


def one_a_distribution() -> list[Cell]:
    """The first default cell with a backport of each distribution at fault."""
    chosen: dict[str, Cell] = {}
    for cell in CELLS:
        if cell.backport is not None:
            chosen.setdefault(next(iter(PROJECT.catalog[cell.failure].failure.affected[0])), cell)
    return list(chosen.values())


@pytest.mark.parametrize("cell", one_a_distribution(), ids=lambda cell: cell.label)
def test_exported_cures(cell: Cell, tmp_path: Path, warm: WarmLauncher) -> None:
    """The exported file alone cures the failing release, as the backport does that it is made from."""
    assert cell.backport is not None
    folder = copytree(PROJECT.catalog[cell.failure].folder, tmp_path / "failures" / cell.failure)
    backport = find(cell.failure, cell.backport)
    (folder / backport.file.name).write_text(exported(backport), encoding="utf-8")
    project = replace(PROJECT, failures=tmp_path / "failures")
    assert load(tmp_path / "failures")[cell.failure].folder == folder
    (result,) = Session(project, Store(tmp_path / "store"), warm=warm).run([cell])
    assert result.status is Status.AS_DOCUMENTED, result.judgement
