"""The engine names no case: a failure is data, and code that knows one would treat it apart."""

import ast
from pathlib import Path

import pytest

from repro.backports.find import known
from repro.files import PACKAGE

FAILURES = PACKAGE / "failures"
FILES = [file for file in sorted(PACKAGE.rglob("*")) if file.suffix in {".py", ".j2"} and FAILURES not in file.parents]
IDS = known()
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def said(file: Path) -> list[str]:
    """All that a file says to the machine: its text without comments, documentation and examples."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return [text]
    tree = ast.parse(text)
    documented = [node for node in ast.walk(tree) if isinstance(node, WITH_DOCSTRING)]
    documentation = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documentation]
    return [node.value for node in strings if isinstance(node.value, str) and "Example:" not in node.value]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_names_no_case(file: Path) -> None:
    """No module or template holds the id of a failure, but for examples of how to call it."""
    texts = said(file)
    assert not {failure_id for failure_id in IDS for text in texts if failure_id in text}
