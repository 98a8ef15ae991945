"""``check`` asks who reaches a failure."""

import ast
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.check_reach import problems_of
from repro.catalog.project import Project
from repro.doctor.code.vocabulary import spread
from tests.unit.factories import failure


def problems(reach: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    found = problems_of(failure(reach=reach))
    return [(".".join(map(str, at)), problem, remedy) for at, problem, remedy in found]


def test_missing() -> None:
    ((_, problem, remedy),) = problems(None)
    assert problem == "'reach' is missing"
    assert "who reaches" in remedy


def test_unknown_group() -> None:
    reach = {"who": "x", "when": {"all_of": [{"settings": ["a"]}, {"group": "dtensors"}]}}
    assert problems(reach) == [("reach.when.all_of.1.group", "no group 'dtensors'", "did you mean 'dtensor'?")]


def test_function_of_another_library() -> None:
    reach = {"who": "x", "when": {"settings": ["a"]}, "at_fault": ["transformers.trainer.save"]}
    ((at, problem, _),) = problems(reach)
    assert (at, "'transformers.trainer.save' is of no library" in problem) == ("reach.at_fault.0", True)


@pytest.mark.parametrize("entry", list(Project.here().catalog), ids=lambda entry: entry.failure.id)
def test_our_records(entry: Any) -> None:
    """Each says it, and every symbol of a group or a record is well formed."""
    assert not list(problems_of(entry.failure))
    assert all(spread(entry.failure.reach.when))
    assert ast.parse(Path(entry.script).read_text())
