"""``repro envs``."""

import json
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments import build as building
from tests.unit.cli.calls import Call


def test_envs(held: Project, call: Call) -> None:
    """Environments, built or not, in words and in JSON."""
    code, out, _ = call("envs")
    assert code == 0
    assert "missing" in out
    listed = json.loads(call("envs", "list", "--json")[1])
    assert [(item["name"], item["state"]) for item in listed["environments"]] == [
        ("old", "missing"),
        ("new", "missing"),
    ]
    assert not (held.cache / "environments").exists()


def test_remove(held: Project, call: Call) -> None:
    """Removing what was not built is no error."""
    assert call("envs", "remove") == (0, "old: was not built\nnew: was not built\n", "")
    assert held.locks.is_dir()


def test_build_fails(held: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each environment that cannot be built is one line; the others are built: 3."""
    from repro.model.errors import EnvironmentFailure  # noqa: PLC0415

    def interpreter(_self: Any, name: str, *_: Any) -> None:
        if name == "old":
            raise EnvironmentFailure("no such release")

    monkeypatch.setattr(building.Environments, "interpreter", interpreter)
    assert call("envs", "build") == (3, "new: ready\n", "repro: old: no such release\n")
    assert held.locks.is_dir()
