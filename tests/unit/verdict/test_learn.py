"""A signature is learned from runs that fail: what it holds, what it lets differ, what it refuses."""

from typing import Any

import pytest

from repro.model.errors import ContradictionError, UndecidedError
from repro.model.failure import Signature
from repro.model.observation import Observation, Origin, Phase, Raised, Rank
from repro.model.pattern import PATTERN_CHARACTERS, is_found
from repro.model.script_failure import ScriptFailure, script_failure, with_signature
from repro.model.verdict import Verdict
from repro.verdict.judge import judge
from repro.verdict.learn import describe, generalise, in_short, learn, signature_of
from tests.unit.factories import (
    VERSIONS,
    failed,
    frame,
    installed,
    killed,
    late,
    lost_peer,
    observation,
    raised,
    rank,
    script_frame,
    waiting,
)

FAILURE = script_failure("script-train-0123456789", "train.py", "0" * 64, ("lightning",))
ERROR = raised("KeyError", "'optimizer_states' of 17 in /tmp/a/b.ckpt at 0x7f01")


def learned(*observations: Observation) -> ScriptFailure:
    return with_signature(FAILURE, learn(FAILURE, observations))


class TestGeneralise:
    @pytest.mark.parametrize(
        ("message", "same"),
        [
            ("expected 5 rows, got 7", "expected 12 rows, got 3"),
            ("size [2, 3] at 0x7f01ab", "size [16, 4, 4] at 0x55"),
            ("shape torch.Size([2]) is wrong", "shape torch.Size([4, 8]) is wrong"),
            (
                "No such file: '/tmp/run-1/checkpoint-1/state.json'",
                "No such file: '/home/me/out/checkpoint-9/state.json'",
            ),
            ("off by 1.5e-3", "off by 0.25"),
            ("commit 1a2b3c4d5e", "commit 99ffee0011aa"),
            ("first line\nsecond 1", "first line\nanother"),
        ],
    )
    def test_volatile_parts_may_differ(self, message: str, same: str) -> None:
        pattern = generalise(message)
        assert is_found(pattern, message)
        assert is_found(pattern, same)

    @pytest.mark.parametrize(
        ("message", "other"),
        [
            ("expected 5 rows", "expected 5 columns"),
            ("'optimizer_states'", "'loops'"),
            ("cannot cast fp32", "cannot cast fp16"),
            ("a.b (c) [d]", "aXb (c) [d]"),
            ("value is set", "some value is set"),
        ],
    )
    def test_words_may_not(self, message: str, other: str) -> None:
        assert is_found(generalise(message), message)
        assert not is_found(generalise(message), other)

    def test_an_empty_message_is_empty(self) -> None:
        assert is_found(generalise(""), "")
        assert not is_found(generalise(""), "something")

    def test_a_long_message_fits(self) -> None:
        message = "{[(" * 500
        assert is_found(generalise(message), message)

    def test_so_does_one_of_many_numbers(self) -> None:
        """Each number becomes a long class: of such a message less is kept, but never nothing."""
        message = "at " + "1 " * 500
        pattern = generalise(message)
        assert len(pattern) <= PATTERN_CHARACTERS
        assert is_found(pattern, message)
        assert not is_found(pattern, "at none")

    def test_how_much_of_a_message_is_kept(self) -> None:
        """160 characters, and half of them as long as the pattern would be too long."""
        assert generalise("a" * 200) == r"^\s*" + "a" * 160
        number = generalise("1").removeprefix(r"^\s*")
        assert generalise("1 " * 500) == r"^\s*" + f"{number} " * 20

    def test_a_pattern_of_exactly_the_most_is_kept(self) -> None:
        numbers = "1 " * 23
        message = numbers + "a" * (PATTERN_CHARACTERS - len(generalise(numbers + ".")) + 2)
        assert len(message) <= 160
        assert len(generalise(message)) == PATTERN_CHARACTERS


class TestDescribe:
    LIBRARY = signature_of(ERROR)
    SCRIPT = signature_of(raised("ValueError", "bad", script_frame("main")))
    HANG = LIBRARY.model_copy(update={"kind": "hang", "function": "barrier", "library": "torch"})
    EXIT = LIBRARY.model_copy(update={"kind": "exit", "type": "SIGSEGV"})

    @pytest.mark.parametrize(
        ("signature", "short", "long"),
        [
            (
                LIBRARY,
                "KeyError in save_checkpoint of lightning",
                f"KeyError in save_checkpoint of lightning, on some ranks, message {LIBRARY.message}",
            ),
            (
                SCRIPT,
                "ValueError in main of the script",
                r"ValueError in main of the script, on some ranks, message ^\s*bad",
            ),
            (HANG, "A hang in barrier of torch", "a hang in barrier of torch, on some ranks"),
            (EXIT, "SIGSEGV", "SIGSEGV, on some ranks"),
        ],
    )
    def test_in_short_and_whole(self, signature: Signature, short: str, long: str) -> None:
        assert in_short(signature) == short
        assert describe(signature) == long


class TestLearn:
    def test_an_error_without_frames_is_the_scripts(self) -> None:
        signature = signature_of(Raised(type="SystemExit", module="builtins", message="3"))
        assert (signature.kind, signature.function, signature.library) == ("script", "", "")

    def test_what_was_learned_before_does_not_count(self) -> None:
        """A search may begin again with a failure that has a signature: the runs alone decide."""
        before = learned(observation(killed(0, 11), killed(1, 11)))
        assert learn(before, [observation(failed(0, ERROR), failed(1, ERROR))]).type == "KeyError"

    def test_a_package_that_is_missing_is_not_learned_again(self) -> None:
        """Not even where the failure has it as its signature already."""
        missing = raised("ModuleNotFoundError", "No module named 'datasets'")
        before = with_signature(FAILURE, signature_of(missing))
        with pytest.raises(UndecidedError, match="lacks a package"):
            learn(before, [observation(failed(0, missing), failed(1, missing))])

    def test_one_rank_fails_and_the_other_passes(self) -> None:
        assert learn(FAILURE, [observation(failed(0, ERROR), rank(1))]).ranks == 0

    def test_a_hang_of_two_ranks_and_three_others(self) -> None:
        barrier = (script_frame(), frame("barrier", "torch/distributed/c10d.py"))
        ranks = [waiting(n, *(barrier if n < 2 else ())) for n in range(5)]
        signature = learn(FAILURE, [late(*ranks)])
        assert (signature.function, signature.ranks, signature.others) == ("barrier", "any", "all_gather")

    def test_a_hang_below_no_frame_of_the_script(self) -> None:
        """The innermost frame of a library counts; the standard library below it acts for it."""
        stack = (frame("all_gather", "torch/a.py"), frame("wait", "threading.py", Origin.STDLIB))
        signature = learn(FAILURE, [late(waiting(0, *stack), waiting(1, *stack))])
        assert (signature.function, signature.library) == ("all_gather", "torch")

    def test_a_library_exception_on_every_rank(self) -> None:
        run = observation(failed(0, ERROR), failed(1, ERROR))
        signature = learn(FAILURE, [run, run])
        assert (signature.kind, signature.type, signature.ranks) == ("exception", "KeyError", "all")
        assert (signature.library, signature.function) == ("lightning", "save_checkpoint")
        assert describe(signature).startswith("KeyError in save_checkpoint of lightning, on every rank")

    def test_one_rank_fails_and_the_other_loses_it(self) -> None:
        run = observation(failed(0, ERROR), failed(1, lost_peer(), at=6.0))
        assert learn(FAILURE, [run]).ranks == 0

    def test_runs_that_fail_on_other_ranks_leave_the_rank_open(self) -> None:
        first = observation(failed(0, ERROR), failed(1, lost_peer(), at=6.0))
        second = observation(failed(0, lost_peer(), at=6.0), failed(1, ERROR))
        assert learn(FAILURE, [first, second]).ranks == "any"

    def test_the_script_itself_raises(self) -> None:
        error = raised("SystemExit", "3", script_frame("<module>"), script_frame("main"))
        signature = learn(FAILURE, [observation(failed(0, error), failed(1, error))])
        assert (signature.kind, signature.function, signature.library) == ("script", "main", "")

    def test_a_module_beside_the_script_is_the_script(self) -> None:
        error = raised("ValueError", "bad", script_frame(), frame("build", "model.py", Origin.HARNESS))
        made = learned(observation(failed(0, error), failed(1, error)))
        assert made.signature.kind == "script"
        in_library = raised("ValueError", "bad", script_frame(), frame("build"))
        assert judge(made, observation(failed(0, in_library), failed(1, in_library))).verdict is Verdict.DIFFERENT

    def test_a_crash(self) -> None:
        made = learned(observation(killed(0, 11), killed(1, 11)))
        assert (made.signature.type, made.signature.ranks) == ("SIGSEGV", "all")
        assert judge(made, observation(killed(0, 11), rank(1))).verdict is Verdict.DIFFERENT
        assert judge(made, observation(killed(0, 6), killed(1, 6))).verdict is Verdict.DIFFERENT

    def test_a_hang(self) -> None:
        made = learned(late(waiting(0), waiting(1)))
        assert (made.signature.kind, made.signature.function, made.signature.ranks) == ("hang", "all_gather", "all")
        assert describe(made.signature) == "a hang in all_gather of torch, on every rank"

    def test_a_hang_in_two_places(self) -> None:
        barrier = (script_frame(), frame("barrier", "torch/distributed/c10d.py"))
        signature = learn(FAILURE, [late(waiting(0, *barrier), waiting(1))])
        assert (signature.function, signature.ranks, signature.others) == ("barrier", 0, "all_gather")
        assert describe(signature) == "a hang in barrier of torch, on rank 0 only, the others in all_gather"

    def test_a_crash_of_one_rank(self) -> None:
        made = learned(observation(killed(0, 11), failed(1, lost_peer(), at=6.0)))
        assert describe(made.signature) == "SIGSEGV, on rank 0 only"
        aborted = killed(1, 6, tail="NCCL watchdog thread terminated")
        assert judge(made, observation(killed(0, 11), aborted)).verdict is Verdict.REPRODUCED

    @pytest.mark.parametrize("other", [failed(1, ERROR), killed(1, 6), rank(1, exit_code=3)])
    def test_a_crash_beside_another_failure_is_another_failure(self, other: Rank) -> None:
        made = learned(observation(killed(0, 11), failed(1, lost_peer(), at=6.0)))
        assert judge(made, observation(killed(0, 11), other)).verdict is Verdict.DIFFERENT

    def test_an_import_that_a_release_has_dropped(self) -> None:
        error = raised("ImportError", "cannot import name 'Fabric' from 'lightning'", script_frame())
        made = learned(observation(*(failed(n, error, reached=False, phase=Phase.IMPORT) for n in (0, 1))))
        assert made.signature.type == "ImportError"


class TestRefusals:
    """What says nothing of the library is never learned."""

    @pytest.mark.parametrize(
        ("ranks", "words"),
        [
            ([failed(0, raised("OSError", "[Errno 28] No space left on device")), rank(1)], "limit of the machine"),
            ([failed(0, raised("ModuleNotFoundError", "No module named 'datasets'")), rank(1)], "lacks a package"),
            ([failed(0, lost_peer()), failed(1, lost_peer())], "loss of a peer"),
            ([killed(0, 9), rank(1)], "from outside"),
            ([failed(0, ERROR), failed(1, raised("ValueError", "other"))], "in different ways"),
        ],
    )
    def test_one_run(self, ranks: list[Rank], words: str) -> None:
        with pytest.raises(UndecidedError, match=words):
            learn(FAILURE, [observation(*ranks)])

    def test_a_run_that_passes(self) -> None:
        with pytest.raises(ContradictionError, match=r"^it does not fail: every rank ended with exit code 0$"):
            learn(FAILURE, [observation(rank(0, oracle=None), rank(1, oracle=None))])

    @pytest.mark.parametrize(
        ("held", "reason"),
        [
            (failed(0, raised("MemoryError", "no")), "rank 0 met a limit of the machine: MemoryError: no"),
            (killed(0, 9), r"rank 0 was killed by signal 9 \(SIGKILL\) from outside"),
        ],
    )
    def test_why(self, held: Rank, reason: str) -> None:
        with pytest.raises(UndecidedError, match=f"^it says nothing of the library: {reason}$"):
            learn(FAILURE, [observation(held, rank(1))])

    def test_a_hang_in_a_hook_that_a_library_calls(self) -> None:
        """Below the script's own frame no library waits."""
        stack = (script_frame(), frame("backward", "torch/autograd.py"), script_frame("hook"))
        with pytest.raises(UndecidedError, match="rank 0 waits in no library"):
            learn(FAILURE, [late(waiting(0, *stack), waiting(1))])

    def test_a_slow_run(self) -> None:
        busy: Any = {"between_dumps": None}
        with pytest.raises(UndecidedError, match="did not end within 120 s"):
            learn(FAILURE, [late(waiting(0, **busy), waiting(1))])

    def test_a_hang_in_the_script(self) -> None:
        """A rank that waits in its own loop says nothing of a library."""
        with pytest.raises(UndecidedError, match="rank 1 waits in no library"):
            learn(FAILURE, [late(waiting(0), waiting(1, script_frame("poll")))])

    @pytest.mark.parametrize(
        ("places", "where"),
        [
            (
                [("barrier", "torch/distributed/c10d.py"), ("broadcast", "torch/distributed/c10d.py")],
                "rank 0 in all_gather; rank 1 in barrier; rank 2 in broadcast",
            ),
            ([("barrier", "lightning/fabric/strategies/fsdp.py")], "rank 0 in all_gather; rank 1 in barrier"),
            (
                [("all_gather", "torch/distributed/c10d.py"), ("barrier", "lightning/fabric/strategies/fsdp.py")],
                "rank 2 in barrier; rank 0, 1 in all_gather",
            ),
        ],
    )
    def test_a_hang_in_places_that_no_signature_names(self, places: list[tuple[str, str]], where: str) -> None:
        """A signature names two functions of one library."""
        others = [waiting(n, script_frame(), frame(*place)) for n, place in enumerate(places, 1)]
        with pytest.raises(UndecidedError, match=f"^its ranks wait in several places: {where}$"):
            learn(FAILURE, [late(waiting(0), *others)])

    def test_a_signature_that_its_own_run_does_not_show(self) -> None:
        """Two ranks end with different exit codes: neither is how the script fails."""
        with pytest.raises(UndecidedError, match="no signature that holds: exit code 3, on rank 0 only"):
            learn(FAILURE, [observation(rank(0, exit_code=3), rank(1, exit_code=4))])

    def test_runs_that_fail_in_different_ways(self) -> None:
        other = raised("ValueError", "other")
        with pytest.raises(UndecidedError, match="in different ways"):
            learn(
                FAILURE,
                [observation(failed(0, ERROR), failed(1, ERROR)), observation(failed(0, other), failed(1, other))],
            )


class TestJudgeOfScripts:
    MADE = learned(observation(failed(0, ERROR), failed(1, ERROR)))

    def test_the_signature_again(self) -> None:
        error = raised("KeyError", "'optimizer_states' of 4 in /x/y at 0x1")
        assert judge(self.MADE, observation(failed(0, error), failed(1, error))).verdict is Verdict.REPRODUCED

    @pytest.mark.parametrize(
        "error",
        [
            raised("KeyError", "'loops' of 17 in /tmp/a at 0x7"),
            raised("KeyError", ERROR.message, script_frame(), frame("load_checkpoint")),
            raised("TypeError", ERROR.message),
        ],
    )
    def test_another_failure_is_different(self, error: Any) -> None:
        assert judge(self.MADE, observation(failed(0, error), failed(1, error))).verdict is Verdict.DIFFERENT

    def test_other_ranks_are_different(self) -> None:
        assert judge(self.MADE, observation(failed(0, ERROR), rank(1))).verdict is not Verdict.REPRODUCED

    def test_a_pass_needs_no_oracle_and_no_end_of_the_script(self) -> None:
        passed = [rank(n, oracle=None, finished=False) for n in (0, 1)]
        assert judge(self.MADE, observation(*passed)).verdict is Verdict.ABSENT

    def test_why_it_passed(self) -> None:
        judged = judge(self.MADE, observation(rank(0, oracle=None), rank(1, oracle=None)))
        assert (judged.reason, judged.rank) == ("every rank ended with exit code 0", 0)

    @pytest.mark.parametrize("made", [MADE, FAILURE])
    def test_a_run_that_was_broken_off_says_nothing(self, made: ScriptFailure) -> None:
        judged = judge(made, observation(failed(0, ERROR), failed(1, ERROR), fault="interrupted"))
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, "interrupted")

    def test_a_crash_on_the_rank_that_the_signature_names(self) -> None:
        made = learned(observation(killed(0, 11), failed(1, lost_peer(), at=6.0)))
        assert judge(made, observation(killed(1, 11), failed(0, lost_peer(), at=6.0))).verdict is Verdict.DIFFERENT
        judged = judge(made, observation(killed(0, 11), failed(1, lost_peer(), at=6.0)))
        assert (judged.reason, judged.rank, judged.evidence) == ("ends with SIGSEGV on rank 0 only", 0, "SIGSEGV")

    def test_an_exit_code_in_the_place_of_the_signature_is_another_failure(self) -> None:
        """A rank that leaves without an exception ran, and ended otherwise: that is no run that says nothing."""
        judged = judge(self.MADE, observation(rank(0), rank(1, exit_code=3, finished=False, oracle=None)))
        assert (judged.verdict, judged.rank) == (Verdict.DIFFERENT, 1)
        assert judged.reason == "rank 1 ended with exit code 3 and no exception"

    def test_a_crash_before_a_deadline_is_not_the_whole_failure(self) -> None:
        made = learned(observation(killed(0, 11), failed(1, lost_peer(), at=6.0)))
        assert judge(made, late(killed(0, 11), waiting(1))).verdict is Verdict.DIFFERENT

    def test_why_by_the_exit_code_alone(self) -> None:
        judged = judge(FAILURE, observation(rank(0), failed(1, ERROR)))
        assert (judged.reason, judged.rank) == ("it fails; judged by exit code alone", 1)
        judged = judge(FAILURE, observation(rank(0), rank(1, exit_code=3)))
        assert judged.reason == "rank 1 ends with exit code 3; judged by exit code alone"
        assert (judged.rank, judged.evidence) == (1, "exit code 3")

    def test_a_rank_that_was_stopped_is_no_pass(self) -> None:
        ranks = [rank(0, oracle=None), rank(1, oracle=None, stopped=True)]
        assert judge(self.MADE, observation(*ranks)).verdict is Verdict.UNRUNNABLE

    def test_a_deadline_is_no_verdict(self) -> None:
        assert judge(self.MADE, late(waiting(0), waiting(1))).verdict is Verdict.UNRUNNABLE

    def test_a_missing_package_is_no_verdict(self) -> None:
        missing = raised("ModuleNotFoundError", "No module named 'datasets'")
        ranks = [failed(n, missing, reached=False) for n in (0, 1)]
        assert judge(self.MADE, observation(*ranks)).verdict is Verdict.UNRUNNABLE
        assert judge(FAILURE, observation(*ranks)).verdict is Verdict.UNRUNNABLE

    def test_the_package_from_elsewhere_is_no_verdict(self) -> None:
        foreign = {
            name: module.model_copy(update={"inside": name != "lightning"}) for name, module in rank(0).imported.items()
        }
        ranks = [failed(n, ERROR, imported=foreign) for n in (0, 1)]
        assert judge(self.MADE, observation(*ranks)).verdict is Verdict.UNRUNNABLE

    def test_the_exit_code_alone(self) -> None:
        other = raised("TypeError", "whatever")
        assert judge(FAILURE, observation(failed(0, other), failed(1, ERROR))).verdict is Verdict.REPRODUCED
        assert judge(FAILURE, observation(rank(0, exit_code=3), rank(1))).verdict is Verdict.REPRODUCED
        assert judge(FAILURE, observation(killed(0, 9), rank(1))).verdict is Verdict.UNRUNNABLE
        assert judge(FAILURE, late(waiting(0), waiting(1))).verdict is Verdict.UNRUNNABLE

    def test_the_package_need_not_be_imported(self) -> None:
        held = installed(VERSIONS | {"other": "1.0"})
        ranks = [rank(n, oracle=None, imported={}) for n in (0, 1)]
        assert judge(self.MADE, observation(*ranks, installed=held)).verdict is Verdict.ABSENT

    def test_an_environment_that_is_not_known_is_no_verdict(self) -> None:
        passed = [rank(n, oracle=None) for n in (0, 1)]
        judged = judge(self.MADE, observation(*passed, installed=None))
        assert (judged.verdict, judged.reason) == (
            Verdict.UNRUNNABLE,
            "it is not known what is installed in the environment",
        )

    @pytest.mark.parametrize("code", [0, None])
    def test_a_rank_that_never_reached_the_script_is_no_pass(self, code: int | None) -> None:
        ranks = [rank(0, oracle=None), rank(1, oracle=None, reached=False, exit_code=code)]
        judged = judge(self.MADE, observation(*ranks, launcher_code=0))
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, "rank 1 never reached its own code")
