"""JUnit XML of a matrix: one suite for each failure, one test case for each cell."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from repro.model.clean import clean
from repro.model.verdict import Status
from repro.report.format import format_count, format_evidence, format_versions, format_where
from repro.report.rows import Row

FAILED = frozenset({Status.RELAPSED, Status.CURED, Status.DRIFTED})


def junit_xml(rows: Sequence[Row]) -> str:
    """The whole document.

    Relapsed, cured and drifted cells are failures, cells of unknown status are errors, and cells that were not run are
    skipped.  All others pass: as documented, or without an expectation.
    """
    root = Element("testsuites", {"name": "repro"} | _counts(rows))
    for failure, group in groupby(sorted(rows, key=lambda row: row.cell.failure), key=lambda row: row.cell.failure):
        held = list(group)
        suite = SubElement(root, "testsuite", {"name": failure} | _counts(held))
        dates = sorted(row.date for row in held if row.date)
        if dates:
            suite.set("timestamp", dates[-1][:19])
        for row in held:
            _case(suite, row)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _counts(rows: Sequence[Row]) -> dict[str, str]:
    counted = {
        "tests": len(rows),
        "failures": sum(row.status in FAILED for row in rows),
        "errors": sum(row.status == Status.UNKNOWN for row in rows),
        "skipped": sum(row.verdict is None for row in rows),
    }
    seconds = sum(row.seconds or 0.0 for row in rows)
    return {name: str(count) for name, count in counted.items()} | {"time": f"{seconds:.3f}"}


def _case(suite: Element, row: Row) -> None:
    names = {"classname": f"repro.{row.cell.failure}", "name": clean(format_where(row))}
    case = SubElement(suite, "testcase", names | {"time": f"{row.seconds or 0.0:.3f}"})
    if row.verdict is None:
        SubElement(case, "skipped", {"message": clean(row.not_run or "not run")})
        return
    message = f"{row.status}: {row.verdict} where {row.expected} is expected"
    if row.status in FAILED:
        SubElement(case, "failure", {"type": str(row.status), "message": clean(message)}).text = clean(
            format_evidence(row)
        )
    elif row.status == Status.UNKNOWN:
        attributes = {"type": str(row.verdict), "message": clean(row.reason)}
        SubElement(case, "error", attributes).text = clean(format_evidence(row))
    lines = [f"verdict {row.verdict}", f"status {row.status}", f"k of n {format_count(row)}", format_versions(row)]
    SubElement(case, "system-out").text = clean("\n".join([*lines, format_evidence(row)]))
