"""Reads all code and configuration of a project, within bounds, without following links or running anything."""

import gc
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from repro.doctor.code.command_facts import facts_of_commands
from repro.doctor.code.config_facts import facts_of_lines, facts_of_yaml
from repro.doctor.code.facts import Fact, Facts, Open, Opening, Place, first_of_each
from repro.doctor.code.notebook import code_cells, shell_lines, without_magics
from repro.doctor.code.python_facts import facts_of_python
from repro.doctor.code.vocabulary import Vocabulary
from repro.files import read_bytes_file
from repro.model.errors import UnreadableFileError, UsageError
from repro.store.parallel import compute_all

MOST_FILES = 50_000
MOST_BYTES = 400_000_000
FILES_FOR_PROCESSES = 300
"""The number of files from which on several processes read."""
CODE_BYTES, NOTEBOOK_BYTES, CONFIG_BYTES = 4_000_000, 20_000_000, 1_000_000
SKIPPED = frozenset(
    {
        "node_modules",
        "__pycache__",
        "site-packages",
        "dist-packages",
        "venv",
        "env",
        "build",
        "dist",
        "wandb",
        "outputs",
    }
)
"""Folders that are skipped; so are hidden ones except .github, and any with a pyvenv.cfg."""
TESTS = frozenset({"tests", "test", "testing"})
_TEST = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py")
_CLASS = re.compile(r"class(?:\s|\\\r?\n)+(\w+)(?:\s|\\\r?\n)*[(\[]")
_SHELL = frozenset({".sh", ".bash", ".zsh", ".slurm", ".sbatch", ".mk", ".env", ".ps1", ".bat"})
_SHELL_NAMES = ("makefile", "gnumakefile", "dockerfile", "justfile", "containerfile", "procfile")
_YAML, _LINES = frozenset({".yaml", ".yml", ".json", ".jsonc"}), frozenset({".toml", ".cfg", ".ini"})


@dataclass
class ReadProject:
    """The facts of a project, and how it was read."""

    root: str
    facts: Facts = field(default_factory=Facts)
    files: int = 0
    """The number of files of code and configuration that were read."""
    tests: int = 0
    """The number of test files; they are not read, since what they name is not a use by the project."""
    unread: list[str] = field(default_factory=list)
    """Configuration files that are too large or not text."""
    notes: list[str] = field(default_factory=list)


def read_project(root: Path, vocabulary: Vocabulary) -> ReadProject:
    """The facts of a folder or a file; raises UsageError if it does not exist."""
    if not root.exists():
        raise UsageError(f"--code {root}: no such file or folder")
    project = ReadProject(str(root))
    chosen: list[_Chosen] = []
    left = MOST_BYTES
    for path in _files(root):
        if _reader(path) is None:
            continue
        name = path.name if root.is_file() else path.relative_to(root).as_posix()
        if root.is_dir() and (TESTS & {*name.split("/")[:-1]} or _TEST.fullmatch(path.name)):
            project.tests += 1
            continue
        if len(chosen) == MOST_FILES or left <= 0:
            project.facts.add([Open(Opening.UNREAD, "", Place(name, 1), "there are too many files")])
            project.notes.append(f"only the first {len(chosen)} files were read")
            break
        chosen.append(_Chosen(path, name))
        left -= path.lstat().st_size
    with _without_collector():
        known = replace(vocabulary, classes=_classes(chosen))
        for read in compute_all(lambda item: _read_file(item, known), chosen, fewest=FILES_FOR_PROCESSES):
            project.facts.add(read.facts)
            project.unread += [read.name] if read.is_unread else []
    project.files = len(chosen)
    project.notes += _notes(project)
    return project


@dataclass(frozen=True)
class _Chosen:
    """A file to read."""

    path: Path
    name: str
    """Its display name."""


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without Python's search for cycles: trees have none, and it looks at all other objects for every file again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _classes(chosen: list[_Chosen]) -> frozenset[str]:
    """The names of all classes with bases: read by an expression, which finds some more but misses none."""
    found: set[str] = set()
    for item in chosen:
        reader = _reader(item.path)
        if reader is None or not reader.is_code:
            continue
        try:
            content = read_bytes_file(item.path, reader.limit)
        except UnreadableFileError:
            continue
        found.update(_CLASS.findall(content.decode("utf-8-sig", "replace")))
    return frozenset(found)


@dataclass(frozen=True)
class _FileRead:
    """The facts of one file."""

    name: str
    facts: list[Fact] = field(default_factory=list)
    is_unread: bool = False


def _read_file(chosen: _Chosen, vocabulary: Vocabulary) -> _FileRead:
    reader = _reader(chosen.path)
    if reader is None:
        return _FileRead(chosen.name)
    try:
        content = read_bytes_file(chosen.path, reader.limit)
    except UnreadableFileError as error:
        if reader.is_code:
            return _FileRead(chosen.name, [Open(Opening.UNREAD, "", Place(chosen.name, 1), error.problem)])
        return _FileRead(chosen.name, is_unread=True)
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    if not vocabulary.concerns(text):
        return _FileRead(chosen.name)
    return _FileRead(chosen.name, first_of_each(_read(reader.read, text, vocabulary, chosen.name)))


def _notes(project: "ReadProject") -> list[str]:
    notes = []
    if project.tests:
        notes.append(f"tests are not read: {project.tests} file{'s' if project.tests > 1 else ''}")
    if project.unread:
        shown = ", ".join(project.unread[:3])
        notes.append(f"not read, since they are large or no text: {shown}, {len(project.unread)} in all")
    return notes


_Read = Callable[[str, Vocabulary, str], Iterator[Fact]]


@dataclass(frozen=True)
class _Reader:
    """How a kind of file is read."""

    read: _Read
    limit: int
    is_code: bool = False


def _reader(path: Path) -> _Reader | None:
    suffix, name = path.suffix.lower(), path.name.lower()
    if suffix in {".py", ".pyw", ".pyi"}:
        return _Reader(facts_of_python, CODE_BYTES, is_code=True)
    if suffix == ".ipynb":
        return _Reader(_facts_of_notebook, NOTEBOOK_BYTES, is_code=True)
    if suffix in _YAML:
        return _Reader(facts_of_yaml, CONFIG_BYTES)
    if suffix in _LINES:
        return _Reader(facts_of_lines, CONFIG_BYTES)
    if suffix in _SHELL or name.startswith(_SHELL_NAMES):
        return _Reader(facts_of_commands, CONFIG_BYTES)
    return None


def _read(read: _Read, text: str, vocabulary: Vocabulary, name: str) -> list[Fact]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser, about other people's strings
            return list(read(text, vocabulary, name))
    except SyntaxError as error:
        why = f"is not valid Python {sys.version_info.major}.{sys.version_info.minor}: {error.msg}"
        return [Open(Opening.UNREAD, "", Place(name, error.lineno or 1), why, _words(text))]
    except (ValueError, RecursionError, MemoryError) as error:
        why = f"cannot be parsed: {str(error)[:80] or type(error).__name__}"
        return [Open(Opening.UNREAD, "", Place(name, 1), why, _words(text))]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


def _facts_of_notebook(text: str, vocabulary: Vocabulary, file: str) -> Iterator[Fact]:
    for number, source in code_cells(text):
        yield from facts_of_commands(shell_lines(source), vocabulary, file, cell=number)
        if not vocabulary.concerns(source):
            continue
        try:
            yield from facts_of_python(without_magics(source), vocabulary, file, number)
        except (SyntaxError, ValueError) as error:
            place = Place(file, getattr(error, "lineno", 1) or 1, number)
            yield Open(Opening.UNREAD, "", place, "a cell that is no Python", _words(source))


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root, followlinks=False):
        if "pyvenv.cfg" in names and Path(folder) != root:
            folders.clear()
            continue
        folders[:] = sorted(
            name for name in folders if name not in SKIPPED and (not name.startswith(".") or name == ".github")
        )
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink():
                yield path
