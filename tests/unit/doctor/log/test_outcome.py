"""The answers: known, could be, reported, new, consequences only; and what versions change."""

import io
from typing import Any

import pytest

from repro.doctor.log.given_log import read_log
from repro.doctor.log.log_answer import Answer, LogAnswer
from repro.doctor.log.outcome import Known, answer, exit_of_log
from repro.doctor.stack.stack import Stack
from repro.model.errors import Exit
from repro.model.public_threads import Reported
from repro.report.redaction import Redactor
from tests.unit.factories import REJECTION, failure

SITE = "/opt/venv/lib/python3.11/site-packages/"
SAVE = {
    "name": "save", "error": ["KeyError"], "message": "^'optimizer_states'$",
    "frames": [{"library": "lightning", "function": "save_checkpoint"}],
}  # fmt: skip
REFUSED = {"name": "refused", "error": ["ValueError"], "message": "not supported", "alone": True, "refused": True}
ERROR = (
    "Traceback (most recent call last):\n"
    f'  File "{SITE}lightning/pytorch/strategies/fsdp.py", line 5, in save_checkpoint\n'
    "    pop()\nKeyError: 'optimizer_states'\n"
)
THREAD = Reported.model_validate({
    "link": "https://github.com/owner/project/issues/7", "stated": {"torch": ">=2.0"}, "said": "An upgrade helps.",
    "seen_as": {"name": "x", "error": ["ValueError"], "message": "odd value", "alone": True},
})  # fmt: skip


def found(text: str, *, stack: Stack | None = None, reported: tuple[Reported, ...] = (), **changes: Any) -> LogAnswer:
    known = Known((failure(**{"seen_as": [SAVE]} | changes),), reported)
    return answer("log", read_log(io.BytesIO(text.encode()), known, stack), known, Redactor())


def test_known() -> None:
    """A cure, a place, and exit code 1."""
    item = found(ERROR)
    assert (item.answer, item.found[0].id, item.found[0].line) == (Answer.KNOWN, "lightning-19492", 4)
    assert exit_of_log(item) is Exit.CHANGED


@pytest.mark.parametrize(
    ("said", "expected", "words"),
    [
        ("lightning==2.2.1\n", Answer.KNOWN, "affected by the record"),
        ("- PyTorch Lightning Version: 2.2.1\n", Answer.KNOWN, "affected by the record"),
        ("lightning==2.6.0\n", Answer.COULD_BE, "not listed by the record"),
        ("", Answer.KNOWN, "the log states no version of lightning"),
        ("lightning==2.2.1\nlightning==2.6.0\n", Answer.KNOWN, "the log states no version"),
    ],
)
def test_versions_of_the_log(said: str, expected: Answer, words: str) -> None:
    """Versions that the record does not list make it uncertain; several versions are none."""
    item = found(said + ERROR)
    assert item.answer is expected
    assert words in item.found[0].versions


def test_given_versions_count_more() -> None:
    """What --python or --from says counts, not what the log says."""
    item = found("lightning==2.2.1\n" + ERROR, stack=Stack.of({"lightning": "2.6.0"}))
    assert item.answer is Answer.COULD_BE


def test_refused() -> None:
    """The clear error of a release that refuses: known there, uncertain where no release refuses."""
    changes: dict[str, Any] = {"seen_as": [REFUSED], "rejected": [REJECTION]}
    text = "ValueError: sharded is not supported\n"
    assert found("lightning==2.2.2\n" + text, **changes).answer is Answer.KNOWN
    assert found("lightning==2.2.1\n" + text, **changes).answer is Answer.COULD_BE
    assert found(text, **changes).found[0].refused


def test_line_that_needs_versions() -> None:
    """A line that healthy runs print too counts with affected versions only."""
    changes: dict[str, Any] = {
        "seen_as": [{"name": "line", "text": "casts weights", "with_versions": True, "but": "others print it"}]
    }
    line = "UserWarning: casts weights\n"
    assert found("lightning==2.2.1\n" + line, **changes).answer is Answer.COULD_BE
    assert found("lightning==2.6.0\n" + line, **changes).answer is Answer.NOTHING
    assert found(line, **changes).answer is Answer.NOTHING


def test_reported() -> None:
    """A thread is shown as unproved, with its link, and never beside a documented failure."""
    item = found("ValueError: odd value 3\n", reported=(THREAD,))
    assert (item.answer, item.found[0].links) == (Answer.REPORTED, ("https://github.com/owner/project/issues/7",))
    assert any("nobody" in text for text in item.found[0].but)
    assert exit_of_log(item) is Exit.UNKNOWN
    assert [match.id for match in found(ERROR + "ValueError: odd value 3\n", reported=(THREAD,)).found] == [
        "lightning-19492"
    ]


def test_new() -> None:
    """Nothing known: the nearest ones with what differs, and exit code 0."""
    item = found(ERROR.replace("save_checkpoint", "load_checkpoint"))
    assert item.answer is Answer.NEW
    assert [near.id for near in item.nearest] == ["lightning-19492"]
    assert "save_checkpoint" in item.nearest[0].differs[0]
    assert any("bisect" in step and "draft" in step for step in item.next)
    assert exit_of_log(item) is Exit.OK


def test_consequences_only() -> None:
    """Only the report of another rank's failure: it is said which rank to look at, and decides nothing."""
    text = (
        "RuntimeError: [../gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:41172\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n  rank      : 5 (local_rank: 1)\n"
    )
    item = found(text)
    assert item.answer is Answer.CONSEQUENCES
    assert any("rank 5" in note for note in item.notes)
    assert exit_of_log(item) is Exit.UNKNOWN


def test_nothing() -> None:
    """A log of a run that ended well."""
    assert (found("step 1 loss 0.5\n").answer, exit_of_log(found(""))) == (Answer.NOTHING, Exit.OK)


def test_a_run_that_went_on() -> None:
    """An error with a long log behind it may have been handled."""
    item = found("ValueError: other\n" + "step 1 loss 0.5\n" * 500)
    assert any("may have survived" in note for note in item.notes)
