"""The index of the tests and benchmarks: releases that are made up, and the wheels of a folder beside them."""

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.unit.search.local_index import Published, WithWheels, served


def test_wheels_of_a_folder_are_served(tmp_path: Path) -> None:
    """Whole, and their metadata alone, beside the releases that are made up."""
    wheel = Published("tool", "1.0+cpu", "2026-01-02", {"tool.py": ""})
    (tmp_path / wheel.filename).write_bytes(wheel.content)
    made_up = Published("other", "2.0", "2026-01-03", {"other.py": ""})
    with served(WithWheels([made_up], folder=tmp_path)) as index:

        def read(path: str) -> bytes:
            with urllib.request.urlopen(f"{index.address.removesuffix('/simple/')}{path}") as answer:  # noqa: S310
                body: bytes = answer.read()
                return body

        page = json.loads(read("/simple/tool/"))
        (file,) = page["files"]
        assert page["versions"] == ["1.0+cpu"]
        assert read(file["url"]) == wheel.content
        assert file["hashes"]["sha256"] == hashlib.sha256(wheel.content).hexdigest()
        assert b"Name: tool" in read(f"{file['url']}.metadata")
        assert json.loads(read("/simple/other/"))["versions"] == ["2.0"]
        with pytest.raises(urllib.error.HTTPError):
            read("/simple/nothing/")
