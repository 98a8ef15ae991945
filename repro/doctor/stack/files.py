"""Reads the versions of an environment from a text that describes it; nothing is run or installed."""

import json
import re
import sys
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from repro.doctor.stack import commands, conda, conda_locks, declared, env_reports, listings, locks
from repro.doctor.stack.document import Document, decoded
from repro.doctor.stack.requirements import read_requirements
from repro.doctor.stack.stack import LIBRARIES, Stack
from repro.doctor.stack.statements import Reading, stack_of_reading
from repro.files import read_bytes_file
from repro.model.errors import UnreadableFileError, UsageError

STANDARD_INPUT = Path("-")
MOST_BYTES = 32 << 20
"""The largest file that is read; the lock of a large workspace has a few megabytes."""
_PIPES = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
"""Paths of pipes, as shells pass them: ``--from <(pip freeze)``."""
DEEPEST = 100
"""The deepest nesting that is accepted; all formats need only a few levels."""
WAY_OUT = "give `pip freeze`, a lock, or `conda env export` instead"
READ = (
    "requirements.txt, pip freeze/list/show/inspect, uv.lock, poetry.lock, pdm.lock, pylock.toml, Pipfile.lock, "
    "pixi.lock, conda-lock.yml, environment.yml, conda list, pyproject.toml, Pipfile, setup.cfg, Dockerfile, notebook, "
    "or the output of transformers env, accelerate env, torch's or Lightning's collect_env"
)
"""The formats that are read, for messages and help."""
_NOT_READ = {
    "setup.py": "a setup.py is a program, and nothing is run",
    "pixi.toml": "a pixi.toml is not read: pixi.lock states the versions",
    "meta.yaml": "a conda recipe is not read",
    "recipe.yaml": "a conda recipe is not read",
    "flake.nix": "a nix file is not read",
    "tox.ini": "a tox.ini is not read",
}
_ARCHIVES = {b"PK\x03\x04": "a zip archive or a wheel", b"\x1f\x8b": "a gzip archive", b"\x7fELF": "a program"}
_TOML = re.compile(
    r"^\[\[?(package|packages|project|build-system|dependency-groups|requires|dev-packages|metadata|tool\.[\w.\"-]+)\]\]?\s*$",
    re.MULTILINE,
)
_YAML = re.compile(r"^(dependencies|environments|package):", re.MULTILINE)
_FENCE = re.compile(r"^[ \t>]*(```+|~~~+)[^\n`]*\n(?P<body>.*?)(?:^[ \t>]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_PINNED = re.compile(r"^\s*[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?\s*===?\s*[\d$]")
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)
_SETUP_CFG = re.compile(r"^\[options\]\s*$(?:.*\n)*?^install_requires\s*=", re.MULTILINE)
EXPRESSIONS = {
    "toml": _TOML, "yaml": _YAML, "fence": _FENCE, "pinned": _PINNED, "setup_cfg": _SETUP_CFG
}  # fmt: skip
"""The expressions with which the site's page recognises formats that it does not read."""
_HTML = re.compile(r"</?(?:details|summary|pre|code|br|p)\b[^>]*>", re.IGNORECASE)


def read_stack(file: Path, watched: Collection[str] = LIBRARIES) -> Stack:
    """The stack of a file in any of the formats ``READ``; ``-`` is standard input.

    A contradiction about one of the ``watched`` distributions is an error.  Raises UsageError, in one line, if the file
    cannot be read, is in an unknown format, or contradicts itself.
    """
    content = _bytes(file)
    name = _name(file)
    refused = _NOT_READ.get(file.name) or next(
        (f"{what} is not read" for mark, what in _ARCHIVES.items() if content.startswith(mark)), None
    )
    if refused:
        raise UsageError(f"{name}: {refused}; {WAY_OUT}")
    text = decoded(content)
    if text is None:
        raise UsageError(f"{name}: is no text in UTF-8, UTF-16 or Latin-1")
    if not text.strip():
        raise UsageError(f"{name}: is empty")
    try:
        return stack_of_reading(_read(Document(file, text, _included)), watched)
    except UsageError as error:
        message = str(error)
        raise UsageError(message if message.startswith(f"{file}") else f"{name}: {message}") from None


def _bytes(file: Path) -> bytes:
    if file == STANDARD_INPUT:
        return _all_of(sys.stdin.buffer, file)
    if str(file).startswith(_PIPES):
        with file.open("rb") as stream:
            return _all_of(stream, file)
    try:
        return read_bytes_file(file, MOST_BYTES)
    except UnreadableFileError as error:
        raise UsageError(str(error)) from None


def _all_of(stream: BinaryIO, file: Path) -> bytes:
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{_name(file)}: is larger than {MOST_BYTES:,} bytes, the most that is read")
    return content


def _name(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else str(file)


def _included(file: Path) -> str:
    text = decoded(_bytes(file))
    if text is None:
        raise UsageError(f"{file}: is no text in UTF-8, UTF-16 or Latin-1")
    return text


def _read(document: Document) -> Reading:
    reader = next((reader for reader in READERS if reader.recognises(document)), None)
    reading = reader.read(document) if reader else read_requirements(document)
    if reading.required or reading.absent or reading.notes:
        return reading
    raise UsageError(f"nothing in it is understood; what is read: {READ}")


@dataclass(frozen=True)
class Reader:
    """One family of formats."""

    recognises: Callable[[Document], bool]
    read: Callable[[Document], Reading]


def _named(*names: str) -> Callable[[Document], bool]:
    return lambda document: document.file.name.lower() in names


def _matching(pattern: re.Pattern[str]) -> Callable[[Document], bool]:
    return lambda document: bool(pattern.search(document.text))


def _is_json(document: Document) -> bool:
    text = document.text.lstrip()
    return document.file.suffix in {".json", ".ipynb"} or text.startswith("{") or bool(re.match(r"\[\s*[{\]]", text))


def _read_json(document: Document) -> Reading:
    try:
        content = json.loads(document.text)
    except RecursionError:
        raise UsageError("is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"is no JSON: {' '.join(str(error).split())}") from None
    if isinstance(content, list):
        return listings.read_package_list(content)
    if isinstance(content, dict):
        if "cells" in content:
            return commands.read_notebook(content, document)
        if "installed" in content:
            return listings.read_pip_inspect(content)
        if isinstance(content.get("dependencies"), list):
            return conda.read_environment(content, document)
        if "default" in content or "develop" in content:
            return locks.read_pipfile_lock(content)
    raise UsageError(f"is JSON of a kind that is not read; {WAY_OUT}")


def _is_toml(document: Document) -> bool:
    if document.file.suffix == ".toml" or document.file.name == "Pipfile":
        return True
    return not _is_yaml(document) and (document.file.suffix == ".lock" or bool(_TOML.search(document.text)))


def _read_toml(document: Document) -> Reading:
    try:
        content = tomllib.loads(document.text)
    except RecursionError:
        raise UsageError("is nested too deeply") from None
    except ValueError as error:
        raise UsageError(f"is no TOML: {' '.join(str(error).split())}") from None
    metadata = content.get("metadata")
    facts: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    if "lock-version" in content:
        return locks.read_pylock(content)
    if {"project", "dependency-groups", "build-system", "tool"} & content.keys():
        return declared.read_pyproject(content, document)
    if "package" not in content and {"packages", "dev-packages"} & content.keys():
        is_pipfile = isinstance(content.get("packages", {}), dict)
        return declared.read_pipfile(content) if is_pipfile else locks.read_pylock(content)
    if "package" in content:
        if "lock_version" in facts or "content_hash" in facts:
            return locks.read_pdm(content)
        return (
            locks.read_poetry(content)
            if "python-versions" in facts or "content-hash" in facts
            else locks.read_uv(content)
        )
    raise UsageError(f"no [[package]] in it and no [project]; {WAY_OUT}")


def _is_yaml(document: Document) -> bool:
    suffix = document.file.suffix
    return suffix in {".yml", ".yaml"} or document.file.name == "pixi.lock" or bool(_YAML.search(document.text))


def _read_yaml(document: Document) -> Reading:
    content = _yaml(document.text)
    if isinstance(content, dict):
        if "environments" in content:
            return conda_locks.read_pixi(content)
        if isinstance(content.get("package"), list):
            return conda_locks.read_conda_lock(content)
        return conda.read_environment(content, document)
    raise UsageError(f"is YAML of a kind that is not read; {WAY_OUT}")


def _yaml(text: str) -> Any:
    """YAML with all scalars as text; the nesting is checked before anything is built."""
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise UsageError("is nested too deeply")
        return yaml.load(text, Loader=loader)  # noqa: S506 - makes text only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"is no YAML: {' '.join(str(error).split())[:300]}") from None


def _read_fenced(document: Document) -> Reading:
    """A pasted issue: each fenced block is read by its own reader, and the text between is searched for reports."""
    reading = Reading()
    text = _QUOTED.sub("", document.text)
    blocks = [match["body"] for match in _FENCE.finditer(text)]
    between = _FENCE.sub("\n", text)
    if env_reports.is_report(between):
        blocks.append(between)
    closed = []
    for body in blocks:
        try:
            found = _read(replace(document, file=document.file.with_suffix(""), text=body))
        except UsageError:
            continue
        closed.append(found.closed)
        reading.add(found)
    if not (reading.required or reading.absent):
        return read_requirements(replace(document, text=between))
    reading.closed = any(closed)
    return reading


def _without_html(document: Document) -> Document:
    return replace(document, text=_HTML.sub("\n", document.text))


def _is_dockerfile(document: Document) -> bool:
    name = document.file.name.lower()
    if name.startswith(("dockerfile", "containerfile")) or document.file.suffix.lower() in {".dockerfile", ".def"}:
        return True
    return bool(commands.DOCKERFILE.search(document.text)) and bool(commands.INSTALL.search(document.text))


def _is_script(document: Document) -> bool:
    if document.file.suffix in {".sh", ".bash", ".slurm", ".sbatch"}:
        return True
    lines = [line for line in document.text.splitlines() if not line.lstrip().startswith("#")]
    # Prose in a requirements text may mention an install command.
    pinned = any(_PINNED.match(line) for line in lines)
    return not pinned and any(commands.INSTALL.search(line) for line in lines)


READERS = (
    Reader(_is_json, _read_json),
    Reader(_named("setup.cfg"), declared.read_setup_cfg),
    Reader(_matching(_FENCE), lambda document: _read_fenced(_without_html(document))),
    Reader(_matching(_SETUP_CFG), declared.read_setup_cfg),
    Reader(_is_toml, _read_toml),
    Reader(_is_yaml, _read_yaml),
    Reader(_matching(listings.EXPLICIT), listings.read_explicit),
    Reader(lambda document: env_reports.is_report(document.text), env_reports.read_report),
    Reader(_matching(listings.PIP_HEADER), listings.read_pip_list),
    Reader(_matching(listings.PIP_SHOW), listings.read_pip_show),
    Reader(_matching(listings.CONDA_HEADER), listings.read_conda_list),
    Reader(_is_dockerfile, commands.read_dockerfile),
    Reader(_is_script, commands.read_script),
)
"""The readers in the order in which they are tried; a text that none recognises is read as requirements."""
