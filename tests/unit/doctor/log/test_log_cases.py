"""Logs of launchers, clusters and viewers, and near misses of every pattern: each gets its right answer."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.doctor.log.given_log import known_of, read_log
from repro.doctor.log.log_answer import LogAnswer
from repro.doctor.log.outcome import Known, answer
from repro.report.redaction import Redactor

FILE = Path(__file__).parents[3] / "data" / "log_cases.yaml"
CASES: list[dict[str, Any]] = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
SITE = "/opt/venv/lib/python3.11/site-packages/"


def log_of(case: dict[str, Any]) -> str:
    """The log, with the folder of its libraries."""
    return str(case["log"]).replace("S/", SITE)


@cache
def known() -> Known:
    project = Project.here()
    return known_of(project, [entry.failure for entry in project.catalog])


def answered(case: dict[str, Any]) -> LogAnswer:
    return answer("log", read_log(io.BytesIO(log_of(case).encode()), known()), known(), Redactor())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """The documented failure in the first place or none, one of the right answers, and the versions that it states."""
    found = answered(case)
    documented = [item.id for item in found.found if item.answer != "reported, unproved"]
    assert case["id"] in {"any", documented[0] if documented else "none"}, documented
    assert found.answer in case["answer"]
    stated = {name: found.versions.get(name, "absent") for name in case.get("versions", {})}
    assert stated == case.get("versions", {})


def test_every_pattern_has_a_near_miss() -> None:
    """A record of which a log can show something is tried with a log that shows nearly the same."""
    shown = {item.id for item in known().failures if any(not seen.nothing for seen in item.seen_as)}
    near = {case["near"] for case in CASES if case["id"] == "none" and "near" in case}
    assert shown <= near | {file.parent.name for file in FILE.parent.glob("logs/*/*.near.log")}
