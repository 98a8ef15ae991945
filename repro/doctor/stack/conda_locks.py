"""Reads ``pixi.lock`` and ``conda-lock.yml``."""

from collections.abc import Iterable, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from repro.doctor.stack.conda_spec import CONDA_NAMES, is_system
from repro.doctor.stack.listings import add_package_address
from repro.doctor.stack.statements import Authority, Reading, Statement, names_dependencies_of_torch, statement
from repro.model.errors import UsageError

_MACHINES = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}
_DEFAULT = "default"


def read_pixi(content: Mapping[str, Any]) -> Reading:
    """A pixi.lock: the packages of each environment for Linux.

    ``pixi install`` creates the default environment; packages that are only in other environments may be absent.
    """
    environments = {name: _packages_of(part) for name, part in _mapping(content.get("environments")).items()}
    details = {key: item for item in _list(content.get("packages")) if (key := _address(item))}
    reading = Reading()
    for environment, platforms in environments.items():
        for platform, machine in _MACHINES.items():
            for reference in platforms.get(platform, ()):
                _add_pixi(
                    reading,
                    reference,
                    details,
                    marker=_marker(machine),
                    only_with=""
                    if environment == _DEFAULT or len(environments) == 1
                    else f"the environment {environment}",
                )
    return _completed(reading, "pixi.lock")


def read_conda_lock(content: Mapping[str, Any]) -> Reading:
    """A conda-lock.yml: a list of packages by platform."""
    reading = Reading()
    for item in _list(content.get("package")):
        machine = _MACHINES.get(str(item.get("platform")))
        name, version = item.get("name"), item.get("version")
        if machine is None or not isinstance(name, str) or not isinstance(version, str):
            continue
        category = item.get("category", "main")
        _add(
            reading,
            name,
            version,
            pypi=item.get("manager") == "pip",
            marker=_marker(machine),
            only_with="" if category == "main" else f"the category {category}",
        )
    return _completed(reading, "conda-lock.yml")


def _add_pixi(
    reading: Reading, reference: Mapping[str, Any], details: Mapping[str, Mapping[str, Any]], **facts: str
) -> None:
    address = _address(reference)
    detail = details.get(address, {})
    name, version = detail.get("name"), detail.get("version")
    pypi = "pypi" in reference or detail.get("kind") == "pypi"
    if isinstance(name, str) and isinstance(version, str):
        _add(reading, name, version, pypi=pypi, **facts)
    else:
        add_package_address(reading, address, **facts)


def _add(reading: Reading, name: str, version: str, *, pypi: bool, marker: str, only_with: str) -> None:
    if name == "python" and not pypi:
        reading.python = reading.python or version
        return
    if not pypi and is_system(name):
        return
    known = name if pypi else CONDA_NAMES.get(canonicalize_name(name), name)
    found = statement(known, f"=={version}")
    rank = Authority.PIP if pypi else Authority.CONDA
    reading.required.append(
        Statement(found.name, found.specifiers, why=found.why, rank=rank, marker=marker, only_with=only_with)
    )


def _completed(reading: Reading, name: str) -> Reading:
    if not reading.required:
        raise UsageError(f"no package for Linux in it: is it a {name}?")
    held = {item.marker for item in reading.required}
    reading.machines = tuple(machine for machine in _MACHINES.values() if _marker(machine) in held)
    reading.closed = names_dependencies_of_torch(item.name for item in reading.required)
    return reading


def _marker(machine: str) -> str:
    return f"platform_machine == '{machine}'"


def _packages_of(environment: Any) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    packages = _mapping(_mapping(environment).get("packages"))
    return {platform: _list(items) for platform, items in packages.items()}


def _address(item: Mapping[str, Any]) -> str:
    value = item.get("conda") or item.get("pypi") or item.get("url")
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
