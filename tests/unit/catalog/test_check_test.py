"""The matched pytest of a failure: what it lacks is named, with the reason; it is read and never imported."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.check_test import called_for, faults_of
from tests.unit.factories import FAILURE, failure, matrix

CLAIM = {"id": "c", "kind": "opinion", "statement": "s", "verdict": "untestable", "comment": "a matter of taste"}
NAMED = f'raise SystemExit("never imported")\nFAILURE = "{FAILURE}"\n'
CONFTEST = "from repro.testing.matched import claim, pytest_pycollect_makeitem\n"


def written(*fixtures: str, name: str = "test_it") -> str:
    return f"def {name}({', '.join(fixtures)}):\n    pass\n"


WHOLE = NAMED + written("failing") + written("correct") + written("backported", "tmp_path") + written("claim")


def faults(folder: Path, source: str, conftest: str | None = None, **changes: Any) -> list[str]:
    (folder / "test_lightning_19492.py").write_text(source)
    if conftest is not None:
        (folder / "conftest.py").write_text(conftest)
    return [str(fault) for fault in faults_of(failure(**{"claims": [CLAIM]} | changes), matrix(), folder)]


class TestCalledFor:
    """What the record and the matrix call for."""

    def test_all(self) -> None:
        """An affected and a fixed environment, a backport, a claim."""
        assert set(called_for(failure(claims=[CLAIM]), matrix())) == {"failing", "correct", "backported", "claim"}

    def test_affected_everywhere(self) -> None:
        """Nothing is right anywhere, no backport runs, nothing is claimed."""
        held = matrix(runs={FAILURE: {"environments": ["old"], "backports": {"old": []}}})
        assert set(called_for(failure(), held)) == {"failing"}

    def test_nowhere(self) -> None:
        """What runs nowhere calls for no cell."""
        assert called_for(failure(), matrix(runs={})) == {}


class TestFaults:
    """Each fault with its file and what to do."""

    def test_whole(self, tmp_path: Path) -> None:
        """The old form, which writes its own test of the claims."""
        assert faults(tmp_path, WHOLE) == []

    def test_shared_claims(self, tmp_path: Path) -> None:
        """The claims are tested by the conftest's hook."""
        assert faults(tmp_path, WHOLE.replace(written("claim"), ""), CONFTEST) == []

    def test_in_a_class(self, tmp_path: Path) -> None:
        """Tests of a class count."""
        indented = written("self", "failing").replace("def", "    def").replace("    pass", "        pass")
        assert faults(tmp_path, WHOLE.replace(written("failing"), f"class TestIt:\n{indented}")) == []

    @pytest.mark.parametrize("fixture", ["failing", "correct", "backported", "claim"])
    def test_lacking(self, tmp_path: Path, fixture: str) -> None:
        """A claim without a test is a fault, and so is a release without one; a helper is no test."""
        source = "\n".join(
            [NAMED, *(written(name) for name in ("failing", "correct", "backported", "claim") if name != fixture)]
        )
        (fault,) = faults(
            tmp_path, source + written(fixture, name="helper"), "from repro.testing.matched import claim\n"
        )
        assert fault.startswith(f"{tmp_path / 'test_lightning_19492.py'}: no test takes `{fixture}`, and ")

    def test_reason(self, tmp_path: Path) -> None:
        """The reason names the environment."""
        (fault,) = faults(tmp_path, WHOLE.replace("correct", "tmp_path"))
        assert "matrix.yaml runs it on new, which is not affected" in fault

    @pytest.mark.parametrize(("source", "found"), [("", "None"), (NAMED.replace("19492", "1"), "'lightning-1'")])
    def test_about_another(self, tmp_path: Path, source: str, found: str) -> None:
        """A copy whose name was not changed tests another failure's cells."""
        (fault,) = faults(tmp_path, source + written("failing"))
        assert f'FAILURE: is {found}; write FAILURE = "{FAILURE}"' in fault

    def test_missing(self, tmp_path: Path) -> None:
        """No file at all."""
        (fault,) = [str(fault) for fault in faults_of(failure(), matrix(), tmp_path)]
        file = tmp_path / "test_lightning_19492.py"
        assert fault == f"{file}: the matched pytest of {FAILURE} is missing; write it: copy a neighbour"

    def test_syntax(self, tmp_path: Path) -> None:
        """A file that is no Python is named with its line."""
        (fault,) = faults(tmp_path, "\n\ndef (:\n")
        assert "test_lightning_19492.py:3: is not valid Python" in fault
