"""Reads requirements texts: ``requirements.txt``, ``pip freeze``, ``pip-compile`` and the ``pip:`` part of conda's."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from repro.doctor.stack.stack import KnownVersion, Stack
from repro.errors import UsageError

Read = Callable[[Path], str]
_OPTION = re.compile(r"^(-r|--requirement|-c|--constraint|-e|--editable)(?:\s+|=)?(.+)$")
_SOURCE = ("git+", "hg+", "svn+", "bzr+", "http:", "https:", "file:", "./", "../", "/", "~")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Line:
    """One line that names a distribution."""

    name: str
    specifiers: SpecifierSet = field(default_factory=SpecifierSet)
    marker: str = ""
    extras: bool = False
    why: str = ""
    """Why the line cannot state a version."""


@dataclass
class _Lines:
    """What a text and those that it includes name."""

    required: list[Line] = field(default_factory=list)
    limits: list[Line] = field(default_factory=list)
    unnamed: bool = False
    """Something is installed from a place that names no distribution."""


def read_requirements(text: str, file: Path, read: Read) -> Stack:
    """The stack of a requirements text; included files are found beside it.

    Raises UsageError with file and line.
    """
    found = _Lines()
    _collect(text, file, read, found, constraint=False, within=(file.resolve(),))
    return stack_of_requirements(found.required, found.limits, complete=not found.unnamed)


def read_lines(lines: Iterable[str], file: Path, read: Read) -> tuple[list[Line], list[Line], bool]:
    """What lines name and limit, and whether that is all of it: for a part of another file."""
    found = _Lines()
    _collect("\n".join(lines), file, read, found, constraint=False, within=(file.resolve(),))
    return found.required, found.limits, not found.unnamed


def stack_of_requirements(required: Iterable[Line], limits: Iterable[Line], *, complete: bool) -> Stack:
    """One ``KnownVersion`` a distribution.

    The list counts as closed if it reads like that of a whole environment: every line states a version, none has
    extras, and what a line needs for sure is there.
    """
    lines = list(required)
    alternatives: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        alternatives.setdefault(line.name, {}).setdefault(line.marker, []).append(line)
    bounds: dict[str, list[Line]] = {}
    for limit in limits:
        bounds.setdefault(limit.name, []).append(limit)
    held = {name: _held(list(by_marker.values()), bounds.get(name, [])) for name, by_marker in alternatives.items()}
    closed = complete and bool(lines) and all(_pin(line.specifiers) and not line.extras for line in lines)
    for needing in ("lightning", "pytorch-lightning", "accelerate"):
        closed = closed and (needing not in held or "torch" in held)
    if not closed:
        for name in [name for name in bounds if name not in held]:
            known = _held([bounds[name]], [])
            brought = Stack(held, closed=False).get(name)
            absent = brought is None or brought.may_be_absent
            held[name] = KnownVersion(known.versions, known.specifiers, absent, known.why or "is only constrained")
    return Stack(held, closed=closed)


def _held(alternatives: list[list[Line]], limits: list[Line]) -> KnownVersion:
    """What all lines of one distribution say together; lines of different markers exclude one another."""
    versions: dict[str, None] = {}
    for lines in alternatives:
        why = next((line.why for line in lines if line.why), "")
        if why:
            return KnownVersion(why=why)
        specifiers = SpecifierSet(",".join(str(line.specifiers) for line in (*lines, *limits) if line.specifiers))
        pin = _pin(specifiers)
        if pin is None:
            told = f" ({specifiers})" if specifiers else ""
            several = len(alternatives) > 1
            return KnownVersion(specifiers="" if several else str(specifiers), why=f"is not pinned{told}")
        versions[pin] = None
    return KnownVersion(tuple(versions), why="differs by marker" if len(versions) > 1 else "")


def _pin(specifiers: SpecifierSet) -> str | None:
    pins = [clause.version for clause in specifiers if clause.operator in {"==", "==="}]
    return next((pin for pin in pins if not pin.endswith(".*")), None)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their number; comments are gone, continued lines are joined."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first if joined else number
        comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not comment:
            joined += raw[:-1] + " "
            continue
        line = re.sub(r"(^|\s)#.*$", "", joined + ("" if comment else raw)).strip()
        joined = ""
        if line:
            yield first, line
    if joined.strip():
        yield first, joined.strip()


def _collect(text: str, file: Path, read: Read, found: _Lines, *, constraint: bool, within: tuple[Path, ...]) -> None:
    for number, line in _logical_lines(text):
        option = _OPTION.match(line)
        if option and option[1] in {"-r", "--requirement", "-c", "--constraint"}:
            target = file.parent / option[2].strip().strip("\"'")
            if target.resolve() in within:
                continue
            try:
                included = read(target)
            except UsageError as error:
                raise UsageError(f"{file}:{number}: {error}") from None
            limits = constraint or option[1] in {"-c", "--constraint"}
            _collect(included, target, read, found, constraint=limits, within=(*within, target.resolve()))
        elif option:
            _source(option[2].strip(), found)
        elif line.startswith("-"):
            continue
        elif line.startswith(_SOURCE) or (line.endswith(".whl") and "@" not in line):
            _source(line, found)
        else:
            named = _named(line, f"{file}:{number}")
            if named:
                (found.limits if constraint else found.required).append(named)


def _source(text: str, found: _Lines) -> None:
    """A distribution from a folder, a repository or an archive."""
    egg = _EGG.search(text)
    pin = _wheel_pin(text)
    if pin:
        found.required.append(pin)
    elif egg:
        found.required.append(Line(canonicalize_name(egg[1]), why="is installed from its source"))
    else:
        found.unnamed = True


def _wheel_pin(address: str) -> Line | None:
    """The pin that a wheel's file name states."""
    name = unquote(urlsplit(address.split(maxsplit=1)[0]).path.rsplit("/", 1)[-1])
    try:
        distribution, version, _, _ = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    return Line(distribution, SpecifierSet(f"=={version}"))


def _named(line: str, where: str) -> Line | None:
    """A requirement; None where its marker does not hold on this machine, whatever the Python."""
    text = re.split(r"\s--?[a-z]", line, maxsplit=1)[0].strip()
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise UsageError(f"{where}: {text!r} is no requirement such as 'torch==2.2.2'") from None
    marker = str(requirement.marker or "")
    if marker and not re.search(r"python|extra|implementation", marker) and not Marker(marker).evaluate():
        return None
    name = canonicalize_name(requirement.name)
    if requirement.url:
        return _wheel_pin(requirement.url) or Line(name, marker=marker, why="is installed from an address")
    return Line(name, requirement.specifier, marker, bool(requirement.extras))


def named(name: str, specifiers: str = "", why: str = "") -> Line:
    """A line that another format states; raises InvalidSpecifier."""
    return Line(canonicalize_name(name), SpecifierSet(specifiers), why=why)
