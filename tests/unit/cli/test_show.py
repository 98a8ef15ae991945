"""``repro show``."""

import json

import yaml

from repro.catalog.project import Project
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


def test_show(held: Project, call: Call) -> None:
    """One failure in words and in JSON."""
    code, out, _ = call("show", FAILURE)
    assert code == 0
    assert "KeyError /optimizer_states/ in save_checkpoint" in out
    assert json.loads(call("show", FAILURE, "--json")[1])["id"] == FAILURE
    assert held.catalog


def test_show_lane(held: Project, call: Call) -> None:
    """A lane in which it shows in another way, and why."""
    record = held.failures / FAILURE / "failure.yaml"
    other = {"kind": "hang", "function": "all_gather", "ranks": 1}
    record.write_text(record.read_text() + yaml.safe_dump({"differs_in": {"cuda": {"signature": other, "why": "No."}}}))
    lines = call("show", FAILURE)[1].splitlines()
    assert "in cuda    hangs in all_gather, on rank 1 only" in lines
    assert "in cuda    No." in lines
