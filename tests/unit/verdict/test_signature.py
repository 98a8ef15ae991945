"""One exception, one stack or one end of a process against what is known about it."""

from typing import Any

import pytest

from repro.model.failure import Signature
from repro.model.observation import BetweenDumps, Frame, Origin, Raised, Rank
from repro.verdict.signature import is_limit, met_limit, shows, waits_in, why_not_still
from tests.unit.factories import ASSERTION, RECORD, STILL, frame, killed, raised, rank, script_frame, waiting

FULL = "[Errno 28] No space left on device"
SCRIPT = Signature(kind="script", type="ValueError", message="bad", function="main")
BESIDE = frame("main", "model.py", Origin.HARNESS)
"""A file beside the script."""


@pytest.mark.parametrize("part", ["type", "message", "function", "library"])
def test_an_unanswered_signature_matches_nothing(part: str) -> None:
    """Not even an error that prints the placeholder."""
    signature = Signature.model_validate(RECORD["signature"])
    assert shows(raised(), signature)
    error = raised("ANSWER" if part == "type" else "KeyError", "'optimizer_states' ANSWER", frame(function="ANSWER"))
    unanswered = signature.model_copy(update={part: "ANSWER"})
    assert not shows(error, unanswered)
    assert not shows(raised(), unanswered)


class TestShows:
    @pytest.mark.parametrize("innermost", [script_frame("main"), BESIDE])
    def test_the_code_of_the_script_raises(self, innermost: Frame) -> None:
        assert shows(raised("ValueError", "bad", script_frame(), innermost), SCRIPT)

    def test_code_of_the_script_that_a_library_calls(self) -> None:
        error = raised("ValueError", "bad", script_frame(), frame(), script_frame("main"))
        assert shows(error, SCRIPT)

    @pytest.mark.parametrize(
        "innermost",
        [script_frame("other"), frame("main"), frame("main", "json/decoder.py", Origin.STDLIB)],
    )
    def test_something_else_raises(self, innermost: Frame) -> None:
        """Another function, a library, or the standard library called by another function."""
        assert not shows(raised("ValueError", "bad", script_frame("other"), innermost), SCRIPT)

    def test_without_a_function_any_function_of_the_script(self) -> None:
        anywhere = SCRIPT.model_copy(update={"function": ""})
        assert shows(raised("ValueError", "bad", script_frame("other")), anywhere)
        assert not shows(raised("ValueError", "bad", script_frame(), frame("main")), anywhere)

    @pytest.mark.parametrize("kind", ["assertion", "growth"])
    def test_an_assertion_of_the_oracle(self, kind: str) -> None:
        """The script's own, whether it compares values or what was measured; a library's is another one."""
        signature = Signature.model_validate(ASSERTION | {"kind": kind})
        assert shows(raised("AssertionError", "weights differ", script_frame()), signature)
        assert not shows(raised("AssertionError", "weights differ", script_frame(), frame()), signature)

    @pytest.mark.parametrize("signature", [SCRIPT, Signature.model_validate(ASSERTION)])
    def test_an_error_without_frames_has_no_place(self, signature: Signature) -> None:
        error = Raised(type=signature.type, module="builtins", message=signature.message)
        assert not shows(error, signature)


class TestLimits:
    @pytest.mark.parametrize(("kind", "limit"), [("OSError", True), ("RuntimeError", True), ("AssertionError", False)])
    def test_an_assertion_that_quotes_a_limit_is_none(self, kind: str, limit: bool) -> None:
        assert is_limit(raised(kind, FULL)) is limit

    @pytest.mark.parametrize("kind", ["MemoryError", "BlockingIOError"])
    def test_a_type_is_enough(self, kind: str) -> None:
        assert is_limit(raised(kind, ""))

    def test_a_rank_that_passed_met_none(self) -> None:
        assert not met_limit(rank(0, tail=FULL), ())
        assert met_limit(killed(0, 6, tail=FULL), ())


def between(**changes: Any) -> BetweenDumps:
    return STILL.model_copy(update=changes)


HERE = (script_frame(), frame("all_gather"))
THERE = (script_frame(), frame("barrier"))


class TestStandsStill:
    @pytest.mark.parametrize(
        ("held", "why"),
        [
            (waiting(0), None),
            (waiting(0, between_dumps=between(wakeups=None)), None),
            (waiting(0, between_dumps=between(wakeups=25, cpu_seconds=0.03 * 2.5)), None),
            (waiting(0, between_dumps=between(seconds=1.0)), None),
            (waiting(0, ended=True), None),
            (waiting(0, ended=True, stopped=False), "had ended before the deadline"),
            (
                waiting(0, between_dumps=between(stopped=True)),
                "was stopped by a signal (SIGSTOP), so that the others waited for it",
            ),
            (waiting(0, stacks=()), "did not dump its stack twice"),
            (waiting(0, stacks=(HERE,)), "did not dump its stack twice"),
            (waiting(0, stacks=((), HERE)), "did not dump its stack twice"),
            (waiting(0, stacks=(HERE, THERE)), "moved between the two dumps: it is slow, not stuck"),
            (waiting(0, stacks=(HERE, HERE, THERE)), "moved between the two dumps: it is slow, not stuck"),
            (
                waiting(0, between_dumps=None),
                "was not watched between the two dumps, so it may have been working",
            ),
            (
                waiting(0, between_dumps=between(seconds=0.9)),
                "was not watched between the two dumps, so it may have been working",
            ),
            (waiting(0, between_dumps=between(running=1)), "used 0.00 s of CPU in the 2.5 s between the two dumps"),
            (
                waiting(0, between_dumps=between(cpu_seconds=0.2)),
                "used 0.20 s of CPU in the 2.5 s between the two dumps",
            ),
            (waiting(0, between_dumps=between(wakeups=26)), "woke up 26 times in the 2.5 s between the two dumps"),
        ],
    )
    def test_why_not(self, held: Rank, why: str | None) -> None:
        """Each doubt has its own reason; without any, the rank stands still."""
        assert why_not_still(held) == why


class TestWaits:
    def test_a_stack_without_the_script_counts_whole(self) -> None:
        """A thread or a callback of a library: all of its frames are the library's."""
        stack = [frame("all_gather", "torch/distributed/c10d.py"), frame("wait", "torch/futures.py")]
        assert waits_in(stack, "all_gather", "torch")

    def test_what_called_the_script_does_not_wait(self) -> None:
        stack = [script_frame(), frame("all_gather", "torch/a.py"), script_frame("hook"), frame("wait", "torch/b.py")]
        assert not waits_in(stack, "all_gather", "torch")
        assert waits_in(stack, "wait", "torch")
        assert waits_in(stack, "hook", "")
        assert not waits_in(stack, "wait", "lightning")
