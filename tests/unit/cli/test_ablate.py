"""``repro ablate``, with runs that are played."""

import pytest

from repro.catalog.project import Project
from repro.model.answers.evidence import AblationAnswer
from repro.model.verdict import Verdict
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, failed, observation, rank, write_failure
from tests.unit.launch.test_session import Played

pytestmark = pytest.mark.usefixtures("held")


@pytest.fixture(autouse=True)
def needs_shards(played: Played) -> None:
    """The failure needs the sharded form, whatever the number of ranks."""
    played.answer = lambda cell, under_test: observation(
        *((rank if "state-dict-type" in cell.factors else failed)(number) for number in range(cell.world_size)),
        cell=cell,
        installed=under_test.installed,
    )


def test_answer(call: Call, played: Played) -> None:
    """Which factor is necessary, in JSON; all rows run on the first affected environment."""
    code, out, _ = call("ablate", FAILURE, "--json")
    answer = AblationAnswer.model_validate_json(out)
    assert (code, answer.failure, answer.environment, answer.undecided) == (0, FAILURE, "old", 0)
    form, ranks = answer.factors
    assert (form.name, form.default, form.alone) == ("state-dict-type", "sharded", {"full": Verdict.ABSENT})
    assert (form.necessary, form.irrelevant) == (True, False)
    assert (ranks.name, ranks.necessary, ranks.irrelevant) == ("world-size", False, True)
    assert answer.smallest == ({"state-dict-type": "sharded"},)
    assert {cell.environment.label for cell in played.cells} == {"old"}


def test_table(call: Call) -> None:
    """The same in words."""
    code, out, _ = call("ablate", FAILURE, "--env", "old")
    assert code == 0
    assert "full: ✓ absent" in out
    assert "necessary" in out
    assert "smallest failing set: state-dict-type=sharded" in out


def test_undecided(call: Call, played: Played) -> None:
    """A row that could not be run: exit code 3, and it is said."""
    play = played.answer
    played.answer = lambda cell, under_test: (
        observation(cell=cell, fault="no slots") if cell.factors == {"world-size": "1"} else play(cell, under_test)
    )
    code, out, _ = call("ablate", FAILURE)
    assert code == 3
    assert "1 rows could not be judged" in out


def test_mistakes(call: Call, held: Project) -> None:
    """An environment that is not defined, and a failure that the matrix runs nowhere."""
    write_failure(held.failures, id="torch-1")
    code, _, err = call("ablate", FAILURE, "--env", "odl")
    assert (code, err) == (2, "repro: no environment 'odl'; did you mean 'old'?\n")
    code, _, err = call("ablate", "torch-1")
    assert code == 2
    assert "matrix.yaml runs torch-1 on no affected environment; name one with --env" in err
