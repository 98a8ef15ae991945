"""Statements go with those that cannot stay without them, and with nothing else."""

import ast

import pytest

from repro.search.dependents import Statements, lines_in

SCRIPT = '''\
"""A docstring."""
import os
import math as m
from json import dumps, loads
SIZE = 3
class Model:
    width = SIZE
    def grow(self):
        return self.width
def build(size):
    """Another one."""
    return Model()
def log(text):
    print(text)
def main():
    model = build(SIZE)
    total = 0
    for step in range(3):
        total += step
        log(dumps(total))
        model.grow()
    if total:
        log(total)
    else:
        other = model
        print(other)
    return total
main()
'''


def chosen(script: Statements, start: str) -> ast.stmt:
    """The first statement whose text begins so."""
    return next(node for block in script.blocks() for node in block if ast.unparse(node).startswith(start))


def without(text: str, *starts: str) -> list[str]:
    """The lines that remain when statements go with their dependents."""
    script = Statements(text)
    left = script.without(script.with_dependents([chosen(script, start) for start in starts]))
    return [line.strip() for line in left.splitlines() if line.strip()]


def test_what_uses_a_name_goes_with_what_binds_it() -> None:
    left = without(SCRIPT, "model =")
    assert "total += step" in left
    assert "log(dumps(total))" in left
    assert not any("model" in line or "other" in line for line in left)
    # The branch that would be empty holds nothing, and what only the model needed has gone too.
    assert not any("build" in line or "Model" in line or "grow" in line for line in left)


def test_a_name_that_is_bound_elsewhere_stays() -> None:
    text = "if a:\n    b = 1\nelse:\n    b = 2\nprint(b)\n"
    assert without(text, "b = 1") == ["if a:", "pass", "else:", "b = 2", "print(b)"]
    assert without(text, "b = 1", "b = 2") == ["if a:", "pass"]


def test_what_adds_to_a_name_needs_it() -> None:
    left = without(SCRIPT, "total = 0")
    assert not any("total" in line for line in left)
    assert "model.grow()" in left


@pytest.mark.parametrize(
    ("text", "start", "left"),
    [
        # A name of a function is not the name of the module, nor that of another function.
        ("x = 1\ndef f():\n    x = 2\n    return x\nf()\n", "x = 1", ["def f():", "x = 2", "return x", "f()"]),
        ("x = 1\ndef f(x):\n    return x\nf(2)\n", "x = 1", ["def f(x):", "return x", "f(2)"]),
        # A function around, but not the body of a class around.
        ("def f():\n    x = 1\n    def g():\n        x\n    y()\n", "x = 1", ["def f():", "def g():", "pass", "y()"]),
        ("class A:\n    x = 1\n    y = x\n    def f(self):\n        x\n", "x = 1", ["class A:", "def f(self):", "x"]),
        # ``global`` binds in the module.
        ("def f():\n    global x\n    x = 1\nf()\nprint(x)\n", "x = 1", ["def f():", "global x", "f()"]),
        ("import a.b\na.c()\nd()\n", "import", ["d()"]),
        ("import a as b\nb()\na()\n", "import", ["a()"]),
        ("with open(p) as f:\n    f.read()\ng()\n", "with", ["g()"]),
        ("try:\n    a()\nexcept E as e:\n    print(e)\n", "print", ["try:", "a()", "except E as e:", "pass"]),
        ("for x in y:\n    z = x\nprint(z)\n", "for", ["pass"]),
        ("a = b = 1\nc = a\nd = b\n", "a = b", ["pass"]),
        ("@wrap\ndef f():\n    pass\ndef wrap(g):\n    return g\n", "def wrap", ["pass"]),
        ("def f(a=SIZE):\n    pass\nSIZE = 1\n", "SIZE", ["pass"]),
    ],
)  # fmt: skip
def test_names(text: str, start: str, left: list[str]) -> None:
    assert without(text, start) == left


def test_a_definition_that_was_never_used_is_not_taken_along() -> None:
    """A registry may hold it: only what has lost its users goes."""
    text = "def unused():\n    pass\ndef used():\n    pass\nused()\nother()\n"
    assert without(text, "used()") == ["def unused():", "pass", "other()"]


def test_a_recursive_definition_does_not_keep_itself() -> None:
    assert without("def f(n):\n    return f(n - 1)\nf(3)\ng()\n", "f(3)") == ["g()"]


def test_unused() -> None:
    script = Statements(SCRIPT)
    assert [ast.unparse(node) for node in script.unused()] == ["import os", "import math as m"]


def test_docstrings() -> None:
    script = Statements(SCRIPT)
    assert len(script.docstrings()) == 2
    assert "docstring" not in script.without(script.docstrings())


def test_nothing_is_changed() -> None:
    script = Statements(SCRIPT)
    script.without(script.with_dependents([chosen(script, "SIZE")]))
    assert script.without(set()) == ast.unparse(ast.parse(SCRIPT)) + "\n"


def test_lines() -> None:
    script = Statements(SCRIPT)
    assert lines_in(script.with_dependents([chosen(script, "def log")])) == 4
