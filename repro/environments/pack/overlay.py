"""Reads a pack and lays one of its environments over an interpreter, by adding unpacked wheels to its path."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from filelock import FileLock
from pydantic import ValidationError

from repro.environments.interpreter import Interpreter, probe
from repro.environments.pack.manifest import PACK_FILE, WHEELS, Pack, Wheel
from repro.files import writing
from repro.model.errors import EnvironmentFailure, UsageError, unknown
from repro.model.observation import Overlay

_INSIDE = ("purelib", "platlib")
"""The importable parts of a wheel's ``.data`` folder; scripts and headers are left out."""


def read_pack(folder: Path) -> Pack:
    """The pack in a folder; raises UsageError if it is missing or damaged."""
    file = folder / PACK_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}; `repro pack` writes one") from None
    try:
        stated = json.loads(content).get("format")
        if stated != 1:
            raise UsageError(f"{file}: is of format {stated!r}, this version reads 1")
        return Pack.model_validate_json(content)
    except (ValueError, AttributeError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{file}: is no pack: {reason[:200]}") from None


def lay(folder: Path, pack: Pack, name: str, *, over: Path, cache: Path, called: str) -> Interpreter:
    """The interpreter ``over`` with a packed environment laid over it, under the name ``called``.

    Wheels are unpacked into ``cache``, once for any number of processes; nothing is written to the interpreter's own
    folders.  Raises UsageError for an unknown name, EnvironmentFailure for a damaged wheel or an interpreter with
    another Python version.
    """
    if name not in pack.environments:
        raise unknown("packed environment", name, pack.environments)
    wheels = pack.wheels_of(name)
    digest = pack.digest_of(name)
    site = _unpacked(folder / WHEELS, wheels, cache / "overlays" / digest[:16], over)
    laid = Overlay(name=name, digest=digest, distributions={wheel.distribution: wheel.version for wheel in wheels})
    found = probe(over, called, overlay=site, laid=laid)
    if found.installed.python.split(".")[:2] != pack.python.split("."):
        raise EnvironmentFailure(f"{over}: is Python {found.installed.python}, the pack is for {pack.python}")
    return found


def _unpacked(wheels: Path, chosen: tuple[Wheel, ...], target: Path, over: Path) -> Path:
    """The folder of unpacked wheels, created atomically."""
    site = target / "site-packages"  # Libraries and the probe recognise a folder of distributions by that name.
    with writing(target, EnvironmentFailure):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not site.is_dir():
                partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=target.parent))
                try:
                    for wheel in chosen:
                        unpack(wheels / wheel.file, partial / "site-packages", wheel.sha256)
                    (partial / "site-packages").mkdir(exist_ok=True)
                    # The ranks write no bytecode, because the interpreter is not ours.
                    compiling: list[str | Path] = [over, "-m", "compileall", "-q", "-j", "0", partial / "site-packages"]
                    subprocess.run(compiling, capture_output=True, check=False)
                    partial.rename(target)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    return site


def unpack(wheel: Path, site: Path, sha256: str) -> None:
    """Unpack one wheel; raises EnvironmentFailure if it is missing or not the packed one."""
    try:
        content = wheel.read_bytes()
    except OSError as error:
        raise EnvironmentFailure(f"{wheel}: cannot be read: {error.strerror}; pack again") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EnvironmentFailure(f"{wheel}: is not the wheel that was packed; pack again")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            place = _place(member.filename)
            if member.is_dir() or place is None:
                continue
            file = site / place
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _place(member: str) -> PurePosixPath | None:
    """The path of a wheel's member below ``site-packages``; None if it belongs elsewhere.  Pure."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts:
        raise EnvironmentFailure(f"{member}: a wheel must not write outside of its folder")
    if not path.parts[0].endswith(".data"):
        return path
    return PurePosixPath(*path.parts[2:]) if len(path.parts) > 2 and path.parts[1] in _INSIDE else None  # noqa: PLR2004
