"""A signature matches its own failure and nothing else."""

from typing import Any

import pytest

from repro.catalog.check_signature import ForeignError, faults_of, foreign_errors, problems_of, signatures_of
from repro.catalog.project import Project
from repro.model.failure import Signature
from tests.unit.factories import ASSERTION, HANG, REJECTION, failure

EXCEPTION = {"type": "RuntimeError", "message": "no such word", "function": "load_state_dict", "library": "torch"}


def found(signature: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    made = Signature.model_validate(signature | changes)
    return [(key, problem) for key, problem, _ in faults_of(made, foreign_errors())]


def test_the_set() -> None:
    """At least sixty different errors, assertions among them."""
    errors = foreign_errors()
    assert len({error.message for error in errors}) == len(errors) >= 60
    assert sum(error.type == "AssertionError" for error in errors) >= 10


@pytest.mark.parametrize("message", [".", ".*", "", "a", r"\w", "^", "e|x", "(?s).+", "not"])
def test_nearly_everything(message: str) -> None:
    """A message that any error has says nothing, for assertions and exceptions."""
    for signature in (ASSERTION, EXCEPTION):
        if message:
            ((key, problem),) = found(signature, message=message)
            assert key == "message"
            assert "matches nearly every error" in problem


@pytest.mark.parametrize(
    ("signature", "message", "said"),
    [
        (ASSERTION, "^weights differ", "AssertionError: weights differ"),
        (ASSERTION, "(?i)tensor-LIKES", "AssertionError: Tensor-likes are not close!"),
        (ASSERTION, "^$", "an empty message"),
        (EXCEPTION, "Unexpected key", "RuntimeError: Error(s) in loading state_dict for Net:"),
        (EXCEPTION | {"function": "linear"}, "same dtype", "RuntimeError: mat1 and mat2 must have the same dtype"),
        (EXCEPTION | {"function": "", "library": "torch"}, "shared memory object", "unable to open shared memory"),
    ],
)
def test_foreign(signature: dict[str, Any], message: str, said: str) -> None:
    """The error that it would be mistaken for is named."""
    problems = [problem for key, problem in found(signature, message=message) if key == "message"]
    assert len(problems) == 1
    assert said in problems[0]


@pytest.mark.parametrize(
    "changes", [{"type": "KeyError"}, {"function": "load"}, {"library": "lightning"}, {"message": "Unexpected key.*1x"}]
)
def test_specific(changes: dict[str, str]) -> None:
    """What the verdict would tell apart by type, function, library or message is no fault."""
    assert found(EXCEPTION | {"message": "Unexpected key"}, **changes) == []


def test_incomplete() -> None:
    """Function and library may be missing while a record is written, and not when it is done."""
    made = failure(signature={"function": "", "library": ""})
    assert [key for key, _, _ in faults_of(made.signature, [])] == ["function", "library"]
    assert list(faults_of(made.signature, [], is_rejection=True)) == []


def test_no_message() -> None:
    """A hang has none; a question of the scaffold is reported where it stands."""
    assert found(HANG) == []
    assert found(ASSERTION, message="ANSWER") == []
    foreign = [ForeignError(type="AssertionError", function="main", message="the ANSWER is 42")]
    assert list(faults_of(Signature.model_validate(ASSERTION | {"message": "ANSWER"}), foreign)) == []


@pytest.mark.parametrize(("ranks", "asked"), [("all", False), ("any", True), (0, True), (1, True)])
def test_hang_of_some_ranks(ranks: str | int, asked: bool) -> None:
    """Where the other ranks wait is asked if the hang is not on all of them."""
    assert found(HANG, ranks=ranks) == ([("others", "is missing")] if asked else [])
    if asked:
        assert found(HANG, ranks=ranks, others="barrier") == []


@pytest.mark.parametrize("key", ["function", "library", "others"])
def test_unanswered_hang(key: str) -> None:
    """A question in any part of a hang's signature leaves it unanswered."""
    assert not Signature.model_validate(HANG | {"ranks": 1, "others": "barrier"}).is_unanswered
    assert Signature.model_validate(HANG | {"ranks": 1, "others": "barrier"} | {key: "ANSWER"}).is_unanswered


def test_all_signatures() -> None:
    """The record's own, the lanes', those with a condition, the rejections'."""
    other = {"releases": {"lightning": "<2"}, "signature": ASSERTION, "why": "older"}
    lanes = {"cuda": {"signature": ASSERTION, "why": "other kernels"}}
    made = failure(rejected=[REJECTION], differs_in=lanes, signatures=[other])
    assert [at for at, _ in signatures_of(made)] == [
        ("signature",),
        ("differs_in", "cuda", "signature"),
        ("signatures", 0, "signature"),
        ("rejected", 0, "signature"),
    ]


@pytest.mark.parametrize("record", [entry.failure for entry in Project.here().catalog], ids=lambda item: item.id)
def test_our_records(record: Any) -> None:
    """No record of ours is mistaken for a foreign error."""
    for at, signature in signatures_of(record):
        assert list(faults_of(signature, foreign_errors(), is_rejection=at[0] == "rejected")) == []


def test_conditions() -> None:
    """A condition names what the record knows: a distribution, a factor, a value."""
    conditions = [
        {"releases": {"lightnin": ">=2"}},
        {"factors": {"state-dict": "full"}},
        {"factors": {"state-dict-type": "ful"}},
        {"releases": {"lightning": ">=2"}, "factors": {"state-dict-type": "full"}},
    ]
    signatures = [item | {"signature": ASSERTION, "why": "another way"} for item in conditions]
    found = list(problems_of(failure(signatures=signatures)))
    assert [(".".join(map(str, at)), remedy) for at, _, remedy in found] == [
        ("signatures.0.releases.lightnin", "did you mean 'lightning'?"),
        ("signatures.1.factors.state-dict", "did you mean 'state-dict-type'?"),
        ("signatures.2.factors.state-dict-type", "did you mean 'full'?"),
    ]


def test_ranks_that_do_not_exist() -> None:
    """A rank beyond the largest number of ranks shows nothing, ever."""
    ((at, problem, remedy),) = problems_of(failure(signature={"ranks": "all but 2"}))
    assert (at, remedy) == (("signature", "ranks"), "ranks are counted from 0 to 1")
    assert "at most 2 ranks" in problem
    assert list(problems_of(failure(signature={"ranks": [2]}, needs={"world_size": 4}))) == []
    sizes = {"name": "world-size", "values": ["2", "4"], "meaning": "ranks"}
    assert list(problems_of(failure(signature={"ranks": [2]}, factors=[sizes]))) == []


@pytest.mark.parametrize(
    ("message", "keys"),
    [
        ("No module named 'flash_attn'", ["message"]),
        ("No module named 'torch.gone'", []),
        ("cannot import name 'X'", []),
    ],
)
def test_import(message: str, keys: list[str]) -> None:
    """An import that fails for want of a package is no failure of two releases."""
    made = Signature(kind="import", type="ImportError", message=message, function="<module>", library="peft")
    assert [key for key, _, _ in faults_of(made, [])] == keys


def test_import_is_placed() -> None:
    """A failing import is placed as an exception is."""
    made = Signature(kind="import", type="ImportError", message="cannot import name 'X'")
    assert [key for key, _, _ in faults_of(made, [])] == ["function", "library"]


PRINTED = {"kind": "warning", "type": "UserWarning", "library": "torch", "message": "The epoch parameter was"}


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (PRINTED, None),
        (PRINTED | {"message": "lr_scheduler"}, "Detected call of"),
        (PRINTED | {"message": "lr_scheduler", "library": "script"}, None),
        ({"kind": "output", "message": "leaked [0-9]+ semaphores"}, None),
        ({"kind": "output", "message": "CUDA out of memory"}, "CUDA out of memory"),
        ({"kind": "output", "message": "Error:"}, "matches nearly every error"),
    ],
)
def test_printed(signature: dict[str, Any], said: str | None) -> None:
    """A warning must not be taken for another of its library, nor a line for that of any error."""
    problems = [problem for _, problem in found(signature)]
    assert (len(problems), said is None or said in problems[0]) == (said is not None, True)


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (PRINTED | {"library": ""}, "needs type"),
        (PRINTED | {"type": "KeyError"}, "needs type"),
        (PRINTED | {"function": "step"}, "names no function"),
        ({"kind": "output"}, "has a message"),
        ({"kind": "output", "message": "x y", "type": "UserWarning"}, "has a message"),
        (PRINTED | {"ranks": 0, "others": "step"}, "'others' is for"),
    ],
)
def test_printed_is_complete(signature: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Signature.model_validate(signature)


def test_printed_is_no_refusal() -> None:
    made = failure(rejected=[{**REJECTION, "signature": PRINTED}])
    assert [at for at, _, _ in problems_of(made)] == [("rejected", 0, "signature", "kind")]
