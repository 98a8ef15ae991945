"""Reduces a script while it stays interesting.  Pure: proposes texts and asks which of them are interesting.

It uses delta debugging on the syntax tree: first the statements of each block, from the outermost inwards; then
compound statements are replaced by their bodies; then arguments, elements and imported names are removed, numbers are
made small, and low and high precisions become float32.
This is repeated until nothing changes.  The caller decides what is interesting; ``shrink_runs`` asks for the same
signature on the same ranks.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from repro.search.blame import Effect, minimal_set

BLOCKS = ("body", "orelse", "finalbody", "handlers")
LISTS = ("keywords", "args", "elts", "names", "decorator_list", "items")
SMALL = (1, 2)
"""The values that replace larger numbers, if possible."""


PLAIN_NAMES = {
    "bfloat16": "float32", "float16": "float32", "float64": "float32", "float8_e4m3fn": "float32", "half": "float",
    "double": "float",
}  # fmt: skip
"""Attributes that name a dtype of torch or convert to one, each with its replacement."""
PLAIN_TEXTS = {
    "bf16-mixed": "32-true", "16-mixed": "32-true", "bf16-true": "32-true", "16-true": "32-true", "64-true": "32-true",
    "bf16": "no", "fp16": "no", "bfloat16": "float32", "float16": "float32", "float64": "float32",
}  # fmt: skip
"""Strings with which trainers receive a precision."""


class OutOfBudgetError(Exception):
    """The budget is spent."""


@dataclass
class Reduction:
    """A reduction of a script."""

    text: str
    """The smallest interesting text so far."""
    interesting: Callable[[str], bool]
    """Decides whether a text is interesting; raises OutOfBudgetError to end the reduction."""
    tried: int = 0
    complete: bool = False
    """True if no further step helps; False if the budget ended first."""
    _known: dict[str, bool] = field(default_factory=dict)

    def run(self) -> None:
        """Reduce until nothing changes or the budget is spent; ``text`` is always interesting."""
        try:
            while True:
                before = self.text
                for step in (self._blocks, self._unwrap, self._lists, self._numbers, self._precisions):
                    step()
                if self.text == before:
                    self.complete = True
                    return
        except OutOfBudgetError:
            return

    def _accept(self, tree: ast.Module) -> bool:
        """Keep the tree as it is now if it is interesting; returns whether it is."""
        try:
            text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            compile(text, "script", "exec")
        except (SyntaxError, ValueError, RecursionError):
            return False
        if text not in self._known:
            self.tried += 1
            self._known[text] = self.interesting(text)
        if self._known[text]:
            self.text = text
        return self._known[text]

    def _keep_fewest(self, tree: ast.Module, node: ast.AST, name: str) -> None:
        """Keep as few members of a node's list as possible."""
        whole = getattr(node, name)

        def ask(kept: tuple[Any, ...]) -> Effect:
            setattr(node, name, list(kept) or ([ast.Pass()] if name == "body" else []))
            accepted = self._accept(tree)
            if not accepted:
                setattr(node, name, whole)
            return Effect.FLIPS if accepted else Effect.KEEPS

        # First without any of them, since a whole block is often unnecessary.
        if len(whole) == 1 and isinstance(whole[0], ast.Pass):
            return
        if ask(()) is Effect.FLIPS:
            return
        kept = list(minimal_set(whole, ask))
        setattr(node, name, kept)

    def _blocks(self) -> None:
        tree = ast.parse(self.text)
        for node in _outermost_first(tree):
            for name in BLOCKS:
                held = getattr(node, name, None)
                if isinstance(held, list) and held and isinstance(held[0], ast.stmt | ast.ExceptHandler):
                    self._keep_fewest(tree, node, name)

    def _unwrap(self) -> None:
        tree = ast.parse(self.text)
        for node in _outermost_first(tree):
            for name in BLOCKS:
                held = getattr(node, name, None)
                if not isinstance(held, list):
                    continue
                for statement in [
                    one for one in held if isinstance(one, ast.If | ast.With | ast.For | ast.While | ast.Try)
                ]:
                    whole = getattr(node, name)
                    at = whole.index(statement)
                    setattr(node, name, [*whole[:at], *statement.body, *whole[at + 1 :]])
                    if not self._accept(tree):
                        setattr(node, name, whole)

    def _lists(self) -> None:
        tree = ast.parse(self.text)
        for node in _outermost_first(tree):
            for name in LISTS:
                held = getattr(node, name, None)
                if isinstance(held, list) and held:
                    self._keep_fewest(tree, node, name)

    def _numbers(self) -> None:
        tree = ast.parse(self.text)
        for node in _outermost_first(tree):
            if not isinstance(node, ast.Constant) or type(node.value) is not int or node.value <= SMALL[0]:
                continue
            before = node.value
            for small in (*SMALL, before // 2):
                if small < before and self._replaced(tree, node, "value", small):
                    break

    def _precisions(self) -> None:
        tree = ast.parse(self.text)
        for node in _outermost_first(tree):
            if isinstance(node, ast.Attribute) and node.attr in PLAIN_NAMES:
                self._replaced(tree, node, "attr", PLAIN_NAMES[node.attr])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PLAIN_TEXTS:
                self._replaced(tree, node, "value", PLAIN_TEXTS[node.value])

    def _replaced(self, tree: ast.Module, node: ast.AST, field: str, value: object) -> bool:
        """Change a field of a node if the tree stays interesting, else restore it; returns whether it changed."""
        before = getattr(node, field)
        setattr(node, field, value)
        if self._accept(tree):
            return True
        setattr(node, field, before)
        return False


def _outermost_first(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is still in the tree when it is visited."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting += ast.iter_child_nodes(node)


def lines_of(text: str) -> int:
    """The number of lines of code, without empty lines and comments."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())
