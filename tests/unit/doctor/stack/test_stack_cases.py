"""Freezes, requirements, locks and commands as users have them: versions and findings of each are right."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version

from repro.catalog.project import Project
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.stack.files import read_stack
from repro.doctor.stack.stack import Stack
from repro.doctor.tried import newest_tried
from repro.model.errors import UsageError

FILE = Path(__file__).parents[3] / "data" / "stack_cases.yaml"
CASES: list[dict[str, Any]] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
RIGHT = {
    "listed": {Finding.LISTED},
    "clear": {Finding.NOT_AFFECTED},
    "unknown": {Finding.UNKNOWN},
    "not_clear": {Finding.LISTED, Finding.UNKNOWN},
    "not_listed": {Finding.NOT_AFFECTED, Finding.UNKNOWN},
}


@cache
def project() -> Project:
    return Project.here()


def written(case: dict[str, Any], folder: Path) -> Path:
    text = case["text"].replace("DEEP", "[" * 100_000).replace("LONG", "x" * 300_000)
    encoding = case.get("encoding", "utf-8")
    file = folder / str(case["file"])
    mark, encoding = (b"\xfe\xff", "utf-16-be") if encoding == "utf-16-be-bom" else (b"", encoding)
    file.write_bytes(mark + text.encode(encoding))
    return file


def found_of(stack: Stack) -> dict[str, Finding]:
    failures = [entry.failure for entry in project().catalog]
    return {item.failure.id: item.finding for item in diagnose(failures, stack, tried=newest_tried(project().matrix))}


def read_or_refused(file: Path, watched: list[str]) -> Stack:
    """The stack; that of no distribution where the text may be refused, and is."""
    try:
        return read_stack(file, watched)
    except UsageError:
        return Stack({})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    """Versions and findings, or a refusal in one line."""
    watched = sorted({name for entry in project().catalog for name in entry.failure.distributions})
    file = written(case, tmp_path)
    if case.get("exit") == [2]:
        with pytest.raises(UsageError) as raised:
            read_stack(file, watched)
        assert "\n" not in str(raised.value)
        return
    stack = read_stack(file, watched) if "exit" not in case else read_or_refused(file, watched)
    versions = {name: Version(version).public for name, version in stack.versions.items()}
    assert case.get("versions", {}).items() <= versions.items()
    findings = found_of(stack)
    for key, right in RIGHT.items():
        for failure in case.get(key, ()):
            assert findings[failure] in right, failure
