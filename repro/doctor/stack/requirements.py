"""Reads requirements texts: ``requirements.txt``, ``pip freeze``, ``pip-compile``, and lines of that form elsewhere."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.doctor.stack.conda_spec import CONDA_NAMES, HIDDEN_BY_PIP, parse_item
from repro.doctor.stack.document import Document, Read
from repro.doctor.stack.sources import is_conda_build, is_source, of_address
from repro.doctor.stack.stack import LIBRARIES
from repro.doctor.stack.statements import (
    Reading,
    Statement,
    names_dependencies_of_torch,
    shortened,
    statement,
)
from repro.model.errors import UsageError

MOST_INCLUDES = 100
_OPTION = re.compile(r"^(-r|--requirement|-c|--constraint|-e|--editable)(?:\s+|=)?(.+)$")
_EDITABLE = re.compile(r"^#\s*Editable\b.*\((?P<name>[A-Za-z0-9._-]+)==(?P<version>[^)\s]+)\)")
_CONDA_HEADER = re.compile(r"^#.*\bconda (?:create|install)\b", re.MULTILINE)
_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?P<rest>(?:[<>=!~]=|[<>=@;]).*)"
)
_STAR_BOUND = re.compile(r"((?:>=|<=|>|<)\s*\d[\w.]*?)\.\*")
_CONDA_ITEM = re.compile(r"[A-Za-z0-9_.-]+=[^=].*")
EXPRESSIONS = {
    "option": _OPTION, "editable": _EDITABLE, "conda_header": _CONDA_HEADER, "named": _NAME, "star_bound": _STAR_BOUND,
    "conda_item": _CONDA_ITEM,
}  # fmt: skip
"""The expressions with which the site's page reads lines as this module does."""


def read_requirements(document: Document) -> Reading:
    """All statements of a requirements text and of the files that it includes."""
    lines = _Lines(document.read)
    lines.conda = bool(_CONDA_HEADER.search(document.text))
    lines.collect(document.text, document.file)
    reading = lines.reading
    reading.strict = True
    reading.closed = _is_freeze(reading)
    if lines.hidden:
        reading.note(
            f"{lines.hidden} lines name a package of conda without its version;"
            " `pip list --format=freeze` states the versions"
        )
    return reading


def read_lines(lines: Iterable[str], file: Path, read: Read) -> Reading:
    """The statements of such lines inside another file."""
    found = _Lines(read)
    found.collect("\n".join(lines), file)
    return found.reading


def of_requirement(text: str, where: str = "") -> Statement | None:
    """The statement of one requirement; None if the text is not a requirement."""
    text = _STAR_BOUND.sub(r"\1", text)
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    marker = str(requirement.marker or "")
    if requirement.url:
        found = of_address(requirement.url, requirement.name, where=where)
        found = found and replace(found, name=canonicalize_name(requirement.name))
    else:
        found = statement(requirement.name, str(requirement.specifier), where=where)
    return found and replace(found, marker=marker)


def _is_freeze(reading: Reading) -> bool:
    """True if a list describes a whole environment.

    Then each line states a version or an origin, torch is listed with its typical dependencies, and the lines are in
    the order in which pip and similar tools write them.
    """
    if (
        reading.unread
        or not all(item.pin or item.why for item in reading.required)
        or any(item.why.startswith("is stated as") for item in reading.required)
    ):
        return False
    names = [item.name for item in reading.required if item.pin]
    return names_dependencies_of_torch(names) and names == sorted(names)


@dataclass
class _Lines:
    """Collects statements from lines, following includes."""

    read: Read
    reading: Reading = field(default_factory=Reading)
    conda: bool = False
    hidden: int = 0
    """The number of lines without a version, as pip writes for conda's packages."""
    included: set[Path] = field(default_factory=set)

    def collect(self, text: str, file: Path, *, constraint: bool = False) -> None:
        editable: Statement | None = None
        for number, line in _logical_lines(text):
            where = f"{file}:{number}"
            comment = _EDITABLE.match(line)
            if comment:
                found = statement(comment["name"], f"=={comment['version']}", where=where)
                editable = replace(found, inexact="is an editable install")
                continue
            option = _OPTION.match(line)
            if option and option[1] in {"-e", "--editable"}:
                self._source(option[2].strip(), where, editable)
            elif option:
                self._include(option[2], file, where, constraint=constraint or option[1] in {"-c", "--constraint"})
            elif line.startswith("-"):
                self._mentions(line, where)
            elif is_source(line):
                self._source(line, where, None)
            else:
                self._requirement(line, where, constraint=constraint)
            editable = None

    def _include(self, target: str, file: Path, where: str, *, constraint: bool) -> None:
        target = target.strip().strip("\"'")
        path = file.parent / target
        if path.resolve() in self.included:
            return
        self.included.add(path.resolve())
        try:
            text = self._text(target, path)
        except UsageError as error:
            self.reading.note(f"{where}: not read: {' '.join(str(error).split())[:200]}")
            self.reading.unread = True
            return
        self.collect(text, path, constraint=constraint)

    def _text(self, target: str, path: Path) -> str:
        if "://" in target:
            raise UsageError(f"{target}: is an address; nothing is fetched")
        if len(self.included) > MOST_INCLUDES:
            raise UsageError(f"{target}: more than {MOST_INCLUDES} files are included")
        return self.read(path)

    def _source(self, text: str, where: str, editable: Statement | None) -> None:
        found = editable or of_address(text, editable=True, where=where)
        if found is not None:
            self.reading.required.append(found)

    def _requirement(self, line: str, where: str, *, constraint: bool) -> None:
        text = re.split(r"\s--?[a-z]", line, maxsplit=1)[0].strip()
        found = self._conda(text, where) or of_requirement(text, where)
        if found is None:
            named = _NAME.fullmatch(text)
            if named is None:
                self._mentions(line, where)
                return
            found = statement(named["name"], where=where, why=f"is stated as {shortened(named['rest'])!r}")
        if found.why == HIDDEN_BY_PIP or is_conda_build(text.partition("@")[2].strip()):
            self.hidden += 1
        found = self._renamed(found)
        if found.name == "python":
            self.reading.python = self.reading.python or found.pin
            return
        (self.reading.limits if constraint else self.reading.required).append(found)

    def _conda(self, text: str, where: str) -> Statement | None:
        """The statement of a line in conda's form (``pytorch=2.2.1=build``)."""
        if not self.conda and not _CONDA_ITEM.fullmatch(text):
            return None
        return parse_item(text, where=where)

    def _renamed(self, found: Statement) -> Statement:
        name = CONDA_NAMES.get(found.name)
        if name is None:
            return found
        if not self.conda:
            self.reading.note(f"{found.where}: {found.name} is conda's name of {name}; it is read as {name}")
        return replace(found, name=name)

    def _mentions(self, line: str, where: str) -> None:
        """Count a line that is not understood; add a note if it names one of the libraries."""
        words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)}
        if words & LIBRARIES and not line.startswith("-"):
            self.reading.note(f"{where}: not understood: {shortened(line)}")
        elif not line.startswith("-"):
            self.reading.skipped += 1


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines; continued lines are joined, comments removed except pip's own about editable installs."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        first = first if joined else number
        if raw.lstrip().startswith("#"):
            if _EDITABLE.match(raw.strip()):
                yield number, raw.strip()
            line, joined = joined.strip(), ""
        elif raw.endswith("\\"):
            joined += raw[:-1] + " "
            continue
        else:
            line, joined = re.sub(r"(^|\s)#.*$", "", joined + raw).strip(), ""
        if line:
            yield first, line
    if joined.strip():
        yield first, joined.strip()
