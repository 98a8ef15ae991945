"""Writes the findings as SARIF 2.1.0, for code scanning services."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from repro import __version__
from repro.doctor.code.combined import Combined
from repro.doctor.diagnosis import Diagnosis, Finding
from repro.model.outline import Outlined

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_of(found: Iterable[Combined], root: str) -> dict[str, Any]:
    """A SARIF log with one result for each place of each alert; paths are relative to the folder that was read."""
    alerts = [item for item in found if item.is_alert]
    results = [_result(item, index, root) for index, item in enumerate(alerts)]
    return _log([item.failure for item in alerts], results)


def sarif_of_versions(found: Iterable[Diagnosis], source: str) -> dict[str, Any]:
    """A SARIF log without code: each failure that the versions have, located at the file that states them."""
    alerts = [item for item in found if item.finding in {Finding.SUFFERS, Finding.LISTED}]
    results = [
        {
            "ruleId": item.failure.id,
            "ruleIndex": index,
            "level": "error" if item.finding is Finding.SUFFERS else "warning",
            "message": {"text": f"{item.failure.title}. {item.finding}: {item.why}. Cure: {_cure(item.failure)}"},
            "locations": [_location(source, 1)],
        }
        for index, item in enumerate(alerts)
    ]
    return _log([item.failure for item in alerts], results)


def _log(failures: Iterable[Outlined], results: list[dict[str, Any]]) -> dict[str, Any]:
    driver = {
        "name": "repro",
        "version": __version__,
        "rules": [_rule(failure) for failure in failures],
    }
    return {"version": "2.1.0", "$schema": SCHEMA, "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rule(failure: Outlined) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": failure.id,
        "shortDescription": {"text": failure.title},
        "fullDescription": {"text": failure.summary},
        "help": {"text": "\n".join(failure.cure_lines) or "no cure is known"},
        "properties": {"tags": [failure.kind]},
    }
    links = failure.links
    project, _, number = links[0].partition("#") if links else ("", "", "")
    if number:
        rule["helpUri"] = f"https://github.com/{project}/issues/{number}"
    return rule


def _result(item: Combined, index: int, root: str) -> dict[str, Any]:
    finding = item.diagnosis.finding if item.diagnosis else None
    logged = f"{item.logged.answer} by the log" if item.logged else ""
    words = "; ".join(filter(None, (logged, finding, f"{item.reached.finding} in the code")))
    named = ", ".join(found.what for found in item.reached.found)
    text = f"{item.failure.title}. {words}{f': {named}' if named else ''}. Cure: {_cure(item.failure)}"
    places = [found.place for found in item.reached.found]
    return {
        "ruleId": item.failure.id,
        "ruleIndex": index,
        "level": "error" if finding is Finding.SUFFERS or item.logged else "warning",
        "message": {"text": text},
        "locations": [_location(places[0].file, places[0].line)] if places else [_location(root, 1)],
        "relatedLocations": [
            {**_location(place.file, place.line), "id": number} for number, place in enumerate(places[1:], 1)
        ],
        "partialFingerprints": {"failure/v1": item.failure.id},
    }


def _location(file: str, line: int) -> dict[str, Any]:
    uri = quote(str(PurePosixPath(file)), safe="/.-_~")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}


def _cure(failure: Outlined) -> str:
    return next(iter(failure.cure_lines), "none is known")
