"""A complete failure: every kind of fault that the checker knows, told with file, line and remedy."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import load
from repro.catalog.check_failure import MAX_LINES, EntryCheck
from repro.model.errors import Fault
from repro.model.matrix import Matrix
from tests.unit.factories import FAILURE, RECORD, REJECTION, SCRIPT, matrix, write_failure

Check = Callable[..., list[Fault]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """The faults of a failure that is complete but for the given changes."""

    def checked(
        *, held: Matrix | None = None, tests: Path | None = None, remove: str = "", **changes: Any
    ) -> list[Fault]:
        folder = write_failure(tmp_path / "failures", **changes)
        if remove:
            (folder / remove).unlink()
        return list(EntryCheck(load(tmp_path / "failures")[FAILURE], held or matrix(), tests).faults())

    return checked


def only(faults: list[Fault]) -> Fault:
    (fault,) = faults
    return fault


class TestComplete:
    """A complete failure has no fault."""

    def test_no_fault(self, check: Check) -> None:
        """The builders' failure is complete."""
        assert check() == []

    def test_world_size_is_no_flag(self, check: Check) -> None:
        """The built-in factor is the harness's: the script needs no flag for it."""
        factors = [*RECORD["factors"], {"name": "world-size", "values": ["2", "1"], "meaning": "ranks"}]
        assert check(factors=factors) == []


class TestRanges:
    """What a record says of Python, and of what must be absent."""

    @pytest.mark.parametrize(("python", "said"), [(">=3.11", []), (">=3.12", ["no default environment is affected"])])
    def test_python_beside_a_library(self, check: Check, python: str, said: list[str]) -> None:
        """The Python of the matrix's environments decides whether a default cell is affected."""
        found = check(affected=[{"lightning": ">=2.1.0,<2.2.2", "python": python}])
        assert [fault.problem for fault in found] == said

    @pytest.mark.parametrize(
        ("changes", "key", "problem"),
        [
            ({"affected": [*RECORD["affected"], {"python": ">=3.12"}]}, "affected.1", "names no release"),
            ({"affected": [*RECORD["affected"], {"numpy": "absent"}]}, "affected.1", "names no release"),
            (
                {"rejected": [{**REJECTION, "releases": {"python": ">=3.12"}}]},
                "rejected.0.releases",
                "names no release",
            ),
            ({"needs": {"distributions": {"python": ">=3.12"}}}, "needs.distributions.python", "is no distribution"),
            (
                {
                    "affected": [*RECORD["affected"], {"lightning": "<3", "numpy": "absent"}],
                    "needs": {"distributions": {"numpy": ">=1"}},
                },
                "needs.distributions.numpy",
                "its absence decides",
            ),
            ({"cures": [{"upgrade": {"numpy": "absent"}}]}, "cures.0.upgrade.numpy", "is no release"),
        ],
        ids=["python-alone", "absent-alone", "rejected", "needs-python", "needs-absent", "cure"],
    )
    def test_refused(self, check: Check, changes: dict[str, Any], key: str, problem: str) -> None:
        """A range without a library says of no release who has it."""
        fault = only(check(**changes))
        assert (fault.key, problem in fault.problem) == (key, True)


class TestScript:
    """What is asked of ``repro.py``."""

    def test_missing(self, check: Check) -> None:
        """A failure without its reproduction."""
        fault = only(check(script=None))
        assert (fault.file.name, fault.problem) == ("repro.py", "is missing")

    def test_syntax(self, check: Check) -> None:
        """Broken Python is named with its line."""
        fault = only(check(script=SCRIPT + "def x(:\n"))
        assert fault.line == len(SCRIPT.splitlines()) + 1
        assert "not valid Python" in fault.problem

    def test_length(self, check: Check) -> None:
        """A reproduction is minimal."""
        assert f"at most {MAX_LINES}" in only(check(script=SCRIPT + "\n" * MAX_LINES)).remedy

    @pytest.mark.parametrize(
        "statement", ["import pandas", "from deepspeed.ops import x", "import torch.x, wandb", "from . import x"]
    )
    def test_foreign_import(self, check: Check, statement: str) -> None:
        """Only the libraries that it is about, and the standard library."""
        fault = only(check(script=SCRIPT.replace("import torch\n", f"import torch\n{statement}\n")))
        assert (fault.line, fault.problem.split()[0]) == (10, "imports")

    @pytest.mark.parametrize("how", ["record", "metadata"])
    def test_own_library(self, check: Check, how: str) -> None:
        """A library that the record or the script's metadata names may be imported, whichever it is."""
        script = SCRIPT.replace("import torch\n", "import torch\nimport torch_geometric\n")
        if how == "record":
            assert check(script=script, needs={"distributions": {"torch-geometric": ">=2"}}) == []
        else:
            named = script.replace('"lightning==2.2.1"]', '"lightning==2.2.1", "Torch_Geometric"]')
            assert check(script=named) == []

    @pytest.mark.parametrize(
        ("content", "problem"), [(b"\0", "null"), (b"\xff", "UTF-8"), (b"(" * 10_000, "not valid")]
    )
    def test_hostile(self, tmp_path: Path, content: bytes, problem: str) -> None:
        """A script that Python's parser cannot bear is a fault, never a traceback."""
        folder = write_failure(tmp_path / "failures")
        (folder / "repro.py").write_bytes(content)
        faults = list(EntryCheck(load(tmp_path / "failures")[FAILURE], matrix(), None).faults())
        assert problem in only(faults).problem

    def test_fifo(self, tmp_path: Path) -> None:
        """A FIFO in place of a script does not stop the check."""
        folder = write_failure(tmp_path / "failures")
        for name in ("repro.py", "backport.py"):
            (folder / name).unlink()
            os.mkfifo(folder / name)
        faults = list(EntryCheck(load(tmp_path / "failures")[FAILURE], matrix(), None).faults())
        assert [fault.problem for fault in faults] == ["is a FIFO; a regular file is expected"] * 2

    def test_import_in_a_block(self, check: Check) -> None:
        """An import inside a block would hide a missing package in the run."""
        fault = only(
            check(script=SCRIPT.replace("    parser.parse_args()\n", "    import json\n    parser.parse_args()\n"))
        )
        assert (fault.line, fault.problem) == (15, "imports inside a block")

    def test_no_metadata(self, check: Check) -> None:
        """The failing pins stand at the top, for whoever runs the script by hand."""
        assert "PEP 723" in only(check(script=SCRIPT.replace("# /// script", "# script"))).problem

    @pytest.mark.parametrize(
        "pins",
        ['["torch==2.2.2", "lightning==2.2.2"]', '["torch==2.2.2"]', '["lightning>=2.2.1"]', '["lightning==2.2.*"]'],
    )
    def test_pins_no_affected_release(self, check: Check, pins: str) -> None:
        """The pins must name a release that shows the failure."""
        script = SCRIPT.replace('["torch==2.2.2", "lightning==2.2.1"]', pins)
        assert only(check(script=script)).problem == "pins no affected release"

    @pytest.mark.parametrize("pins", ['["torch==2.2.2"', '["torch==2.2.2 ,,"]'])
    def test_unreadable_metadata(self, check: Check, pins: str) -> None:
        """Metadata that is no TOML, or holds no requirement."""
        script = SCRIPT.replace('["torch==2.2.2", "lightning==2.2.1"]', pins)
        assert "cannot be read" in only(check(script=script)).problem

    def test_silent(self, check: Check) -> None:
        """A script that never says its oracle's words can never be absent."""
        assert "oracle passed" in only(check(script=SCRIPT.replace("oracle passed: ", "passed "))).problem


class TestFlags:
    """Factors of the record and flags of the script are the same."""

    def test_no_flag(self, check: Check) -> None:
        """A factor without its flag: the record's line is named, and the nearest flag."""
        factors = [{"name": "state-dict-typ", "values": ["sharded", "full"], "meaning": "x"}]
        faults = check(factors=factors)
        assert {fault.file.name for fault in faults} == {"failure.yaml", "repro.py"}
        mine = next(fault for fault in faults if fault.file.name == "failure.yaml")
        assert (mine.key, mine.remedy) == ("factors.0.name", "did you mean 'state-dict-type'?")
        assert mine.line > 1

    def test_other_values(self, check: Check) -> None:
        """Other choices than the record's values."""
        assert "sharded, half" in only(check(script=SCRIPT.replace('"full"', '"half"'))).problem

    def test_other_default(self, check: Check) -> None:
        """Another default than the failing value, or none at all."""
        assert "'full' by default" in only(check(script=SCRIPT.replace('default="sharded"', 'default="full"'))).problem

    def test_no_default(self, check: Check) -> None:
        """A flag without a default does not fail by default."""
        assert "None by default" in only(check(script=SCRIPT.replace(', default="sharded"', ""))).problem

    def test_unknown_flag(self, check: Check) -> None:
        """A flag that the record does not name cannot be swept."""
        more = '    parser.add_argument("--steps", default="1")\n    parser.parse_args()\n'
        fault = only(check(script=SCRIPT.replace("    parser.parse_args()\n", more)))
        assert (fault.line, fault.problem) == (15, "--steps is no factor of the record")


class TestBackports:
    """A cure and a placebo, each with its file."""

    def test_no_cure(self, check: Check) -> None:
        """Without a cure the cause is not proved; without a placebo the cure is not."""
        placebo = RECORD["backports"][1]
        assert "no backport cures" in only(check(backports=[placebo], held=_without_backports())).problem

    def test_no_placebo(self, check: Check) -> None:
        """Every backport cures: nothing shows that it is the content that does."""
        assert "no placebo" in only(check(backports=[RECORD["backports"][0]])).problem

    def test_missing_file(self, check: Check) -> None:
        """A backport whose file is not there."""
        fault = only(check(remove="placebo.py"))
        assert (fault.key, fault.problem) == ("backports.1.file", "placebo.py is missing")

    @pytest.mark.parametrize("source", ["x = 1\n", "class A:\n    def apply(self): ...\n", "def apply(x): ...\n"])
    def test_no_apply(self, check: Check, source: str) -> None:
        """A backport is applied by its ``apply()``."""
        faults = check(backport=source)
        assert {fault.problem.split()[1] for fault in faults} == {"defines"}
        assert len(faults) == 3

    def test_cure_names_a_backport(self, check: Check) -> None:
        """A cure names a backport that cures."""
        assert "placebo" in only(check(cures=[{"backport": "placebo"}])).problem


def _without_backports() -> Matrix:
    return matrix(runs={FAILURE: {"environments": ["old", "new"]}})


class TestClaims:
    """Evidence names what exists."""

    @pytest.mark.parametrize(
        ("evidence", "key", "remedy"),
        [
            ({"environment": "odl"}, "environment", "did you mean 'old'?"),
            ({"backport": "cuer"}, "backport", "did you mean 'cure'?"),
            ({"factors": {"state-dict": "full"}}, "factors.state-dict", "did you mean 'state-dict-type'?"),
            ({"factors": {"state-dict-type": "ful"}}, "factors.state-dict-type", "did you mean 'full'?"),
        ],
    )
    def test_unknown_name(self, check: Check, evidence: dict[str, Any], key: str, remedy: str) -> None:
        """Environment, backport, factor and value, each with the nearest name."""
        claim = {
            "id": "c", "kind": "cause", "statement": "s", "verdict": "confirmed",
            "evidence": [{"environment": "old", "predicts": "absent"} | evidence],
        }  # fmt: skip
        fault = only(check(claims=[claim]))
        assert (fault.key, fault.remedy) == (f"claims.0.evidence.0.{key}", remedy)
        assert fault.line > 20


class TestMatrix:
    """Every failure runs somewhere, on an affected release too."""

    def test_nowhere(self, check: Check) -> None:
        """A failure that the matrix does not run."""
        assert "runs it nowhere" in only(check(held=matrix(runs={}))).problem

    def test_no_affected_environment(self, check: Check) -> None:
        """Fixed releases alone would never show the failure."""
        held = matrix(runs={FAILURE: {"environments": ["new"]}})
        assert only(check(held=held)).problem == "no default environment is affected"

    def test_unknown_backport(self, check: Check) -> None:
        """A backport that the record does not define."""
        held = matrix(runs={FAILURE: {"environments": ["old"], "backports": {"old": ["cure", "magic"]}}})
        assert "'magic'" in only(check(held=held)).problem


class TestMatchedTest:
    """Each failure has its matched pytest."""

    def test_missing(self, check: Check, tmp_path: Path) -> None:
        """It is named, with the place where it belongs; what it must hold is told in ``test_tested``."""
        fault = only(check(tests=tmp_path))
        assert (fault.file, fault.problem) == (
            tmp_path / "test_lightning_19492.py",
            "the matched pytest of lightning-19492 is missing",
        )


def test_several_at_once(check: Check) -> None:
    """All faults of a failure are told at once."""
    faults = check(
        script=SCRIPT.replace("oracle passed: ", "").replace('"full"', '"half"'),
        remove="placebo.py",
        held=matrix(runs={}),
    )
    assert len(faults) == 4
