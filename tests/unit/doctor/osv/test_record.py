"""A failure as an OSV record: the ranges say what doctor says."""

import json
import random
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.catalog.project import Project
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.osv.record import PREFIX, Event, OsvRecord, matches, osv_record, ranges_of
from repro.doctor.osv.write import OFFLINE, archive_of, write_files, write_offline
from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure
from tests.unit.factories import failure

DAY = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ALL: dict[str, list[str]] = json.loads((Path(__file__).parents[3] / "data" / "releases.json").read_text())
RELEASES = {
    name: [version for version in versions if not Version(version).is_prerelease] for name, versions in ALL.items()
}
"""Without pre-releases, of which doctor says that it cannot tell near a bound."""
STACKS = 600


@cache
def failures() -> Sequence[Failure]:
    return [entry.failure for entry in Project.here().catalog]


def events(*specifiers: str) -> list[list[tuple[str, str]]]:
    return [
        [next(iter(event.model_dump(exclude_none=True).items())) for event in part.events]
        for part in ranges_of(specifiers)
    ]


@pytest.mark.parametrize(
    ("specifiers", "expected"),
    [
        ([">=2.1.0,<2.2.2"], [[("introduced", "2.1.0"), ("fixed", "2.2.2")]]),
        ([">=2.6.0"], [[("introduced", "2.6.0")]]),
        (["<3"], [[("introduced", "0"), ("fixed", "3")]]),
        (["<3.1.2"], [[("introduced", "0"), ("fixed", "3.1.2")]]),
        (["==1.13.0"], [[("introduced", "1.13.0"), ("last_affected", "1.13.0")]]),
        (["<=2.5"], [[("introduced", "0"), ("last_affected", "2.5")]]),
        (
            [">=2.6.0", ">=2.1.3,<2.2.0"],
            [[("introduced", "2.1.3"), ("fixed", "2.2.0"), ("introduced", "2.6.0")]],
        ),
        ([">=1,<3", ">=2,<4"], [[("introduced", "1"), ("fixed", "4")]]),
        (
            ["==1.0", ">=2,<3"],
            [[("introduced", "1.0"), ("last_affected", "1.0")], [("introduced", "2"), ("fixed", "3")]],
        ),
    ],
)
def test_ranges(specifiers: list[str], expected: list[list[tuple[str, str]]]) -> None:
    """Several intervals are kept, and no range has both kinds of ends: the schema forbids it."""
    assert events(*specifiers) == expected


@pytest.mark.parametrize("specifier", [">=2.1.0,<2.2.2", "==2.2.*", "~=2.1.1", ">2.1.0", "<=2.2.1", "<2.4.1"])
def test_ranges_hold_what_the_specifier_holds(specifier: str) -> None:
    record = osv_record(failure(affected=[{"lightning": specifier}]), DAY)
    for version in RELEASES["lightning"]:
        assert matches(record, "lightning", version) is SpecifierSet(specifier).contains(version), version


def test_several_packages() -> None:
    """They are left out of the ranges, and said so; an alternative over one package stays."""
    both, alone = {"lightning": "<2.2", "torch": ">=2.1"}, {"torch": "<2.0"}
    record = osv_record(failure(affected=[both, alone]), DAY)
    assert [affected.package.name for affected in record.affected or ()] == ["torch"]
    assert [condition.packages for condition in record.database_specific.conditions] == [both]
    assert "several packages" in record.details
    only = osv_record(failure(affected=[both]), DAY)
    assert "affected" not in json.loads(only.text())


def test_text() -> None:
    record = json.loads(osv_record(failure(), DAY).text())
    assert (record["id"], record["modified"]) == ("x_repro-lightning-19492", "2026-11-25T12:00:00Z")
    assert record["references"] == [{"type": "REPORT", "url": "https://example.org/19492"}]
    assert [affected["package"]["name"] for affected in record["affected"]] == ["lightning", "pytorch-lightning"]
    assert all(len(event) == 1 for affected in record["affected"] for event in affected["ranges"][0]["events"])


def random_stack(draw: random.Random) -> dict[str, str]:
    names = draw.sample(sorted(RELEASES), draw.randint(1, len(RELEASES)))
    return {name: draw.choice(RELEASES[name]) for name in names}


def found_by_ranges(records: Sequence[OsvRecord], stack: dict[str, str]) -> set[str]:
    return {
        record.id.removeprefix(PREFIX)
        for record in records
        if any(matches(record, name, version) for name, version in stack.items())
    }


def test_the_same_findings_as_doctor() -> None:
    """On random stacks: what doctor lists by conditions on one package, and nothing else."""
    alone = [
        held.model_copy(update={"affected": tuple(item for item in held.affected if len(item) == 1)})
        for held in failures()
        if any(len(item) == 1 for item in held.affected)
    ]
    records = [osv_record(held, DAY) for held in failures()]
    draw = random.Random(19)
    count = 0
    for _ in range(STACKS):
        stack = random_stack(draw)
        listed = {item.failure.id for item in diagnose(alone, Stack.of(stack)) if item.finding is Finding.LISTED}
        assert found_by_ranges(records, stack) == listed, stack
        count += len(listed)
    assert count > STACKS


def test_local_versions_and_nonsense() -> None:
    record = osv_record(failure(affected=[{"torch": "==2.2.2"}]), DAY)
    assert matches(record, "torch", "2.2.2+cu121")
    assert not matches(record, "torch", "2.2.2.post1")
    assert not matches(record, "torch", "main")
    assert not matches(record, "torchvision", "2.2.2")


def test_files_and_archive(tmp_path: Path) -> None:
    """The archive is where osv-scanner looks, holds each record, and is the same every time."""
    records = [osv_record(held, DAY) for held in failures()]
    assert len(write_files(tmp_path, records)) == len(list(tmp_path.glob("*.json"))) == len(records)
    file = write_offline(tmp_path / "db", records)
    assert file == tmp_path / "db" / OFFLINE == tmp_path / "db" / "osv-scanner" / "PyPI" / "all.zip"
    with zipfile.ZipFile(BytesIO(file.read_bytes())) as archive:
        assert {name.removesuffix(".json") for name in archive.namelist()} == {record.id for record in records}
    assert archive_of(records) == file.read_bytes()


def test_schema() -> None:
    """Every record is valid by OSV's own schema (tests/data/osv_schema.json, of ossf/osv-schema, Apache-2.0)."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(__file__).parents[3] / "data" / "osv_schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for held in failures():
        record = json.loads(osv_record(held, DAY).text())
        assert [error.message for error in validator.iter_errors(record)] == [], held.id
    assert list(validator.iter_errors(record | {"affected": [{"ranges": [{"type": "ECOSYSTEM", "events": []}]}]}))


def test_an_event_has_one_key() -> None:
    assert Event(introduced="0").model_dump(exclude_none=True) == {"introduced": "0"}


def test_what_was_never_tried() -> None:
    """Below the oldest and above the newest release that was tried nothing is known, and the record says so."""
    held = failure(affected=[{"torch": "==2.11.0"}], open_below={"torch": "2.11.0"}, open_above={"torch": "2.11.0"})
    specific = osv_record(held, DAY).database_specific
    assert (specific.not_known_below, specific.not_known_above) == ({"torch": "2.11.0"}, {"torch": "2.11.0"})


@pytest.mark.parametrize(
    "releases", [{"torch": ">=2.2", "python": ">=3.12"}, {"torch": ">=2.2", "numpy": "absent"}, {"python": "<3.12"}]
)
def test_no_range_of_a_package(releases: dict[str, str]) -> None:
    """Python is no package and absence no range: an auditor would warn everybody of torch."""
    found = osv_record(failure(affected=[releases, {"lightning": "<2"}]), DAY)
    assert [item.package.name for item in found.affected or ()] == ["lightning", "pytorch-lightning"]
    assert [dict(item.packages) for item in found.database_specific.conditions] == [releases]
    assert "version of Python or the absence of a package" in found.details
