"""The measurement of mutants itself: which changes it makes, and that it sees them in functions that are in use."""

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.bench.mutants import mutants
from tests.bench.mutation import MODULES, Loaded, Target, ended, named

SOURCE = '''"""Docstring."""
Kind = int | str
LIMIT = 3


class Box:
    """Docstring."""

    size: int = LIMIT

    @property
    def full(self) -> bool:
        return self.size > 2 and not self.is_open

    is_open = False


def first(items: list[int]) -> int | None:
    for item in items:
        if item == 1:
            continue
        return item
    return None
'''


def test_what_is_changed() -> None:
    """Comparisons, logic, values and jumps; neither docstrings nor annotations nor names of types."""
    assert [(mutant.line, mutant.change, mutant.inside) for mutant in mutants(SOURCE)] == [
        (3, "= 3 -> = None", False),
        (3, "3 -> 4", False),
        (9, "= LIMIT -> = None", False),
        (13, "return self.size > 2 and (not self.is_open) -> return None", True),
        (13, "and -> or", True),
        (13, "> -> >=", True),
        (13, "> -> <=", True),
        (13, "2 -> 3", True),
        (13, "not dropped", True),
        (15, "= False -> = None", False),
        (15, "False -> True", False),
        (20, "== -> !=", True),
        (20, "1 -> 2", True),
        (21, "continue -> break", True),
        (22, "return item -> return None", True),
        (23, "None -> other", True),
    ]


def test_each_is_one_change() -> None:
    """The original stays as it is, and every mutant can be compiled and differs from it."""
    whole = ast.unparse(ast.parse(SOURCE))
    made = [ast.unparse(mutant.tree) for mutant in mutants(SOURCE)]
    assert whole not in made
    assert len(set(made)) == len(made)
    for text in made:
        compile(text, "mutant", "exec")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "mutated_sample.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("mutated_sample")
    del sys.modules["mutated_sample"]


def test_functions_that_are_in_use_change(module: ModuleType) -> None:
    """A name that was imported before, and a property, show the change; what runs at import is refused."""
    first, box = module.first, module.Box()
    loaded = Loaded.of(module)
    for mutant in mutants(SOURCE):
        replace = loaded.replacement(mutant.tree)
        assert replace is not None
        if mutant.change == "== -> !=":
            replace()
            assert first([2, 1]) == 1
        if mutant.change == "not dropped":
            replace()
            assert not box.full


def test_the_end_of_a_fork() -> None:
    """Passed, failed, and one that does not end."""
    assert ended(lambda: False, processor=5, wall=60)[0] == "passed"
    assert ended(lambda: True, processor=5, wall=60)[0] == "failed"
    assert ended(lambda: 1 / 0, processor=5, wall=60)[0] == "failed"

    def forever() -> None:
        while True:
            pass

    assert ended(forever, processor=0, wall=60)[0] == "late"


def test_survivors_need_a_reason() -> None:
    survivors = [{"line": 1, "source": "x > 1", "change": "> -> >="}, {"line": 2, "source": "y", "change": "c"}]
    found = named({"module": "verdict.judge", "survivors": survivors}, {("verdict.judge", "x > 1", "> -> >="): "why"})
    assert [survivor["reason"] for survivor in found["survivors"]] == ["why", ""]


def test_every_module_has_tests() -> None:
    """The table names modules and test files that are there."""
    for name in MODULES:
        target = Target(name)
        assert target.file.is_file(), name
        assert all(file.is_file() for file in target.tests), name
