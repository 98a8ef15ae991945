"""Writes what a build leaves behind, with true RECORDs."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from repro.environments.locks import Locked


def hashed(content: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def distribution(site: Path, stem: str, files: Mapping[str, str]) -> None:
    """A distribution with these files, and its METADATA."""
    info = f"{stem}.dist-info"
    rows = []
    for path, text in {**files, f"{info}/METADATA": f"Name: {stem}\n"}.items():
        file = site / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        rows.append(f"{path},{hashed(text.encode())},{len(text)}")
    (site / info / "RECORD").write_text("\n".join([*rows, f"{info}/RECORD,,"]) + "\n")


def install(folder: Path, *, mark: bool = True, others: Iterable[Locked] = ()) -> Path:
    """What a build leaves: an interpreter, torch, others, and the mark; returns site-packages."""
    site = folder / "lib" / "python3.11" / "site-packages"
    distribution(site, "torch-2.2.2", {"torch/__init__.py": "x = 1\n"})
    for package in others:
        distribution(site, f"{package.name}-{package.version}", {f"{package.name}/__init__.py": "y = 1\n"})
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "python").write_text("")
    if mark:
        (folder / "repro-environment.txt").write_text("old\n")
    return site
