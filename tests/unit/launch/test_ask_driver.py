"""What the driver's own tool says: a stand-in of it is on the path, since no machine of CI has a GPU."""

from pathlib import Path

import pytest

from repro.launch.devices import ask_driver, installed_devices


def tool(folder: Path, lines: str, code: int = 0) -> None:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/asked\nprintf '{lines}'\nexit {code}\n")
    file.chmod(0o755)


@pytest.fixture(autouse=True)
def _only_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_facts(tmp_path: Path) -> None:
    """A row a device, as asked."""
    tool(tmp_path, "NVIDIA H200, 580.159.04\\nNVIDIA H200, 580.159.04\\n")
    assert ask_driver("name", "driver_version") == [["NVIDIA H200", "580.159.04"]] * 2
    assert "--query-gpu=name,driver_version" in (tmp_path / "asked").read_text()


def test_no_driver(tmp_path: Path) -> None:
    """No tool, or one that fails: not the same as a driver without devices."""
    if not Path("/usr/bin/nvidia-smi").exists():
        assert ask_driver("name") is None
    tool(tmp_path, "", code=9)
    assert ask_driver("name") is None
    tool(tmp_path, "")
    assert ask_driver("name") == []


def test_indices(tmp_path: Path) -> None:
    """The tool's word goes before the device files'."""
    tool(tmp_path, "0\\n1\\n")
    (tmp_path / "nvidia7").touch()
    assert installed_devices(tmp_path) == ("0", "1")
