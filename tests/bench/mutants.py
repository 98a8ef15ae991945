"""The small changes of a module that its tests must notice.  Pure.

A change is one of these; all stand on one line, so that line numbers stay as they are:

- a comparison, ``and``/``or``, an operator or an augmented assignment is replaced by its counterpart;
- a condition is negated, ``not`` is dropped, ``break`` and ``continue`` are swapped;
- ``True`` and ``False`` are swapped, a number is increased, a text is changed, ``None`` becomes a text;
- a returned or assigned value becomes ``None``; a statement that only calls something is dropped.

Annotations, names of types, docstrings, decorators, and the words of f-strings are left alone: they decide nothing.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
SPELLING: dict[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.And: "and",
    ast.Or: "or",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.LShift: "<<",
    ast.RShift: ">>",
}


@dataclass(frozen=True)
class Mutant:
    """One change of a module's source."""

    line: int
    change: str
    """For people: ``<= -> <``."""
    tree: ast.Module
    """The whole module with the change."""
    inside: bool
    """True if it changes the body of a function, False if it changes what runs at import."""


Path = tuple[tuple[str, int | None], ...]
"""How to reach a node from the module: fields, each with the index where it is a list."""
Edit = tuple[str, ast.AST]
"""A description, and what takes the node's place."""


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of the source."""
    tree = ast.parse(source)
    for path, node, inside in _places(tree, (), inside=False):
        for change, replacement in _edits(node):
            yield Mutant(_line(node), change, _with(tree, path, replacement), inside)


def _line(node: ast.AST) -> int:
    """The line of a node; a comprehension has none, its target has."""
    return int(getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0))


def _places(node: ast.AST, path: Path, *, inside: bool) -> Iterator[tuple[Path, ast.AST, bool]]:
    """All nodes that may be changed, with the way to them and whether they stand in a function's body."""
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        within = inside or (field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_left_alone(node, child):
                continue
            here = (*path, (field, index if isinstance(value, list) else None))
            yield here, child, within
            yield from _places(child, here, inside=within)


def _is_left_alone(parent: ast.AST, child: ast.AST) -> bool:
    """True for docstrings, the words of f-strings and names of types."""
    if isinstance(child, ast.Constant) and isinstance(parent, ast.JoinedStr):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    return isinstance(parent, ast.Module) and isinstance(child, ast.Assign) and _is_type(child.value)


def _is_type(node: ast.expr) -> bool:
    """True for ``A | B`` and ``Mapping[A, B]``, which a module gives a name."""
    return isinstance(node, ast.Subscript) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr))


def _edits(node: ast.AST) -> Iterator[Edit]:
    for kind, edits in EDITS.items():
        if isinstance(node, kind):
            yield from edits(node)


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _compare(node: ast.Compare) -> Iterator[Edit]:
    for index, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
            yield f"{SPELLING[type(operator)]} -> {SPELLING[other]}", _changed(node, ops=ops)


def _logic(node: ast.BoolOp) -> Iterator[Edit]:
    other = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield f"{SPELLING[type(node.op)]} -> {SPELLING[other]}", _changed(node, op=other())


def _operation(node: ast.BinOp | ast.AugAssign) -> Iterator[Edit]:
    other = OPERATORS.get(type(node.op))
    if other is not None:
        yield f"{SPELLING[type(node.op)]} -> {SPELLING[other]}", _changed(node, op=other())


def _negated(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _is_negated_elsewhere(test: ast.expr) -> bool:
    """True if another edit already negates it: ``not`` is dropped, or ``==`` becomes ``!=``."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and not isinstance(test.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    return isinstance(test, ast.Constant) or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))


def _condition(node: ast.If | ast.IfExp | ast.While) -> Iterator[Edit]:
    if not _is_negated_elsewhere(node.test):
        yield f"negated: {ast.unparse(node.test)[:60]}", _changed(node, test=_negated(node.test))


def _comprehension(node: ast.comprehension) -> Iterator[Edit]:
    for index, test in enumerate(node.ifs):
        if not _is_negated_elsewhere(test):
            ifs = [*node.ifs[:index], _negated(test), *node.ifs[index + 1 :]]
            yield f"negated: {ast.unparse(test)[:60]}", _changed(node, ifs=ifs)


def _unary(node: ast.UnaryOp) -> Iterator[Edit]:
    if isinstance(node.op, ast.Not):
        yield "not dropped", node.operand
    elif isinstance(node.op, ast.USub):
        yield "minus dropped", node.operand


def _constant(node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    match value:
        case bool():
            yield f"{value} -> {not value}", _changed(node, value=not value)
        case int() | float():
            yield f"{value} -> {value + 1}", _changed(node, value=value + 1)
        case str():
            yield f"{value!r} -> other text", _changed(node, value=f"XX{value}XX")
        case None:
            yield "None -> other", _changed(node, value="XXnoneXX")
        case _:
            return


def _value(node: ast.Return | ast.Assign | ast.AnnAssign) -> Iterator[Edit]:
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
        return
    nothing = ast.copy_location(ast.Constant(None), node.value)
    word = "return" if isinstance(node, ast.Return) else "="
    yield f"{word} {ast.unparse(node.value)[:60]} -> {word} None", _changed(node, value=nothing)


def _statement(node: ast.Expr) -> Iterator[Edit]:
    yield f"dropped: {ast.unparse(node)[:60]}", ast.copy_location(ast.Pass(), node)


def _break(node: ast.Break) -> Iterator[Edit]:
    yield "break -> continue", ast.copy_location(ast.Continue(), node)


def _continue(node: ast.Continue) -> Iterator[Edit]:
    yield "continue -> break", ast.copy_location(ast.Break(), node)


EDITS: dict[type[ast.AST], Callable[..., Iterator[Edit]]] = {
    ast.Compare: _compare,
    ast.BoolOp: _logic,
    ast.BinOp: _operation,
    ast.AugAssign: _operation,
    ast.If: _condition,
    ast.IfExp: _condition,
    ast.While: _condition,
    ast.comprehension: _comprehension,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.Return: _value,
    ast.Assign: _value,
    ast.AnnAssign: _value,
    ast.Expr: _statement,
    ast.Break: _break,
    ast.Continue: _continue,
}


def _with(tree: ast.Module, path: Path, replacement: ast.AST) -> ast.Module:
    """A copy of the module, shared with the original but along the way to the change."""
    made = copy.copy(tree)
    node: ast.AST = made
    for step, (field, index) in enumerate(path):
        value = getattr(node, field)
        last = step == len(path) - 1
        child = replacement if last else copy.copy(value if index is None else value[index])
        setattr(node, field, child if index is None else [*value[:index], child, *value[index + 1 :]])
        node = child
    return made
