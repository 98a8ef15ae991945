"""Reads a project's requirements: ``pyproject.toml``, ``Pipfile`` and ``setup.cfg``.  Never a whole environment."""

import configparser
import re
from dataclasses import replace
from typing import Any

from packaging.utils import canonicalize_name

from repro.doctor.stack.document import Document
from repro.doctor.stack.parsed import Table, list_of, table_of, text_of
from repro.doctor.stack.requirements import read_lines
from repro.doctor.stack.sources import of_address
from repro.doctor.stack.statements import Reading, Statement, shortened, statement
from repro.model.errors import UsageError

_CARET = re.compile(r"\^\s*v?(\d+(?:\.\d+)*)")
_TILDE = re.compile(r"~\s*v?(\d+(?:\.\d+)*)")
_DIRECTIVE = re.compile(r"^\s*file:\s*(?P<files>.+)$", re.MULTILINE)


def read_pyproject(content: Table, document: Document) -> Reading:
    """Dependencies of PEP 621, dependency groups, poetry's, pdm's and uv's."""
    reading = Reading(strict=True)
    project, tool = table_of(content.get("project")), table_of(content.get("tool"))
    reading.requires_python = text_of(project.get("requires-python"))
    _add_lines(reading, project.get("dependencies"), document)
    for extra, lines in table_of(project.get("optional-dependencies")).items():
        _add_lines(reading, lines, document, f"the extra {extra}")
    for group, lines in table_of(content.get("dependency-groups")).items():
        _add_lines(reading, lines, document, f"the group {group}")
    _add_dynamic(reading, list_of(project.get("dynamic")), tool, document)
    _add_lines(reading, table_of(tool.get("uv")).get("dev-dependencies"), document, "the group dev")
    for group, lines in table_of(table_of(tool.get("pdm")).get("dev-dependencies")).items():
        _add_lines(reading, lines, document, f"the group {group}")
    poetry = table_of(tool.get("poetry"))
    _add_poetry(reading, table_of(poetry.get("dependencies")))
    _add_poetry(reading, table_of(poetry.get("dev-dependencies")), "the group dev")
    for group, facts in table_of(poetry.get("group")).items():
        _add_poetry(reading, table_of(table_of(facts).get("dependencies")), f"the group {group}")
    _apply_sources(reading, table_of(table_of(tool.get("uv")).get("sources")))
    if "pixi" in tool:
        reading.note("its tool.pixi tables are not read; pixi.lock states the versions")
        reading.unread = True
    if not reading.required and not reading.unread:
        raise UsageError("no dependencies in it; a lock, or `pip freeze`, states versions")
    return reading


def read_pipfile(content: Table) -> Reading:
    """A Pipfile."""
    reading = Reading(strict=True)
    reading.requires_python = ""
    python = text_of(table_of(content.get("requires")).get("python_version"))
    reading.python = python or None
    _add_poetry(reading, table_of(content.get("packages")))
    _add_poetry(reading, table_of(content.get("dev-packages")), "the group develop")
    return reading


def read_setup_cfg(document: Document) -> Reading:
    """``install_requires`` and ``extras_require`` of a setup.cfg."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(document.text)
    except configparser.Error as error:
        raise UsageError(f"is no setup.cfg that can be read: {shortened(str(error))}") from None
    reading = Reading(strict=True)
    reading.requires_python = parser.get("options", "python_requires", fallback="")
    _add_cfg(reading, parser.get("options", "install_requires", fallback=""), document)
    extras = parser["options.extras_require"] if parser.has_section("options.extras_require") else {}
    for extra, text in extras.items():
        _add_cfg(reading, text, document, f"the extra {extra}")
    if not reading.required and not reading.notes:
        raise UsageError("no install_requires in it; `pip freeze` in the environment states versions")
    return reading


def _add_cfg(reading: Reading, text: str, document: Document, only_with: str = "") -> None:
    directive = _DIRECTIVE.search(text)
    lines = [f"-r {name.strip()}" for name in directive["files"].split(",")] if directive else text.splitlines()
    _add_lines(reading, lines, document, only_with)


def _add_lines(reading: Reading, lines: Any, document: Document, only_with: str = "") -> None:
    texts = [line for line in list_of(lines) if isinstance(line, str)]
    found = read_lines(texts, document.file, document.read)
    # Line numbers inside the table are not those of the file.
    found.required = [replace(item, only_with=only_with, where=str(document.file)) for item in found.required]
    reading.add(found)


def _add_dynamic(reading: Reading, dynamic: list[Any], tool: Table, document: Document) -> None:
    if "dependencies" not in dynamic:
        return
    facts = table_of(table_of(table_of(tool.get("setuptools")).get("dynamic")).get("dependencies"))
    files = facts.get("file")
    names = [files] if isinstance(files, str) else [name for name in list_of(files) if isinstance(name, str)]
    if names:
        _add_lines(reading, [f"-r {name}" for name in names], document)
    else:
        reading.note("its dependencies are dynamic: they are stated by its build, not in this file")
        reading.unread = True


def _add_poetry(reading: Reading, dependencies: Table, only_with: str = "") -> None:
    for name, stated in dependencies.items():
        for facts in stated if isinstance(stated, list) else [stated]:
            if canonicalize_name(name) == "python":
                ranges = poetry_ranges(text_of(facts))
                reading.requires_python = ranges[0] if ranges and len(ranges) == 1 else ""
            else:
                reading.required.append(_of_poetry(name, facts, only_with))


def _of_poetry(name: str, stated: Any, only_with: str) -> Statement:
    facts = {"version": stated} if isinstance(stated, str) else table_of(stated)
    ranges = poetry_ranges(text_of(facts.get("version")))
    address = text_of(facts.get("git") or facts.get("url") or facts.get("path") or facts.get("file"))
    if address:
        reference = text_of(facts.get("tag") or facts.get("rev") or facts.get("ref") or facts.get("branch"))
        git = f"git+{address}{f'@{reference}' if reference else ''}" if facts.get("git") else address
        found = of_address(git, name) or statement(name, why="is installed from an address")
        item = replace(found, name=canonicalize_name(name))
    elif ranges is None:
        item = statement(name, why=f"is stated as {shortened(str(facts.get('version')))!r}")
    elif len(ranges) > 1:
        item = Statement(canonicalize_name(name), any_of=ranges)
    else:
        item = statement(name, ranges[0])
    markers = [text_of(facts.get("markers"))]
    python = poetry_ranges(text_of(facts.get("python")))
    if python and len(python) == 1:
        markers += [_python_marker(clause) for clause in python[0].split(",") if clause]
    optional = "an extra" if facts.get("optional") is True else ""
    marker = " and ".join(f"({text})" for text in markers if text)
    return replace(item, marker=marker, only_with=only_with or optional)


def _python_marker(clause: str) -> str:
    operator = re.match(r"[<>=!~]+", clause)
    sign = operator[0] if operator else "=="
    return f"python_version {sign} '{clause.removeprefix(sign)}'"


def poetry_ranges(text: str) -> tuple[str, ...] | None:
    """PEP 440 alternatives for poetry's ``^2.2``, ``~2.2``, ``2.2.1``, ``>=2 <3``, ``1 || 2``; None if invalid."""
    found = []
    for part in re.split(r"\s*\|\|?\s*", text.strip()) if text.strip() else [""]:
        clauses = re.sub(r"(?<=[\w*])\s+(?=[<>=!~^\d])", ",", re.sub(r"([<>=!~^])\s+", r"\1", part)).split(",")
        texts = [_poetry_clause(clause.strip()) for clause in clauses]
        item = statement("x", ",".join(clause for clause in texts if clause))
        if item.why:
            return None
        found.append(item.specifiers)
    return tuple(dict.fromkeys(found))


def _poetry_clause(clause: str) -> str:
    caret, tilde = _CARET.fullmatch(clause), _TILDE.fullmatch(clause)
    if caret:
        parts = [int(part) for part in caret[1].split(".")]
        first = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
        upper = [*parts[:first], parts[first] + 1]
        return f">={caret[1]},<{'.'.join(str(part) for part in upper)}"
    if tilde:
        parts = [int(part) for part in tilde[1].split(".")]
        upper = [*parts[:1], parts[1] + 1] if len(parts) > 1 else [parts[0] + 1]
        return f">={tilde[1]},<{'.'.join(str(part) for part in upper)}"
    if clause in {"", "*", "latest"}:
        return ""
    return f"=={clause}" if clause[0].isdigit() else clause


def _apply_sources(reading: Reading, sources: Table) -> None:
    """Apply ``tool.uv.sources``, which replaces where a distribution comes from."""
    known: dict[str, Any] = {canonicalize_name(name): facts for name, facts in sources.items()}
    for index, item in enumerate(reading.required):
        facts = table_of(known.get(item.name))
        address = text_of(facts.get("git") or facts.get("url") or facts.get("path"))
        if address:
            reference = text_of(facts.get("tag") or facts.get("rev") or facts.get("branch"))
            git = f"git+{address}{f'@{reference}' if reference else ''}" if facts.get("git") else address
            found = of_address(git, item.name)
            if found:
                reading.required[index] = replace(found, name=item.name, marker=item.marker, only_with=item.only_with)


__all__ = ["poetry_ranges", "read_pipfile", "read_pyproject", "read_setup_cfg"]
