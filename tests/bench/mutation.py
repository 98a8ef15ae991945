"""Which small changes of the code that decides do its tests notice?

For each module below, every mutant of ``mutants.py`` (a seeded sample where there are many) runs the module's tests.
A mutant is *killed* if a test fails or does not end in time; else it *survived*: a decision that no test knows.
``equivalent.toml`` names survivors that change nothing, with the reason.

    python -m tests.bench.mutation [MODULE ...] [--sample N] [--jobs N] [--fresh] [--output FILE]

The answer is 1 if fewer than 90 % are killed, or a survivor has no reason.  A module whose source and tests did not
change since the figures were written is not measured again, so that a run that was stopped goes on.

Why a tool of our own: by its source, mutmut leaves properties and most decorated functions alone, of which many of
these modules are made, and cosmic-ray starts a process for each mutant; neither was run here.  Here, a process imports
the libraries once; for each module a fork of it collects the tests; for each mutant a fork of that one replaces the
code of the changed function wherever it is referred to.  A mutant of what runs at import is imported afresh, in a fork
of the first process.
"""

import argparse
import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import mmap
import os
import random
import resource
import select
import signal
import sys
import time
import tomllib
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest
from _pytest.config import _prepareconfig

from tests.bench.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
FILE = ROOT / "reports" / "measurements" / "mutation.json"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LEAST = 0.9
SAMPLE = 150
SEED = 12
NULL = os.open(os.devnull, os.O_RDWR)

LIBRARIES = ("pydantic", "rich.table", "typer", "packaging.requirements", "hypothesis", "yaml", "jinja2")
"""Imported once, before anything of ours."""

MODULES: Mapping[str, tuple[str, ...]] = {
    **{f"verdict.{name}": () for name in ("claims", "history", "learn", "result", "script_run", "status")},
    **{f"verdict.{name}": () for name in ("growth", "rare", "stages")},
    "verdict.judge": ("verdict/test_judge.py", "verdict/test_learn.py"),
    "verdict.signature": ("verdict/test_signature.py", "verdict/test_judge.py", "verdict/test_learn.py"),
    **{f"doctor.{name}": () for name in ("cap", "diagnosis", "proposals", "upgrade")},
    "doctor.exposure": ("doctor/test_exposure.py", "doctor/test_diagnosis.py"),
    **{f"search.{name}": () for name in ("ablation", "bisection", "blame", "confirm", "metric", "watch_plan")},
}
"""The modules that decide, with the test files that are not named as they are."""


@dataclass(frozen=True)
class Target:
    """A module, and the tests that must notice its changes."""

    name: str

    @property
    def module(self) -> str:
        return f"repro.{self.name}"

    @property
    def file(self) -> Path:
        return ROOT / "repro" / f"{self.name.replace('.', '/')}.py"

    @property
    def tests(self) -> tuple[Path, ...]:
        package, _, module = self.name.rpartition(".")
        named = MODULES[self.name] or (f"{package.replace('.', '/')}/test_{module}.py",)
        return tuple(ROOT / "tests" / "unit" / name for name in named)

    @property
    def digest(self) -> str:
        """Of everything that decides the figures."""
        files = (self.file, *self.tests, Path(__file__).with_name("mutants.py"))
        return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


# Processes


def ended(act: Callable[[], object], *, processor: float, wall: int) -> tuple[str, float]:
    """Act in a fork, within so many seconds of processor time: passed, failed or late, and the seconds that it took."""
    child = os.fork()
    if child == 0:
        _act(act, processor, wall)
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL}
        return "late" if late else "failed", seconds
    return "passed" if os.WEXITSTATUS(status) == 0 else "failed", seconds


def _act(act: Callable[[], object], processor: float, wall: int) -> NoReturn:
    code = 1
    try:
        gc.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(wall)
        limit = int(processor) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        for stream in (0, 1, 2):
            os.dup2(NULL, stream)
        code = int(bool(act()))
    finally:
        os._exit(code)


# What runs in a fork


def options(target: Target) -> list[str]:
    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return ["-x", *quiet, "--hypothesis-seed=0", "-m", "not whole", *map(str, target.tests)]


def collected(target: Target) -> pytest.Session:
    """A session with its tests collected."""
    config = _prepareconfig(options(target))
    config._do_configure()
    session = pytest.Session.from_config(config)
    config.hook.pytest_sessionstart(session=session)
    config.hook.pytest_collection(session=session)
    config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return session


class Killer:
    """The test that failed in a fork, known to the process that forked."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.shared = mmap.mmap(-1, 4)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            places = [item.nodeid for item in self.session.items]
            self.shared[:] = (places.index(report.nodeid) + 1).to_bytes(4)

    def first_next_time(self, items: list[pytest.Item]) -> None:
        """Move that test before the others: what noticed one mutant often notices the next."""
        place = int.from_bytes(self.shared[:])
        if place:
            items.insert(0, items.pop(place - 1))
        self.shared[:] = bytes(4)


def fails(session: pytest.Session) -> bool:
    """Run what was collected."""
    try:
        session.config.hook.pytest_runtestloop(session=session)
    except (session.Failed, session.Interrupted):
        return True
    return bool(session.testsfailed)


def compiled(tree: ast.Module, file: str) -> CodeType:
    with warnings.catch_warnings(action="ignore"):  # of ``is`` with a literal
        return compile(tree, file, "exec", dont_inherit=True)


def _functions(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield (constant.co_qualname, constant.co_firstlineno), constant
            yield from _functions(constant)


@dataclass(frozen=True)
class Loaded:
    """A module with all functions that were made from its code, wherever they are referred to."""

    file: str
    functions: tuple[FunctionType, ...]
    caches: tuple[Callable[[], None], ...]

    @classmethod
    def of(cls, module: ModuleType) -> "Loaded":
        file = str(module.__file__)
        found = (each for each in gc.get_objects() if isinstance(each, FunctionType))
        caches = (getattr(value, "cache_clear", None) for value in vars(module).values())
        return cls(
            file, tuple(each for each in found if each.__code__.co_filename == file), tuple(filter(None, caches))
        )

    def replacement(self, tree: ast.Module) -> Callable[[], None] | None:
        """What gives every function the code that it has in another form of the module; None if that cannot be."""
        made = dict(_functions(compiled(tree, self.file)))
        changed: list[tuple[FunctionType, CodeType]] = []
        for function in self.functions:
            old = function.__code__
            new = made.get((old.co_qualname, old.co_firstlineno))
            if new is None or new.co_freevars != old.co_freevars:
                return None
            if new != old:
                changed.append((function, new))

        def replace() -> None:
            for function, code in changed:
                function.__code__ = code
            for clear in self.caches:
                clear()

        return replace


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module in another form."""

    def __init__(self, target: Target, tree: ast.Module) -> None:
        self.target, self.tree = target, tree

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        found = name == self.target.module
        return importlib.util.spec_from_file_location(name, self.target.file, loader=self) if found else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compiled(self.tree, str(self.target.file)), vars(module))  # noqa: S102


def afresh(target: Target, tree: ast.Module) -> bool:
    """Import everything of ours with one module changed, and run the tests."""
    sys.meta_path.insert(0, Mutated(target, tree))
    importlib.import_module(target.module)  # before pytest puts its own finder first
    return pytest.main(options(target)) != 0


# Measuring


def forked(target: Target, chosen: Sequence[Mutant]) -> list[str | None]:
    """How the tests ended on each mutant of a function's body: passed, failed or late; None if it is not one."""
    session = collected(target)
    everything = session.items
    # Properties are slow and seldom needed: they run on what the other tests leave.
    properties = [item for item in everything if hasattr(getattr(item, "obj", None), "hypothesis")]
    examples = [item for item in everything if item not in properties]
    module = Loaded.of(importlib.import_module(target.module))
    killer = Killer(session)
    session.config.pluginmanager.register(killer)
    gc.freeze()

    def run(replace: Callable[[], None], items: list[pytest.Item]) -> Callable[[], bool]:
        def act() -> bool:
            replace()
            session.items = items
            return fails(session)

        return act

    spent = []
    for items in (examples, properties):
        how, seconds = ended(run(lambda: None, items), processor=600, wall=600)
        spent.append(seconds)
        if how != "passed":
            raise SystemExit(f"{target.name}: its tests fail on the code as it is")
    ends: list[str | None] = []
    for mutant in chosen:
        replace = module.replacement(mutant.tree) if mutant.inside else None
        end = None
        for items, seconds in zip((examples, properties), spent, strict=True):
            if items and replace is not None and end in {None, "passed"}:
                end, _ = ended(run(replace, items), processor=1 + 3 * seconds, wall=60 + int(20 * seconds))
                killer.first_next_time(items)
        ends.append(end)
    return ends


def in_a_fork(act: Callable[[], Any]) -> Any:
    """What an act returns, run in a fork that leaves nothing here; it is read as JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            kept = os.dup(2)
            for stream in (0, 1):
                os.dup2(NULL, stream)
            with os.fdopen(writer, "w") as out:
                out.write(json.dumps(act()))
        except BaseException as error:  # noqa: BLE001 - a fork reports whatever ended it
            os.write(kept, f"{''.join(traceback.format_exception(error))}\n".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def measure(target: Target, sample: int) -> dict[str, Any]:
    """The figures of one module."""
    source = target.file.read_text(encoding="utf-8")
    every = list(mutants(source))
    chosen = every
    if len(every) > sample:
        numbers = sorted(random.Random(SEED).sample(range(len(every)), sample))
        chosen = [every[number] for number in numbers]
    ends: list[str | None] | None = in_a_fork(lambda: forked(target, chosen))
    if ends is None:
        raise SystemExit(2)
    how, seconds = ended(lambda: afresh(target, ast.parse(source)), processor=600, wall=600)
    if how != "passed":
        raise SystemExit(f"{target.name}: its tests fail when they are imported afresh")
    for number, mutant in enumerate(chosen):
        if ends[number] is None:
            ends[number], _ = ended(
                lambda mutant=mutant: afresh(target, mutant.tree),  # type: ignore[misc]
                processor=1 + 3 * seconds,
                wall=60 + int(20 * seconds),
            )
    left = [mutant for mutant, end in zip(chosen, ends, strict=True) if end == "passed"]
    lines = source.splitlines()
    return {
        "module": target.name,
        "digest": target.digest,
        "possible": len(every),
        "mutants": len(chosen),
        "killed": len(chosen) - len(left),
        "of_which_too_slow": ends.count("late"),
        "survivors": [{"line": m.line, "source": lines[m.line - 1].strip(), "change": m.change} for m in left],
    }


def reasons() -> dict[tuple[str, str, str], str]:
    """(module, source line, change) -> why the mutant behaves as the original does."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]
    return {(each["module"], each["source"], change): each["reason"] for each in entries for change in each["changes"]}


def named(figures: dict[str, Any], why: Mapping[tuple[str, str, str], str]) -> dict[str, Any]:
    """The figures of a module with the reason of each survivor."""
    found = [
        {**survivor, "reason": why.get((figures["module"], survivor["source"], survivor["change"]), "")}
        for survivor in figures["survivors"]
    ]
    return {**figures, "survivors": found}


def stored(file: Path) -> dict[str, dict[str, Any]]:
    """What was measured before."""
    if not file.exists():
        return {}
    return {entry["module"]: entry for entry in json.loads(file.read_text(encoding="utf-8"))["modules"]}


def write(file: Path, found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Store the figures of all modules that were measured."""
    why = reasons()
    modules = [named(found[name], why) for name in MODULES if name in found]
    total, killed = (sum(entry[key] for entry in modules) for key in ("mutants", "killed"))
    figures = {
        "format": 1,
        "seed": SEED,
        "mutants": total,
        "killed": killed,
        "share": round(killed / total, 4) if total else None,
        "modules": modules,
    }
    file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return figures


def measured(targets: Sequence[Target], sample: int, jobs: int) -> Iterator[tuple[dict[str, Any], float]]:
    """The figures of each module when it is done, and how long it took; several at once, each in a process."""

    def begin(target: Target) -> tuple[int, int, float]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as out:
                out.write(json.dumps(measure(target, sample)))
                out.flush()
                os._exit(0)
        os.close(writer)
        return child, reader, time.monotonic()

    waiting = list(targets)
    running: dict[int, tuple[int, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            child, reader, began = begin(waiting.pop(0))
            running[reader] = (child, began)
        for reader in select.select(list(running), [], [])[0]:
            child, began = running.pop(reader)
            with os.fdopen(reader) as answer:
                text = answer.read()
            if os.waitpid(child, 0)[1] != 0:
                raise SystemExit(2)
            yield json.loads(text), time.monotonic() - began


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Mutation of the modules that decide.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="verdict.judge, ...; all if none is named")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants of a module, at most")
    parser.add_argument("--jobs", type=int, default=1, help="modules that are measured at once")
    parser.add_argument("--fresh", action="store_true", help="measure again what did not change")
    parser.add_argument("--output", type=Path, default=FILE)
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.modules) - set(MODULES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: expected some of {', '.join(MODULES)}")
    for library in LIBRARIES:
        importlib.import_module(library)
    found = stored(chosen.output)
    targets = [Target(name) for name in chosen.modules or MODULES]
    stale = [item for item in targets if chosen.fresh or found.get(item.name, {}).get("digest") != item.digest]
    for entry, seconds in measured(stale, chosen.sample, chosen.jobs):
        found[entry["module"]] = entry
        write(chosen.output, found)
        print(f"{entry['module']}: {entry['killed']} of {entry['mutants']} killed, {seconds:.0f} s", flush=True)
    figures = write(chosen.output, {name: found[name] for name in MODULES if name in found})
    nameless = [
        f"{entry['module']}:{survivor['line']}: {survivor['change']}   {survivor['source']}"
        for entry in figures["modules"]
        for survivor in entry["survivors"]
        if not survivor["reason"]
    ]
    print(*nameless, sep="\n")
    print(f"{figures['killed']} of {figures['mutants']} killed; {len(nameless)} survivors without a reason")
    return int(figures["killed"] < LEAST * figures["mutants"] or bool(nameless))


if __name__ == "__main__":
    sys.exit(main())
