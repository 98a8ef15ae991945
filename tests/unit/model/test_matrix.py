"""``matrix.yaml``: environments, the deny list, and what runs where."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from repro.catalog import yaml_reader
from repro.model.errors import RecordError
from repro.model.matrix import Matrix
from tests.unit.factories import MATRIX, matrix

DENY = [{"distribution": "pytorch-lightning", "version": "2.6.2", "reason": "malicious upload", "date": "2026-04-30"}]


def environment(**changes: Any) -> dict[str, Any]:
    return {"cutoff": "2026-05-01", "pins": {"torch": "2.2.2"}, "why": "test"} | changes


class TestDenied:
    """A denied release is never pinned."""

    @pytest.mark.parametrize("name", ["pytorch-lightning", "pytorch_lightning", "PyTorch.Lightning"])
    @pytest.mark.parametrize("version", ["2.6.2", "2.6.2.0", "v2.6.2"])
    def test_pinned(self, name: str, version: str) -> None:
        """In whatever spelling of name and version; the reason is told."""
        with pytest.raises(ValidationError, match="malicious upload"):
            matrix(deny=DENY, environments={"bad": environment(pins={name: version})}, runs={})

    @pytest.mark.parametrize("version", ["2.6.1", "2.6.4", "2.6.2.post1", "2.6.2rc1"])
    def test_other_releases(self, version: str) -> None:
        """Its neighbours are not denied."""
        made = matrix(deny=DENY, environments={"good": environment(pins={"pytorch-lightning": version})}, runs={})
        assert made.denied("pytorch-lightning", version) is None

    @pytest.mark.parametrize("field", ["reason", "date"])
    def test_needs_reason_and_date(self, field: str) -> None:
        """An exclusion without a reason or a date is refused."""
        with pytest.raises(ValidationError):
            matrix(deny=[{name: value for name, value in DENY[0].items() if name != field}])
        with pytest.raises(ValidationError):
            matrix(deny=[DENY[0] | {field: "x"}])


class TestEnvironment:
    """An environment is pins as of a day."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"cutoff": "2024-02-30"},
            {"cutoff": "yesterday"},
            {"cutoffs": {"torch": "2024"}},
            {"pins": {}},
            {"pins": {"torch": "latest"}},
            {"pins": {"torch": ">=2.2"}},
            {"python": "3"},
            {"python": "3.11.7"},
            {"python": "2.7"},
        ],
    )
    def test_refused(self, changes: dict[str, Any]) -> None:
        """Days that are none, no pins, pins that are no version, Pythons without a minor version."""
        with pytest.raises(ValidationError):
            matrix(environments={"x": environment(**changes)}, runs={})

    def test_lines(self) -> None:
        """An unquoted day, version or Python is refused with its line and the remedy."""
        text = (
            "format: 1\nenvironments:\n  x:\n    python: 3.10\n    cutoff: 2024-03-01\n"
            "    pins:\n      torch: 2.10\n    why: y\nruns: {}\n"
        )
        with pytest.raises(RecordError) as caught:
            yaml_reader.parse(Matrix, text, Path("matrix.yaml"))
        assert [(fault.line, fault.remedy) for fault in caught.value.faults] == [
            (4, "quote it"), (5, "quote it"), (7, "quote it"),
        ]  # fmt: skip


def test_runs_somewhere() -> None:
    """A failure with no environment is refused."""
    with pytest.raises(ValidationError):
        matrix(runs={"a-1": {"environments": []}})


def test_default_is_valid() -> None:
    """The builders' matrix."""
    assert list(matrix().environments) == list(MATRIX["environments"])


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden", "a b", "", "x" * 201, "python:x", "overlay:x"])
def test_names(name: str) -> None:
    """The name of an environment becomes a file and a folder: one that leaves them is refused where it enters."""
    with pytest.raises(ValidationError, match="is not a file name"):
        matrix(environments={name: environment()}, runs={})


class TestFloating:
    """Environments that are resolved at the run."""

    TEXT = """
        format: 1
        deny: [{distribution: lightning, version: "2.6.2", reason: malicious upload, date: "2026-04-30"}]
        environments: {}
        floating:
          newest: {libraries: [torch], cooling-days: 3, as-of: "2026-05-01"}
          candidate: {prereleases: true}
        runs: {}
    """

    def test_keys(self) -> None:
        made = yaml_reader.parse(Matrix, self.TEXT, Path("matrix.yaml")).floating
        assert (made["newest"].cooling_days, made["newest"].as_of) == (3, "2026-05-01")
        assert (made["candidate"].cooling_days, made["candidate"].libraries) == (2, ())

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("cooling-days", "cooling-day", "did you mean 'cooling-days'"),
            ("libraries: [torch], ", "", "the environment named first needs libraries"),
            ("prereleases: true", 'pins: {lightning: "2.6.2"}', "denied, malicious upload"),
            ("cooling-days: 3", "cooling-days: -1", "greater than or equal to 0"),
            ('as-of: "2026-05-01"', 'as-of: "2026-05-32"', "is no date"),
        ],
    )
    def test_mistakes(self, old: str, new: str, message: str) -> None:
        """One line with the key; a denied release is refused before anything is resolved."""
        with pytest.raises(RecordError, match=message):
            yaml_reader.parse(Matrix, self.TEXT.replace(old, new), Path("matrix.yaml"))

    def test_a_catalogue_elsewhere_watches_its_own(self) -> None:
        base = yaml_reader.parse(Matrix, self.TEXT, Path("matrix.yaml"))
        assert matrix().over(base).floating == {}
        assert base.over(matrix()).floating == base.floating
