"""The versions of an environment, read from a text that describes it: nothing is run, nothing is installed."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from repro.errors import UsageError

# conda's names of what PyPI calls otherwise
_CONDA_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cpu": "torch"}
_CONDA = re.compile(r"^(?:[\w.-]+::)?([A-Za-z0-9_.-]+)\s*={1,2}\s*([0-9][A-Za-z0-9_.!+-]*)(?:=\S*)?$")


@dataclass(frozen=True)
class Stack:
    """Versions by distribution, and what the text names without a version that can be known."""

    versions: dict[str, str]
    open: tuple[str, ...] = ()


def read_stack(file: Path) -> Stack:
    """Read ``requirements.txt``, ``pip freeze``, ``uv.lock``, ``poetry.lock``, ``pylock.toml`` or ``environment.yml``.

    Raises UsageError if the file cannot be read or is none of these.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text") from None
    try:
        if file.suffix in {".lock", ".toml"}:
            return _from_lock(tomllib.loads(text), file)
        if file.suffix in {".yml", ".yaml"}:
            return _from_conda(yaml.safe_load(text), file)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {' '.join(str(error).split())}") from None
    return _from_requirements(text.splitlines(), file)


def _from_lock(content: dict[str, Any], file: Path) -> Stack:
    packages = content.get("package") or content.get("packages")
    if not isinstance(packages, list):
        raise UsageError(f"{file}: no [[package]] in it: is it a uv.lock, poetry.lock or pylock.toml?")
    found: dict[str, set[str]] = {}
    for package in packages:
        if isinstance(package, dict) and "name" in package and "version" in package:
            found.setdefault(canonicalize_name(str(package["name"])), set()).add(str(package["version"]))
    # A lock for several platforms may hold a distribution twice: then its version is not known here.
    return Stack(
        {name: next(iter(versions)) for name, versions in sorted(found.items()) if len(versions) == 1},
        tuple(name for name, versions in sorted(found.items()) if len(versions) > 1),
    )


def _from_requirements(lines: Iterable[str], file: Path) -> Stack:
    versions: dict[str, str] = {}
    unknown: list[str] = []
    for number, raw in enumerate(lines, start=1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip().removesuffix("\\").strip()
        line = re.sub(r"\s--hash=\S+", "", line).strip()
        if not line or line.startswith(("-", "git+", "http:", "https:", "file:", "./", "../", "/")):
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            raise UsageError(f"{file}:{number}: {line!r} is no requirement such as 'torch==2.2.2'") from None
        name = canonicalize_name(requirement.name)
        pins = [item.version for item in requirement.specifier if item.operator in {"==", "==="}]
        if len(pins) == 1 and not pins[0].endswith(".*"):
            versions[name] = pins[0]
        else:
            unknown.append(name)
    return Stack(versions, tuple(unknown))


def _from_conda(content: Any, file: Path) -> Stack:
    if not isinstance(content, dict) or not isinstance(content.get("dependencies"), list):
        raise UsageError(f"{file}: no dependencies in it: is it an environment.yml?")
    versions: dict[str, str] = {}
    unknown: list[str] = []
    for item in content["dependencies"]:
        if isinstance(item, dict):
            nested = _from_requirements([str(line) for line in item.get("pip") or ()], file)
            versions |= nested.versions
            unknown += nested.open
            continue
        found = _CONDA.match(str(item).strip())
        name = canonicalize_name(found[1] if found else re.split(r"[\s<>=!~\[]", str(item).split("::")[-1])[0])
        name = canonicalize_name(_CONDA_NAMES.get(name, name))
        if found and _is_version(found[2]):
            versions[name] = found[2]
        else:
            unknown.append(name)
    return Stack(versions, tuple(unknown))


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
