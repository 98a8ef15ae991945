"""CUDA devices: which may be used, and that no two runs hold the same."""

import threading
import time
from pathlib import Path

import pytest

from repro.launch import slots
from repro.launch.devices import Devices, ask_driver, installed_devices, usable_devices
from repro.model.errors import EnvironmentFailure


@pytest.mark.parametrize(
    ("installed", "visible", "usable"),
    [
        (("0", "1"), None, ("0", "1")),
        (("0", "1"), "", ()),
        (("0", "1"), "1", ("1",)),
        (("0", "1"), "1, 0", ("1", "0")),
        (("0", "1"), "0,-1,1", ("0",)),
        (("0", "1"), "0,7", ("0",)),
        (("0", "1"), "7,0", ()),
        (("0", "1"), "0,0", ("0",)),
        (("0", "1"), "GPU-5ac", ("GPU-5ac",)),
        (("0", "1"), "none", ()),
        ((), "0,1", ()),
    ],
)
def test_usable(installed: tuple[str, ...], visible: str | None, usable: tuple[str, ...]) -> None:
    """As CUDA reads its variable; without a driver there is no device, whatever the variable says."""
    variables = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert usable_devices(installed, variables) == usable


def test_device_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the driver's tool the device files tell."""
    monkeypatch.setenv("PATH", "")
    for name in ("nvidia1", "nvidia0", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert installed_devices(tmp_path) == ("0", "1")
    assert installed_devices(tmp_path / "none") == ()


def test_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more ranks than devices; the reason says how many there are."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with (
        pytest.raises(EnvironmentFailure, match="needs 2 CUDA devices, found 1"),
        Devices(tmp_path, ("0",)).take(2, threading.Event()),
    ):
        pass


def test_never_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of one and of two ranks at once: a device is never held twice, and all get their turn."""
    monkeypatch.setattr(slots, "POLL_SECONDS", 0.01)
    held: list[str] = []
    lock, done = threading.Lock(), []

    def run(ranks: int) -> None:
        with Devices(tmp_path, ("0", "1", "2")).take(ranks, threading.Event()) as mine:
            with lock:
                assert len(mine) == ranks
                assert not set(mine) & set(held)
                held.extend(mine)
            time.sleep(0.02)
            with lock:
                for name in mine:
                    held.remove(name)
                done.append(ranks)

    threads = [threading.Thread(target=run, args=(1 + number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(done) == [1, 1, 1, 1, 2, 2, 2, 2]


def tool(folder: Path, lines: str, code: int = 0) -> None:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/asked\nprintf '{lines}'\nexit {code}\n")
    file.chmod(0o755)


class TestDriver:
    """What the driver's own tool says: a stand-in of it is on the path, since no machine of CI has a GPU."""

    @pytest.fixture(autouse=True)
    def _only_ours(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def test_facts(self, tmp_path: Path) -> None:
        """A row a device, as asked."""
        tool(tmp_path, "NVIDIA H200, 580.159.04\\nNVIDIA H200, 580.159.04\\n")
        assert ask_driver("name", "driver_version") == [["NVIDIA H200", "580.159.04"]] * 2
        assert "--query-gpu=name,driver_version" in (tmp_path / "asked").read_text()

    def test_no_driver(self, tmp_path: Path) -> None:
        """No tool, or one that fails: not the same as a driver without devices."""
        if not Path("/usr/bin/nvidia-smi").exists():
            assert ask_driver("name") is None
        tool(tmp_path, "", code=9)
        assert ask_driver("name") is None
        tool(tmp_path, "")
        assert ask_driver("name") == []

    def test_indices(self, tmp_path: Path) -> None:
        """The tool's word goes before the device files'."""
        tool(tmp_path, "0\\n1\\n")
        (tmp_path / "nvidia7").touch()
        assert installed_devices(tmp_path) == ("0", "1")
