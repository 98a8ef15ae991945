"""The build of torch is chosen and pinned before it is installed."""

import hashlib
from pathlib import Path

import pytest

from repro.environments import torch_build
from repro.environments.locks import Locked
from repro.environments.torch_build import TorchBuild, choose_torch, hashes_of_folder, pinned
from repro.model.errors import EnvironmentFailure

ONE, TWO = (f"sha256:{character * 64}" for character in "ab")
BARE = Locked("torch", "2.2.2", "torch==2.2.2")
STATED = Locked("torch", "2.2.2", f"torch==2.2.2 \\\n    --hash={ONE}")


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(arguments: list[str], **_: object) -> str:
        asked.append(arguments)
        return text

    monkeypatch.setattr(torch_build, "run_uv", run)
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    return asked


class TestChoose:
    """What uv answers."""

    def test_index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An index states hashes; its address is kept without credentials."""
        text = f"torch==2.2.2 \\\n    --hash={ONE} \\\n    --hash={TWO}\n    # from https://u:p@index.example/simple\n"
        asked = answer(monkeypatch, text)
        found = choose_torch(BARE, Path("/env/bin/python"))
        assert found == TorchBuild("2.2.2", "https://index.example/simple", (ONE, TWO))
        assert found.requirement == f"torch==2.2.2 \\\n    --hash={ONE} \\\n    --hash={TWO}"
        assert {"--emit-index-annotation", "--generate-hashes", "/env/bin/python"} <= set(asked[0])

    def test_folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """The wheels of a folder are hashed here."""
        wheel = tmp_path / "torch-2.2.2+cpu-cp311-cp311-linux_x86_64.whl"
        wheel.write_bytes(b"wheel")
        (tmp_path / "torch-2.2.2-cp311-cp311-linux_x86_64.whl").write_bytes(b"another build")
        answer(monkeypatch, f"torch==2.2.2+cpu\n    # from file://{tmp_path}\n")
        found = choose_torch(BARE, Path("python"))
        assert (found.version, found.label) == ("2.2.2+cpu", "cpu")
        assert found.hashes == (f"sha256:{hashlib.sha256(b'wheel').hexdigest()}",)

    @pytest.mark.parametrize("text", ["", "torch==2.2.2\n", "# from https://x\n", "numpy==1.0\n    # from https://x\n"])
    def test_no_answer(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        answer(monkeypatch, text)
        with pytest.raises(EnvironmentFailure, match="does not say which torch"):
            choose_torch(BARE, Path("python"))

    def test_elsewhere(self) -> None:
        """An address that is no folder has no hashes of ours."""
        assert hashes_of_folder("https://wheels.example/", "2.2.2") == ()


class TestPinned:
    """What the lock and the settings allow."""

    def test_stated(self) -> None:
        """Of a build of PyPI only the files that the lock states."""
        assert pinned(TorchBuild("2.2.2", "pypi", (ONE, TWO)), STATED, "").hashes == (ONE,)

    def test_another_file(self) -> None:
        """A build without a label that the lock does not know: a planted wheel."""
        with pytest.raises(EnvironmentFailure, match="none of the hashes that its lock states"):
            pinned(TorchBuild("2.2.2", "file:///planted", (TWO,)), STATED, "")

    def test_lock_without_hashes(self) -> None:
        assert pinned(TorchBuild("2.2.2", "pypi", (TWO,)), BARE, "").hashes == (TWO,)

    @pytest.mark.parametrize(
        ("version", "backend"), [("2.2.2+cpu", "cu126"), ("2.2.2+cu118", "cpu"), ("2.2.2+evil", "cpu")]
    )
    def test_another_label(self, version: str, backend: str) -> None:
        with pytest.raises(EnvironmentFailure, match="is not the build"):
            pinned(TorchBuild(version, "index", (TWO,)), STATED, backend)

    @pytest.mark.parametrize(("version", "backend"), [("2.2.2+cpu", "cpu"), ("2.2.2+cu126", "auto"), ("2.2.2+cpu", "")])
    def test_label(self, version: str, backend: str) -> None:
        build = TorchBuild(version, "index", (TWO,))
        assert pinned(build, STATED, backend) == build
