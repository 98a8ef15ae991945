"""A signature that fixed releases showed, by stored runs."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import load
from repro.store.observations import Store
from repro.store.seen_when_fixed import fixed_release, stored_faults
from tests.unit.factories import FAILURE, HANG, failed, failure, installed, observation, rank, write_failure

FIXED = {"lightning": "2.2.2", "torch": "2.2.2"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def faults(store: Store, folder: Path, **record: Any) -> list[str]:
    write_failure(folder, **{"fixed_in": {"lightning": "2.2.2"}} | record)
    return [str(fault) for fault in stored_faults(load(folder)[FAILURE], store)]


def test_matched(store: Store, tmp_path: Path) -> None:
    """One line with the run and the release; the first run is enough."""
    for number in (1, 2):
        store.add(observation(rank(0), failed(1), id=f"{number:012}-x", installed=installed(FIXED)))
    (said,) = faults(store, tmp_path / "failures")
    assert "signature: matches stored run 000000000001-x of lightning 2.2.2, which the record says is fixed" in said


@pytest.mark.parametrize("case", ["affected", "passed", "another error", "a factor", "no fix", "not installed"])
def test_no_fault(store: Store, tmp_path: Path, case: str) -> None:
    """An affected release, a run that passed, another error, a changed factor, a failure without a fix."""
    changes: dict[str, Any] = {"installed": installed(FIXED)}
    ranks = [failed(0), failed(1)]
    if case == "affected":
        changes["installed"] = installed({"lightning": "2.2.1"})
    elif case == "not installed":
        changes["installed"] = None
    elif case == "passed":
        ranks = [rank(0), rank(1)]
    elif case == "a factor":
        made = observation()
        changes["cell"] = made.cell.model_copy(update={"factors": {"state-dict-type": "full"}})
    store.add(observation(*ranks, **changes))
    record: dict[str, Any] = {"fixed_in": {}} if case == "no fix" else {}
    if case == "another error":
        record["signature"] = failure(signature={"message": "something else"}).signature.model_dump()
    assert faults(store, tmp_path / "failures", **record) == []


def test_hang(store: Store, tmp_path: Path) -> None:
    """A hang is matched only where a rank stood still at the deadline."""
    store.add(observation(installed=installed(FIXED)))
    assert faults(store, tmp_path / "failures", signature=HANG) == []


def test_fixed_release() -> None:
    """From the first release with the fix on."""
    record = failure(fixed_in={"lightning": "2.2.2"})
    for version, wanted in (("2.2.1", None), ("2.2.2", "lightning 2.2.2"), ("2.10", "lightning 2.10")):
        assert fixed_release(record, observation(installed=installed({"lightning": version}))) == wanted
