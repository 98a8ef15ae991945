"""Which imports a run is certain to make first, read from its source without running it.  Pure but for reading files.

The warm launcher makes these imports ahead, in the run's own order.  It stops before the first statement that does
anything else (an assignment, a decorated function, a condition): the run itself does that, and all that follows.

Late imports are those that torch makes itself when a function is called first.  Nothing in a source says so for
certain, so the warm launcher makes them out of sight, and only where it cannot matter that they came early.
"""

import ast
import re
import threading
from functools import lru_cache
from pathlib import Path

Import = tuple[str, str | None]
"""``import MODULE``, or ``from MODULE import NAME``."""

INERT = frozenset(
    {
        *("__future__", "argparse", "collections", "contextlib", "copy", "dataclasses", "datetime", "functools", "gc"),
        *("importlib", "inspect", "itertools", "json", "math", "operator", "os", "pathlib", "re", "shutil", "string"),
        *("sys", "tempfile", "textwrap", "time", "types", "typing", "warnings", "weakref"),
    }
)
"""Modules of the standard library whose import changes nothing for others, so that it may come later.

All of them are imported by torch itself; the run makes these imports in its own turn.
"""

LATE_IMPORTS = ("torch._dynamo",)
"""What torch imports at the first step of an optimizer or the first use of FSDP2 or DTensor; it takes 1 to 3 s."""
_TOUCHES_LATE = re.compile(r"dynamo|inductor|compile|sys\.modules|TORCH|triton|sympy")
"""In a source: the script may change what a late import does, or see that it was made."""

# On CPython 3.11 `ast.parse` fails if two threads are in it at once ("AST constructor recursion depth mismatch").
_PARSING = threading.Lock()


@lru_cache(maxsize=1024)
def _body(file: Path, _modified: int) -> tuple[ast.stmt, ...]:
    with _PARSING:
        return tuple(ast.parse(file.read_text(encoding="utf-8")).body)


def first_imports(script: Path, backport: Path | None = None) -> tuple[Import, ...]:
    """The imports that a run of a script, after a backport if there is one, makes before it does anything else.

    Raises OSError, SyntaxError or ValueError for a file that cannot be read or parsed.
    """
    if backport is None:
        return _leading(_parsed(script))[0]
    body = _parsed(backport)
    found, rest = _leading(body)
    # Only what defines plain functions may stand between the imports at the top and the call of `apply`.
    if not all(_is_plain(statement) for statement in rest):
        return found
    called = [node for node in rest if isinstance(node, ast.FunctionDef) and node.name == "apply"]
    return found + _leading(tuple(called[-1].body))[0] if called else found


def late_imports(imports: tuple[Import, ...], script: Path) -> tuple[str, ...]:
    """The modules that a run of a script with these first imports, and without a backport, will probably import late.

    A late import binds names of other modules, and brings modules that a script may import itself.  So there are none
    for a script that changes a module or imports one after its first imports, or that names what a late import reads.
    Raises OSError, SyntaxError or ValueError for a file that cannot be read or parsed.
    """
    if not any(module == "torch" for module, _ in imports) or _TOUCHES_LATE.search(script.read_text(encoding="utf-8")):
        return ()
    body = _parsed(script)
    names = {
        alias.asname or alias.name.partition(".")[0]
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    rest = [node for statement in _leading(body)[1] for node in ast.walk(statement)]
    return () if any(_touches_modules(node, names) for node in rest) else LATE_IMPORTS


def _touches_modules(node: ast.AST, names: set[str]) -> bool:
    """Whether a node imports something, or may change a module; ``names`` are those that imports have bound."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Name):
        return node.id in {"setattr", "delattr", "import_module", "__import__", "exec", "eval"}
    if not isinstance(node, ast.Attribute):
        return False
    if isinstance(node.ctx, ast.Load):
        return node.attr in {"import_module", "object", "__dict__", "__setattr__"} or node.attr.startswith("patch")
    root = node.value
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and root.id in names


def _parsed(file: Path) -> tuple[ast.stmt, ...]:
    return _body(file, file.stat().st_mtime_ns)


def _leading(body: tuple[ast.stmt, ...]) -> tuple[tuple[Import, ...], tuple[ast.stmt, ...]]:
    """The imports that statements begin with, and the statements after them."""
    found: list[Import] = []
    for index, node in enumerate(body):
        made = _imports(node)
        if made is None:
            return _once(found), body[index:]
        found += [step for step in made if step[0].split(".")[0] not in INERT]
    return _once(found), ()


def _once(found: list[Import]) -> tuple[Import, ...]:
    """Each import once: the interpreter does nothing for a module that it has imported."""
    return tuple(dict.fromkeys(found))


def _imports(node: ast.stmt) -> list[Import] | None:
    """The imports that a statement makes; None if it does anything else."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return []
    if isinstance(node, ast.Import):
        return [step for alias in node.names for step in _module(alias.name)]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        names = [alias.name for alias in node.names]
        return None if "*" in names else [*_module(node.module), *((node.module, name) for name in names)]
    return None


def _module(name: str) -> list[Import]:
    """The steps that import a module; the interpreter imports the package at its root first."""
    root = name.partition(".")[0]
    return [(root, None), (name, None)] if root != name else [(name, None)]


def _is_plain(node: ast.stmt) -> bool:
    """Whether a statement only defines a function, and evaluates nothing for that but its annotations."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
    return all(isinstance(value, ast.Constant) for value in defaults)
