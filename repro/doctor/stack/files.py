"""The versions of an environment, read from a text that describes it: nothing is run, nothing is installed."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name

from repro.doctor.stack.conda import read_conda
from repro.doctor.stack.requirements import read_requirements
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.errors import UsageError

STANDARD_INPUT = Path("-")
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_stack(file: Path) -> Stack:
    """Read ``requirements.txt``, ``pip freeze``, ``uv.lock``, ``poetry.lock``, ``pylock.toml`` or ``environment.yml``.

    ``-`` is standard input: a requirements text.  Raises UsageError if the file cannot be read or is none of these.
    """
    text = sys.stdin.read() if file == STANDARD_INPUT else _text(file)
    try:
        if file.suffix in {".lock", ".toml"}:
            return _from_lock(tomllib.loads(text), file)
        if file.suffix in {".yml", ".yaml"}:
            return read_conda(yaml.load(text, Loader=yaml.BaseLoader), file, _text)  # noqa: S506 - makes text only
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {' '.join(str(error).split())}") from None
    return read_requirements(text, file, _text)


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        return content.decode(next((name for mark, name in _BOMS.items() if content.startswith(mark)), "utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text") from None


def _from_lock(content: dict[str, Any], file: Path) -> Stack:
    packages = content.get("package") or content.get("packages")
    if not isinstance(packages, list):
        raise UsageError(f"{file}: no [[package]] in it: is it a uv.lock, poetry.lock or pylock.toml?")
    found: dict[str, dict[str, None]] = {}
    for package in packages:
        if isinstance(package, dict) and "name" in package:
            versions = found.setdefault(canonicalize_name(str(package["name"])), {})
            if "version" in package:
                versions[str(package["version"])] = None
    required = str(content.get("requires-python") or _poetry_python(content))
    python = re.match(r"[>=~^]=?\s*(3\.\d+)", required)
    return Stack(
        {name: _locked(tuple(versions)) for name, versions in sorted(found.items())}, True, python and python[1]
    )


def _poetry_python(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    return str(metadata.get("python-versions", "")) if isinstance(metadata, dict) else ""


def _locked(versions: tuple[str, ...]) -> KnownVersion:
    if not versions:
        return KnownVersion(why="has no version in the lock")
    # A lock for several platforms or extras may hold a distribution twice.
    return KnownVersion(versions, why=f"is locked as {' and '.join(versions)}" if len(versions) > 1 else "")
