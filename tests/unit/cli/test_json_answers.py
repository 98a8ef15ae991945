"""What commands print with ``--json`` is what their published models accept."""

from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.model.answers.base import Answer
from repro.model.answers.upkeep import MergeAnswer, ObservationsAnswer, PruneAnswer, RejudgeAnswer, VerifyAnswer
from tests.unit.cli.calls import Call


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (("store", "list"), ObservationsAnswer),
        (("store", "verify"), VerifyAnswer),
        (("store", "prune", "--dry-run"), PruneAnswer),
        (("rejudge",), RejudgeAnswer),
    ],
)
def test_answers(held: Project, call: Call, words: tuple[str, ...], model: type[Answer]) -> None:
    """Also with every field there that the model names."""
    answer = model.model_validate_json(call(*words, "--json")[1])
    assert answer.format == 1
    assert held.catalog.entries


@pytest.mark.usefixtures("held")
def test_merge(call: Call, tmp_path: Path) -> None:
    """An empty store adds nothing."""
    (tmp_path / "shard" / "data").mkdir(parents=True)
    answer = MergeAnswer.model_validate_json(call("store", "merge", str(tmp_path / "shard"), "--json")[1])
    assert answer.added == 0
