"""``repro doctor --code``: versions and code together, JSON, SARIF, exit codes."""

import json
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.doctor.findings_table import DoctorAnswer
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE

NAMED = "ModelCheckpoint(save_weights_only=True)\n"
OTHER = "ModelCheckpoint(save_weights_only=False)\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text(NAMED)
    return folder


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("torch==2.2.2\nlightning==2.2.1\n")
    return file


def test_listed_and_named(call: Call, held: Project, code: Path, pins: Path) -> None:  # noqa: ARG001
    status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
    assert status == 1
    assert "listed, named" in out
    assert "train.py:1 save_weights_only=true" in out
    assert "only a run shows" in out


def test_listed_and_not_named(call: Call, held: Project, code: Path, pins: Path) -> None:  # noqa: ARG001
    """Never "not affected": one line, exit code 0."""
    (code / "train.py").write_text(OTHER)
    status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
    assert status == 0
    assert "listed for these versions, not named in the code, though a library" in out
    assert FAILURE in out
    assert "not affected" not in out


def test_other_versions(call: Call, held: Project, code: Path, pins: Path) -> None:  # noqa: ARG001
    pins.write_text("torch==2.2.2\nlightning==2.2.2\n")
    status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
    assert (status, "not affected by these versions" in out) == (0, True)


def test_code_alone(call: Call, held: Project, code: Path) -> None:  # noqa: ARG001
    status, out, _ = call("doctor", "--code", str(code))
    assert (status, "named: 1" in out) == (1, True)


@pytest.mark.parametrize("alone", [True, False])
def test_json_and_sarif(
    call: Call,
    held: Project,  # noqa: ARG001
    code: Path,
    pins: Path,
    tmp_path: Path,
    *,
    alone: bool,
) -> None:
    options = [] if alone else ["--from", str(pins)]
    sarif = tmp_path / "out" / "a.sarif"
    status, out, _ = call("doctor", *options, "--code", str(code), "--json", "--sarif", str(sarif))
    answer = DoctorAnswer.model_validate_json(out)
    assert answer.code is not None
    (found,) = answer.code.failures
    assert (status, found.finding, found.places[0].line, answer.code.files) == (1, "named", 1, 1)
    assert bool(answer.failures) is not alone
    (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
    assert result["ruleId"] == FAILURE


def test_sarif_of_versions_alone(call: Call, held: Project, pins: Path, tmp_path: Path) -> None:  # noqa: ARG001
    sarif = tmp_path / "a.sarif"
    assert call("doctor", "--from", str(pins), "--sarif", str(sarif))[0] == 1
    (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("requirements.txt")


def test_no_such_folder(call: Call, held: Project, tmp_path: Path) -> None:  # noqa: ARG001
    status, _, err = call("doctor", "--code", str(tmp_path / "x"))
    assert (status, "no such file or folder" in err) == (2, True)


def test_names_of_files_are_printed_without_control_characters(call: Call, held: Project, code: Path) -> None:  # noqa: ARG001
    (code / "a\x1b[2Jb\u202e.py").write_text(NAMED)
    (code / "train.py").unlink()
    _, out, _ = call("doctor", "--code", str(code))
    assert "a\ufffd[2Jb\ufffd.py:1" in out
