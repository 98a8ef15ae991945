"""The table of checkpoints between releases: what a run counts as, and what it says of pairs without a run."""

from dataclasses import replace

import pytest

from repro.catalog.project import Project
from repro.model.cell import make_cell
from repro.model.failure import Failure
from repro.model.observation import Frame, Observation, Origin, Raised, Rank, StageRun
from tests.bench.checkpoint_tables import TABLES
from tests.bench.writer_reader import CATALOG, ROOT, Outcome, cells_of, kind_of, page, shown
from tests.unit.factories import failed, imported, installed, observation, raised, rank, script_frame

VERSIONS = {"torch": "2.13.0"}
TORCH = TABLES["torch"]
MISSING = "CheckpointException ranks:dict_keys([0, 1])\nTraceback (most recent call last):\nRuntimeError: Missing key a"
UNKNOWN = "CheckpointException ranks:dict_keys([0, 1])\nTraceback (most recent call last):\nTypeError: f() got b"


@pytest.fixture(scope="module")
def record() -> Failure:
    return Project.here(catalog=CATALOG).catalog[TORCH.record].failure


def library(code: str) -> Frame:
    return Frame(origin=Origin.LIBRARY, file="torch/serialization.py", function="load", line=1, code=code)


def error(kind: str, message: str, code: str = "raise result") -> Raised:
    return raised(kind, message, script_frame("load"), library(code))


def run(record: Failure, *ranks: Rank, stage: str = "read", **changes: object) -> Observation:
    held = imported(VERSIONS)
    cell = make_cell(record, "torch-2.13", roles={"writer": "torch-2.6"})
    wrote = StageRun(
        name="write",
        seconds=1.0,
        launcher="warm",
        launcher_code=0,
        timeout=60,
        ranks=tuple(rank(number, imported=held) for number in range(2)),
    )
    return observation(
        *(one.model_copy(update={"imported": held}) for one in ranks),
        cell=cell,
        stage=stage,
        earlier=(wrote,) if stage == "read" else (),
        installed=installed(VERSIONS),
        **changes,
    )


def both(found: Raised) -> list[Rank]:
    return [failed(0, found), failed(1, found)]


def test_equal_needs_the_oracle_of_every_rank(record: Failure) -> None:
    assert shown(record, run(record, rank(0), rank(1))).outcome is Outcome.EQUAL
    assert shown(record, run(record, rank(0), rank(1, oracle=None))).outcome is not Outcome.EQUAL


def test_differs(record: Failure) -> None:
    found = raised("AssertionError", "loads and differs: moments, option lr", script_frame("main"))
    seen = shown(record, run(record, *both(found)))
    assert seen.outcome is Outcome.DIFFERS
    assert "option lr" in seen.detail


@pytest.mark.parametrize(
    ("found", "outcome", "detail"),
    [
        (error("CheckpointException", MISSING), Outcome.REFUSED, "RuntimeError: Missing key a"),
        (error("CheckpointException", UNKNOWN), Outcome.RAISES, "TypeError: f() got b"),
        (
            error("UnpicklingError", "Weights only load failed", "raise pickle.UnpicklingError("),
            Outcome.REFUSED,
            "Weights",
        ),
        (error("AttributeError", "no x", "value = self.x"), Outcome.RAISES, "AttributeError: no x"),
    ],
)
def test_refused_is_not_raises(record: Failure, found: Raised, outcome: Outcome, detail: str) -> None:
    seen = shown(record, run(record, *both(found)))
    assert seen.outcome is outcome
    assert detail in seen.detail


def test_the_writer_is_not_blamed_on_the_reader(record: Failure) -> None:
    found = shown(record, run(record, *both(error("ValueError", "no")), stage="write"))
    assert found.outcome is Outcome.NOT_WRITTEN
    lacking = raised("NotImplementedError", "torch.distributed.fsdp has no fully_shard", script_frame("wrapped"))
    assert shown(record, run(record, *both(lacking), stage="write")).outcome is Outcome.NOT_THERE


def test_a_deadline_decides_nothing(record: Failure) -> None:
    late = run(record, rank(0, finished=False, oracle=None), rank(1, finished=False, oracle=None), deadline_passed=True)
    assert shown(record, late).outcome is Outcome.UNDECIDED


def test_pairs_without_a_run_are_said(record: Failure) -> None:
    table = replace(TORCH, environments=("torch-2.6", "torch-2.13"))
    text = page(table, record, [run(record, rank(0), rank(1))])
    full = text.split("## One file")[1].split("##")[0]
    assert "| **torch-2.6** | not run | equal |" in full
    assert "Pairs that were run: 1, " in text
    assert "1 equal, 19 not run" in text


def test_a_page_says_what_an_error_means(record: Failure) -> None:
    table = replace(TORCH, environments=("torch-2.6", "torch-2.13"), meanings={"Missing key": "an option is newer"})
    text = page(table, record, [run(record, *both(error("CheckpointException", MISSING)))])
    assert "1. `RuntimeError: Missing key a`: an option is newer" in text


def test_a_page_says_which_differences_torchrun_showed_too(record: Failure) -> None:
    table = replace(TORCH, environments=("torch-2.6", "torch-2.13"))
    found = both(raised("AssertionError", "loads and differs: moments", script_frame("main")))
    warm, cold = run(record, *found), run(record, *found, launcher="torchrun")
    said = "and show the same in a run by torchrun: {} of 1."
    assert said.format(0) in page(table, record, [warm.model_copy(update={"launcher": "warm"})])
    assert said.format(1) in page(table, record, [warm, cold])
    other = run(
        record, *both(raised("AssertionError", "loads and differs: steps", script_frame("main"))), launcher="warm"
    )
    assert said.format(0) in page(table, record, [cold, other.model_copy(update={"started": "2027-01-01T00:00:00Z"})])


def test_all_pairs_of_all_kinds(record: Failure) -> None:
    cells = cells_of(TORCH, record, ("torch-2.6", "torch-2.13"))
    assert len({cell.label for cell in cells}) == 20
    assert {kind_of(cell.factors, record) for cell in cells} == {"full", "fsdp1", "fsdp2"}


@pytest.mark.parametrize("name", TABLES)
def test_tables_name_what_there_is(name: str) -> None:
    table, project = TABLES[name], Project.here(catalog=CATALOG)
    failure = project.catalog[table.record].failure
    assert set(table.environments) <= set(project.matrix.environments)
    factors = {factor.name: factor.values for factor in failure.factors}
    for chosen in table.kinds.values():
        assert all(value in factors[factor] for factor, value in chosen.items())
    assert {chosen["kind"] for chosen in table.kinds.values()} == set(factors["kind"])
    assert "the other tables" in (ROOT / "reports" / table.page).read_text().lower()
    assert f"../../reports/{table.page}" in (ROOT / "docs" / "how-to" / "old-checkpoints.md").read_text()
