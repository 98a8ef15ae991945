"""Checks the matched pytest of a failure against its record and the matrix.  It is parsed, never imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

from repro.catalog.check_stages import is_affected_pair, pair_problems
from repro.model.affected import is_affected
from repro.model.errors import Fault
from repro.model.failure import Failure
from repro.model.matrix import Matrix

SHARED = "pytest_pycollect_makeitem"
"""The hook of ``repro.testing.matched`` that tests the claims of a module that names its failure."""


def name_of(failure_id: str) -> str:
    """The file name of a failure's matched pytest."""
    return f"test_{failure_id.replace('-', '_')}.py"


def called_for(failure: Failure, matrix: Matrix) -> dict[str, str]:
    """The fixtures that the tests must use, each with the reason."""
    runs = matrix.runs.get(failure.id)
    wanted: dict[str, str] = {}
    for name in runs.environments if runs else ():
        pins = matrix.environments[name].versions
        affected = is_affected(failure, pins)
        wanted.setdefault(
            "failing" if affected else "correct",
            f"matrix.yaml runs it on {name}, which is {'affected' if affected else 'not affected'}",
        )
    for pair in runs.pairs if runs and not any(pair_problems(failure, matrix)) else ():
        affected = is_affected_pair(failure, pair, matrix)
        words = ", ".join(f"{role} {name}" for role, name in pair.environments.items())
        reason = f"matrix.yaml runs it with {words}, which {'have it' if affected else 'do not have it'} together"
        wanted.setdefault("failing" if affected else "correct", reason)
        if pair.backports:
            wanted["backported"] = f"matrix.yaml runs backports with {words}"
    if runs and any(runs.backports.values()):
        wanted["backported"] = f"matrix.yaml runs backports on {', '.join(runs.backports)}"
    if failure.claims:
        wanted["claim"] = f"the record makes {len(failure.claims)} claims"
    return wanted


def faults_of(failure: Failure, matrix: Matrix, tests: Path) -> Iterator[Fault]:
    """The faults of the matched pytest of a failure."""
    file = tests / name_of(failure.id)
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except OSError:
        yield Fault(file, 0, "", f"the matched pytest of {failure.id} is missing", "write it: copy a neighbour")
        return
    except SyntaxError as error:
        yield Fault(file, error.lineno or 1, "", f"is not valid Python: {error.msg}")
        return
    line, about = _about(tree)
    if about != failure.id:
        yield Fault(file, line, "FAILURE", f"is {about!r}", f'write FAILURE = "{failure.id}"')
        return
    taken = _taken(tree)
    if _shares_claims(tests / "conftest.py"):
        taken.add("claim")
    for fixture, reason in called_for(failure, matrix).items():
        if fixture not in taken:
            remedy = (
                f"write a test that takes it, or let {tests / 'conftest.py'} import {SHARED} from repro.testing.matched"
            )
            yield Fault(
                file,
                0,
                "",
                f"no test takes `{fixture}`, and {reason}",
                remedy if fixture == "claim" else "write a test that takes it",
            )


def _about(tree: ast.Module) -> tuple[int, str | None]:
    """The line and the value of ``FAILURE = "..."``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "FAILURE" for name in node.targets
        ):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            return node.lineno, value if isinstance(value, str) else None
    return 1, None


def _taken(tree: ast.Module) -> set[str]:
    """The arguments of all tests, of the module's and of its classes'."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test")]
    bodies = [tree.body, *(node.body for node in classes)]
    tests = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    return {argument.arg for test in tests if test.name.startswith("test") for argument in test.args.args}


def _shares_claims(conftest: Path) -> bool:
    """True if ``conftest.py`` imports the hook that tests the claims of every module."""
    try:
        tree = ast.parse(conftest.read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return False
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "repro.testing.matched"
        and any(alias.name == SHARED for alias in node.names)
        for node in tree.body
    )
