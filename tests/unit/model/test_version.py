"""Texts that may be no versions."""

import pytest
from packaging.version import Version

from repro.model.version import parsed_version


def test_parsed() -> None:
    assert parsed_version("2.13.0+cpu") == Version("2.13.0+cpu")


@pytest.mark.parametrize("text", ["", "main", "2.x", "2.2.2; rm", "٢٢²"])
def test_no_version(text: str) -> None:
    assert parsed_version(text) is None
