"""Writes a pack: downloads wheels for another machine, and adds the harness and its entry script."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from repro.environments.build import Environments, Notify, quiet
from repro.environments.development import source_wheel
from repro.environments.locks import Locked
from repro.environments.pack.contents import (
    PATCH,
    differing,
    fits,
    harness_pins,
    left,
    markers_of,
    platform_tags,
    requirement_line,
)
from repro.environments.pack.manifest import PACK_FILE, WHEELS, Pack, PackedEnvironment, Wheel
from repro.environments.resolve import refuse_denied
from repro.environments.uv import run_uv
from repro.files import write_whole, writing
from repro.model.errors import EnvironmentFailure, UsageError
from repro.model.matrix import Environment

DISTRIBUTION = "repro-lab"
PROJECT = "project.zip"
TESTS = "tests.zip"
RUNNERS = ("pytest", "pytest-xdist")
"""The distributions that run the tests."""
ENTRY = Path(__file__).resolve().parent / "go.py"


@dataclass(frozen=True)
class PackTarget:
    """The machine that a pack is for."""

    python: str
    platform: str
    base: Mapping[str, str]
    """The known distributions of its interpreter."""


def write_pack(
    environments: Environments,
    names: Sequence[str],
    target: PackTarget,
    out: Path,
    *,
    package: Path,
    tests: bool = False,
    notify: Notify = quiet,
) -> Pack:
    """Write a pack of named environments into ``out``, which must be missing, empty or an earlier pack.

    ``package`` is the folder of the harness; ``tests`` adds the tests of failures beside it, and pytest.  Raises
    UsageError for bad names or targets, EnvironmentFailure if a wheel cannot be downloaded.
    """
    if tests and not (package.parent / "tests" / "failures").is_dir():
        raise UsageError("--tests: an installed wheel has no tests; pack from a checkout")
    if out.exists() and any(out.iterdir()) and not (out / PACK_FILE).is_file():
        raise UsageError(f"--out {out}: holds something that is no pack; name an empty folder")
    markers, tags = markers_of(target.python, target.platform), platform_tags(target.platform)
    chosen = {}
    for name in names:
        lock = environments.lock(name)
        refuse_denied(lock, environments.matrix)
        if lock.torch and lock.torch.source:
            raise UsageError(
                f"{name}: has a torch of its own, {lock.torch.source.partition('#')[0]}, and a pack takes the "
                f"interpreter's torch: install the wheel there, and pack an environment that pins its version"
            )
        chosen[name] = differing(lock, target.base, markers)
    held: dict[str, frozenset[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch) / WHEELS
        for name, packages in chosen.items():
            notify(f"{name}: {len(packages)} distributions")
            released = [requirement_line(package) for package in packages if not package.source]
            held[name] = _download(released, target.python, tags, wheels)
            built = [package for package in packages if package.source]
            held[name] |= _development(built, environments.environment(name), target.python, tags, wheels)
        pins = harness_pins(DISTRIBUTION, markers, RUNNERS if tests else ())
        notify(f"harness: {len(pins)} distributions")
        harness = _download([f"{name}=={version}" for name, version in pins.items()], target.python, tags, wheels)
        _fill(out, wheels, package, tests=tests)
    pack = Pack(
        python=target.python,
        platform=target.platform,
        wheels=tuple(_wheel(file) for file in sorted((out / WHEELS).glob("*.whl"))),
        harness=tuple(sorted(harness)),
        project=hashlib.sha256((out / PROJECT).read_bytes()).hexdigest(),
        tests=hashlib.sha256((out / TESTS).read_bytes()).hexdigest() if tests else None,
        environments={
            name: PackedEnvironment(
                lock=environments.lock(name).digest,
                wheels=tuple(sorted(held[name])),
                left=left(environments.lock(name)),
            )
            for name in names
        },
    )
    write_whole(out / PACK_FILE, pack.model_dump_json(indent=1) + "\n")
    return pack


def _fill(out: Path, wheels: Path, package: Path, *, tests: bool) -> None:
    with writing(out, EnvironmentFailure):
        shutil.rmtree(out / WHEELS, ignore_errors=True)
        out.mkdir(parents=True, exist_ok=True)
        shutil.copytree(wheels, out / WHEELS)
        shutil.copyfile(ENTRY, out / ENTRY.name)
        _zip(out / PROJECT, _project(package))
        (out / TESTS).unlink(missing_ok=True)
        if tests:
            _zip(out / TESTS, _tests(package.parent))


def _project(package: Path) -> dict[str, Path]:
    """The files of the harness, by their names in an installed wheel."""
    matrix = package.parent / "matrix.yaml"
    members = _files(package, package.parent)
    if matrix.is_file():
        members[f"{package.name}/matrix.yaml"] = matrix
    return members


def _tests(root: Path) -> dict[str, Path]:
    """The tests of failures, and the configuration of pytest."""
    files = [root / "pyproject.toml", root / "tests" / "__init__.py", root / "tests" / "conftest.py"]
    return _files(root / "tests" / "failures", root) | {path.relative_to(root).as_posix(): path for path in files}


def _files(folder: Path, root: Path) -> dict[str, Path]:
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def _zip(file: Path, members: Mapping[str, Path]) -> None:
    """Write a reproducible archive: the same sources give the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED)


def _download(lines: Sequence[str], python: str, tags: Sequence[str], into: Path) -> frozenset[str]:
    """Download wheels of exactly these requirements; returns the names of their files."""
    into.mkdir(parents=True, exist_ok=True)
    if not lines:
        return frozenset()
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments = ["tool", "run", "--quiet", "--from", "pip", "pip", "download", "-qq", "--no-deps"]
        arguments += ["--only-binary=:all:", "--implementation", "cp", "--python-version", f"{python}.{PATCH}"]
        arguments += [part for tag in tags for part in ("--platform", tag)]
        # pip treats wheels in that folder like those on the index.
        arguments += ["--find-links", str(into), "--dest", f"{folder}/wheels", "--requirement", str(requirements)]
        run_uv(arguments)
        found = sorted((Path(folder) / "wheels").glob("*.whl"))
        for file in found:
            if not (into / file.name).exists():
                shutil.copyfile(file, into / file.name)
        return frozenset(file.name for file in found)


def _development(
    packages: Sequence[Locked], environment: Environment, python: str, tags: Sequence[str], into: Path
) -> frozenset[str]:
    """Add the wheels of development versions; returns the names of their files."""
    into.mkdir(parents=True, exist_ok=True)
    names = set()
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            file = source_wheel(package, environment, Path(folder))
            if not fits(file.name, python, tags):
                raise UsageError(
                    f"{package.name}: {file.name} does not fit Python {python} on {tags[0]}; name a wheel that does"
                )
            shutil.copyfile(file, into / file.name)
        names.add(file.name)
    return frozenset(names)


def _wheel(file: Path) -> Wheel:
    name, version, _, _ = parse_wheel_filename(file.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Wheel(file=file.name, distribution=canonicalize_name(name), version=str(version), sha256=digest)
