"""The layout of the package: one import direction, pure packages, and names that a stranger can tell apart."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from repro.cli.app import COMMANDS
from repro.files import PACKAGE

TESTS = Path(__file__).parent

ORDER = (
    *("cli", "testing", "reach", "doctor", "report", "search", "launch", "store"),
    *("verdict", "catalog", "environments", "backports", "files", "model"),
)
"""Each package imports only what stands after it."""

UPWARD = {("environments.pack.go", "cli"): "the packed harness starts the command line, on another machine"}
"""Imports against the order, each with its reason."""

FROM_LAUNCH = {
    "launch.gates": "the gates that the CPU lane lifts: data that the reports list with their reasons",
    "launch.describe": "upstream's own commands that describe an environment: data that drafts are written from",
}
"""All that reports may know of the launcher: their numbers come from the store, whoever wrote it."""

ALIKE = {("model.observation", "store.observations"): "the model of one observation, and the store of all"}
"""Names that differ by their number, each with its reason."""

EFFECTS = {"os", "subprocess", "time", "socket", "shutil", "tempfile", "threading", "random", "glob", "io"}
READS = {"open", "read_text", "read_bytes", "exists", "is_file", "is_dir", "iterdir", "now", "today", "utcnow", "stat"}
PURE = {"model", "verdict"}
ENDINGS = re.compile(r"(ings?|ers?|ors?|ions?|ed|es|s|e)$")

OF_NO_MODULE = {
    "docs": "the pages of docs/ are those that the code gives",
    "engine": "a rule of the whole package: it names no failure",
    "imports": "rules of the whole package: its layout, and that of its tests",
    "mutation": "tests/bench/mutation.py",
    "side_by_side": "tests/bench/side_by_side.py",
    "writer_reader": "tests/bench/writer_reader.py",
    "workflows/hook": "the pre-commit hook and the composite action",
    "workflows/workflows": "the files of .github/workflows",
    "catalog/types": "a rule of all reproductions",
    "cli/hostile_text": "what every command prints of texts from outside",
    "cli/json_answers": "what every command prints with --json",
    "cli/own_script": "one search for a user's script through bisect, blame, shrink and new",
    "cli/private_text": "what every command writes of people and machines",
    "cli/width": "what every command prints on a narrow terminal",
    "doctor/against_releases": "doctor's findings against an enumeration of all real releases",
    "doctor/inputs": "the folders of tests/data/doctor-inputs through doctor, advise and pack",
    "doctor/code/projects": "small projects through everything that reads code",
    "search/local_index": "tests/unit/search/local_index.py, which the tests and benchmarks of searches ask",
    "search/watch_required": "one release through the watch, its search and blame",
    "doctor/stack/formats": "one table of texts for all readers of stacks",
    "doctor/stack/stack_cases": "texts as users have them, through all readers to the findings",
    "doctor/log/log_cases": "logs as users have them, through all of the log's modules",
}
"""Test files that are about no single module, with what they are about."""

SAME_CLASS = {
    "Answer": "of `doctor --log`, and the base of every --json answer",
}
"""Names of two classes, each with its reason; every other name of a class stands for one thing."""

Sources = Mapping[str, str]


@cache
def sources() -> dict[str, str]:
    """Every module of ours by its name below ``repro``; a package is named as its folder."""
    files = {file.relative_to(PACKAGE).with_suffix(""): file for file in PACKAGE.rglob("*.py")}
    parts = {name.parts: file for name, file in files.items() if name.parts[0] not in {"failures", "__main__"}}
    names = {".".join(part for part in name if part != "__init__"): file for name, file in parts.items()}
    return {name: file.read_text(encoding="utf-8") for name, file in names.items() if name}


@cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text)))


def imports(sources: Sources) -> Iterator[tuple[str, str]]:
    """(module, imported module) for every import of our own, wherever it stands in the file."""
    for name, text in sources.items():
        for node in nodes(text):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("repro."):
                target = node.module.removeprefix("repro.")
                yield from {
                    (name, f"{target}.{a.name}" if f"{target}.{a.name}" in sources else target) for a in node.names
                }
            elif isinstance(node, ast.ImportFrom) and (node.level or node.module == "repro"):
                yield from ((name, alias.name) for alias in node.names if alias.name != "__version__")
            elif isinstance(node, ast.Import):
                yield from ((name, a.name.removeprefix("repro.")) for a in node.names if a.name.startswith("repro."))


def room(module: str) -> str:
    return module.partition(".")[0]


def breaches(sources: Sources) -> list[str]:
    """Every import against the order, and every one that reports must not make."""
    found = []
    for module, target in imports(sources):
        if ORDER.index(room(module)) > ORDER.index(room(target)) and (module, target) not in UPWARD:
            found.append(f"{module} imports {target}, which stands above it")
        if room(module) == "report" and room(target) == "launch" and target not in FROM_LAUNCH:
            found.append(f"{module} imports {target}, a part of the launcher")
    return found


def effects(sources: Sources) -> list[str]:
    """Every effect in a pure package: a module that has effects is imported, or a file or the clock is read."""
    found = []
    for module, text in sources.items():
        for node in nodes(text) if room(module) in PURE else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{module} imports {name}" for name in names if room(name) in EFFECTS]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                found += [f"{module} calls {called}()"] if called in READS else []
    return found


def names(sources: Sources) -> list[str]:
    """Module names that end in -ing, or differ from another one by their number or ending only.

    Files of ``cli`` are named as their commands, beside whatever they call: `repro lock` beside ``locks``.
    """
    last = {module.rpartition(".")[2]: module for module in sources if not module.startswith("cli.")}
    stems: dict[str, list[str]] = {}
    for name in sorted(last):
        stems.setdefault(ENDINGS.sub("", name), []).append(last[name])
    found = [f"{module} ends in -ing" for module in sources if module.endswith("ing") and module != "testing"]
    groups = [tuple(alike) for alike in stems.values() if len(alike) > 1]
    return found + [f"{' and '.join(alike)} differ by their ending only" for alike in groups if alike not in ALIKE]


def floors(sources: Sources) -> dict[str, int]:
    """How many packages stand below each one, along its longest way of imports, itself included."""
    edges: dict[str, set[str]] = {name: set() for name in ORDER}
    for module, target in imports(sources):
        if (module, target) not in UPWARD and room(module) != room(target):
            edges[room(module)].add(room(target))
    heights: dict[str, int] = {}
    for name in reversed(ORDER):
        heights[name] = 1 + max((heights[below] for below in edges[name]), default=0)
    return heights


def repeated_classes(sources: Sources) -> list[str]:
    """Public names that stand for two classes."""
    defined: dict[str, list[str]] = {}
    for module, text in sources.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined.setdefault(node.name, []).append(module)
    return [f"{name}: {' and '.join(held)}" for name, held in sorted(defined.items()) if len(held) > 1]


def test_a_class_has_a_name_of_its_own() -> None:
    """A reader needs no import line to know which one is meant."""
    found = repeated_classes(sources())
    assert {text.partition(":")[0] for text in found} == set(SAME_CLASS), found
    planted = {"model.a": "class Row:\n    pass", "report.b": "class Row:\n    pass", "cli.c": "class _Row:\n    pass"}
    assert repeated_classes(planted) == ["Row: model.a and report.b"]


def test_small_rules_are_said_once() -> None:
    """One module catches what is no version, one words what cannot be written, one sets up Jinja."""
    once = {
        "except InvalidVersion": "model.version",
        ": cannot be written: {": "files",
        "import Environment, PackageLoader": "files",
    }
    for text, module in once.items():
        assert [name for name, source in sources().items() if text in source] == [module], text


def test_one_direction() -> None:
    assert not breaches(sources())


def test_model_and_verdict_are_pure() -> None:
    assert not effects(sources())


def test_names_can_be_told_apart() -> None:
    assert not names(sources())


def test_at_most_ten_floors_and_fourteen_entries() -> None:
    """Each entry at the top of the package has its place in the order, and no package is left out of it."""
    top = {room(module) for module in sources()}
    assert top == set(ORDER)
    assert len(top) <= 14
    assert max(floors(sources()).values()) <= 10


def test_a_file_of_the_command_line_is_named_as_its_command() -> None:
    """What is not a command is shared by several: options, how a session is run and shown, what it skips."""
    shared = {"app", "options", "search_options", "script_options", "execute", "skipped", "cluster_options"}
    assert {file.stem for file in (PACKAGE / "cli").glob("*.py")} - {"__init__"} == {*COMMANDS, *shared}


def test_each_exception_is_needed() -> None:
    """An exception that nothing needs any more would hide the next breach."""
    made = set(imports(sources()))
    assert set(UPWARD) <= made
    assert {name for alike in ALIKE for name in alike} <= set(sources())
    assert set(FROM_LAUNCH) <= {target for module, target in made if room(module) == "report"}


@pytest.mark.parametrize(
    ("module", "text", "found"),
    [
        (
            "model.cell",
            "from repro.verdict.judge import judge",
            "model.cell imports verdict.judge, which stands above it",
        ),
        (
            "store.merge",
            "def f():\n    import repro.search.index",
            "store.merge imports search.index, which stands above it",
        ),
        (
            "report.rows",
            "from repro.launch import session",
            "report.rows imports launch.session, a part of the launcher",
        ),
        (
            "report.rows",
            "from repro.launch.session import Session",
            "report.rows imports launch.session, a part of the launcher",
        ),
    ],
)
def test_a_planted_import_is_seen(module: str, text: str, found: str) -> None:
    assert breaches(sources() | {module: text}) == [found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os.path", "verdict.judge imports os.path"),
        ("from subprocess import run", "verdict.judge imports subprocess"),
        ("from datetime import UTC, datetime\nDAY = datetime.now(UTC)", "verdict.judge calls now()"),
        ("def f(path):\n    return path.read_text()", "verdict.judge calls read_text()"),
    ],
)
def test_a_planted_effect_is_seen(text: str, found: str) -> None:
    assert effects({"verdict.judge": text}) == [found]


def test_planted_names_are_seen() -> None:
    assert names({"search.blaming": ""}) == ["search.blaming ends in -ing"]
    assert names({"model.cell": "", "catalog.cells": ""}) == [
        "model.cell and catalog.cells differ by their ending only"
    ]
    assert names({"cli.lock": "", "environments.locks": ""}) == []


def mirrored(file: Path) -> bool:
    """True if a test file is named as the module, or the package, that it tests."""
    folder, name = file.relative_to(TESTS).parent, file.stem.removeprefix("test_")
    return (PACKAGE / folder / f"{name}.py").is_file() or (folder.name == name and (PACKAGE / folder).is_dir())


def test_every_test_file_mirrors_a_module() -> None:
    """All but those that are named above; a name there that is no longer needed is removed."""
    odd = {file for file in TESTS.rglob("test_*.py") if not mirrored(file)}
    assert {str(file.relative_to(TESTS).with_suffix("")).replace("test_", "") for file in odd} == set(OF_NO_MODULE)
