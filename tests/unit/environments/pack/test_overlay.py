"""Wheels of a pack, laid over an interpreter."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from repro.environments.interpreter import overlay_variables
from repro.environments.pack.manifest import Pack, PackedEnvironment, Wheel
from repro.environments.pack.overlay import lay, read_pack, unpack
from repro.model.errors import EnvironmentFailure, UsageError
from repro.store.recipe import environment_key

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def wheel(folder: Path, name: str, version: str, **members: str) -> Wheel:
    """A small wheel below ``folder``."""
    file = folder / "wheels" / f"{name}-{version}-py3-none-any.whl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
        for member, text in members.items():
            archive.writestr(member.replace("|", "/"), text)
    return Wheel(file=file.name, distribution=name, version=version, sha256=digest(file))


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pack(folder: Path, *wheels: Wheel, python: str = HERE) -> Pack:
    held = PackedEnvironment(lock="0" * 64, wheels=tuple(item.file for item in wheels), left={})
    written = Pack(
        python=python, platform="any", wheels=wheels, harness=(), project="0" * 64, environments={"old": held}
    )
    (folder / "pack.json").write_text(written.model_dump_json())
    return read_pack(folder)


def test_laid_over(tmp_path: Path) -> None:
    """The overlay's distribution is found before the base's own, and the record names what was laid over."""
    data = {"pydantic-0.0.1.data|purelib|extra.py": "", "pydantic-0.0.1.data|scripts|tool": ""}
    held = pack(tmp_path, wheel(tmp_path, "pydantic", "0.0.1", **data))
    found = lay(tmp_path, held, "old", over=Path(sys.executable), cache=tmp_path / "cache", called="overlay:old")
    assert found.installed.name == "overlay:old"
    assert found.installed.distributions["pydantic"] == "0.0.1"
    assert found.installed.distributions["pytest"]
    assert found.installed.overlay is not None
    assert found.installed.overlay.distributions == {"pydantic": "0.0.1"}
    assert found.installed.overlay.digest == held.digest_of("old")
    assert found.adopted
    told = subprocess.run(
        [sys.executable, "-c", "import pydantic, extra; print(pydantic.__version__)"],
        env=overlay_variables(found.overlay),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "0.0.1\n"
    assert found.overlay is not None
    assert not list(found.overlay.rglob("tool"))
    bare = found.installed.model_copy(update={"overlay": None})
    assert environment_key(bare) != environment_key(found.installed)


def test_digest(tmp_path: Path) -> None:
    """Wheels of the same names with other contents are another overlay."""
    digests = set()
    for number in range(2):
        folder = tmp_path / str(number)
        digests.add(pack(folder, wheel(folder, "small", "1", extra=str(number))).digest_of("old"))
    assert len(digests) == 2


def test_other_python(tmp_path: Path) -> None:
    """An interpreter of another Python is refused."""
    held = pack(tmp_path, wheel(tmp_path, "small", "1"), python="3.9")
    with pytest.raises(EnvironmentFailure, match=r"the pack is for 3\.9"):
        lay(tmp_path, held, "old", over=Path(sys.executable), cache=tmp_path / "cache", called="overlay:old")


def test_unknown_name(tmp_path: Path) -> None:
    """The nearest packed name is offered."""
    held = pack(tmp_path, wheel(tmp_path, "small", "1"))
    with pytest.raises(UsageError, match="old"):
        lay(tmp_path, held, "odl", over=Path(sys.executable), cache=tmp_path / "cache", called="overlay:odl")


def test_damaged(tmp_path: Path) -> None:
    """A wheel that is not the one that was packed is refused, and so is one that would write elsewhere."""
    made = wheel(tmp_path, "small", "1")
    file = tmp_path / "wheels" / made.file
    with pytest.raises(EnvironmentFailure, match="pack again"):
        unpack(file, tmp_path / "site", "0" * 64)
    outside = wheel(tmp_path, "wild", "1", **{"..|evil.py": ""})
    with pytest.raises(EnvironmentFailure, match="outside"):
        unpack(tmp_path / "wheels" / outside.file, tmp_path / "site", outside.sha256)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"format": 2}), json.dumps({"format": 1})])
def test_no_pack(tmp_path: Path, text: str) -> None:
    """What is no pack is a usage error in one line."""
    (tmp_path / "pack.json").write_text(text)
    with pytest.raises(UsageError, match="pack") as caught:
        read_pack(tmp_path)
    assert "\n" not in str(caught.value)
