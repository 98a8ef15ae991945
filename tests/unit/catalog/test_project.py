"""Where a project's files are: our own, and a catalogue elsewhere that may use our environments."""

from pathlib import Path

import pytest
import yaml

from repro.catalog.check import check
from repro.catalog.project import Project
from repro.files import PACKAGE
from repro.model.errors import RecordError
from repro.model.failure import Failure
from repro.model.specifiers import covers
from tests.unit.factories import MATRIX, lock_text, write_failure

ENVIRONMENT = {"cutoff": "2024-03-28", "pins": {"torch": "2.2.2", "lightning": "2.2.1"}, "why": "private"}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A catalogue with one failure and nothing else."""
    write_failure(tmp_path, id="mine-1")
    return tmp_path


def with_matrix(folder: Path, **content: object) -> None:
    held = {"format": 1, "environments": {}, "runs": {}} | content
    (folder / "matrix.yaml").write_text(yaml.safe_dump(held), encoding="utf-8")


class TestElsewhere:
    """A catalogue outside the package."""

    def test_denied_pin(self, elsewhere: Path) -> None:
        """A pin that our own deny list names is one line, with the environment and the reason."""
        denied = Project.here().matrix.deny[0]
        pins = {denied.distribution: denied.version}
        with_matrix(elsewhere, environments={"mine": ENVIRONMENT | {"pins": pins}})
        with pytest.raises(RecordError) as raised:
            _ = Project.here(catalog=elsewhere).matrix
        assert str(raised.value).startswith(f"{elsewhere / 'matrix.yaml'}: environments: environment 'mine' pins ")
        assert denied.reason in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_named_by_variable(self, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """``REPRO_CATALOG`` names it where no option does."""
        monkeypatch.setenv("REPRO_CATALOG", str(elsewhere))
        assert list(Project.here().catalog.entries) == ["mine-1"]

    def test_option_before_variable(self, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is given goes before the variable."""
        monkeypatch.setenv("REPRO_CATALOG", str(PACKAGE / "failures"))
        assert list(Project.here(catalog=elsewhere).catalog.entries) == ["mine-1"]

    def test_needs_no_matrix(self, elsewhere: Path) -> None:
        """Without a matrix of its own nothing runs by default, and our environments and their locks are there."""
        project = Project.here(catalog=elsewhere)
        assert project.matrix.runs == {}
        assert project.matrix.deny == Project.here().matrix.deny
        assert project.environments.lock("newest") == Project.here().environments.lock("newest")

    def test_reports(self, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its reports stay beside it: from our own checkout, ours would name its failures."""
        monkeypatch.chdir(PACKAGE.parent)
        assert Project.here(catalog=elsewhere).reports == elsewhere / "reports"
        assert Project.here(tmp_path / "mine", elsewhere).reports == tmp_path / "mine"
        assert Project.here().reports == PACKAGE.parent / "reports"

    def test_own_environment(self, elsewhere: Path) -> None:
        """Its environments come before ours, and its locks before ours."""
        with_matrix(
            elsewhere, environments={"newest": ENVIRONMENT}, runs={"mine-1": {"environments": ["newest", "torch-2.6"]}}
        )
        (elsewhere / "locks").mkdir()
        text = lock_text("newest", MATRIX["environments"]["old"]["pins"], "2024-03-28")
        (elsewhere / "locks" / "newest.txt").write_text(text)
        project = Project.here(catalog=elsewhere)
        assert project.matrix.environments["newest"].why == "private"
        assert {package.version for package in project.environments.lock("newest").packages} == {"2.2.2", "2.2.1"}
        assert "torch-2.6" in project.matrix.environments

    def test_our_name_with_our_lock(self, elsewhere: Path) -> None:
        """Our lock does not stand for another environment of the same name."""
        with_matrix(elsewhere, environments={"newest": ENVIRONMENT})
        with pytest.raises(RecordError, match="run `repro lock newest`"):
            Project.here(catalog=elsewhere).environments.lock("newest")

    def test_unknown_environment(self, elsewhere: Path) -> None:
        """A run on what neither defines is a fault of its matrix."""
        with_matrix(elsewhere, runs={"mine-1": {"environments": ["odl"]}})
        with pytest.raises(RecordError, match="'odl' is not defined"):
            _ = Project.here(catalog=elsewhere).matrix

    def test_check(self, elsewhere: Path) -> None:
        """Its own faults are told; our locks are none of its affair, and a lock of no environment is."""
        with_matrix(elsewhere, runs={"mine-1": {"environments": ["lightning-2.2.1-torch-2.2", "newest"]}})
        faults = check(Project.here(catalog=elsewhere))
        assert [fault.problem for fault in faults] == ["the matched pytest of mine-1 is missing"]
        (elsewhere / "locks").mkdir()
        (elsewhere / "locks" / "old.txt").write_text(lock_text("old", {"torch": "2.2.2"}, "2024-03-28"))
        assert "belongs to no environment" in str(check(Project.here(catalog=elsewhere))[0])


@pytest.mark.parametrize("failure", [entry.failure for entry in Project.here().catalog], ids=lambda failure: failure.id)
def test_who_knows_of_a_fix_is_told_to_upgrade(failure: Failure) -> None:
    """A release that upstream names as fixed is the first thing to do, and it lies in what a cure asks for."""
    upgrades = [cure.upgrade for cure in failure.cures if cure.upgrade]
    for name, version in failure.fixed_in.items():
        assert any(covers({name: releases[name]}, {name: version}) for releases in upgrades if name in releases)
