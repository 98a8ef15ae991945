"""``repro envs``."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.environments import build as building
from repro.launch.spares.client import CommandSpares
from tests.unit.cli.calls import Call
from tests.unit.launch.spares.kept import a_leader, built, left, start_in, wait_until_ready


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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="spares need Linux")
def test_stop(held: Project, call: Call, tmp_path: Path) -> None:
    """It says which spares it ended, also in JSON; where there are none, that is no error."""
    assert call("envs", "stop") == (0, "no spares\n", "")
    assert json.loads(call("envs", "stop", "--json")[1]) == {"format": 1, "ended": []}
    start = start_in(built(tmp_path / "env"))
    with a_leader() as leader:
        spares = CommandSpares(held.cache, 10, leader=leader.pid)
        for as_json in (False, True):
            spares.used(start, (("torch", None),))
            spares.order()
            wait_until_ready(held.cache, spares)
            if as_json:
                assert json.loads(call("envs", "stop", "--json")[1])["ended"] == ["old, 2 ranks"]
            else:
                assert call("envs", "stop") == (0, "ended: old, 2 ranks\n", "")
            spares.ordered[-1].wait(0)
    assert not left(tmp_path / "env")


@pytest.mark.parametrize("command", [("run",), ("bisect", "lightning-19492"), ("claims", "lightning-19492")])
def test_keep_warm_is_checked(
    held: Project, call: Call, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything runs: one line, exit code 2."""
    assert held.catalog
    said = "repro: {}: a number of minutes from 0 to 1440 is expected, not {}\n"
    assert call(*command, "--keep-warm", "5000") == (2, "", said.format("--keep-warm", "'5000'"))
    monkeypatch.setenv("REPRO_KEEP_WARM", "ten")
    assert call(*command) == (2, "", said.format("REPRO_KEEP_WARM", "'ten'"))
