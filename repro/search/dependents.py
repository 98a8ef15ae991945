"""Which statements of a script go together: those that cannot stay without others.  Pure, on the syntax tree.

To remove a statement that binds a name, and not those that use the name, ends in a NameError, which is another failure.
So ``shrink`` removes them together, and with them the functions and classes that nothing uses any more.

Names are resolved as Python does: in the function that binds them, else in those around it, else in the module.
Attributes are not followed.  What this misses only makes a proposal that is not interesting.
"""

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BLOCKS = ("body", "orelse", "finalbody")
"""The fields in which a node holds statements."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Scope = ast.Module | Definition | ast.Lambda
Name = tuple[Scope, str]
"""A name, and the scope in which it is bound."""


@dataclass
class _Places:
    """The statements that bind a name, and those that use it; of statements in one another the innermost."""

    bound: set[ast.stmt] = field(default_factory=set)
    used: set[ast.stmt] = field(default_factory=set)


class Statements:
    """The statements of a script, and the names by which they hang together."""

    def __init__(self, text: str) -> None:
        """Read a script; raises SyntaxError."""
        self.tree = ast.parse(text)
        self._names: dict[Name, _Places] = {}
        self._bound_by: dict[ast.stmt, set[Name]] = {}
        self._below = {
            node: {one for one in ast.walk(node) if isinstance(one, ast.stmt) and one is not node}
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt)
        }
        self._read(self.tree, ((self.tree, _names_of(self.tree)),), None)

    def _read(self, node: ast.AST, scopes: tuple[tuple[Scope, set[str]], ...], inside: ast.stmt | None) -> None:
        for child in ast.iter_child_nodes(node):
            statement = child if isinstance(child, ast.stmt) else inside
            if isinstance(node, ast.AugAssign) and child is node.target:
                continue  # it needs the name, and does not make it
            if statement is not None:
                for name in _bound(child):
                    key = _resolved(scopes, name)
                    self._names.setdefault(key, _Places()).bound.add(statement)
                    self._bound_by.setdefault(statement, set()).add(key)
                for name in _used(child):
                    self._names.setdefault(_resolved(scopes, name), _Places()).used.add(statement)
            deeper = (*scopes, (child, _names_of(child))) if isinstance(child, Definition | ast.Lambda) else scopes
            self._read(child, deeper, statement)

    def blocks(self) -> Iterator[list[ast.stmt]]:
        """Every list of statements, outermost first."""
        for node in outermost_first(self.tree):
            for name in BLOCKS:
                held = getattr(node, name, None)
                if isinstance(held, list) and held:
                    yield held

    def docstrings(self) -> set[ast.stmt]:
        """Every statement that is only a string."""
        return {
            node
            for node in self._below
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        }

    def inside(self, chosen: Sequence[ast.stmt]) -> set[ast.stmt]:
        """These statements and those in them."""
        return set(chosen).union(*(self._below[one] for one in chosen))

    def with_dependents(self, chosen: Sequence[ast.stmt]) -> set[ast.stmt]:
        """These statements, those in them, those that cannot stay without them, and definitions of no use then."""
        gone: set[ast.stmt] = set()
        waiting = list(chosen)
        while waiting:
            statement = waiting.pop()
            if statement not in gone:
                new = {statement, *self._below[statement]} - gone
                gone |= new
                for one in new:
                    for places in (self._names[key] for key in self._bound_by.get(one, ())):
                        waiting += places.used - gone if places.bound <= gone else ()
            if not waiting:
                waiting += self._needed_only_by(gone)
        return gone

    def _needed_only_by(self, gone: set[ast.stmt]) -> list[ast.stmt]:
        """Definitions of the module that stay, though all that used them is gone."""
        return [
            node
            for node in self.tree.body
            if isinstance(node, Definition) and node not in gone and (users := self.users(node)) and users <= gone
        ]

    def users(self, node: ast.stmt) -> set[ast.stmt]:
        """The statements outside of a statement of the module that use a name which it binds there."""
        keys = {(scope, name) for scope, name in self._bound_by.get(node, ()) if scope is self.tree}
        return set().union(*(self._names[key].used for key in keys)) - {node, *self._below[node]}

    def unused(self) -> list[ast.stmt]:
        """Imports, definitions and assignments of the module that bind names which nothing uses."""
        kinds = Definition | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign
        return [
            node
            for node in self.tree.body
            if isinstance(node, kinds) and self._bound_by.get(node) and not self.users(node)
        ]

    def without(self, gone: set[ast.stmt]) -> str:
        """The text of the script without these statements; a body that would be empty holds ``pass``."""
        return ast.unparse(ast.fix_missing_locations(_pruned(self.tree, gone))) + "\n"


def outermost_first(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is still in the tree when it is visited."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting += ast.iter_child_nodes(node)


def lines_in(gone: set[ast.stmt]) -> int:
    """The number of lines that statements take."""
    return len({line for node in gone for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)})


def _pruned(node: ast.AST, gone: set[ast.stmt]) -> ast.AST:
    made = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            setattr(made, name, _pruned(value, gone))
        elif isinstance(value, list):
            kept = [_pruned(one, gone) if isinstance(one, ast.AST) else one for one in value if one not in gone]
            setattr(made, name, [ast.Pass()] if value and not kept and name == "body" else kept)
    return made


def _resolved(scopes: tuple[tuple[Scope, set[str]], ...], name: str) -> Name:
    """The innermost scope that binds a name; the body of a class is seen from itself alone."""
    for scope, held in reversed(scopes):
        if name in held and (not isinstance(scope, ast.ClassDef) or scope is scopes[-1][0]):
            return scope, name
    return scopes[0][0], name


def _names_of(scope: Scope) -> set[str]:
    """The names that a scope binds, without those of the scopes in it."""
    held: set[str] = set()
    elsewhere: set[str] = set()
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        held.update(_bound(node))
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere.update(node.names)
        if not isinstance(node, Definition | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return held - elsewhere


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node itself binds."""
    match node:
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.alias():
            yield node.asname or node.name.partition(".")[0]
        case ast.arg():
            yield node.arg
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name


def _used(node: ast.AST) -> Iterator[str]:
    """The names that a node itself uses; one that is added to or deleted counts as used."""
    match node:
        case ast.Name(ctx=ast.Load() | ast.Del()):
            yield node.id
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name
