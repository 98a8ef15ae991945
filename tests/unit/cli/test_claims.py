"""``repro claims``, with runs that are played."""

import json
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.model.answers.evidence import ClaimsAnswer
from repro.model.failure import ClaimFinding
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, observation
from tests.unit.launch.test_session import Played


def claim(name: str, environment: str, predicts: str, verdict: str) -> dict[str, Any]:
    evidence = [{"environment": environment, "predicts": predicts}]
    return {"id": name, "kind": "symptom", "statement": f"It is {predicts}.", "evidence": evidence, "verdict": verdict}


CLAIMS = [claim("shows", "old", "reproduced", "confirmed"), claim("stays", "new", "reproduced", "refuted")]


@pytest.fixture(autouse=True)
def claiming(held: Project, played: Played) -> Played:
    """A failure with two claims, whose runs are as documented."""
    record = held.failures / FAILURE / "failure.yaml"
    record.write_text(record.read_text() + yaml.safe_dump({"claims": CLAIMS}))
    return played


def test_as_published(call: Call, claiming: Played) -> None:
    """Every finding is the published one: exit code 0."""
    code, out, _ = call("claims", "--json")
    answer = ClaimsAnswer.model_validate_json(out)
    assert code == 0
    shows, stays = answer.failures[FAILURE]
    assert (shows.id, shows.published, shows.finding) == ("shows", ClaimFinding.CONFIRMED, ClaimFinding.CONFIRMED)
    assert (stays.id, stays.finding) == ("stays", ClaimFinding.REFUTED)
    assert [(item.cell.label, item.holds) for item in stays.evidence] == [(f"{FAILURE} new", False)]
    assert stays.evidence[0].why.startswith("absent")
    assert json.loads(out)["failures"][FAILURE][0]["kind"] == "symptom"
    assert {cell.label for cell in claiming.cells} == {f"{FAILURE} old", f"{FAILURE} new"}


def test_otherwise(call: Call, claiming: Played) -> None:
    """A finding that is not the published one: exit code 1, and both are printed."""
    claiming.answer = lambda cell, under_test: observation(cell=cell, installed=under_test.installed)
    code, out, _ = call("claims", FAILURE)
    assert code == 1
    assert "refuted     shows (symptom): It is reproduced.  (published: confirmed)" in out
    assert f"{FAILURE} old: absent" in out


def test_undecided(call: Call, claiming: Played) -> None:
    """Runs that are not conclusive decide nothing: exit code 3."""
    claiming.answer = lambda cell, _: observation(cell=cell, fault="no slots")
    code, out, _ = call("claims", FAILURE)
    assert code == 3
    assert "undecided   shows" in out
