"""What belongs into a pack."""

import pytest

from repro.environments.locks import Lock, source_line, split
from repro.environments.pack.contents import (
    differing,
    fits,
    harness_pins,
    markers_of,
    platform_tags,
    requirement_line,
)
from repro.model.errors import UsageError

HASH = f"--hash=sha256:{'a' * 64}"
LOCK = Lock(
    (),
    split(
        f"""torch==2.6.0
numpy==1.26.4 \\
    {HASH}
nvidia-nccl-cu12==2.21.5 ; sys_platform == 'linux' \\
    {HASH}
lightning==2.2.1 \\
    {HASH}
fsspec==2024.3.1 \\
    {HASH}
colorama==0.4.6 ; sys_platform == 'win32' \\
    {HASH}
setuptools==76.0.0 ; python_full_version >= '3.12' \\
    {HASH}
"""
    ),
)


def test_differing() -> None:
    """All but torch's own layer, what the base has at that version, and what is for other machines."""
    there = markers_of("3.12", "manylinux_2_28_x86_64")
    assert [item.name for item in differing(LOCK, {}, there)] == ["lightning", "fsspec", "setuptools"]
    base = {"lightning": "2.6.0", "fsspec": "2024.3.1"}
    assert [item.name for item in differing(LOCK, base, there)] == ["lightning", "setuptools"]
    earlier = markers_of("3.11", "manylinux_2_28_x86_64")
    assert [item.name for item in differing(LOCK, base, earlier)] == ["lightning"]


def test_differing_development_version() -> None:
    """It is packed though the base has that version: from which commit, nobody knows."""
    lock = Lock((), split(source_line("lightning", f"git+https://example.org/lightning@{'1' * 40}", "2.2.1")))
    there = markers_of("3.12", "manylinux_2_28_x86_64")
    assert [item.name for item in differing(lock, {"lightning": "2.2.1"}, there)] == ["lightning"]


@pytest.mark.parametrize(
    ("wheel", "fitting"),
    [
        ("tiny-1.0-py3-none-any.whl", True),
        ("tiny-1.0-py2.py3-none-any.whl", True),
        ("tiny-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("tiny-1.0-cp39-abi3-manylinux_2_28_x86_64.whl", True),
        ("tiny-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("tiny-1.0-cp312-cp312-linux_x86_64.whl", False),
        ("tiny-1.0-cp312-cp312-manylinux_2_34_x86_64.whl", False),
        ("tiny-1.0-cp312-cp312-win_amd64.whl", False),
    ],
)
def test_fits(wheel: str, *, fitting: bool) -> None:
    assert fits(wheel, "3.12", platform_tags("manylinux_2_28_x86_64")) is fitting


def test_requirement_line() -> None:
    """The marker speaks of the other machine and is gone; the hash stays."""
    setuptools = next(item for item in LOCK.packages if item.name == "setuptools")
    assert requirement_line(setuptools) == f"setuptools==76.0.0 {HASH}"


def test_platform_tags() -> None:
    """A machine takes wheels for every older glibc, by old and new names; another form is refused."""
    tags = platform_tags("manylinux_2_28_x86_64")
    assert tags[0] == "manylinux_2_28_x86_64"
    assert {"manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert "manylinux_2_29_x86_64" not in tags
    with pytest.raises(UsageError, match="manylinux_2_28"):
        platform_tags("win_amd64")


def test_harness_pins() -> None:
    """What the harness imports on a node, at today's versions; uv builds environments and stays here."""
    pins = harness_pins("repro-lab", markers_of("3.12", "manylinux_2_28_x86_64"))
    assert {"pydantic", "pydantic-core", "typer", "psutil", "filelock"} <= set(pins)
    assert not {"uv", "repro-lab", "pytest", "torch"} & set(pins)
    tested = harness_pins("repro-lab", markers_of("3.12", "manylinux_2_28_x86_64"), ("pytest", "pytest-xdist"))
    assert {"pytest", "pytest-xdist", "pluggy", "execnet"} <= set(tested)
    assert set(pins) < set(tested)
