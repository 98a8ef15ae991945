"""What a matched pytest gets without writing it: its cells and one test a claim.  Collected only, nothing runs."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from repro.files import PACKAGE
from repro.launch.devices import Devices
from repro.launch.session import Session
from repro.model.cell import Cell
from repro.testing import matched
from repro.testing import options as options_
from repro.verdict.result import Result
from tests.unit.factories import FAILURE, MATRIX, lock_text, write_failure, write_pack

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
CLAIMS = [
    {"id": "taste", "kind": "opinion", "statement": "s", "verdict": "untestable", "comment": "a matter of taste"},
    {"id": "style", "kind": "opinion", "statement": "s", "verdict": "untestable", "comment": "another one"},
]
NAMES = ["backported", "claim", "correct", "failing", "laboratory", "result", "warm"]
HOOKS = ["pytest_collection_modifyitems", "pytest_generate_tests", "pytest_pycollect_makeitem"]


@pytest.fixture
def collected(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A catalogue elsewhere with one failure, its matrix and its locks, and a conftest beside its tests."""
    root = pytester.path
    write_failure(root, claims=CLAIMS)
    pytester.makefile(".yaml", matrix=yaml.safe_dump(MATRIX))
    (root / "locks").mkdir()
    for name, environment in MATRIX["environments"].items():
        (root / "locks" / f"{name}.txt").write_text(lock_text(name, environment["pins"], environment["cutoff"]))
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest")  # whose summary takes seconds
    pytester.makeconftest(f"from {matched.__name__} import {', '.join(NAMES + HOOKS)}")
    monkeypatch.setenv("REPRO_CATALOG", str(root))
    return pytester


def names(pytester: pytest.Pytester, source: str) -> list[str]:
    items, _ = pytester.inline_genitems(pytester.makepyfile(test_it=source))
    return [item.name for item in items]


def test_cells(collected: pytest.Pytester) -> None:
    """Failing, fixed and backported cells in each lane, by the versions in the locks; a test for each claim."""
    source = f'FAILURE = "{FAILURE}"\n' + "".join(
        f"def test_{name}({name}): pass\n" for name in ("failing", "correct", "backported")
    )
    assert sorted(names(collected, source)) == [
        "test_backported[old +cure]",
        "test_backported[old cuda +cure]",
        "test_claim[style]",
        "test_claim[taste]",
        "test_correct[new cuda]",
        "test_correct[new]",
        "test_failing[old cuda]",
        "test_failing[old]",
    ]


def test_a_catalogue_of_its_own(collected: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conftest of `repro new` names its catalogue: pytest needs no option, and one that is given counts."""
    monkeypatch.delenv("REPRO_CATALOG")
    folder = collected.mkdir("tests")
    (folder / "conftest.py").write_text((PACKAGE / "catalog" / "templates" / "conftest.py.j2").read_text())
    (folder / "test_it.py").write_text(f'FAILURE = "{FAILURE}"\n')
    (collected.path / "conftest.py").unlink()
    collected.runpytest_inprocess("tests").assert_outcomes(passed=2)
    monkeypatch.setenv("REPRO_CATALOG", str(collected.mkdir("other")))
    collected.runpytest_inprocess("tests").assert_outcomes(errors=1)


def test_own_test_of_the_claims(collected: pytest.Pytester) -> None:
    """A module that writes its own is left alone: nothing is tested twice."""
    source = f'FAILURE = "{FAILURE}"\ndef test_claim(claim): pass\n'
    assert names(collected, source) == ["test_claim[taste]", "test_claim[style]"]


def test_a_claim_runs(collected: pytest.Pytester) -> None:
    """The shared test tells what was found: a claim without evidence is untestable, as published."""
    collected.makepyfile(test_it=f'FAILURE = "{FAILURE}"\n')
    collected.runpytest_inprocess().assert_outcomes(passed=2)


@pytest.mark.parametrize(("devices", "reason"), [((), "needs 2 CUDA devices, found 0"), (("0",), "*found 1")])
def test_too_few_devices(
    collected: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, devices: tuple[str, ...], reason: str
) -> None:
    """``-m gpu`` selects the CUDA lane; each test is skipped with the number of devices, and nothing is built."""
    monkeypatch.setattr(Devices, "here", lambda folder: Devices(folder, devices))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    collected.makepyfile(test_it=f'FAILURE = "{FAILURE}"\ndef test_failing(failing): pass\n')
    ran = collected.runpytest_inprocess("-m", "gpu", "-rs")
    ran.assert_outcomes(skipped=1, deselected=3)
    ran.stdout.fnmatch_lines([f"SKIPPED*{reason}"])


def test_result_in_reports(
    collected: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With devices the cell runs in the CUDA lane, on the pack, and its observation stays with ``--reports``."""
    monkeypatch.setattr(Devices, "here", lambda folder: Devices(folder, ("0", "1")))
    ran: list[tuple[str, Path]] = []

    def run(self: Session, cells: Sequence[Cell]) -> list[Result]:
        ran.extend((cell.label, self.store.root) for cell in cells)
        pytest.skip("no rank starts in this test")

    monkeypatch.setattr(Session, "run", run)
    pack = write_pack(tmp_path_factory.mktemp("node") / "pack", python=HERE)
    collected.makepyfile(test_it=f'FAILURE = "{FAILURE}"\ndef test_failing(failing): pass\n')
    options = ["-p", options_.__name__, "-m", "gpu", "--overlay", str(pack), "--reports", "back"]
    collected.runpytest_inprocess(*options).assert_outcomes(skipped=1, deselected=3)
    assert ran == [(f"{FAILURE} overlay:old cuda", Path("back/data"))]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--overlay", "nowhere"], "nowhere/pack.json: cannot be read"),
        (["--python", "nowhere"], "nowhere"),
    ],
)
def test_mistakes(collected: pytest.Pytester, options: list[str], words: str) -> None:
    """A missing pack or interpreter is one line before anything is collected."""
    ran = collected.runpytest_inprocess("-p", options_.__name__, *options)
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([f"ERROR: *{words}*"])


def test_no_failure_named(collected: pytest.Pytester) -> None:
    """Other modules get nothing."""
    assert names(collected, "def test_it(): pass\n") == ["test_it"]


def test_one_worker(collected: pytest.Pytester) -> None:
    """pytest-xdist keeps the tests of a failure in one worker: they share cells."""
    source = f"""
        import os
        import pytest

        FAILURE = "{FAILURE}"

        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            with open("workers", "a") as file:
                print(os.environ["PYTEST_XDIST_WORKER"], file=file)
    """
    collected.makepyfile(test_it=source)
    collected.runpytest_subprocess("-n", "2", "--dist=loadgroup", "-k", "test_it[").assert_outcomes(passed=4)
    workers = (collected.path / "workers").read_text().split()
    assert len(workers) == 4
    assert len(set(workers)) == 1
