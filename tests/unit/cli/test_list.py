"""``repro list``."""

import json

from repro.catalog.project import Project
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


def test_list(held: Project, call: Call) -> None:
    """Ids, kinds, affected releases; the same in JSON."""
    code, out, _ = call("list")
    assert code == 0
    assert FAILURE in out
    assert "lightning >=2.1.0,<2.2.2" in out
    listed = json.loads(call("list", "--json")[1])
    assert listed["format"] == 1
    assert [item["id"] for item in listed["failures"]] == [FAILURE]
    assert held.catalog
