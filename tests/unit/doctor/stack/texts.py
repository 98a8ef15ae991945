"""Reading a text in a test."""

from pathlib import Path

from repro.doctor.stack.files import read_stack
from repro.doctor.stack.stack import Stack

LIBRARIES = ("torch", "lightning", "pytorch-lightning", "transformers", "accelerate")


def read(tmp_path: Path, text: str | bytes, name: str = "requirements.txt") -> Stack:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_stack(file)


def certain(stack: Stack) -> dict[str, str]:
    """The certain versions of the libraries."""
    return {name: version for name, version in stack.versions.items() if name in LIBRARIES}
