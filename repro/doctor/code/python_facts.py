"""Reads the facts of a Python text from its syntax tree; nothing is imported or run."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from repro.doctor.code.facts import (
    INSTANTIATE,
    Call,
    Defined,
    Derived,
    Fact,
    NamedSymbol,
    Open,
    Opening,
    Place,
    Setting,
    Text,
    Value,
)
from repro.doctor.code.names import OURS, canonical
from repro.doctor.code.vocabulary import Vocabulary
from repro.model.reach import normal_name, normal_value

MOST_NODES = 2_000_000
MOST_CHARACTERS = 300
"""The length of the longest string that may be a name."""
_BUILTINS = frozenset(dir(builtins))
_MODULES = OURS - {"builtins"}
_FROM_ELSEWHERE = frozenset({"HfArgumentParser", "TrlParser", "LightningCLI", "OmegaConf", "Fire"})
"""Calls that read settings from the command line or from files."""
_ROOTS_FROM_ELSEWHERE = frozenset({"jsonargparse", "tyro", "simple_parsing", "draccus", "hydra"})
_LOADS_MODEL = frozenset({"from_pretrained", "for_model"})
_OPENS = _FROM_ELSEWHERE | _LOADS_MODEL | {
    "partial", "import_module", "__import__", "getattr", "setattr", "exec", "eval", "create_model", "instantiate",
}  # fmt: skip
"""Calls that are read whatever a record asks for."""


Node = TypeVar("Node", bound=ast.AST)


@dataclass
class _Tree:
    """The nodes of a text by kind, and the meanings of its names."""

    nodes: dict[type, list[ast.AST]] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    """Local name -> the full names that it may stand for."""
    stars: set[str] = field(default_factory=set)
    parents: dict[int, str] = field(default_factory=dict)
    """Dictionary that is the value of a key or an argument -> the name of that key or argument."""
    docstrings: set[int] = field(default_factory=set)

    def of(self, kind: type[Node]) -> list[Node]:
        """The nodes of one kind."""
        return cast("list[Node]", self.nodes.get(kind, []))


_KEPT = (
    ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Attribute, ast.Name, ast.Call, ast.ClassDef, ast.Dict,
    ast.Expr, ast.Constant, ast.FunctionDef, ast.AsyncFunctionDef, ast.Compare,
)  # fmt: skip
"""The kinds of nodes that are used."""
_LEAVES = frozenset({
    "ctx", "op", "ops", "id", "attr", "arg", "name", "names", "level", "module", "kind", "type_comment", "is_async",
    "simple", "conversion", "asname",
})  # fmt: skip
"""Fields without relevant nodes."""
_CHILDREN: dict[type, tuple[str, ...]] = {}


def _walk(module: ast.Module) -> dict[type, list[ast.AST]]:
    """The nodes of a tree by kind; reading a project spends most of its time here."""
    found: dict[type, list[ast.AST]] = {kind: [] for kind in _KEPT}
    waiting: list[ast.AST] = [module]
    count = 0
    while waiting:
        node = waiting.pop()
        kind = type(node)
        count += 1
        if kind in found:
            found[kind].append(node)
        if kind is ast.Name or kind is ast.Constant:
            continue
        names = _CHILDREN.get(kind)
        if names is None:
            names = _CHILDREN[kind] = tuple(name for name in kind._fields if name not in _LEAVES)
        for name in names:
            value = getattr(node, name, None)
            if type(value) is list:
                waiting.extend(item for item in value if item is not None and type(item) is not str)
            elif isinstance(value, ast.AST):  # the value of ``case True`` is no node
                waiting.append(value)
        if count > MOST_NODES:
            raise RecursionError
    return found


def facts_of_python(text: str, vocabulary: Vocabulary, file: str, cell: int = 0) -> Iterator[Fact]:
    """The facts of a Python text; raises SyntaxError, ValueError or RecursionError if it cannot be parsed."""
    reader = _Reader(ast.parse(text), vocabulary, file, cell)
    yield from reader.facts()


class _Reader:
    def __init__(self, module: ast.Module, vocabulary: Vocabulary, file: str, cell: int) -> None:
        self.vocabulary, self.file, self.cell = vocabulary, file, cell
        self.tree = _Tree(_walk(module))
        self._read_imports()
        self._read_aliases()

    def place(self, node: ast.AST) -> Place:
        return Place(self.file, getattr(node, "lineno", 1), self.cell)

    def facts(self) -> Iterator[Fact]:
        yield from self._imported()
        yield from self._references()
        yield from self._calls()
        yield from self._classes()
        yield from self._assignments()
        yield from self._dictionaries()
        yield from self._strings()
        yield from self._functions()

    # The meanings of names

    def _read_imports(self) -> None:
        for imported in self.tree.of(ast.Import):
            for alias in imported.names:
                local = alias.asname or alias.name.partition(".")[0]
                self._stand(local, alias.name if alias.asname else local)
        for node in self.tree.of(ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                if alias.name == "*":
                    self.tree.stars.add(canonical(module))
                else:
                    self._stand(alias.asname or alias.name, f"{module}.{alias.name}")

    def _stand(self, local: str, name: str) -> None:
        self.tree.names.setdefault(local, set()).add(canonical(name))

    def _read_aliases(self) -> None:
        """Read aliases such as ``dcp = torch.distributed.checkpoint``, twice, since an alias may use another one."""
        pairs = [
            (target.id, node.value)
            for node in self.tree.of(ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and isinstance(node.value, ast.Attribute | ast.Name | ast.Call)
        ]
        for _ in range(2):
            for local, value in pairs:
                for name in self.resolve(value):
                    if name.partition(".")[0] in OURS and name != f"builtins.{local}":
                        self.tree.names.setdefault(local, set()).add(name)

    def resolve(self, node: ast.expr) -> list[str]:
        """The full names that an expression may stand for; empty if that cannot be read."""
        if isinstance(node, ast.Name):
            if node.id in self.tree.names:
                return sorted(self.tree.names[node.id])
            starred = [f"{module}.{node.id}" for module in sorted(self.tree.stars)]
            return [*starred, f"builtins.{node.id}" if node.id in _BUILTINS else node.id]
        if isinstance(node, ast.Attribute):
            return [f"{name}.{node.attr}" for name in self.resolve(node.value)]
        if isinstance(node, ast.Call):
            return self._resolve_call(node)
        if isinstance(node, ast.IfExp):
            return [*self.resolve(node.body), *self.resolve(node.orelse)]
        return []

    def _resolve_call(self, node: ast.Call) -> list[str]:
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        constants = [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
        if called in {"import_module", "__import__"} and constants and isinstance(constants[0], str):
            return [canonical(constants[0])]
        if called == "getattr" and len(constants) > 1 and isinstance(constants[1], str):
            return [f"{name}.{constants[1]}" for name in self.resolve(node.args[0])]
        return []

    # Facts

    def _imported(self) -> Iterator[Fact]:
        for node in self.tree.of(ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                name = canonical(f"{module}.{alias.name}")
                if self.vocabulary.is_last(alias.name):
                    only_checked = self._is_only_checked(alias.asname or alias.name)
                    yield NamedSymbol(name, self.place(node), is_import=True, is_check=only_checked)
                if name.partition(".")[0] in _ROOTS_FROM_ELSEWHERE:
                    yield Open(Opening.SETTINGS, "", self.place(node), name)
        for plain in self.tree.of(ast.Import):
            for alias in plain.names:
                if alias.name.partition(".")[0] in _ROOTS_FROM_ELSEWHERE:
                    yield Open(Opening.SETTINGS, "", self.place(plain), alias.name)

    def _references(self) -> Iterator[Fact]:
        for attribute in self.tree.of(ast.Attribute):
            if self.vocabulary.is_last(attribute.attr):
                for name in self.resolve(attribute):
                    yield NamedSymbol(name, self.place(attribute), is_check=id(attribute) in self.checks)
        asked: dict[str, list[str]] = {}  # a text uses the same names again and again
        for node in self.tree.of(ast.Name):
            word = node.id
            names = asked.get(word)
            if names is None:
                may_matter = word in self.tree.names or self.vocabulary.is_last(word)
                resolved = self.resolve(node) if may_matter else []
                names = asked[word] = [name for name in resolved if self.vocabulary.is_last(name.rpartition(".")[2])]
            for name in names:
                yield NamedSymbol(name, self.place(node), is_check=id(node) in self.checks)

    def _checking(self) -> Iterator[ast.expr]:
        """Expressions in which a class is only an annotation or a type to compare with."""
        for call in self.tree.of(ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in {"isinstance", "issubclass"} and len(call.args) > 1:
                yield call.args[1]
            elif name == "cast" and call.args:
                yield call.args[0]
        for compared in self.tree.of(ast.Compare):
            sides = (compared.left, *compared.comparators)
            yield from (item for item in sides if isinstance(item, ast.Name | ast.Attribute | ast.Tuple))
        for assigned in self.tree.of(ast.AnnAssign):
            yield assigned.annotation
        functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*self.tree.of(ast.FunctionDef)]
        for function in [*functions, *self.tree.of(ast.AsyncFunctionDef)]:
            given = function.args
            arguments = (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg)
            annotations = (*(item.annotation for item in arguments if item), function.returns)
            yield from (item for item in annotations if item)

    @cached_property
    def checks(self) -> set[int]:
        """The nodes of these expressions."""
        found: set[int] = set()
        for node in self._checking():
            if type(node) is ast.Name:
                found.add(id(node))
            else:
                found.update(id(item) for item in ast.walk(node))
        return found

    def _is_only_checked(self, local: str) -> bool:
        references = [id(node) in self.checks for node in self._names.get(local, ())]
        return bool(references) and all(references)

    @cached_property
    def _names(self) -> dict[str, list[ast.Name]]:
        found: dict[str, list[ast.Name]] = {}
        for node in self.tree.of(ast.Name):
            found.setdefault(node.id, []).append(node)
        return found

    def _calls(self) -> Iterator[Fact]:
        for node in self.tree.of(ast.Call):
            if node.keywords:
                yield from self._arguments(node)
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if not self._may_matter(node.func, called):
                continue
            names = self.resolve(node.func)
            if called == "partial" and node.args:
                names = self.resolve(node.args[0])
            if called in self.vocabulary.methods and isinstance(node.func, ast.Attribute):
                names = [*names, f".{called}"]
            given = {normal_name(k.arg): self.value(k.value) for k in node.keywords if k.arg}
            given |= {f"arg{number}": self.value(value) for number, value in enumerate(_positional(node, called), 1)}
            is_open = any(keyword.arg is None for keyword in node.keywords) or any(
                isinstance(value, ast.Starred) for value in node.args
            )
            subject = _subject(node) if called in self.vocabulary.subjects else ""
            if names and (is_open or f".{called}" in names or subject or given.keys() & self.vocabulary.settings):
                yield Call(tuple(names), given, is_open, self.place(node), subject)
            yield from self._opened(node, called, names)

    def _may_matter(self, function: ast.expr, called: str) -> bool:
        """False for a call of which nothing but its keyword arguments can matter; most calls are of this kind."""
        if isinstance(function, ast.Name) and called in self.tree.names:
            lasts = [name.rpartition(".")[2] for name in self.tree.names[called]]
            return called in _OPENS or any(map(self.vocabulary.may_be_called, lasts))
        if isinstance(function, ast.Name | ast.Attribute):
            return called in _OPENS or self.vocabulary.may_be_called(called)
        return True

    def _arguments(self, node: ast.Call) -> Iterator[Fact]:
        yield from self._flag(node)
        for keyword in node.keywords:
            name = normal_name(keyword.arg or "")
            if isinstance(keyword.value, ast.Dict):
                self.tree.parents[id(keyword.value)] = name
            if name in self.vocabulary.settings:
                yield Setting(name, self.value(keyword.value), self.place(keyword.value))

    def _flag(self, node: ast.Call) -> Iterator[Fact]:
        """The default of a command-line flag: ``add_argument("--precision", default=32)``."""
        default = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), None)
        for text in (item.value for item in node.args if isinstance(item, ast.Constant)):
            name = normal_name(text) if isinstance(text, str) and text.startswith("--") else ""
            if default is not None and name in self.vocabulary.settings:
                yield Setting(name, self.value(default), self.place(node))

    def _opened(self, node: ast.Call, called: str, names: list[str]) -> Iterator[Fact]:
        """The openings of a call, through which it may reach what the text does not name."""
        first = node.args[0] if node.args else None
        place = self.place(node)
        is_constant = first is None or isinstance(first, ast.Constant)
        if called in {"import_module", "__import__"} and first is not None and not is_constant:
            begin = _beginning(first)
            if not begin.startswith("."):
                yield Open(Opening.IMPORT, canonical(begin), place)
        elif called in {"getattr", "setattr"} and len(node.args) > 1:
            yield from self._attribute(called, node.args[0], node.args[1], place)
        elif called in {"exec", "eval"} and isinstance(node.func, ast.Name) and not is_constant:
            yield Open(Opening.EXECUTED, "", place)
        elif _loads_model(called, names) and first is not None and self.value(first) is None:
            yield Open(Opening.MODEL, "", place)
        elif called in _FROM_ELSEWHERE:
            yield Open(Opening.SETTINGS, "", place, called)
        elif called == "instantiate" and any(name.startswith("hydra.") for name in names):
            yield Open(Opening.IMPORT, "", place, INSTANTIATE)

    def _attribute(self, called: str, owner: ast.expr, name: ast.expr, place: Place) -> Iterator[Fact]:
        """``getattr``, and ``setattr`` with a constant name."""
        for full in self.resolve(owner):
            if called == "setattr" and isinstance(name, ast.Constant):
                yield from self._replaced(f"{full}.{name.value!s}", place)
            elif isinstance(name, ast.Constant):
                if isinstance(name.value, str) and self.vocabulary.is_last(name.value):
                    yield NamedSymbol(f"{full}.{name.value}", place)
            elif called == "getattr" and full.partition(".")[0] in _MODULES:
                yield Open(Opening.ATTRIBUTE, f"{full}.{_beginning(name)}", place, full)

    def _replaced(self, name: str, place: Place) -> Iterator[Fact]:
        if name.rpartition(".")[2] in self.vocabulary.faults:
            yield Open(Opening.REPLACED, canonical(name), place)

    def _classes(self) -> Iterator[Fact]:
        for node in self.tree.of(ast.ClassDef):
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
            methods = frozenset(item.name for item in node.body if isinstance(item, kinds))
            for base in node.bases:
                for name in self.resolve(base):
                    yield Derived(node.name, name, methods, self.place(node))

    def _assignments(self) -> Iterator[Fact]:
        several: list[tuple[ast.stmt, list[ast.expr], ast.expr | None]]
        several = [(node, node.targets, node.value) for node in self.tree.of(ast.Assign)]
        several += [(single, [single.target], single.value) for single in self.tree.of(ast.AnnAssign)]
        for node, targets, value in several:
            for target in targets:
                name = _assigned(target)
                if name in self.vocabulary.settings and value is not None:
                    yield Setting(name, self.value(value), self.place(node))
                if isinstance(target, ast.Attribute) and target.attr in self.vocabulary.faults:
                    for full in self.resolve(target):
                        yield from self._replaced(full, self.place(node))

    def _dictionaries(self) -> Iterator[Fact]:
        # Outer dictionaries come first, since they name the inner ones.
        for node in sorted(self.tree.of(ast.Dict), key=lambda item: (item.lineno, item.col_offset)):
            parent = self.tree.parents.get(id(node), "")
            for key, value in zip(node.keys, node.values, strict=True):
                if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                    continue
                name = normal_name(key.value)
                if isinstance(value, ast.Dict):
                    self.tree.parents[id(value)] = name
                *above, last = name.split(".")
                if last in self.vocabulary.settings:
                    yield Setting(last, self.value(value), self.place(key), above[-1] if above else parent)

    def _strings(self) -> Iterator[Fact]:
        skipped = {id(node.value) for node in self.tree.of(ast.Expr)}
        for node in self.tree.of(ast.Constant):
            text = node.value
            if not isinstance(text, str) or id(node) in skipped or len(text) > MOST_CHARACTERS:
                continue
            if text.startswith("--"):
                name, given, value = text.partition("=")
                last = normal_name(name).rpartition(".")[2]
                if last in self.vocabulary.settings:
                    yield Setting(last, normal_value(value) if given else None, self.place(node))
            elif self.vocabulary.is_text(text):
                yield Text(text, self.place(node))
            elif "." in text and text.rpartition(".")[2] in self.vocabulary.faults:
                yield from self._replaced(text, self.place(node))
            elif "." in text and self._is_full_name(canonical(text)):
                yield NamedSymbol(canonical(text), self.place(node))

    def _is_full_name(self, text: str) -> bool:
        root, last = text.partition(".")[0], text.rpartition(".")[2]
        return root in OURS and " " not in text and self.vocabulary.is_last(last)

    def _functions(self) -> Iterator[Fact]:
        functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*self.tree.of(ast.FunctionDef)]
        functions += self.tree.of(ast.AsyncFunctionDef)
        for node in functions:
            if node.name in self.vocabulary.faults:
                yield Defined(node.name, self.place(node))
            positional = [*node.args.posonlyargs, *node.args.args][-len(node.args.defaults) :]
            pairs: list[tuple[ast.arg, ast.expr | None]] = []
            pairs += zip(positional if node.args.defaults else [], node.args.defaults, strict=True)
            pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            for argument, default in pairs:
                name = normal_name(argument.arg)
                if default is not None and name in self.vocabulary.settings:
                    yield Setting(name, self.value(default), self.place(argument))

    def value(self, node: ast.expr) -> Value:
        """A constant, or the last part of the name of one: ``torch.bfloat16``, ``Type.SHARDED``."""
        if isinstance(node, ast.Constant):
            return normal_value(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return normal_value(f"-{node.operand.value!s}")
        if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Set):
            return None if ast.unparse(node) not in {"[]", "()", "{}"} else "none"
        if isinstance(node, ast.Attribute) and (
            node.attr.isupper() or any(name.partition(".")[0] in OURS for name in self.resolve(node))
        ):
            return normal_value(node.attr)
        return None


def _positional(node: ast.Call, called: str) -> list[ast.expr]:
    """The positional arguments at certain positions; for ``partial``, without the function."""
    found = node.args[1:] if called == "partial" else node.args
    starred = next((index for index, value in enumerate(found) if isinstance(value, ast.Starred)), len(found))
    return found[:starred]


def _loads_model(called: str, names: list[str]) -> bool:
    """True if the first argument of a call is the name of a model."""
    return called in _LOADS_MODEL or (called == "create_model" and any(name.startswith("timm.") for name in names))


def _subject(node: ast.Call) -> str:
    """The names in the object of a method and in the first argument: ``total_norm`` of ``total_norm.item()``."""
    parts = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    walked = [item for part in parts for item in ast.walk(part)]
    return " ".join(filter(None, (getattr(item, "id", "") or getattr(item, "attr", "") for item in walked)))


def _assigned(target: ast.expr) -> str:
    """The name that is assigned to; for an attribute or a constant key, its last part."""
    if isinstance(target, ast.Name):
        return normal_name(target.id)
    if isinstance(target, ast.Attribute):
        return normal_name(target.attr)
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return normal_name(str(target.slice.value)).rpartition(".")[2]
    return ""


def _beginning(node: ast.expr) -> str:
    """The constant text that a computed string begins with; empty if there is none."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr) and node.values:
        return _beginning(node.values[0]) if isinstance(node.values[0], ast.Constant) else ""
    if isinstance(node, ast.BinOp):
        return _beginning(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _beginning(node.func.value).partition("{")[0]
    return ""
