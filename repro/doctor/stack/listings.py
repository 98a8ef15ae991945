"""Reads the output of ``pip list``, ``pip show``, ``pip inspect`` and ``conda list``."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from packaging.utils import canonicalize_name

from repro.doctor.stack.conda_spec import CONDA_NAMES, is_system
from repro.doctor.stack.document import Document
from repro.doctor.stack.sources import of_address, path_of
from repro.doctor.stack.statements import Authority, Reading, Statement, names_dependencies_of_torch, statement
from repro.model.errors import UsageError
from repro.model.version import parsed_version

PIP_HEADER = re.compile(r"^\s*Package\s+Version\b.*\n\s*-{3,}", re.MULTILINE)
CONDA_HEADER = re.compile(
    r"^\s*#? ?packages in environment at|^\s*#?\s*Name\s+Version\s+Build(\s+Channel)?\s*$", re.MULTILINE | re.IGNORECASE
)
EXPLICIT = re.compile(r"^@EXPLICIT\s*$", re.MULTILINE)
PIP_SHOW = re.compile(r"^Name: \S+\nVersion: \S+$", re.MULTILINE)
_SHOWN = re.compile(r"^Name: (\S+)\nVersion: (\S+)$", re.MULTILINE)
_LOCATION = re.compile(r"^Editable project location: ", re.MULTILINE)
_CONDA_FILE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")


def read_pip_list(document: Document) -> Reading:
    """``pip list``, as text."""
    reading = Reading()
    header = PIP_HEADER.search(document.text)
    editable_column = header is not None and "Editable project location" in header[0]
    for line in document.text[header.end() if header else 0 :].splitlines()[1:]:
        name, version, *others = (*line.split(), "", "")
        if parsed_version(version) is None:
            reading.skipped += bool(name)
            continue
        reading.required.append(_listed(name, version, editable=editable_column and "/" in others[0]))
    return _completed(reading)


def read_pip_show(document: Document) -> Reading:
    """``pip show``: one or more distributions."""
    reading = Reading()
    for block in re.split(r"^---$", document.text, flags=re.MULTILINE):
        reading.required += [
            _listed(name, version, editable=bool(_LOCATION.search(block))) for name, version in _SHOWN.findall(block)
        ]
    return reading


def read_package_list(content: Iterable[Any]) -> Reading:
    """``pip list --format=json`` or ``conda list --json``."""
    reading = Reading()
    for item in content:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            reading.skipped += 1
            continue
        name, version = item["name"], str(item.get("version", ""))
        if "channel" in item or "build_string" in item:
            _add_conda(reading, name, version, pypi=item.get("channel") == "pypi")
        else:
            editable = isinstance(item.get("editable_project_location"), str)
            reading.required.append(_listed(name, version, editable=editable))
    return _completed(reading)


def read_pip_inspect(content: Mapping[str, Any]) -> Reading:
    """``pip inspect``."""
    reading = Reading()
    environment = content.get("environment")
    if isinstance(environment, dict) and isinstance(environment.get("python_version"), str):
        reading.python = environment["python_version"]
    installed = content.get("installed")
    for item in installed if isinstance(installed, list) else ():
        metadata = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            reading.skipped += 1
            continue
        direct = item.get("direct_url")
        folder = direct.get("dir_info") if isinstance(direct, dict) else None
        editable = isinstance(folder, dict) and folder.get("editable") is True
        reading.required.append(_listed(metadata["name"], str(metadata.get("version", "")), editable=editable))
    return _completed(reading)


def read_conda_list(document: Document) -> Reading:
    """``conda list`` or ``micromamba list``, as text."""
    reading = Reading()
    for line in document.text.splitlines():
        name, version, *others = (*line.split(), "", "")
        if not name.startswith("#") and _is_conda_version(version):
            _add_conda(reading, name, version, pypi="pypi" in others or "pypi_0" in others)
    return _completed(reading)


def read_explicit(document: Document) -> Reading:
    """``conda list --explicit``: the address of each package."""
    reading = Reading()
    for line in document.text.splitlines():
        text = line.strip()
        if not text or text.startswith(("#", "@")):
            continue
        add_package_address(reading, text)
    return _completed(reading)


def add_package_address(reading: Reading, address: str, **facts: Any) -> None:
    """Add the statement of the file name of a conda package, a wheel or an sdist."""
    file = path_of(address.split("#", maxsplit=1)[0]).rpartition("/")[2]
    match = _CONDA_FILE.fullmatch(file)
    if match:
        _add_conda(reading, match["name"], match["version"], pypi=False, **facts)
        return
    found = of_address(address)
    if found is None:
        reading.skipped += 1
    else:
        reading.required.append(replace(found, **facts))


def _add_conda(reading: Reading, name: str, version: str, *, pypi: bool, **facts: Any) -> None:
    if name == "python" and not pypi:
        reading.python = reading.python or version
    elif pypi:
        reading.required.append(replace(_listed(name, version), **facts))
    elif not is_system(name):
        known = CONDA_NAMES.get(canonicalize_name(name), name)
        reading.required.append(replace(_listed(known, version), rank=Authority.CONDA, **facts))


def _listed(name: str, version: str, *, editable: bool = False) -> Statement:
    found = statement(name, f"=={version}")
    return replace(found, inexact="is an editable install") if editable else found


def _completed(reading: Reading) -> Reading:
    if not reading.required:
        raise UsageError("it lists no distribution")
    reading.closed = names_dependencies_of_torch(item.name for item in reading.required)
    return reading


def _is_conda_version(text: str) -> bool:
    return bool(re.match(r"\d", text))
