"""Evaluates environment markers on Linux, for each Python version and machine that a text allows.  Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet

PYTHONS = tuple(f"3.{minor}" for minor in range(7, 16))
"""The Python versions that are considered if a text states none."""
MACHINES = ("x86_64", "aarch64")
_EXTRA = re.compile(r"extra\s*(?:==|!=|in)\s*['\"]([^'\"]*)['\"]|['\"]([^'\"]*)['\"]\s*(?:==|in)\s*extras?")
_GROUP = re.compile(r"['\"]([^'\"]+)['\"]\s+in\s+dependency_groups")


@dataclass(frozen=True)
class Target:
    """One kind of machine that the text may be installed on."""

    python: str
    """``3.11``."""
    machine: str


class Holds(Enum):
    """Whether a requirement applies on a target."""

    YES = "yes"
    NO = "no"
    OPTIONAL = "optional"
    """It applies only with an extra or a dependency group, or it cannot be evaluated."""


def targets(python: str | None = None, requires: str = "", machines: Iterable[str] = MACHINES) -> tuple[Target, ...]:
    """The targets that a stated Python version, or a ``requires-python``, allows."""
    minor = re.match(r"\d+\.\d+", python or "")
    if minor:
        pythons: Iterable[str] = (minor[0],)
    else:
        try:
            allowed = SpecifierSet(requires)
        except InvalidSpecifier:
            allowed = SpecifierSet()
        # A bound such as >=3.9.2 allows 3.9, so the last patch release of each line is tried too.
        pythons = [text for text in PYTHONS if any(allowed.contains(f"{text}.{patch}") for patch in (0, 99))] or PYTHONS
    machines = tuple(machines)
    return tuple(Target(text, machine) for text in pythons for machine in machines)


@lru_cache(maxsize=100_000)
def holds(marker: str, target: Target) -> Holds:
    """Evaluate a marker on a target, with its platform, machine and Python."""
    if not marker:
        return Holds.YES
    try:
        parsed = Marker(marker)
    except InvalidMarker:
        return Holds.OPTIONAL
    answers = {_evaluated(parsed, target, patch, (), ()) for patch in ("0", "99")}
    if answers == {Holds.YES}:
        return Holds.YES
    if answers != {Holds.NO}:
        return Holds.OPTIONAL
    extras = [one or other for one, other in _EXTRA.findall(marker)]
    groups = _GROUP.findall(marker)
    if (extras or groups) and _evaluated(parsed, target, "0", extras, groups) is not Holds.NO:
        return Holds.OPTIONAL
    return Holds.NO


def needed_extras(marker: str) -> str:
    """``the extra train`` if a marker names an extra or a group, else empty."""
    extras = [one or other for one, other in _EXTRA.findall(marker)]
    if extras:
        return f"the extra {' or '.join(dict.fromkeys(extras))}"
    groups = _GROUP.findall(marker)
    return f"the group {' or '.join(dict.fromkeys(groups))}" if groups else ""


def _evaluated(marker: Marker, target: Target, patch: str, extras: Iterable[str], groups: Iterable[str]) -> Holds:
    environment: dict[str, str | frozenset[str]] = {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.{patch}",
        "os_name": "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "5.15.0",
        "platform_system": "Linux",
        "platform_version": "#1 SMP",
        "python_full_version": f"{target.python}.{patch}",
        "python_version": target.python,
        "sys_platform": "linux",
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    found = False
    for extra in (*extras, ""):
        try:
            found = found or marker.evaluate({**environment, "extra": extra}, context="lock_file")
        except (UndefinedComparison, UndefinedEnvironmentName, ValueError, TypeError):
            return Holds.OPTIONAL
    return Holds.YES if found else Holds.NO
