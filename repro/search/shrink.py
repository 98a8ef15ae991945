"""Makes a script smaller while it stays interesting.  Pure: proposes texts, and asks which of them are interesting.

Delta debugging over the syntax tree: statements of each block, from the outermost inwards; then compound statements
are replaced by what they hold; then arguments, elements and imported names are left out, numbers are made small, and
low and high precisions become float32.
This is repeated until nothing changes.  Whoever asks decides what is interesting: the same signature on the same
ranks, in ``shrink_runs``.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from repro.search.blame import Effect, minimal_set

BLOCKS = ("body", "orelse", "finalbody", "handlers")
LISTS = ("keywords", "args", "elts", "names", "decorator_list", "items")
SMALL = (1, 2)
"""What a larger number is replaced by, if possible."""


PLAIN_NAMES = {
    "bfloat16": "float32", "float16": "float32", "float64": "float32", "float8_e4m3fn": "float32", "half": "float",
    "double": "float",
}  # fmt: skip
"""Names of attributes: a dtype of torch, or a method that converts to one; and what is used by default."""
PLAIN_TEXTS = {
    "bf16-mixed": "32-true", "16-mixed": "32-true", "bf16-true": "32-true", "16-true": "32-true", "64-true": "32-true",
    "bf16": "no", "fp16": "no", "bfloat16": "float32", "float16": "float32", "float64": "float32",
}  # fmt: skip
"""Texts by which trainers are given a precision."""


class OutOfBudgetError(Exception):
    """No further text may be tried."""


@dataclass
class Reduction:
    """A script on its way to a smaller one."""

    text: str
    """The smallest interesting text so far."""
    interesting: Callable[[str], bool]
    """Whether a text shows what is looked for; raises OutOfBudgetError to end the reduction."""
    tried: int = 0
    complete: bool = False
    """True if nothing smaller can be reached by these steps; False if the budget ended before."""
    _known: dict[str, bool] = field(default_factory=dict)

    def run(self) -> None:
        """Reduce until nothing changes or the budget is spent; ``text`` is interesting all the time."""
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
        """True if the tree as it stands now is interesting; then it is kept."""
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
        """Keep as few members of a list of a node as possible."""
        whole = getattr(node, name)

        def ask(kept: tuple[Any, ...]) -> Effect:
            setattr(node, name, list(kept) or ([ast.Pass()] if name == "body" else []))
            accepted = self._accept(tree)
            if not accepted:
                setattr(node, name, whole)
            return Effect.FLIPS if accepted else Effect.KEEPS

        # Without any of them first: a whole block is often of no use.
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
        """Give a node another value; True if the tree is interesting so, else the node keeps what it had."""
        before = getattr(node, field)
        setattr(node, field, value)
        if self._accept(tree):
            return True
        setattr(node, field, before)
        return False


def _outermost_first(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that still stands in the tree when its turn comes."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting += ast.iter_child_nodes(node)


def lines_of(text: str) -> int:
    """Lines of code: without empty lines and comments."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())
