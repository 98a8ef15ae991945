"""Chooses the build of torch for this machine, and pins it before it is installed.

A lock pins torch's version.  The machine chooses the build (CPU, CUDA), and with it the index.  uv is asked which file
it would install and from where; that file is then installed by its hash.  Hashes in the lock are those of the builds on
PyPI, so a build without a label must have one of them.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from repro.environments.locks import Locked, split
from repro.environments.uv import run_uv, torch_backend, without_credentials
from repro.model.errors import EnvironmentFailure

_SOURCE = re.compile(r"^\s+# from (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class TorchBuild:
    """A build of torch that uv would install."""

    version: str
    """The version with the label of the build: ``2.13.0+cpu``."""
    source: str
    """Its index or folder."""
    hashes: tuple[str, ...]
    """``sha256:...`` of the files that may be installed; empty if the source states none."""

    @property
    def label(self) -> str:
        """``cpu``, ``cu126``; empty for builds without a label, as on PyPI."""
        return self.version.partition("+")[2]

    @property
    def requirement(self) -> str:
        """The requirement with its hashes, in one logical line."""
        return " \\\n".join([f"torch=={self.version}", *(f"    --hash={item}" for item in self.hashes)])


def choose_torch(locked: Locked, python: Path) -> TorchBuild:
    """The build of a locked torch for an interpreter; raises EnvironmentFailure if no valid one exists."""
    arguments = ["pip", "compile", "-", "--quiet", "--no-deps", "--no-header", "--no-annotate", "--generate-hashes"]
    arguments += ["--emit-index-annotation", "--python", str(python)]
    answer = run_uv(arguments, stdin=locked.without_hashes + "\n")
    source = _SOURCE.search(answer)
    packages = split(re.sub(r"(?m)^\s+#.*$", "", answer))
    if source is None or not packages or packages[0].name != "torch":
        raise EnvironmentFailure(f"uv does not say which torch {locked.version} it would install")
    version = packages[0].version
    hashes = packages[0].hashes or hashes_of_folder(source[1], version)
    return pinned(TorchBuild(version, without_credentials(source[1]), hashes), locked, torch_backend())


def pinned(build: TorchBuild, locked: Locked, backend: str) -> TorchBuild:
    """The build with the hashes that the lock allows.  Pure.

    Raises EnvironmentFailure if it is not the requested build, or not one that the lock allows.
    """
    if backend not in {"", "auto"} and build.label and build.label != backend:
        raise EnvironmentFailure(f"torch {build.version} of {build.source} is not the build {backend!r}")
    if build.label or not locked.hashes:
        return build
    allowed = tuple(item for item in build.hashes if item in locked.hashes)
    if not allowed:
        raise EnvironmentFailure(f"torch {build.version} of {build.source} has none of the hashes that its lock states")
    return TorchBuild(build.version, build.source, allowed)


def hashes_of_folder(source: str, version: str) -> tuple[str, ...]:
    """The hashes of a torch version's wheels in a local folder; empty for other sources."""
    parts = urlsplit(source)
    if parts.scheme not in {"", "file"}:
        return ()
    return tuple(sorted(_hashes(Path(unquote(parts.path)).glob("torch-*.whl"), version)))


def _hashes(wheels: Iterable[Path], version: str) -> Iterable[str]:
    for wheel in wheels:
        if wheel.name.split("-")[1] == version:
            with wheel.open("rb") as file:
                yield f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
