"""Names that become parts of paths."""

import pytest
from pydantic import ValidationError

from repro.model.base import FileName, Strict


class Held(Strict):
    name: FileName


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "/a", "a\\b", "a\0b", "a\n", "-rf", ".x", "ä", "a" * 201, "a b", "python:x"]
)
def test_no_file_name(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a file name"):
        Held(name=name)


@pytest.mark.parametrize("name", ["torch-2.2", "a1_b+cpu.json", "_x", "a..b"])
def test_file_name(name: str) -> None:
    assert Held(name=name).name == name
