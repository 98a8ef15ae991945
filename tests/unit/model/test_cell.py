"""Cells: valid or refused with the nearest name."""

import pytest

from repro.model.cell import Adopted, Cell, Named, Overlaid, make_cell
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.factories import failure


def test_default() -> None:
    """Without settings: the CPU lane, the record's number of ranks, the failing configuration."""
    made = make_cell(failure(needs={"world_size": 4}), "old")
    assert (made.lane, made.world_size, made.factors, made.backport) == (Lane.CPU, 4, {}, None)
    assert made.is_default


def test_first_lane() -> None:
    """A failure that does not run in the CPU lane runs in its own, and in no other."""
    record = failure(needs={"lanes": ["cuda"]})
    assert make_cell(record, "old").lane is Lane.CUDA
    with pytest.raises(UsageError, match="does not run in lane cpu; it has cuda"):
        make_cell(record, "old", lane=Lane.CPU)


def test_default_value_is_no_change() -> None:
    """A factor that is set to its default is the same cell: its expectation still holds."""
    made = make_cell(failure(), "old", factors={"state-dict-type": "sharded", "world-size": "2"})
    assert made == make_cell(failure(), "old")


def test_changed() -> None:
    """Changed factors and ranks are kept, in a fixed order."""
    factors = [{"name": name, "values": ["a", "b"], "meaning": "m"} for name in ("z", "y")]
    record = failure(factors=factors)
    made = make_cell(record, "old", factors={"z": "b", "world-size": "3", "y": "b"})
    assert list(made.factors) == ["world-size", "y", "z"]
    assert made.world_size == 3
    assert not made.is_default
    assert made == make_cell(record, "old", factors={"y": "b", "z": "b", "world-size": "3"})


def test_label() -> None:
    """One line that tells cells apart."""
    made = make_cell(failure(), "old", lane=Lane.CUDA, backport="cure", factors={"state-dict-type": "full"})
    assert made.label == "lightning-19492 old cuda +cure state-dict-type=full"


def test_nodes() -> None:
    """Ranks are divided among nodes evenly; a cell on one node is the cell that does not name them."""
    made = make_cell(failure(needs={"world_size": 4}), "old", nodes=2)
    assert (made.nodes, made.is_default) == (2, True)
    assert made.label == "lightning-19492 old nodes=2"
    assert make_cell(failure(), "old", nodes=1) == make_cell(failure(), "old")
    assert make_cell(failure(), "old", factors={"world-size": "6"}, nodes=3).world_size == 6
    for nodes in (3, 4):
        with pytest.raises(UsageError) as caught:
            make_cell(failure(), "old", nodes=nodes)
        assert str(caught.value) == f"lightning-19492 has 2 ranks: they cannot be divided among {nodes} nodes"


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"state-dict-typ": "full"}, "no factor of lightning-19492 'state-dict-typ'; did you mean 'state-dict-type'?"),
        ({"wrold-size": "2"}, "no factor of lightning-19492 'wrold-size'; did you mean 'world-size'?"),
        ({"state-dict-type": "ful"}, "no value of factor 'state-dict-type' 'ful'; did you mean 'full'?"),
        ({"state-dict-type": ""}, "no value of factor 'state-dict-type' ''; valid: full, sharded"),
        ({"world-size": "0"}, "world-size: a number of ranks is expected, not '0'"),
        ({"world-size": "-1"}, "world-size: a number of ranks is expected, not '-1'"),
        ({"world-size": "two"}, "world-size: a number of ranks is expected, not 'two'"),
        ({"world-size": "2.0"}, "world-size: a number of ranks is expected, not '2.0'"),
        ({"world-size": "²"}, "world-size: a number of ranks is expected, not '²'"),
    ],
)
def test_wrong_factor(factors: dict[str, str], message: str) -> None:
    """Names, values and numbers of ranks that the record does not know."""
    with pytest.raises(UsageError) as caught:
        make_cell(failure(), "old", factors=factors)
    assert str(caught.value) == message


def test_wrong_backport() -> None:
    """A backport that the record does not know."""
    with pytest.raises(UsageError, match=r"did you mean 'placebo'\?"):
        make_cell(failure(), "old", backport="placeba")
    with pytest.raises(UsageError, match="none is defined"):
        make_cell(failure(backports=[]), "old", backport="cure")


def test_round_trip() -> None:
    """A cell is stored and read without loss."""
    made = make_cell(failure(), "old", lane=Lane.CUDA, backport="cure", factors={"world-size": "3"})
    assert Cell.model_validate_json(made.model_dump_json(exclude_defaults=True)) == made


class TestEnvironment:
    """Where a cell runs: a union in the code, text in files."""

    @pytest.mark.parametrize(
        ("environment", "text"),
        [
            (Named("torch-2.2 with torch 2.4.1"), "torch-2.2 with torch 2.4.1"),
            (Adopted("/opt/venv/bin/python"), "python:/opt/venv/bin/python"),
            (Adopted("3.12.3"), "python:3.12.3"),
            (Overlaid("newest"), "overlay:newest"),
        ],
    )
    def test_text(self, environment: Named | Adopted | Overlaid, text: str) -> None:
        """A stored cell of earlier releases reads the same, and is written byte for byte as before."""
        stored = f'{{"failure":"torch-1","environment":"{text}","lane":"cpu","backport":null,"factors":{{}},"world_size":2,"nodes":1}}'  # noqa: E501
        made = Cell.model_validate_json(stored)
        assert made.environment == environment
        assert made == make_cell(failure(id="torch-1"), environment)
        assert made.label == f"torch-1 {text}"
        assert made.model_dump_json() == stored
        assert made.model_dump(mode="json")["environment"] == text

    @pytest.mark.parametrize("name", ["../../evil", "a/b", "a\\b", "..", ".", "", "a\nb", "overlay:../x", "x" * 501, 7])
    def test_hostile(self, name: object) -> None:
        """A name that would leave its folder is refused where it enters."""
        with pytest.raises(ValueError, match="environment"):
            Cell.model_validate({"failure": "torch-1", "environment": name})

    def test_named_only(self) -> None:
        """Text for ``make_cell`` is a name: no record can make a cell of an interpreter."""
        with pytest.raises(ValueError, match="cannot be the name"):
            make_cell(failure(), "python:/usr/bin/python3")

    def test_schema(self) -> None:
        """The published schema says text."""
        assert Cell.model_json_schema(mode="serialization")["properties"]["environment"]["type"] == "string"
