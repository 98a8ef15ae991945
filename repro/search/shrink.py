"""Reduces a script while it stays interesting.  Pure: proposes texts and asks which of them are interesting.

Statements are removed together with those that cannot stay without them (``dependents``), the most lines first, until
none can go alone; then compound statements are replaced by their bodies.  When that no longer helps, arguments,
elements and imported names are removed by delta debugging, numbers are made small, and low and high precisions become
float32.  This is repeated until nothing changes.  The caller decides what is interesting; ``shrink_runs`` asks for the
same signature on the same ranks.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from repro.search.blame import Effect, minimal_set
from repro.search.dependents import BLOCKS, Statements, lines_in, outermost_first
from repro.search.inline import inlined

LISTS = ("keywords", "args", "elts", "names", "decorator_list", "items")
SMALL = (1, 2)
"""The values that replace larger numbers, if possible."""
PARTS = (2, 4)
"""What can only go together is looked for in so many parts of a block, when no statement goes alone."""

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
                self._lines()
                for step in (self._lists, self._numbers, self._precisions):
                    step()
                if self.text == before:
                    self.complete = True
                    return
        except OutOfBudgetError:
            return

    def _accept(self, tree: ast.Module) -> bool:
        """Keep the tree as it is now if it is interesting; returns whether it is."""
        return self._accept_text(ast.unparse(ast.fix_missing_locations(tree)) + "\n")

    def _accept_text(self, text: str) -> bool:
        try:
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

    def _lines(self) -> None:
        """Remove whole lines until that changes nothing."""
        before = ""
        while self.text != before:
            before = self.text
            for step in (self._docstrings, self._annotations, self._unused, self._statements):
                step()
            for step in (self._unwrap, self._inline, self._values):
                step()
            if self.text == before:
                self._remove_some(set(), PARTS, alone=True)

    def _docstrings(self) -> None:
        script = Statements(self.text)
        if gone := script.docstrings():
            self._shorter(script, gone)

    def _annotations(self) -> None:
        """Remove the annotations of all functions at once."""
        tree = ast.parse(self.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                node.returns = None
            elif isinstance(node, ast.arg):
                node.annotation = None
        self._accept(tree)

    def _unused(self) -> None:
        """Remove what binds names that nothing uses: all at once, or what of it can go."""
        script = Statements(self.text)
        unused = script.unused()
        if not unused or self._shorter(script, script.with_dependents(unused)):
            return
        for statement in unused:
            if self._shorter(script, script.with_dependents([statement])):
                self._unused()
                return

    def _statements(self) -> None:
        """Remove statements with their dependents until no proposal helps that was not tried before."""
        refused: set[str] = set()
        while self._remove_some(refused, (1,)):
            pass

    def _remove_some(self, refused: set[str], parts: Sequence[int], *, alone: bool = False) -> bool:
        """Try to remove blocks in so many parts, and single statements, the most lines first, until one goes.

        ``alone``: without what uses their names too; it may stand where no rank comes.
        """
        script = Statements(self.text)
        proposals = []
        for block in script.blocks():
            for chosen in _parts_of(block, parts):
                name = "\n".join(map(ast.unparse, chosen))
                if name not in refused and name != "pass":
                    gone = script.with_dependents(chosen)
                    proposals.append((lines_in(gone), name, gone))
                    if alone and (inside := script.inside(chosen)) != gone:
                        proposals.append((lines_in(inside), f"{name} alone", inside))
        for _, name, gone in sorted(proposals, key=lambda one: -one[0]):
            if name not in refused and self._shorter(script, gone):
                return True
            refused.add(name)
        return False

    def _shorter(self, script: Statements, gone: set[ast.stmt]) -> bool:
        return self._accept_text(script.without(gone))

    def _unwrap(self) -> None:
        tree = ast.parse(self.text)
        for node in outermost_first(tree):
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

    def _inline(self) -> None:
        """Put functions that are called in one place there."""
        while any(self._accept_text(text) for text in inlined(self.text)):
            pass

    def _values(self) -> None:
        """Replace what is assigned, returned and yielded by None."""
        tree = ast.parse(self.text)
        for node in outermost_first(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                self._replaced(tree, node, "value", ast.Constant(None))
            elif isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                self._replaced(tree, node, "value", None)
            elif isinstance(node, ast.stmt) and isinstance(getattr(node, "value", None), ast.YieldFrom):
                self._replaced(tree, node, "value", ast.Yield())

    def _lists(self) -> None:
        tree = ast.parse(self.text)
        for node in outermost_first(tree):
            for name in LISTS:
                held = getattr(node, name, None)
                if isinstance(held, list) and held:
                    self._keep_fewest(tree, node, name)

    def _numbers(self) -> None:
        tree = ast.parse(self.text)
        for node in outermost_first(tree):
            if not isinstance(node, ast.Constant) or type(node.value) is not int or node.value <= SMALL[0]:
                continue
            before = node.value
            for small in (*SMALL, before // 2):
                if small < before and self._replaced(tree, node, "value", small):
                    break

    def _precisions(self) -> None:
        tree = ast.parse(self.text)
        for node in outermost_first(tree):
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


def _parts_of(block: Sequence[ast.stmt], parts: Sequence[int]) -> Iterator[Sequence[ast.stmt]]:
    """A block in so many parts, and each of its statements."""
    sizes = {-(-len(block) // count) for count in parts} | {1}
    for size in sorted(sizes, reverse=True):
        for at in range(0, len(block), size):
            yield block[at : at + size]


def lines_of(text: str) -> int:
    """The number of lines of code, without empty lines and comments."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())
