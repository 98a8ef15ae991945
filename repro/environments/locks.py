"""Locks: the full resolution of a named environment, with hashes, one file each.

A lock has two layers.  The libraries have hashes and are installed exactly.  The torch layer is torch and the
packages of its accelerator builds.  The machine chooses torch's build (CPU, CUDA): the hashes of torch are those of
the builds on PyPI, and builds from other sources are pinned by their label (see ``torch_build``); only a torch that
is given as a wheel is that one build.  The accelerator's packages are installed only if the build requires them.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repro.model.errors import Fault, RecordError
from repro.model.matrix import USUAL_PYTHON, Environment

TORCH_HEADING = "# torch layer: installed first, its build is the machine's choice"
LIBRARIES_HEADING = "# libraries"
_PLAIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[0-9][A-Za-z0-9.!+_-]*)(\s*;.*)?$")
_VERSION = "  # version "
_SOURCE = re.compile(rf"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*) @ \S+{_VERSION}(?P<version>[0-9][A-Za-z0-9.!+_-]*)$")
_PYTHON = "# python: "
_ACCELERATOR = re.compile(r"^(nvidia-|cuda-|triton\b|pytorch-triton)")


def is_accelerator(distribution: str) -> bool:
    """True if a distribution only serves torch's accelerator builds."""
    return bool(_ACCELERATOR.match(distribution))


@dataclass(frozen=True)
class Locked:
    """One pinned distribution, with its requirement lines from uv."""

    name: str
    version: str
    text: str

    @property
    def without_hashes(self) -> str:
        """The requirement alone."""
        return self.text.split(" \\", 1)[0].split(_VERSION, 1)[0]

    @property
    def source(self) -> str | None:
        """Of a development version: its address at the locked commit, or the wheel's name with its hash."""
        return self.without_hashes.split(" @ ", 1)[1] if _VERSION in self.text else None

    @property
    def hashes(self) -> tuple[str, ...]:
        """``sha256:...`` of each of its files."""
        return tuple(re.findall(r"--hash=(sha256:[0-9a-f]{64})", self.text))


@dataclass(frozen=True)
class Lock:
    """A lock file's content."""

    header: tuple[str, ...]
    packages: tuple[Locked, ...]

    @property
    def torch(self) -> Locked | None:
        return next((package for package in self.packages if package.name == "torch"), None)

    @property
    def accelerator(self) -> tuple[Locked, ...]:
        return tuple(package for package in self.packages if is_accelerator(package.name))

    @property
    def libraries(self) -> tuple[Locked, ...]:
        return tuple(
            package for package in self.packages if package.name != "torch" and not is_accelerator(package.name)
        )

    @property
    def sources(self) -> tuple[Locked, ...]:
        """The development versions, torch among them if it is one; they are installed one by one."""
        return tuple(package for package in self.packages if package.source)

    @property
    def text(self) -> str:
        """The file's content."""
        layer = [
            *([self.torch.text] if self.torch else []),
            *(item.text for item in self.accelerator),
        ]
        libraries = [package.text for package in self.libraries]
        return "\n".join([*self.header, "", TORCH_HEADING, *layer, "", LIBRARIES_HEADING, *libraries, ""])

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of every pinned distribution, whether or not its marker applies here."""
        return {package.name: package.version for package in self.packages}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the pins, without comments, and without the hashes of torch, whose build is not locked.

        Another Python than the usual one is part of it: the same pins are another environment there.
        """
        content = "\n".join([package.text for package in (*self.accelerator, *self.libraries)])
        torch = self.torch.without_hashes if self.torch else ""
        python = "" if self.python == USUAL_PYTHON else f"\npython {self.python}"
        return hashlib.sha256(f"{torch}\n{content}{python}".encode()).hexdigest()

    @property
    def python(self) -> str:
        """The Python that it was resolved for, as its header says."""
        stated = (line.removeprefix(_PYTHON) for line in self.header if line.startswith(_PYTHON))
        return next(stated, USUAL_PYTHON)


def header_of(name: str, environment: Environment) -> tuple[str, ...]:
    """The lines that state what a lock was resolved from; if the matrix changes, the lock is stale."""
    cutoffs = "".join(f" {package}={day}" for package, day in sorted(environment.cutoffs.items()))
    return (
        "# repro lock, format 1; written by `repro lock`, not by hand",
        f"# environment: {name}",
        f"# python: {environment.python}",
        f"# cutoff: {environment.cutoff}{cutoffs}",
        f"# pins: {_joined(environment.pins)}",
        *([f"# floating: {' '.join(sorted(environment.floating))}"] if environment.floating else []),
        *(["# prereleases: allowed"] if environment.prereleases else []),
        *([f"# preferred: {_joined(environment.preferred)}"] if environment.preferred else []),
        *(f"# source {name}: {public}" for name, public in environment.public_sources.items()),
    )


def read_header(lock: Lock) -> tuple[str, Environment]:
    """The name and the definition in the header of a lock; raises ValueError if there are none."""
    stated = dict(line.removeprefix("# ").split(": ", 1) for line in lock.header if ": " in line)
    try:
        name, python, (cutoff, *cutoffs) = stated["environment"], stated["python"], stated["cutoff"].split()
        return name, Environment(
            python=python,
            cutoff=cutoff,
            cutoffs=dict(_pair(item, "=") for item in cutoffs),
            pins=dict(_pair(item, "==") for item in stated.get("pins", "").split()),
            floating=tuple(stated.get("floating", "").split()),
            prereleases="prereleases" in stated,
            preferred=dict(_pair(item, "==") for item in stated.get("preferred", "").split()),
            sources={key.removeprefix("source "): value for key, value in stated.items() if key.startswith("source ")},
            why=f"the lock {lock.digest[:12]}",
        )
    except KeyError as error:
        raise ValueError(f"its header does not state {error.args[0]}") from None


def _pair(text: str, separator: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found:
        raise ValueError(f"{text!r} in its header is not NAME{separator}VALUE")
    return name, value


def _joined(versions: dict[str, str]) -> str:
    return " ".join(f"{package}=={version}" for package, version in sorted(versions.items()))


def split(requirements: str) -> tuple[Locked, ...]:
    """The packages of a requirements text; each line that is not indented begins one."""
    blocks: list[list[str]] = []
    for line in requirements.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace() and blocks:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    packages = []
    for block in blocks:
        name, version = _pin(block[0].removesuffix("\\").strip())
        packages.append(Locked(canonicalize_name(name), version, "\n".join(block)))
    return tuple(packages)


def _pin(line: str) -> tuple[str, str]:
    """The name and version of a requirement line; plain pins, nearly all, need no parser."""
    plain = _PLAIN.match(line) or _SOURCE.match(line)
    if plain:
        return plain["name"], plain["version"]
    requirement = Requirement(line)
    return requirement.name, next(iter(requirement.specifier)).version


def read_lock(file: Path) -> Lock:
    """Read a lock file; raises RecordError if it is missing or not one of ours."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecordError([Fault(file, 0, "", "is not UTF-8 text", f"run `repro lock {file.stem}`")]) from None
    except OSError as error:
        raise RecordError(
            [Fault(file, 0, "", f"cannot be read: {error.strerror}", f"run `repro lock {file.stem}`")]
        ) from None
    try:
        return parse_lock(text)
    except ValueError as error:
        raise RecordError([Fault(file, 0, "", f"is no lock: {error}", f"run `repro lock {file.stem}`")]) from None


@cache
def parse_lock(text: str) -> Lock:
    """The lock in a text; raises ValueError if it is not a lock.

    Cached, since a command needs the same few locks repeatedly.
    """
    header = takewhile(lambda line: line.startswith("#"), text.splitlines())
    try:
        return Lock(tuple(header), split(text))
    except StopIteration:
        raise ValueError("a requirement has no version") from None


def source_line(name: str, address: str, version: str) -> str:
    """The line of a development version; the address is public and names a commit, or a wheel with its hash."""
    return f"{canonicalize_name(name)} @ {address}{_VERSION}{version}"


def stale(lock: Lock, name: str, environment: Environment) -> str | None:
    """Why a lock no longer fits its environment in the matrix, or None."""
    for expected in header_of(name, environment):
        if expected not in lock.header:
            return f"was not resolved from {expected.removeprefix('# ')!r}"
    held = lock.versions
    for pin, version in environment.pins.items():
        if held.get(canonicalize_name(pin)) != version:
            return f"holds {pin} {held.get(pin, 'not at all')} where {version} is pinned"
    return None
