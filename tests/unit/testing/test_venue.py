"""Where tests run their cells: on a pack, on an interpreter, in each lane, and why one is skipped.  Nothing runs."""

import sys
from pathlib import Path

import pytest

from repro.environments.interpreter import Interpreter
from repro.model.cell import Adopted, Cell, Named, Overlaid
from repro.model.errors import UsageError
from repro.model.failure import Claim, Evidence, Lane
from repro.model.verdict import Expectation
from repro.testing import venue as venue_
from repro.testing.venue import PlacedCell, PlacedClaim, Venue, other_versions
from tests.unit.factories import FAILURE, STAGES, failure, installed, interpreter, project, write_failure, write_pack

NODE = {"torch": "2.11.0+cu130"}
OLD = {"torch": "2.2.2", "lightning": "2.2.1"}


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What this interpreter is said to hold; a test may change it."""
    held = dict(NODE)

    def probe(executable: Path, name: str) -> Interpreter:
        return interpreter(executable=executable, installed=installed(name=name, python="3.11.9", distributions=held))

    monkeypatch.setattr(venue_, "probe", probe)
    return held


def cell_at(venue: Venue, name: str, backport: str | None = None) -> PlacedCell:
    return venue.place(Cell(failure=FAILURE, environment=Named(name), backport=backport), Lane.CUDA)


def claim_at(venue: Venue, *environments: str, lane: Lane | None = Lane.CUDA) -> PlacedClaim:
    evidence = [Evidence.model_validate({"environment": name, "predicts": "reproduced"}) for name in environments]
    facts = {"id": "c", "kind": "cause", "statement": "s", "verdict": "confirmed", "comment": "c"}
    claim = Claim.model_validate(facts | {"evidence": evidence})
    return venue.place_claim(venue.project.catalog[FAILURE].failure, claim, lane)


class TestCells:
    """A cell of the matrix."""

    def test_own_environment(self, tmp_path: Path) -> None:
        """Without options only the lane changes."""
        placed = cell_at(Venue(project(tmp_path)), "old")
        assert (placed.cell.environment, placed.cell.lane) == (Named("old"), Lane.CUDA)
        assert (placed.expectation, placed.skip) == (Expectation.REPRODUCED, None)

    def test_staged(self, tmp_path: Path) -> None:
        """The environments of all roles decide what is expected; elsewhere such a cell cannot run."""
        held = project(tmp_path / "p", failures=False)
        write_failure(held.failures, affected=[{"lightning": ">=2.2.2"}], stages=STAGES)
        cell = Cell(failure=FAILURE, environment=Named("new"))
        pair = cell.model_copy(update={"roles": {"writer": Named("old")}})
        place = Venue(held).place
        assert place(cell, Lane.CPU).expectation is Expectation.ABSENT
        assert place(pair, Lane.CPU).expectation is Expectation.REPRODUCED
        moved = Venue(held, python=Path(sys.executable)).place(pair, Lane.CPU)
        assert moved.skip == "its stages need environments of their own: writer"

    def test_packed(self, tmp_path: Path) -> None:
        """A packed environment is laid over; the other one is skipped by name."""
        venue = Venue(project(tmp_path / "p"), write_pack(tmp_path / "pack"))
        assert cell_at(venue, "old").cell.environment == Overlaid("old")
        assert cell_at(venue, "old").skip is None
        assert cell_at(venue, "new").skip == f"new is not in the pack {tmp_path / 'pack'}"

    @pytest.mark.parametrize(
        ("lightning", "expectation"), [("2.2.1", Expectation.REPRODUCED), ("2.2.2", Expectation.ABSENT)]
    )
    def test_expectation(self, tmp_path: Path, lightning: str, expectation: Expectation) -> None:
        """The wheels decide what to expect, not the lock that the pack was made from."""
        venue = Venue(project(tmp_path / "p"), write_pack(tmp_path / "pack", lightning))
        assert cell_at(venue, "old").expectation is expectation

    def test_adopted(self, tmp_path: Path, node: dict[str, str]) -> None:
        """One interpreter stands for every environment, and must hold what the reproduction needs."""
        node["lightning"] = "2.2.2"
        venue = Venue(project(tmp_path), python=Path(sys.executable))
        assert cell_at(venue, "old").cell == cell_at(venue, "new").cell
        assert isinstance(cell_at(venue, "old").cell.environment, Adopted)
        assert cell_at(venue, "old").expectation is Expectation.ABSENT

    def test_backport(self, tmp_path: Path, node: dict[str, str]) -> None:
        """A backport is not tried where there is nothing to cure."""
        venue = Venue(project(tmp_path), python=Path(sys.executable))
        node["lightning"] = "2.2.2"
        assert cell_at(venue, "old", "cure").skip == "lightning 2.2.2 is not affected: the backport has nothing to cure"
        node["lightning"] = "2.2.1"
        assert cell_at(Venue(project(tmp_path / "2"), python=Path(sys.executable)), "old", "cure").skip is None


class TestClaims:
    """A claim of the record."""

    def test_own_environments(self, tmp_path: Path) -> None:
        """Without options the evidence runs where it names, in the lane that is asked."""
        venue = Venue(project(tmp_path))
        assert claim_at(venue, "old", "new").lane is Lane.CUDA
        assert claim_at(venue, "old", "new", lane=None).lane is Lane.CPU
        assert claim_at(venue, "old", "new").skip is None

    def test_packed(self, tmp_path: Path) -> None:
        """Examined with the same lightning on another torch; skipped where an environment is not in the pack."""
        venue = Venue(project(tmp_path / "p"), write_pack(tmp_path / "pack"))
        placed = claim_at(venue, "old")
        assert placed.skip is None
        assert {label: cell.environment for label, cell in placed.cells.items()} == {f"{FAILURE} old": Overlaid("old")}
        assert claim_at(venue, "old", "new").skip == f"new is not in the pack {tmp_path / 'pack'}"
        assert claim_at(venue, "old", "new").lane is Lane.CUDA

    def test_other_release(self, tmp_path: Path) -> None:
        """A finding about one release says nothing of another."""
        venue = Venue(project(tmp_path / "p"), write_pack(tmp_path / "pack", "2.2.0"))
        assert claim_at(venue, "old").skip == "the evidence is about lightning 2.2.1, and lightning 2.2.0 is here"

    def test_compared(self) -> None:
        """What the evidence compares must be there in each of its versions; what it leaves alone need not."""
        record = failure(needs={"distributions": {"torch": ">=2"}})
        there = OLD | {"torch": "2.11.0+cu130"}
        assert other_versions(record, [(OLD, there)]) is None
        assert other_versions(record, [(OLD, OLD | {"torch": "2.2.2+cpu"}), (OLD | {"torch": "2.13.0"}, there)]) == (
            "the evidence is about torch 2.13.0, and torch 2.11.0+cu130 is here"
        )


def test_another_python(tmp_path: Path) -> None:
    """A pack for another release of Python is refused before anything is collected."""
    with pytest.raises(UsageError, match=r"is Python 3\.11\.9, the pack is for 3\.12"):
        Venue(project(tmp_path / "p"), write_pack(tmp_path / "pack", python="3.12")).check()
