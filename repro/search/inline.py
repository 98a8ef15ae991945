"""Puts a function that is called in one place there.  Pure, on the syntax tree."""

import ast
import copy
from collections.abc import Iterator, Sequence

from repro.search.dependents import Statements


def inlined(text: str) -> Iterator[str]:
    """The script with one function of the module put where it is called, for each function that can be."""
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    for name in names:
        script = Statements(text)
        function = next(node for node in script.tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
        users = script.users(function)
        if len(users) == 1 and _is_plain(function) and _put(script, function, users.pop()):
            script.tree.body.remove(function)
            yield ast.unparse(ast.fix_missing_locations(script.tree)) + "\n"


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether a function takes plain arguments, yields nothing and returns at its end or nowhere."""
    given = function.args
    if function.decorator_list or given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
        return False
    inside = [node for one in function.body for node in ast.walk(one)]
    returns = [node for node in inside if isinstance(node, ast.Return)]
    return returns in ([], function.body[-1:]) and not any(
        isinstance(node, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal) for node in inside
    )


def _put(script: Statements, function: ast.FunctionDef, user: ast.stmt) -> bool:
    """Replace the statement that calls a function by the function's body and itself; False if that cannot be."""
    if not isinstance(user, ast.Expr | ast.Assign | ast.Return):
        return False
    calls = [
        node
        for node in ast.walk(user)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function.name
    ]
    block = next((block for block in script.blocks() if user in block), None)
    if len(calls) != 1 or block is None:
        return False
    (call,) = calls
    names = [one.arg for one in function.args.args]
    if call.keywords or len(call.args) != len(names) or any(isinstance(one, ast.Starred) for one in call.args):
        return False
    given = [
        ast.Assign([ast.Name(name, ast.Store())], value)
        for name, value in zip(names, call.args, strict=True)
        if not (isinstance(value, ast.Name) and value.id == name)
    ]
    *body, last = function.body
    result: ast.expr = ast.Constant(None)
    if isinstance(last, ast.Return):
        result = last.value or result
    else:
        body.append(last)
    rest: Sequence[ast.stmt] = [_Replaced(call, result).visit(copy.copy(user))]
    if isinstance(user, ast.Expr) and user.value is call and isinstance(result, ast.Constant):
        rest = []
    at = block.index(user)
    block[at : at + 1] = [*given, *body, *rest]
    return True


class _Replaced(ast.NodeTransformer):
    def __init__(self, call: ast.Call, result: ast.expr) -> None:
        self._call, self._result = call, result

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._result if node is self._call else self.generic_visit(node)
