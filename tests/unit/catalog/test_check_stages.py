"""What `repro check` says of stages: each problem with its key and what to do."""

from pathlib import Path
from typing import Any

import pytest

from repro.catalog.catalog import Entry
from repro.catalog.check_failure import EntryCheck
from repro.model.failure import Failure
from repro.model.matrix import Matrix
from tests.unit.factories import FAILURE, MATRIX, RECORD, SCRIPT, STAGES, matrix, write_failure

STAGED = SCRIPT.replace(
    "    parser.parse_args()",
    '    parser.add_argument("--stage", choices=["write", "read"], required=True)\n'
    '    parser.add_argument("--folder", required=True)\n    parser.parse_args()',
)
NEEDS = {"distributions": {"lightning": ">=2.0"}}
PAIR = {"environments": {"writer": "old", "reader": "new"}, "backports": ["cure"]}


def faults(
    root: Path, *, script: str = STAGED, pairs: tuple[dict[str, Any], ...] = (PAIR,), **changes: Any
) -> list[str]:
    """The faults of a staged record whose reader must be new and whose writer must be old."""
    record = {"stages": STAGES, "needs": NEEDS, "affected": [{"lightning": ">=2.2.2"}], **changes}
    pinned = script.replace("lightning==2.2.1", "lightning==2.2.2")
    place = write_failure(root, script=pinned, **record)
    held: Matrix = matrix(runs={**MATRIX["runs"], FAILURE: {"environments": ["old"], "pairs": list(pairs)}})

    entry = Entry(Failure.model_validate(RECORD | record), place)
    return [str(fault) for fault in EntryCheck(entry, held, None).faults()]


def test_complete(tmp_path: Path) -> None:
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"script": SCRIPT}, "repro.py has no flag --stage"),
        ({"script": SCRIPT}, "repro.py has no flag --folder"),
        ({"script": STAGED.replace('"write", "read"', '"save", "load"')}, "--stage takes save, load"),
        ({"pairs": ()}, "no default environment is affected"),
        ({"pairs": ({"environments": {"writer": "old", "raeder": "new"}},)}, "the roles are writer, reader"),
        ({"pairs": ({"environments": {"writer": "odl", "reader": "new"}},)}, "names environment 'odl'"),
        ({"pairs": ({**PAIR, "backports": ["cuer"]},)}, "runs backport 'cuer'"),
        ({"stages": [{**STAGES[0], "factors": {"state": "full"}}, STAGES[1]]}, "no factor 'state'"),
        ({"stages": [{**STAGES[0], "factors": {"state-dict-type": "fool"}}, STAGES[1]]}, "no value 'fool'"),
        ({"needs": {**NEEDS, "torchrun": True}}, "cannot be about torchrun itself"),
        ({"kind": "growth"}, "cannot measure growth yet"),
        ({"needs": {}}, "needs.distributions does not name it"),
    ],
)
def test_problems(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in faults(tmp_path, **changes))


def test_evidence_and_backports(tmp_path: Path) -> None:
    claim = {"id": "one", "kind": "cause", "statement": "x", "verdict": "confirmed"}
    evidence = [{"environment": "new", "roles": {"writer": "odl", "critic": "old"}, "predicts": "reproduced"}]
    backport = {"name": "cure", "file": "backport.py", "meaning": "x", "cures": True, "stage": "raed"}
    placebo = {"name": "placebo", "file": "placebo.py", "meaning": "x", "cures": False}
    found = faults(tmp_path, claims=[{**claim, "evidence": evidence}], backports=[backport, placebo])
    assert [text for text in found if "no role 'critic'" in text]
    assert [text for text in found if "environment 'odl' is not in matrix.yaml" in text]
    assert [text for text in found if "no stage 'raed'" in text]
