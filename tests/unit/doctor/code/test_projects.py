"""Small projects as users write them: each names what it holds, and nothing else; no failure is missed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.doctor.code.decide import CodeFinding
from repro.doctor.code.examine import ExaminedCode, examine_code
from repro.doctor.code.vocabulary import spread
from repro.doctor.stack.stack import Stack
from repro.files import PACKAGE
from repro.model.failure import Failure

FOLDER = Path(__file__).parents[3] / "data"
DATA = FOLDER / "code_projects.yaml"
PARAPHRASES = yaml.safe_load((FOLDER / "code_paraphrases.yaml").read_text())
CASES = yaml.safe_load((FOLDER / "code_cases.yaml").read_text())
NEAR_MISSES = yaml.safe_load((FOLDER / "code_near_misses.yaml").read_text())


@dataclass(frozen=True)
class Sample:
    name: str
    named: frozenset[str]
    files: dict[str, str]

    def write(self, folder: Path) -> Path:
        for name, text in self.files.items():
            file = folder / self.name / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return folder / self.name


@cache
def failures() -> Sequence[Failure]:
    return [entry.failure for entry in Project.here().catalog]


@cache
def samples() -> list[Sample]:
    rows = yaml.safe_load(DATA.read_text())
    return [Sample(row["name"], frozenset(row["named"]), row["files"]) for row in rows]


def named(read: ExaminedCode) -> set[str]:
    return {item.failure.id for item in read.reached if item.finding is CodeFinding.NAMED}


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_project(sample: Sample, tmp_path: Path) -> None:
    """Exactly the failures that it holds."""
    assert named(examine_code(sample.write(tmp_path), failures())) == sample.named


def test_every_failure_has_a_project() -> None:
    """A failure that no project embeds would be missed unseen."""
    assert {failure.id for failure in failures()} == {name for sample in samples() for name in sample.named}


@pytest.mark.parametrize("row", PARAPHRASES, ids=lambda row: row["named"])
def test_paraphrase(row: dict[str, Any], tmp_path: Path) -> None:
    """None is missed, in whatever words."""
    folder = Sample("x", frozenset(), row["files"]).write(tmp_path)
    assert row["named"] in named(examine_code(folder, failures()))


@pytest.mark.parametrize("row", NEAR_MISSES, ids=lambda row: row["id"])
def test_near_miss(row: dict[str, Any], tmp_path: Path) -> None:
    """Never named; and where it may be, that is said, with what it hangs on."""
    folder = Sample("x", frozenset(), row["files"]).write(tmp_path)
    (reached,) = (item for item in examine_code(folder, failures()).reached if item.failure.id == row["id"])
    assert (reached.finding.value, row.get("why", "") in reached.why) == (row["finding"], True), reached.why


@pytest.mark.parametrize("row", CASES, ids=lambda row: row["name"])
def test_case(row: dict[str, Any], tmp_path: Path) -> None:
    """Aliases, configuration, notebooks, and code that is broken, dead or only looks alike."""
    files = {name: text.replace("DEEP", f"x = {'(' * 3000}1{')' * 3000}") for name, text in row["files"].items()}
    read = examine_code(Sample("x", frozenset(), files).write(tmp_path), failures())
    found = {item.failure.id: item.finding.value for item in read.reached}
    assert not {name: found[name] for name, right in row["expect"].items() if found[name] not in right}


def test_every_combination_has_a_near_miss() -> None:
    """A record that says what may reach it, or what spares a job, is tried with that."""
    asked = {item.id for item in failures() if item.reach and (item.reach.may or item.reach.unless)}
    assert asked <= {row["id"] for row in NEAR_MISSES}


@pytest.mark.parametrize("failure", failures(), ids=lambda failure: failure.id)
def test_one_file_is_never_all(failure: Failure) -> None:
    """What must stand in one file to be named may be spread over several, and is open then."""
    assert failure.reach is not None
    in_one_file = any(part.one_file or part.in_order for part in spread(failure.reach.when))
    assert not in_one_file or failure.reach.may


@pytest.mark.parametrize("failure", failures(), ids=lambda failure: failure.id)
def test_own_script(failure: Failure, tmp_path: Path) -> None:
    """The record's own reproduction names the failure, with the configuration that it is launched with."""
    config = failure.launchers[0].config if failure.launchers else None
    for name in filter(None, ("repro.py", config)):
        shutil.copy(PACKAGE / "failures" / failure.id / name, tmp_path)
    assert failure.id in named(examine_code(tmp_path, failures()))


@pytest.mark.parametrize(
    ("torch", "transformers", "expected"),
    [("2.6.0", "4.49.0", False), ("2.13.0", "5.3.0", True), ("2.5.1", "5.3.0", False)],
)
def test_releases(torch: str, transformers: str, *, expected: bool, tmp_path: Path) -> None:
    """``fsdp=`` of the Trainer is FSDP2 since transformers 5, and needs a torch that accelerate accepts."""
    (tmp_path / "a.py").write_text(
        "from transformers import TrainingArguments\nTrainingArguments('o', fsdp='full_shard')"
    )
    stack = Stack.of({"torch": torch, "transformers": transformers, "accelerate": "1.14.0"})
    assert ("pytorch-166638" in named(examine_code(tmp_path, failures(), stack))) is expected
    assert "pytorch-166638" in named(examine_code(tmp_path, failures())), "unknown versions rule nothing out"


def test_fewer_alerts(tmp_path: Path) -> None:
    """By versions alone every project would get every failure of its versions; by code at least 85 % fewer.

    The worst case is taken: versions that have all failures.
    """
    alerts = sum(len(named(examine_code(sample.write(tmp_path), failures()))) for sample in samples())
    assert alerts <= 0.15 * len(failures()) * len(samples())
