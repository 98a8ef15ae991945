"""Counts the calls of a run that reach a documented failure, and warns once for each.

This file and the JSON beside it are all that is needed: it runs in the user's own environment, imports the standard
library only, and changes nothing that the script can see but functions that are wrapped in place.

    python repro_reach.py [--report FILE] -- torchrun --nproc-per-node 2 train.py
    import repro_reach    # at the top of a script

A function is wrapped when its own module has been imported by the script; nothing is imported earlier.  A warning says
that the run did what the record names, with the arguments that it names.  It does not say that the run suffers.
"""

from __future__ import annotations

import atexit
import functools
import importlib.abc
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from threading import get_ident
from types import FunctionType, ModuleType
from typing import Any

Given = Mapping[str, Any]
"""The arguments of a call, by name and by position (``arg1``)."""

DATA = "REPRO_REACH_DATA"
REPORT = "REPRO_REACH_REPORT"
INJECTED = "REPRO_REACH_FOLDER"
BESIDE = Path(__file__).with_suffix(".json")
ALIASES = {"lightning": "pytorch-lightning"}
RENAMED = {"pytorch_lightning": "lightning.pytorch", "lightning_fabric": "lightning.fabric"}
UNTOUCHED = frozenset({"torch", "torch.functional", "torch.nn.functional", "torch.nn.init"})
"""Modules whose functions stay as they are: torch's compilers know them by identity, or translate their source."""
MOST_TYPES = 1000
MOST_CALLS = 10_000
"""After so many calls that show nothing new a function is put back as it was."""
NO, NOT_KNOWN, YES = range(3)
NOT_SEEN = object()
"""What no call can show: the base of a class, a method of any object, a text."""


# Versions.


def _release(text: str) -> tuple[int, ...] | None:
    """The numbers of a plain release (``2.6.0+cu124``); None for pre-releases, vendor builds and the like."""
    found = re.fullmatch(r"v?(\d+(?:\.\d+)*)(?:\.post\d+)?(?:\+(?:cpu|cu\d+|rocm[\d.]+|xpu)(?:\..*)?)?", text.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else None


def _holds(specifiers: str, version: tuple[int, ...]) -> bool | None:
    """Whether a release satisfies specifiers; None if that cannot be told without a library."""
    for clause in filter(None, (part.strip() for part in specifiers.split(","))):
        found = re.fullmatch(r"(===?|~=|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?", clause)
        if not found:
            return None
        bound = tuple(int(part) for part in found[2].split("."))
        width = max(len(bound), len(version))
        left, right = (numbers + (0,) * (width - len(numbers)) for numbers in (version, bound))
        kept = len(bound) - (found[1] == "~=")
        series = (version + (0,) * len(bound))[:kept] == bound[:kept]
        same = series if found[3] else left == right
        answers = {
            "==": same, "===": same, "!=": not same, "<=": left <= right, ">=": left >= right, "<": left < right,
            ">": left > right, "~=": left >= right and series,
        }  # fmt: skip
        if not answers[found[1]]:
            return False
    return True


def _installed(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def exposure(affected: Sequence[Mapping[str, str]], never_tried: Sequence[tuple[str, str]] = ()) -> str:
    """``listed``, ``not listed`` or ``not known``: how installed versions stand to a record's alternatives.

    ``never_tried`` are specifiers, by distribution, of releases of which the record knows nothing.
    """
    answers = []
    for releases in affected:
        fits = []
        for name, specifiers in releases.items():
            if specifiers == "absent":
                fits.append(NO if _installed(name) or _installed(ALIASES.get(name, name)) else YES)
                continue
            held = [text for text in (_installed(name), _installed(ALIASES.get(name, name))) if text]
            numbers = [_release(text) for text in held]
            untried = [text for other, text in never_tried if other == name]
            fits.append(max((_fit(specifiers, untried, item) for item in numbers), default=NO))
        answers.append(min(fits, default=YES))
    return ("not listed", "not known", "listed")[max(answers, default=NO)]


def _fit(specifiers: str, untried: Sequence[str], version: tuple[int, ...] | None) -> int:
    """Whether a release is one that a record lists; not known also for one that nobody tried."""
    if version is None:
        return NOT_KNOWN
    found = {True: YES, None: NOT_KNOWN, False: NO}[_holds(specifiers, version)]
    return NOT_KNOWN if found == NO and any(_holds(text, version) is not False for text in untried) else found


# What a record names.


def _pattern(symbol: str) -> re.Pattern[str]:
    """The expression of a symbol: ``**`` stands for any modules, ``*`` for any part of a name."""
    parts = [
        r"(?:\w+\.)*" if part == "**" else re.escape(part).replace(r"\*", r"\w*") + r"\." for part in symbol.split(".")
    ]
    return re.compile("".join(parts)[:-2])


_SAME = {"yes": "true", "on": "true", "no": "false", "off": "false", "null": "none", "~": "none", "": "none"}
_SWITCHES = {True: "true", False: "false", None: "none"}


def _constant(value: Any) -> str | None:
    """A value as records write it; None if it is none that a record can name."""
    if value is True or value is False or value is None:
        return _SWITCHES[value]
    if isinstance(value, (int, float, str)):
        text = str(value).strip().lower()
        return _SAME.get(text, text)
    name = getattr(value, "name", None)  # a member of an enumeration: FULL_STATE_DICT
    return name.lower() if isinstance(name, str) and hasattr(type(value), "__members__") else None


class ValueRule:
    """The values that a record names for an argument or setting."""

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.values, self.other_than = frozenset(rule.get("values", ())), frozenset(rule.get("other_than", ()))

    def accepts(self, value: Any) -> bool:
        """True if the record means this value; an object is none of the values that a record can name."""
        text = _constant(value)
        if text is None:
            return not self.values
        return (not self.values or text in self.values) and text not in self.other_than


def _is_untouched(symbol: str) -> bool:
    """True if a symbol is a function that is not wrapped: built in, or one that compilers know."""
    place, _, last = symbol.rpartition(".")
    return last.islower() and (place in UNTOUCHED or place.startswith(("builtins", "torch.nn.**", "torch.linalg")))


class Leaf:
    """A part of what a record names, and how often calls have shown it."""

    def __init__(self, use: Mapping[str, Any]) -> None:
        self.use = use
        self.patterns = [_pattern(symbol) for symbol in use.get("symbols", ())]
        self.settings = frozenset(use.get("settings", ()))
        self.arguments = {name: ValueRule(rule) for name, rule in use.get("arguments", {}).items()}
        self.rule = ValueRule(use)
        self.calls = 0
        symbols = use.get("symbols", ())
        self.is_seen = bool(self.settings) or any(not _is_untouched(symbol) for symbol in symbols)

    @property
    def state(self) -> object:
        if self.calls:
            return True
        return False if self.is_seen else NOT_SEEN

    def concerns(self, path: str) -> bool:
        """True if a call of a function at this path may show it."""
        return bool(self.settings) or any(pattern.fullmatch(path) for pattern in self.patterns)

    @property
    def asks(self) -> frozenset[str]:
        """The names of the arguments that it asks for."""
        return self.settings | frozenset(self.arguments)

    def accepts(self, given: Given) -> bool:
        """True if a call with these arguments, of a function that it concerns, shows it."""
        if self.settings:
            for name in self.settings:  # noqa: SIM110 - a loop costs a quarter of any()
                if name in given and self.rule.accepts(given[name]):
                    return True
            return False
        for name, rule in self.arguments.items():  # noqa: SIM110
            if name not in given or not rule.accepts(given[name]):
                return False
        return True


Node = Any
"""A leaf, or ``all_of`` or ``any_of`` with its nodes."""


class ReachedFailure:
    """One failure."""

    def __init__(self, record: Mapping[str, Any], versions: str) -> None:
        self.id, self.title = record["id"], record["title"]
        self.versions = versions
        self.leaves: list[Leaf] = []
        self.tree = self._tree(record["when"])
        self.fault = Leaf({"symbols": record.get("at_fault", [])})
        self.reached = False
        self.calls = 0
        """Calls since all that the failure needs was seen, the call that completed it included."""

    def _tree(self, use: Mapping[str, Any]) -> Node:
        for kind in ("all_of", "any_of"):
            if use.get(kind):
                return (kind, [self._tree(part) for part in use[kind]])
        leaf = Leaf(use)
        self.leaves.append(leaf)
        return leaf

    @property
    def symbols(self) -> list[str]:
        return [symbol for leaf in (*self.leaves, self.fault) for symbol in leaf.use.get("symbols", ())]

    def state(self, node: Node = None) -> object:
        """True if all that the failure needs was seen, False if not; NOT_SEEN if the rest cannot be seen."""
        node = node or self.tree
        if isinstance(node, Leaf):
            return node.state
        kind, parts = node
        states = [self.state(part) for part in parts]
        first, last = (False, True) if kind == "all_of" else (True, False)
        return first if first in states else NOT_SEEN if NOT_SEEN in states else last

    def concerned(self, path: str) -> list[Leaf]:
        """What a call of a function at this path may show."""
        return [leaf for leaf in (*self.leaves, self.fault) if leaf.concerns(path)]

    def judge(self) -> bool:
        """Judge again after something was seen for the first time; True if the failure is reached since now."""
        if self.reached:
            return False
        state = self.state()
        self.reached = state is True or (state is NOT_SEEN and self.fault.calls > 0)
        return self.reached


class Site:
    """A function that is watched: what a call of it may show."""

    def __init__(self, path: str, names: Sequence[str], skip: int, failures: Sequence[ReachedFailure]) -> None:
        self.path, self.skip, self.failures = path, skip, failures
        self.pending = 0
        """Calls of a counted site that are not yet added to its leaves and failures."""
        leaves = [leaf for failure in failures for leaf in failure.concerned(path)]
        self.plain = [leaf for leaf in leaves if not leaf.asks]
        self.asking = [leaf for leaf in leaves if leaf.asks]
        self.is_counted = False
        """True once a call can show nothing new but by its arguments: from then on other calls are only counted."""
        self.dull: set[type] = set()
        """Types of arguments that carry no options that are asked for."""
        self.wanted = frozenset(name for leaf in self.asking for name in leaf.asks)
        numbered = [(at, name) for at, name in enumerate(names) if at >= skip and name in self.wanted]
        numbered += [(at, f"arg{at + 1 - skip}") for at in range(skip, 12) if f"arg{at + 1 - skip}" in self.wanted]
        self.positions = tuple(numbered)
        self.first = min((at for at, _ in numbered), default=sys.maxsize)
        """The first position that is asked for."""
        self.fields: dict[type, tuple[str, ...]] = {}
        """By type of an argument: what is asked for of an object that carries options."""
        self.put_back: Callable[[], object] = _never
        self.is_let_go = False
        """True once the function is no longer watched, since so many calls showed nothing new."""

    def let_go(self) -> None:
        """Put the function back as it was: a training loop pays no more for what it calls all the time."""
        self.is_let_go = True
        self.put_back()

    def flush(self) -> None:
        """Add the pending calls to the leaves, and to the failures that are reached."""
        number, self.pending = self.pending, 0
        for leaf in self.plain:
            leaf.calls += number
        for failure in self.failures:
            failure.calls += number * failure.reached

    def fields_of(self, kind: type, roots: frozenset[str]) -> tuple[str, ...]:
        """``full_state_dict`` of ``StateDictOptions``; nothing for what is no dataclass of the libraries."""
        found = self.fields.get(kind)
        if found is None:
            ours = kind.__module__.partition(".")[0] in roots
            found = tuple(name for name in getattr(kind, "__dataclass_fields__", ()) if ours and name in self.wanted)
            if len(self.fields) < MOST_TYPES:
                self.fields[kind] = found
                if not found:
                    self.dull.add(kind)
        return found

    def given(self, args: tuple[Any, ...], kwargs: dict[str, Any], roots: frozenset[str]) -> dict[str, Any]:
        """The arguments of a call that are asked for."""
        found: dict[str, Any] = {}
        known, wanted = self.fields, self.wanted
        for at, name in self.positions:
            if at < len(args):
                found[name] = args[at]
        for name, value in kwargs.items():
            if name in wanted:
                found[name] = value  # noqa: PERF403 - as above
        for value in (*args, *kwargs.values()) if kwargs else args:
            fields = known.get(type(value))  # a call for each argument would cost more than all else
            if fields is None:
                fields = self.fields_of(type(value), roots)
            if fields:
                for name in fields:
                    found.setdefault(name, getattr(value, name, None))
        return found


class Sentinels:
    """Wraps functions as their modules are imported, and notes their calls."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.left_out: list[str] = []
        self.failures: list[ReachedFailure] = []
        for record in data["failures"]:
            versions = exposure(record["affected"], record.get("never_tried", ()))
            if versions == "not listed":
                self.left_out.append(record["id"])
            else:
                self.failures.append(ReachedFailure(record, versions))
        self.by_last: dict[str, list[tuple[ReachedFailure, re.Pattern[str]]]] = {}
        self.wild: list[tuple[re.Pattern[str], ReachedFailure, re.Pattern[str]]] = []
        for failure in self.failures:
            for symbol in failure.symbols:
                *_, owner, last = symbol.split(".")
                names = {last, owner} if last.islower() or last.startswith("_") else {last}
                for name in names:
                    if "*" not in name:
                        self.by_last.setdefault(name, []).append((failure, _pattern(symbol)))
                    elif name != "**":
                        self.wild.append((re.compile(name.replace("*", r"\w*")), failure, _pattern(symbol)))
        roots = {symbol.split(".")[0] for failure in self.failures for symbol in failure.symbols} - {"builtins"}
        self.roots = frozenset(roots | {name for name, other in RENAMED.items() if other.split(".")[0] in roots})
        self.wrapped: dict[str, Callable[..., Any]] = {}
        self.sites: list[Site] = []
        self.importing: dict[int, int] = {}
        """By thread: how many modules of the libraries are being imported.  What they call is no use by the script."""
        self.inherited: dict[type, list[tuple[type, Site]]] = {}
        """By class: classes without an ``__init__`` of their own that use its, each with what its call may show."""

    @contextmanager
    def import_of_a_library(self) -> Iterator[None]:
        """Calls of this thread count no more: defaults of arguments are made when their module is imported."""
        thread = get_ident()
        self.importing[thread] = self.importing.get(thread, 0) + 1
        try:
            yield
        finally:
            self.importing[thread] -= 1
            if not self.importing[thread]:
                del self.importing[thread]

    def concerned(self, name: str, path: str) -> list[ReachedFailure]:
        """The failures that name a function or class at this path."""
        found = [failure for failure, pattern in self.by_last.get(name, ()) if pattern.fullmatch(path)]
        found += [item[1] for item in self.wild if item[0].fullmatch(name) and item[2].fullmatch(path)]
        return list(dict.fromkeys(found))

    def look(self, module: ModuleType) -> None:
        """Wrap what a module defines itself and a record names."""
        name = getattr(module, "__name__", "")
        root, _, rest = name.partition(".")
        shown = RENAMED.get(root, root) + ("." + rest if rest else "")
        for key, value in list(vars(module).items()):
            if key not in self.by_last and not any(item[0].fullmatch(key) for item in self.wild):
                continue
            if getattr(value, "__module__", None) != name or getattr(value, "__qualname__", None) != key:
                continue
            path = f"{shown}.{key}"
            if isinstance(value, FunctionType) and name not in UNTOUCHED:
                self._wrap(module, key, value, path, self.concerned(key, path))
            elif isinstance(value, type):
                self._look_at_class(value, path)

    def _look_at_class(self, owner: type, path: str) -> None:
        concerned = self.concerned(owner.__name__, path)
        if concerned and "__init__" not in vars(owner):
            self._look_at_base(owner, path, concerned)
        for key, value in list(vars(owner).items()):
            if isinstance(value, FunctionType) and not key.startswith("__"):
                method = f"{path}.{key}"
                self._wrap(owner, key, value, method, self.concerned(key, method))
        made = vars(owner).get("__init__")
        if concerned and isinstance(made, FunctionType):
            self._wrap(owner, "__init__", made, path, concerned, skip=1)

    def _look_at_base(self, owner: type, path: str, concerned: Sequence[ReachedFailure]) -> None:
        """Watch the class whose ``__init__`` a class inherits, for objects of this class alone."""
        base = next((item for item in owner.__mro__ if isinstance(vars(item).get("__init__"), FunctionType)), None)
        if base is None or base.__module__.partition(".")[0] not in self.roots or base.__name__ == "Module":
            return
        made = vars(base)["__init__"]
        known = self.inherited.setdefault(base, [])
        known.append((owner, self._site(path, (), 1, concerned)))
        if len(known) == 1:
            self._set(base, "__init__", _noting(made, functools.partial(self._note_inherited, known)), path)
        self.wrapped[path] = made

    def _note_inherited(
        self, known: Sequence[tuple[type, Site]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        for owner, site in known:
            if args and isinstance(args[0], owner):
                self._note(site, args, kwargs)

    def _wrap(  # noqa: PLR0917 - as setattr has them, and what they mean
        self,
        owner: Any,
        key: str,
        function: FunctionType,
        path: str,
        concerned: Sequence[ReachedFailure],
        skip: int = 0,
    ) -> None:
        if not concerned or getattr(function, "_repro_reach", False):
            return
        import inspect  # noqa: PLC0415 - not before the script needs the libraries

        try:
            names = [item.name for item in inspect.signature(function).parameters.values() if item.kind in (0, 1)]
        except (TypeError, ValueError):
            return
        site = self._site(path, names, skip, concerned)
        note = functools.partial(self._note, site)
        made = _asking if site.asking else _counting
        sentinel = made(function, note, site, self.importing)
        self._set(owner, key, sentinel, path)

        def put_back() -> None:
            if vars(owner).get(key) is sentinel:
                setattr(owner, key, function)

        site.put_back = put_back

    def _site(self, path: str, names: Sequence[str], skip: int, failures: Sequence[ReachedFailure]) -> Site:
        site = Site(path, names, skip, failures)
        self.sites.append(site)
        return site

    def _set(self, owner: Any, key: str, sentinel: Callable[..., Any], path: str) -> None:
        sentinel.__dict__["_repro_reach"] = True
        setattr(owner, key, sentinel)
        self.wrapped[path] = sentinel.__dict__["__wrapped__"]

    def _note(self, site: Site, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Never raises: a sentinel must not change what the script does."""
        try:
            if self.importing and get_ident() in self.importing:
                return
            new = False
            for leaf in site.plain:
                new = new or not leaf.calls
                leaf.calls += 1
            given = site.given(args, kwargs, self.roots) if site.asking else None
            if given:
                for leaf in site.asking:
                    if leaf.accepts(given):
                        new = new or not leaf.calls
                        leaf.calls += 1
            if new:
                self._judge(site)
            for failure in site.failures:
                if failure.reached:
                    failure.calls += 1
            site.is_counted = True
        except Exception:  # noqa: BLE001 - see above
            return

    def _judge(self, site: Site) -> None:
        """Warn of the failures that are reached since something was seen for the first time."""
        for other in self.sites:  # their calls were before this one
            other.flush()
        for failure in site.failures:
            if failure.judge():
                self._warn(failure, site.path)

    def _warn(self, failure: ReachedFailure, path: str) -> None:
        if not is_first_rank():
            return
        versions = (
            "these versions are listed" if failure.versions == "listed" else "these versions could not be compared"
        )
        seen = failure.state() is True
        how = "reached" if seen else "its function at fault was called; the rest cannot be seen at run time"
        _say(
            f"{failure.id}: {failure.title} ({how}; last call: {path}; {versions}). "
            f"Not every run that reaches it suffers: repro show {failure.id}"
        )

    def _is_let_go(self, failure: ReachedFailure) -> bool:
        """True if a later call might have shown what no call had shown before its function was let go."""
        return not failure.reached and any(
            site.is_let_go and site.asking and failure in site.failures for site in self.sites
        )

    def report(self) -> dict[str, Any]:
        """Everything that was counted, for ``--report``."""
        for site in self.sites:
            site.flush()
        return {
            "format": 1,
            "rank": rank(),
            "wrapped": sorted(self.wrapped),
            "let_go": sorted(site.path for site in self.sites if site.is_let_go),
            "not_listed": self.left_out,
            "failures": [
                {
                    "id": failure.id,
                    "versions": failure.versions,
                    "reached": failure.reached,
                    "calls": failure.calls,
                    "fully_seen": failure.state() is not NOT_SEEN and not self._is_let_go(failure),
                    "parts": [{"calls": leaf.calls, **leaf.use} for leaf in failure.leaves],
                }
                for failure in self.failures
            ],
        }


def _noting(function: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    """The function, which notes the arguments of each call first."""

    @functools.wraps(function)
    def sentinel(*args: Any, **kwargs: Any) -> Any:
        if not _compiling():
            note(args, kwargs)
        return function(*args, **kwargs)

    return sentinel


def _counting(
    function: Callable[..., Any], note: Callable[..., None], site: Site, importing: Mapping[int, int]
) -> Callable[..., Any]:
    """The same for a function whose arguments do not matter: training steps call it most often."""

    @functools.wraps(function)
    def sentinel(*args: Any, **kwargs: Any) -> Any:
        if not _compiling():
            if site.is_counted and not importing:
                site.pending += 1
                if site.pending > MOST_CALLS:
                    site.let_go()
            else:
                note(args, kwargs)
        return function(*args, **kwargs)

    return sentinel


def _asking(
    function: Callable[..., Any], note: Callable[..., None], site: Site, importing: Mapping[int, int]
) -> Callable[..., Any]:
    """The same for a function whose arguments matter: a call that gives nothing that is asked for is only counted."""
    first, are_dull, lack = site.first, site.dull.issuperset, site.wanted.isdisjoint

    @functools.wraps(function)
    def sentinel(*args: Any, **kwargs: Any) -> Any:
        if not _compiling():
            try:
                is_dull = (
                    site.is_counted
                    and not importing
                    and len(args) <= first
                    and are_dull(map(type, args))
                    and (not kwargs or (lack(kwargs) and are_dull(map(type, kwargs.values()))))
                )
            except Exception:  # noqa: BLE001 - a class may say itself how it is hashed
                is_dull = False
            if is_dull:
                site.pending += 1
                if site.pending > MOST_CALLS:
                    site.let_go()
            else:
                note(args, kwargs)
        return function(*args, **kwargs)

    return sentinel


def _say(text: str) -> None:
    """One line for the person who started the run."""
    sys.stderr.write(f"repro.reach: {text}\n")
    sys.stderr.flush()


def rank() -> str | None:
    """The rank of this process, as launchers say it; None outside of a launcher."""
    return next(
        (os.environ[name] for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK") if name in os.environ), None
    )


def is_first_rank() -> bool:
    return rank() in (None, "0")


def _never() -> bool:
    return False


def compiling() -> bool:
    """True while torch.compile or torch.export reads the function: then nothing is counted, and nothing is added."""
    return _compiling()


_compiling: Callable[[], bool] = _never
"""torch's own answer, once it is imported."""


# Imports.


class Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself: it asks the others, and looks at a module once its own import has ended."""

    def __init__(self, sentinels: Sentinels) -> None:
        self.sentinels = sentinels
        self.asking: set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] not in self.sentinels.roots or name in self.asking:
            return None
        self.asking.add(name)
        try:
            for finder in sys.meta_path:
                spec = (
                    finder.find_spec(name, path, target)
                    if finder is not self and hasattr(finder, "find_spec")
                    else None
                )
                if spec is not None:
                    self._follow(spec)
                    return spec
        finally:
            self.asking.discard(name)
        return None

    def _follow(self, spec: Any) -> None:
        """Have the loader of one module call us after it; the loader itself stays, and so does its type."""
        loader = spec.loader
        if not isinstance(getattr(loader, "__dict__", None), dict) or not hasattr(loader, "exec_module"):
            return
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            loader.__dict__.pop("exec_module", None)
            with self.sentinels.import_of_a_library():
                run(module)
            self.look(module)

        loader.exec_module = exec_module

    def look(self, module: ModuleType) -> None:
        """Look at a module that has been imported."""
        global _compiling  # noqa: PLW0603 - a name that torch.compile can read as a constant
        try:
            self.sentinels.look(module)
            if module.__name__ == "torch.compiler":
                _compiling = module.is_dynamo_compiling if hasattr(module, "is_dynamo_compiling") else _never
        except Exception:  # noqa: BLE001 - a sentinel that cannot be set is no reason to end the script
            return


def start(data: Mapping[str, Any] | None = None) -> Sentinels | None:
    """Begin to watch this process: modules that are loaded already, and those that the script will import."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return None
    file = Path(os.environ.get(DATA) or BESIDE)
    try:
        sentinels = Sentinels(data or json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        _say(f"{file}: cannot be read: {error}; nothing is watched")
        return None
    finder = Finder(sentinels)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in sentinels.roots and module is not None:
            finder.look(module)
    sys.meta_path.insert(0, finder)
    if os.environ.get(REPORT):
        atexit.register(_write_report, sentinels)
    return sentinels


def _write_report(sentinels: Sentinels) -> None:
    if not sentinels.wrapped:  # the launcher itself, or a process without any of the libraries
        return
    name = f"{os.environ[REPORT]}.rank{rank() or os.getpid()}.json"
    try:
        Path(name).write_text(json.dumps(sentinels.report(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        _say(f"{name} was not written: {error.strerror}")


# The command.

_SITE = '''"""Starts the sentinels of repro.reach, then what stood in this place before."""
import os, sys
_here = os.environ.get("REPRO_REACH_FOLDER", "")
if _here:
    import repro_reach_sentinels
    repro_reach_sentinels.start()
    sys.path[:] = [path for path in sys.path if path != _here]
    _own = sys.modules.pop(__name__)
    try:
        import sitecustomize
    except ImportError:
        pass
    sys.modules.setdefault("sitecustomize", _own)
'''


def main(arguments: Sequence[str]) -> int:
    """Run a command with sentinels in every Python process of it; its exit code."""
    import shutil  # noqa: PLC0415 - for the command alone, as is the next one
    import tempfile  # noqa: PLC0415

    words = [*arguments, "--"]
    before, command = words[: words.index("--")], words[words.index("--") + 1 : -1]
    report = ""
    if len(before) == 2 and before[0] == "--report":  # noqa: PLR2004
        report, before = str(Path(before[1]).absolute()), []
    if before or not command:
        _say("usage: python -m repro.reach [--report FILE] -- COMMAND [ARG...], such as: -- torchrun train.py")
        return 2
    folder = tempfile.mkdtemp(prefix="repro-reach-")
    try:
        shutil.copyfile(__file__, Path(folder, "repro_reach_sentinels.py"))
        shutil.copyfile(os.environ.get(DATA) or BESIDE, Path(folder, "repro_reach_sentinels.json"))
        Path(folder, "sitecustomize.py").write_text(_SITE, encoding="utf-8")
        paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, INJECTED: folder, "PYTHONPATH": os.pathsep.join(paths)}
        environment.pop(DATA, None)
        if report:
            environment[REPORT] = report
        try:
            return _run(command, environment)
        except OSError as error:
            _say(f"{command[0]}: cannot be started: {error.strerror}")
            return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    import subprocess  # noqa: PLC0415 - for the command alone

    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # the command got it too, and ends in its own way
            continue
        return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
elif __name__ == "repro_reach":  # the exported file, imported at the top of a script
    start()
