"""How the ranks of a record start."""

from typing import Any

import pytest
from pydantic import ValidationError

from repro.model.failure import Failure
from repro.model.rank_launcher import TORCHRUN, by_hand
from tests.unit.factories import failure

ACCELERATE = {"name": "accelerate", "program": "accelerate", "config": "accelerate.yaml"}
OTHER = {**ACCELERATE, "name": "option", "arguments": ["--fsdp_version", "2"]}
FACTOR = {"name": "launcher", "values": ["accelerate", "option"], "meaning": "who starts the ranks"}


def launched(*launchers: dict[str, Any], factors: tuple[dict[str, Any], ...] = (FACTOR,), **changes: Any) -> Failure:
    return failure(launchers=list(launchers), factors=list(factors), **changes)


def test_of_a_run() -> None:
    """The first launcher is the default; a run may name another one; without any it is torchrun."""
    record = launched(ACCELERATE, OTHER)
    assert record.launcher({}).name == "accelerate"
    assert record.launcher({"launcher": "option"}).arguments == ("--fsdp_version", "2")
    assert failure().launcher({}) is TORCHRUN
    assert launched(ACCELERATE, factors=()).launcher({}).config == "accelerate.yaml"


@pytest.mark.parametrize(
    ("launchers", "changes", "said"),
    [
        ([ACCELERATE, OTHER], {"factors": ()}, "values of factor 'launcher'"),
        ([ACCELERATE], {}, "values of factor 'launcher'"),
        ([], {}, "values of factor 'launcher'"),
        ([OTHER, ACCELERATE], {}, "values of factor 'launcher'"),
        ([ACCELERATE, OTHER], {"factors": ({**FACTOR, "variable": "A"},)}, "sets no variable"),
        ([ACCELERATE, OTHER], {"needs": {"torchrun": True}}, "has no other launchers"),
        ([ACCELERATE, ACCELERATE], {"factors": ()}, "defined twice"),
        ([{**ACCELERATE, "config": ""}], {"factors": ()}, "not a file name"),
        ([{"name": "accelerate", "program": "accelerate"}], {"factors": ()}, "both or neither"),
        ([{"name": "python", "program": "python", "config": "a.yaml"}], {"factors": ()}, "both or neither"),
        ([{"name": "python", "program": "python", "arguments": ["-x"]}], {"factors": ()}, "arguments are those of"),
        ([{**ACCELERATE, "config": "../a.yaml"}], {"factors": ()}, "not a file name"),
    ],
)
def test_refused(launchers: list[dict[str, Any]], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        launched(*launchers, **changes)


def test_by_hand() -> None:
    """What a user types before the script."""
    record = launched(ACCELERATE, OTHER)
    assert by_hand(TORCHRUN, 4) == ("torchrun", "--standalone", "--nproc-per-node", "4")
    words = by_hand(record.launcher({"launcher": "option"}), 2, "folder/accelerate.yaml")
    assert words == ("accelerate", "launch", "--config_file", "folder/accelerate.yaml", "--fsdp_version", "2")
    python = launched({"name": "python", "program": "python"}, factors=()).launcher({})
    assert by_hand(python, 2) == ("python",)


def test_flags() -> None:
    """The launcher and a variable are the harness's: the script knows no such flag."""
    variable = {"name": "debug", "variable": "DEBUG_LEVEL", "values": ["unset", "DETAIL"], "meaning": "a variable"}
    flag = {"name": "optimizer", "values": ["sgd", "adam"], "meaning": "a flag"}
    assert launched(ACCELERATE, OTHER, factors=(FACTOR, variable, flag)).flags == ("optimizer",)
