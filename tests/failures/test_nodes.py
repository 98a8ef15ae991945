"""The same failure on two nodes: two torchrun agents that find one another at one port of this host."""

import pytest

from repro.catalog.project import Project
from repro.model.cell import make_cell
from repro.model.verdict import Status, Verdict
from repro.testing.matched import Laboratory

RECORD = Project.here().catalog["pytorch-166638"].failure
ENVIRONMENT = "torch-2.13"

pytestmark = pytest.mark.xdist_group(RECORD.id)


def test_reproduced(laboratory: Laboratory) -> None:
    """The signature is that of one node, and both ranks show it; plain torchrun ran them."""
    result = laboratory.result(make_cell(RECORD, ENVIRONMENT, nodes=2))
    assert result.status is Status.AS_DOCUMENTED, result.judgement
    assert result.verdict is Verdict.REPRODUCED
    assert (result.newest.launcher, result.newest.cell.nodes) == ("torchrun", 2)
    one = laboratory.result(make_cell(RECORD, ENVIRONMENT))
    assert result.judgement.where == one.judgement.where
    errors = [[rank.error and rank.error.line for rank in seen.ranks] for seen in (result.newest, one.newest)]
    assert errors[0] == errors[1]


def test_correct(laboratory: Laboratory) -> None:
    """Where the number is reduced before it is read, the nodes agree on it: a collective crosses them."""
    result = laboratory.result(make_cell(RECORD, ENVIRONMENT, factors={"read": "full-tensor"}, nodes=2))
    assert result.verdict is Verdict.ABSENT, result.judgement
    assert result.newest.launcher_code == 0
    assert len({rank.oracle for rank in result.newest.ranks if rank.finished}) == 1
