"""Virtual environments that hold distributions of a few files, made in a fraction of a second."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.unit.launch.fake import LIGHTNING, TORCHRUN

TORCH = {
    "torch/__init__.py": "__version__ = '2.2.2+cpu'\n",
    "torch/distributed/__init__.py": "class TCPStore:\n    port = 29500\n    def __init__(self, *_, **__): ...\n",
    "torch/distributed/run.py": TORCHRUN,
}
SOURCES = {"torch": TORCH, "lightning": {"lightning/__init__.py": LIGHTNING}}


def site_of(root: Path) -> Path:
    """Where an environment keeps its distributions."""
    (site,) = root.glob("lib/python3*/site-packages")
    return site


def install(site: Path, name: str, version: str, files: Mapping[str, str] | None = None) -> None:
    """Put a distribution's metadata and files into a folder."""
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    held = files or {}
    for path, text in held.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (folder / "RECORD").write_text("".join(f"{path},,\n" for path in held))


def environment(root: Path, python: str = sys.executable, **versions: str) -> Path:
    """An environment of that interpreter with these distributions; returns its folder."""
    subprocess.run([python, "-m", "venv", "--without-pip", root], check=True)
    for name, version in versions.items():
        install(site_of(root), name, version, SOURCES.get(name))
    return root


def photograph(root: Path) -> dict[Path, tuple[int, int]]:
    """Every file and folder with its size and the time of its last change."""
    return {path: ((facts := path.lstat()).st_size, facts.st_mtime_ns) for path in [root, *root.rglob("*")]}
