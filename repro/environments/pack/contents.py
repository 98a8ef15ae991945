"""Selects the contents of a pack.  Pure: turns locks and lists of installed distributions into requirements."""

import re
from collections.abc import Mapping, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from repro.environments.locks import Lock, Locked, is_accelerator
from repro.model.errors import UsageError

STAYS = frozenset(
    {"torch", "numpy", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "filelock", "typing-extensions"}
)
"""torch and its dependencies, and numpy, against which torch and others were built."""
NOT_ON_NODES = frozenset({"uv"})
"""Needed only to build environments, which a machine with only a pack never does."""
OLDEST_GLIBC = 5
PATCH = 30
"""Represents the newest patch release of a line."""
_PLATFORM = re.compile(r"manylinux_2_(\d+)_(x86_64|aarch64)$")
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def platform_tags(platform: str) -> tuple[str, ...]:
    """All tags that a machine with this tag can install, the newest first; raises UsageError for an invalid tag."""
    match = _PLATFORM.match(platform)
    if match is None:
        raise UsageError(f"--platform {platform}: a tag such as manylinux_2_28_x86_64 is expected")
    newest, machine = int(match[1]), match[2]
    tags = []
    for glibc in range(newest, OLDEST_GLIBC - 1, -1):
        tags.append(f"manylinux_2_{glibc}_{machine}")
        if glibc in _LEGACY:
            tags.append(f"{_LEGACY[glibc]}_{machine}")
    return tuple(tags)


def markers_of(python: str, platform: str) -> dict[str, str]:
    """The values of environment markers on the other machine."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.{PATCH}",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.{PATCH}",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "aarch64" if platform.endswith("aarch64") else "x86_64",
        "platform_release": "",
        "platform_version": "",
        "extra": "",
    }


def differing(lock: Lock, base: Mapping[str, str], markers: Mapping[str, str]) -> tuple[Locked, ...]:
    """The distributions of a lock that must be laid over a base with these versions.

    torch, its accelerator packages and their dependencies always come from the base.  A development version is never
    the base's, whatever version that has.
    """
    chosen = []
    for package in lock.libraries:
        requirement = Requirement(package.without_hashes)
        applies = requirement.marker is None or requirement.marker.evaluate(dict(markers))
        in_base = base.get(package.name) == package.version and not package.source
        if applies and package.name not in STAYS and not in_base:
            chosen.append(package)
    return tuple(chosen)


def fits(wheel: str, python: str, platforms: Sequence[str]) -> bool:
    """True if a wheel of that name can be installed on CPython of a release line, on one of these platforms."""
    major, minor = map(int, python.split("."))
    supported = {
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), f"cp{major}{minor}", platforms),
    }
    return not supported.isdisjoint(parse_wheel_filename(wheel)[3])


def left(lock: Lock) -> dict[str, str]:
    """The pins of a lock that the base has at its own versions, without the accelerator packages."""
    return {item.name: item.version for item in lock.packages if item.name in STAYS and not is_accelerator(item.name)}


def requirement_line(package: Locked) -> str:
    """A requirement with its hashes but without its marker, which would be evaluated for this machine."""
    hashes = " ".join(re.findall(r"--hash=\S+", package.text))
    return f"{package.name}=={package.version} {hashes}".rstrip()


def harness_pins(root: str, markers: Mapping[str, str], also: Sequence[str] = ()) -> dict[str, str]:
    """The distributions that the harness needs on the other machine, at the versions installed here.

    ``also`` names further ones, which are packed with their dependencies.  Raises UsageError if one is not installed.
    """
    pins: dict[str, str] = {}
    waiting = [root, *also]
    while waiting:
        name = waiting.pop()
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise UsageError(f"{name} is not installed here, and the harness needs it on the other machine") from None
        if name != root:
            pins[name] = found.version
        for text in found.requires or ():
            requirement = Requirement(text)
            needed = canonicalize_name(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate(dict(markers))
            if wanted and needed not in pins and needed not in NOT_ON_NODES and needed not in waiting:
                waiting.append(needed)
    return dict(sorted(pins.items()))
