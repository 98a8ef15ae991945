"""JUnit XML: the mapping of statuses, and the shape that readers of the format accept."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from repro.model.verdict import Status
from repro.report.junit import junit_xml
from repro.report.rows import Row
from tests.unit.factories import cell

# Elements and attributes of the schema that Jenkins and GitLab read (junit-10.xsd), as far as they concern us.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors", "skipped", "disabled"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        {"name"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname", "time", "assertions", "status", "file", "line"},
        {"name"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "skipped": ({"message", "type"}, set(), set()),
    "error": ({"message", "type"}, set(), set()),
    "failure": ({"message", "type"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def row(status: str | None, **changes: Any) -> Row:
    facts = {"cell": cell(), "verdict": None if status is None else "absent", "status": status, "seconds": 1.5}
    return Row.model_validate(facts | {"not_run": "not run" if status is None else None} | changes)


def parse(text: str | bytes) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - our own document


def check(element: ET.Element) -> None:
    allowed, required, children = SCHEMA[element.tag]
    assert set(element.attrib) <= allowed
    assert required <= set(element.attrib)
    for child in element:
        assert child.tag in children
        check(child)


class TestJunit:
    """What CI systems read."""

    @pytest.mark.parametrize(
        ("status", "child"),
        [
            ("as documented", None),
            ("unjudged", None),
            ("relapsed", "failure"),
            ("cured", "failure"),
            ("drifted", "failure"),
            ("unknown", "error"),
            (None, "skipped"),
        ],
    )
    def test_mapping(self, status: str | None, child: str | None) -> None:
        """Each status has its element, and the counts say the same."""
        root = parse(junit_xml([row(status)]))
        found = [item.tag for item in root.iter() if item.tag in {"failure", "error", "skipped"}]
        assert found == ([child] if child else [])
        counts = {"failure": "failures", "error": "errors", "skipped": "skipped"}
        for tag, name in counts.items():
            assert root.attrib[name] == root[0].attrib[name] == ("1" if tag == child else "0")

    def test_all_statuses(self) -> None:
        """No status is forgotten."""
        assert {"as documented", "unjudged", "relapsed", "cured", "drifted", "unknown"} == {
            str(item) for item in Status
        }

    def test_schema(self) -> None:
        """Only elements and attributes of the schema, in a suite a failure."""
        rows = [row(status, cell=cell(failure=name)) for name in ("b-1", "a-1", "b-1") for status in (*Status, None)]
        root = parse(junit_xml(rows))
        check(root)
        assert [suite.attrib["name"] for suite in root] == ["a-1", "b-1"]
        assert root.attrib["tests"] == str(len(rows)) == str(len(list(root.iter("testcase"))))

    def test_upstream_words(self) -> None:
        """Markup and characters that XML cannot hold do no harm."""
        words = "<a> & ]]> \x00\x1b[31m \ud800 é"
        text = junit_xml([row("unknown", verdict="unrunnable", reason=words, evidence=words)])
        root = parse(text.encode())
        error = next(root.iter("error"))
        assert "<a> & ]]>" in error.attrib["message"]
        assert "\x1b" not in text

    def test_empty(self) -> None:
        """No rows: still a document."""
        assert parse(junit_xml([])).attrib["tests"] == "0"
