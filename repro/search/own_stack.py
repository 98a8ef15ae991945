"""The stack of a user's script around the searched package: from requirements, an interpreter or imports."""

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.environments.locks import is_accelerator
from repro.files import read_text_file
from repro.model.development_version import placed
from repro.model.errors import UsageError
from repro.model.matrix import Environment
from repro.model.version import parsed_version

PYTHON = "3.11"
TORCH = "torch"
"""Every script needs it, since torchrun starts its ranks."""
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "pl_bolts": "lightning-bolts",
    "pytorch_lightning": "pytorch-lightning",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}
"""Modules whose distribution has a different name."""


@dataclass(frozen=True)
class Wanted:
    """The content of an environment besides the moved package."""

    pins: Mapping[str, str]
    others: tuple[str, ...] = ()
    """Requirements without an exact version, in pip's syntax."""
    preferred: Mapping[str, str] | None = None
    python: str = PYTHON
    sources: Mapping[str, str] = field(default_factory=dict)
    """Development versions, with the address of each."""


def imported_modules(script: Path) -> set[str]:
    """The top-level modules that a script imports, directly or through modules beside it."""
    found: set[str] = set()
    waiting, seen = [script], set()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in _imports(file):
            found.add(name)
            beside = (script.parent / f"{name}.py", script.parent / name / "__init__.py")
            waiting += [own for own in beside if own.is_file()]
    return found


def _imports(file: Path) -> Iterable[str]:
    try:
        tree = ast.parse(read_text_file(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: is no Python that can be read: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def from_imports(script: Path, beside: Iterable[str]) -> Wanted:
    """The distributions of a script's imports, at the newest releases of the day."""
    ours = {*beside, *sys.stdlib_module_names, "__future__"}
    names = sorted(imported_modules(script) - ours)
    distributions = [canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in names]
    return Wanted({}, tuple(dict.fromkeys([*distributions, TORCH])))


def from_requirements(file: Path) -> Wanted:
    """The lines of a requirements file; raises UsageError for a line that is not a plain requirement."""
    pins: dict[str, str] = {}
    others: list[str] = []
    sources: dict[str, str] = {}
    text = read_text_file(file).replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.split(" #")[0].split("--hash")[0].strip()
        if not plain or plain.startswith("#"):
            continue
        try:
            requirement = Requirement(plain)
        except InvalidRequirement:
            requirement = None
        if requirement is None:
            raise UsageError(
                f"{file}:{number}: {plain}: NAME or NAME==VERSION is expected; write it out, or use --python"
            )
        if requirement.url:
            sources[canonicalize_name(requirement.name)] = _source_in(requirement.url, file, number)
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"python_version": PYTHON}):
            continue
        exact = _exact(requirement)
        name = canonicalize_name(requirement.name)
        if exact and not requirement.extras:
            pins[name] = exact
        else:
            requirement.marker = None
            others.append(str(requirement))
    has_torch = TORCH in {*pins, *sources} or _names(others, TORCH)
    named = tuple(others) if has_torch else (*others, TORCH)
    return Wanted(pins, named, sources=sources)


def sources_in(file: Path) -> dict[str, str]:
    """The lines ``NAME @ ADDRESS`` of a freeze or of requirements that name a revision or a wheel."""
    found: dict[str, str] = {}
    for number, line in enumerate(read_text_file(file).splitlines() if file.is_file() else (), start=1):
        if " @ " not in line:
            continue
        try:
            requirement = Requirement(line.split(" #")[0].strip())
        except InvalidRequirement:
            continue
        address = requirement.url or ""
        if address.startswith("git+") or address.partition("#")[0].endswith(".whl"):
            found[canonicalize_name(requirement.name)] = _source_in(address, file, number)
    return found


def _source_in(address: str, file: Path, number: int) -> str:
    """The address of a development version; a relative wheel is searched beside the requirements."""
    try:
        return placed(address, file.parent.absolute())
    except ValueError as error:
        raise UsageError(f"{file}:{number}: {error}") from None


def _exact(requirement: Requirement) -> str | None:
    clauses = list(requirement.specifier)
    if len(clauses) != 1 or clauses[0].operator != "==" or clauses[0].version.endswith("*"):
        return None
    return clauses[0].version.partition("+")[0]  # the machine chooses the build of torch


def _names(requirements: Iterable[str], name: str) -> bool:
    return any(canonicalize_name(Requirement(text).name) == name for text in requirements)


def from_versions(versions: Mapping[str, str], python: str, left_out: Iterable[str] = ()) -> Wanted:
    """The content of an interpreter, a freeze or a lock; versions are kept wherever the moved package allows it."""
    names: dict[str, str] = {canonicalize_name(name): version.partition("+")[0] for name, version in versions.items()}
    kept = {
        name: version for name, version in names.items() if name not in {*left_out, "pip", "wheel"} and _valid(version)
    }
    return Wanted({}, tuple(sorted({*kept, TORCH})), kept, ".".join(python.split(".")[:2]))


def from_given(
    versions: Mapping[str, str], unpinned: Iterable[str], python: str | None, sources: Mapping[str, str] | None = None
) -> Wanted:
    """The content of a freeze, a lock or a requirements file: exact versions, development versions, and other names."""
    held = dict(sources or {})
    pins: dict[str, str] = {canonicalize_name(name): version.partition("+")[0] for name, version in versions.items()}
    pins = {
        name: version
        for name, version in pins.items()
        if _valid(version) and not is_accelerator(name) and name not in held
    }
    others = sorted({canonicalize_name(name) for name in unpinned} - {*pins, *held})
    others = [name for name in others if not is_accelerator(name)]
    torch = () if TORCH in {*pins, *others, *held} else (TORCH,)
    python = ".".join((python or PYTHON).split(".")[:2])
    return Wanted(pins, (*others, *torch), python=python, sources=held)


def _valid(version: str) -> bool:
    return parsed_version(version) is not None


def environment_of(wanted: Wanted, package: str, version: str, day: str, why: str) -> Environment:
    """The environment with the moved package at one release and the wanted rest, resolved as of a day."""
    moved = canonicalize_name(package)
    others = []
    for text in wanted.others:
        requirement = Requirement(text)
        if canonicalize_name(requirement.name) == moved:
            if requirement.extras:
                others.append(f"{requirement.name}[{','.join(sorted(requirement.extras))}]")
            continue
        others.append(text)
    pins = {name: held for name, held in wanted.pins.items() if name != moved}
    preferred = {name: held for name, held in (wanted.preferred or {}).items() if name != moved}
    return Environment(
        python=wanted.python,
        cutoff=day,
        pins=pins | {moved: version},
        floating=tuple(others),
        preferred=preferred,
        sources={name: text for name, text in wanted.sources.items() if name != moved},
        why=why,
    )
