"""The verdict of one run."""

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.model.failure import Failure
from repro.model.observation import BetweenDumps, Frame, Imported, Observation, Origin, Phase, Raised, Rank
from repro.model.verdict import Verdict
from repro.verdict.judge import died_at_shutdown, judge
from tests.unit.factories import (
    ASSERTION,
    HANG,
    IMPORTED,
    REJECTION,
    STILL,
    cell,
    failed,
    failure,
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

SIGABRT, SIGKILL, SIGSEGV, SIGTERM = 6, 9, 11, 15
EARLY = "rank 1 left with exit code 0 before the end of its script"


def verdict(seen: Observation, **record: Any) -> Verdict:
    return judge(failure(**record), seen).verdict


class TestAbsent:
    """``absent`` needs every rank's own end, exit code 0, the oracle's words, and the launcher's 0."""

    def test_every_rank_passed(self) -> None:
        """All ranks at their end with exit code 0 and the oracle's words: absent, with these words and why."""
        judged = judge(failure(), observation())
        assert (judged.verdict, judged.reason) == (
            Verdict.ABSENT,
            "every rank ended with exit code 0 after its oracle",
        )
        assert judged.evidence == "all 12 tensors are equal"

    @pytest.mark.parametrize(
        "changes",
        [
            {"finished": False},
            {"oracle": None},
            {"oracle": ""},
            {"exit_code": None, "ended": False},
            {"exit_code": 1},
            {"exit_code": None, "signal": SIGSEGV},
            {"started": False},
            {"reached": False},
        ],
    )
    @pytest.mark.parametrize("which", [0, 1])
    def test_one_rank_falls_short(self, changes: dict[str, Any], which: int) -> None:
        """One rank that lacks any part of the proof is enough to deny it."""
        ranks = [rank(number, **(changes if number == which else {})) for number in (0, 1)]
        assert verdict(observation(*ranks)) not in {Verdict.ABSENT, Verdict.REPRODUCED}

    def test_silent_oracle(self) -> None:
        """Exit code 0 without the oracle's words on one rank says nothing, and the reason names the rank."""
        judged = judge(failure(), observation(rank(0), rank(1, oracle=None)))
        assert judged.verdict is Verdict.UNRUNNABLE
        assert judged.rank == 1
        assert "oracle" in judged.reason

    def test_exit_before_the_end(self) -> None:
        """``sys.exit(0)`` in the middle, even after the oracle's words, is no end of the script."""
        assert verdict(observation(rank(0, finished=False), rank(1))) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize("code", [1, -15, None])
    def test_launcher_failed(self, code: int | None) -> None:
        """Ranks with exit code 0 under a launcher that failed: nobody knows why, so nothing is said."""
        assert verdict(observation(launcher_code=code)) is Verdict.UNRUNNABLE

    def test_late_but_passed(self) -> None:
        """All ranks passed but the launcher had not ended at the deadline: not a pass."""
        assert verdict(observation(deadline_passed=True)) is Verdict.UNRUNNABLE


class TestUnrunnable:
    """What our own side, the environment or the machine spoilt is never a statement on the library."""

    def test_fault(self) -> None:
        """A fault of the harness outweighs whatever the ranks say, and is the reason."""
        judged = judge(failure(), observation(failed(0), failed(1), fault="interrupted"))
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, "interrupted")

    def test_fault_beside_success(self) -> None:
        """Nor is a run that was broken off a pass."""
        assert verdict(observation(fault="interrupted")) is Verdict.UNRUNNABLE

    def test_no_rank_started(self) -> None:
        """No rank at all: unrunnable, with their number."""
        seen = observation(rank(0, started=False), rank(1, started=False))
        assert judge(failure(), seen).reason == "2 of 2 ranks never started"

    def test_a_rank_is_missing(self) -> None:
        """Fewer ranks than the cell asks for: unrunnable, although the others passed."""
        assert verdict(observation(rank(0), cell=cell(world_size=2))) is Verdict.UNRUNNABLE

    def test_no_ranks_recorded(self) -> None:
        """An observation without ranks is not "every rank passed"."""
        assert verdict(observation(ranks=(), cell=cell(world_size=2))) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize("phase", [Phase.PREPARE, Phase.BACKPORT, Phase.IMPORT])
    def test_failed_before_its_own_code(self, phase: Phase) -> None:
        """An error before the script's own code is unrunnable, even with the signature on every rank."""
        seen = observation(*(failed(number, phase=phase, reached=False) for number in (0, 1)))
        judged = judge(failure(), seen)
        assert judged.verdict is Verdict.UNRUNNABLE
        assert judged.evidence == "KeyError: 'optimizer_states'"

    def test_one_rank_failed_before_its_own_code(self) -> None:
        """One rank that did not reach its own code spoils the run, although the other shows the signature."""
        assert (
            verdict(observation(failed(0), failed(1, reached=False)), signature={"ranks": "any"}) is Verdict.UNRUNNABLE
        )

    def test_import_error_in_the_script(self) -> None:
        """An import at the top of the script that fails is unrunnable, with the import's words."""
        error = raised("ModuleNotFoundError", "No module named 'lightning'", script_frame(), bases=("ImportError",))
        seen = observation(*(failed(number, error, reached=False, phase=Phase.IMPORT) for number in (0, 1)))
        judged = judge(failure(), seen)
        assert judged.verdict is Verdict.UNRUNNABLE
        assert "No module named 'lightning'" in judged.evidence

    @pytest.mark.parametrize("kind", ["ImportError", "ModuleNotFoundError", "OptionalDependencyNotAvailableError"])
    def test_missing_package_while_running(self, kind: str) -> None:
        """A package that is missed only later is the environment's fault too, by its type or its bases."""
        bases = ("ImportError", "Exception") if kind not in {"ImportError", "ModuleNotFoundError"} else ()
        error = raised(kind, "accelerate>=0.26 is required", bases=bases)
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.UNRUNNABLE

    def test_missing_package_as_the_cause(self) -> None:
        """A library that wraps the ImportError in its own type does not hide it."""
        chain = (raised("RuntimeError", "cannot load"), raised("ImportError", "libcudart.so", link="cause"))
        assert verdict(observation(failed(0, chain=chain), failed(1, chain=chain))) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("OSError", "[Errno 28] No space left on device: '/tmp/x'"),
            ("OSError", "[Errno 122] Disk quota exceeded"),
            ("OSError", "[Errno 30] Read-only file system: '/x'"),
            ("OSError", "[Errno 24] Too many open files"),
            ("OSError", "[Errno 24] Zu viele offene Dateien"),
            ("OSError", "[Errno 23] Too many open files in system"),
            ("OSError", "[Errno 27] File too large"),
            ("RuntimeError", "[enforce fail at inline_container.cc:626] . unexpected pos 64 vs 0 iostream error"),
            ("RuntimeError", "PytorchStreamWriter failed writing file data/0: file write failed"),
            ("SafetensorError", 'Error: IoError(Os { code: 28, kind: StorageFull, message: "full" })'),
            ("Exception", "File too large (os error 27)"),
            ("BlockingIOError", "[Errno 11] Resource temporarily unavailable"),
            ("BlockingIOError", ""),
            ("RuntimeError", "received 0 items of ancdata"),
            ("RuntimeError", "DataLoader worker (pid 7) is killed by signal: Bus error. "),
            ("RuntimeError", "DataLoader worker (pid(s) 7, 8) exited unexpectedly"),
            ("RuntimeError", "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
            ("RuntimeError", "std::bad_alloc"),
            ("gaierror", "[Errno -3] Temporary failure in name resolution"),
            ("OSError", "[Errno 12] Cannot allocate memory"),
            ("MemoryError", ""),
            ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2.00 GiB"),
            ("DistNetworkError", "The server socket has failed to listen: EADDRINUSE"),
            ("RuntimeError", "Address already in use"),
            ("RuntimeError", "unable to open shared memory object </torch_1> in read-write mode"),
            ("RuntimeError", "can't start new thread"),
        ],
    )
    def test_limits_of_the_machine(self, kind: str, message: str) -> None:
        """Disk, memory, files, ports and threads are the machine's."""
        judged = judge(failure(), observation(failed(0, raised(kind, message)), failed(1, lost_peer(), at=6)))
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 0)
        assert "limit of the machine" in judged.reason

    def test_limit_beside_the_signature(self) -> None:
        """A limit on one rank spoils the run, although the other showed the signature first."""
        limit = raised("OSError", "[Errno 24] Too many open files")
        for wanted in ("any", "all", 0):
            seen = observation(failed(0, at=1.0), failed(1, limit, at=2.0))
            assert verdict(seen, signature={"ranks": wanted}) is Verdict.UNRUNNABLE

    def test_limit_below_the_signature(self) -> None:
        """The documented error that a full disk caused is not the documented failure."""
        chain = (raised(), raised("OSError", "[Errno 28] No space left on device", link="cause"))
        assert verdict(observation(failed(0, chain=chain), failed(1, chain=chain))) is Verdict.UNRUNNABLE

    def test_assertion_that_quotes_a_limit(self) -> None:
        """An assertion is the script's own statement, whatever it quotes."""
        error = raised("AssertionError", "weights differ: [Errno 24] Too many open files", script_frame())
        assert verdict(observation(failed(0, error), failed(1, error)), signature=ASSERTION) is Verdict.REPRODUCED

    @pytest.mark.parametrize(
        "words",
        [
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "OpenBLAS blas_thread_init: pthread_create failed for thread 1 of 2: Resource temporarily unavailable",
        ],
    )
    @pytest.mark.parametrize("end", [{"signal": SIGABRT}, {"signal": None, "exit_code": 3}])
    def test_limit_in_the_last_words(self, words: str, end: dict[str, Any]) -> None:
        """Native code that a limit stops leaves its words in the output only."""
        seen = observation(rank(0), rank(1, **{"exit_code": None, "finished": False, "oracle": None} | end, tail=words))
        judged = judge(failure(), seen)
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 1)

    def test_network_warnings_in_the_output(self) -> None:
        """torch warns of an address in use where all is well: these words do not excuse a crash."""
        words = "[W socket.cpp:697] The server socket has failed to bind (errno: 98 - Address already in use)."
        assert verdict(observation(rank(0), killed(1, SIGSEGV, tail=words))) is Verdict.DIFFERENT

    def test_last_words_of_a_stopped_rank(self) -> None:
        """A rank that was asked to end did not end by a limit that it mentions."""
        seen = observation(failed(0), killed(1, SIGTERM, stopped=True, tail="Out of memory was handled"))
        assert verdict(seen, signature={"ranks": 0}) is Verdict.REPRODUCED

    def test_unreadable_rank(self) -> None:
        """What a rank left that cannot be trusted says nothing, with the reason, whatever else it says."""
        for make in (rank, failed):
            judged = judge(failure(), observation(make(0), make(1, unreadable="its journal is not a regular file")))
            assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 1)
            assert judged.reason == "rank 1: its journal is not a regular file"

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            (
                {"finished": False, "oracle": None},
                f"{EARLY}, before its oracle passed (sys.exit or os._exit)",
            ),
            (
                {"finished": False},
                f"{EARLY}, after its oracle had passed (sys.exit or os._exit)",
            ),
            (
                {"ended": False, "exit_code": None},
                "rank 1 has no recorded end: the process that watched it was killed",
            ),
            (
                {"exit_code": None, "signal": SIGTERM, "stopped": True},
                "rank 1 was asked to end from outside, or by the launcher, before anything had failed",
            ),
            ({}, "every rank passed, but the launcher ended with exit code -9"),
        ],
    )
    def test_why_there_is_no_verdict(self, changes: dict[str, Any], reason: str) -> None:
        """Every end that proves nothing has a clear reason."""
        judged = judge(failure(), observation(rank(0), rank(1, **changes), launcher_code=-9))
        assert (judged.verdict, judged.reason) == (Verdict.UNRUNNABLE, reason)

    def test_asked_to_end(self) -> None:
        """An interrupt from outside is named, although a peer then lost its connection."""
        ranks = (failed(0, lost_peer()), failed(1, raised("KeyboardInterrupt", "")))
        judged = judge(failure(), observation(*ranks))
        assert (judged.reason, judged.rank) == ("rank 1 was asked to end from outside (KeyboardInterrupt)", 1)

    def test_only_consequences_are_named(self) -> None:
        """The reason says that the cause was not seen, with the error as evidence."""
        judged = judge(failure(), observation(rank(0), failed(1, lost_peer())))
        assert (judged.reason, judged.rank) == ("every error is the loss of a peer: the cause was not seen", 1)
        assert "Connection closed by peer" in judged.evidence

    def test_resource_fault_as_the_cause(self) -> None:
        """A full disk under the library's own error is still a full disk."""
        chain = (raised("RuntimeError", "cannot save"), raised("OSError", "No space left on device", link="context"))
        assert verdict(observation(failed(0, chain=chain), failed(1, chain=chain))) is Verdict.UNRUNNABLE

    def test_signature_that_is_a_resource_error(self) -> None:
        """A record about running out of memory is reproduced by it: the signature is asked first."""
        error = raised("OutOfMemoryError", "CUDA out of memory")
        signature = {"type": "OutOfMemoryError", "message": "out of memory"}
        assert verdict(observation(failed(0, error), failed(1, error)), signature=signature) is Verdict.REPRODUCED

    def test_signature_that_is_an_import_error(self) -> None:
        """Likewise a record about an ImportError inside the library."""
        error = raised("ImportError", "cannot import name 'x'")
        signature = {"type": "ImportError", "message": "cannot import"}
        assert verdict(observation(failed(0, error), failed(1, error)), signature=signature) is Verdict.REPRODUCED

    def test_only_consequences(self) -> None:
        """Every error tells of a lost peer: the cause was not seen, so nothing is said."""
        assert verdict(observation(failed(0, lost_peer()), failed(1, lost_peer()))) is Verdict.UNRUNNABLE

    def test_interrupted_script(self) -> None:
        """A KeyboardInterrupt is somebody's wish, not a failure."""
        error = raised("KeyboardInterrupt", "", script_frame())
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.UNRUNNABLE


class TestReasons:
    """A verdict without the right reason, rank and place misleads who reads it."""

    @pytest.mark.parametrize(
        ("frames", "where"),
        [
            ((script_frame(),), "repro.py:40 in <module>"),
            (
                (script_frame(), frame(), frame("open", "pathlib.py", Origin.STDLIB)),
                "lightning/pytorch/strategies/fsdp.py:560 in save_checkpoint",
            ),
        ],
    )
    def test_place(self, frames: tuple[Frame, ...], where: str) -> None:
        """The innermost frame of a library, else the innermost one."""
        error = raised("TypeError", "no", *frames)
        judged = judge(failure(), observation(failed(0, error), failed(1, error)))
        assert (judged.verdict, judged.where) == (Verdict.DIFFERENT, where)

    def test_a_signal_has_no_place(self) -> None:
        """A process that died left no frame."""
        judged = judge(failure(), observation(killed(0, SIGSEGV), rank(1)))
        assert (judged.rank, judged.evidence, judged.where) == (0, "", "")
        assert judged.reason == "rank 0 died by signal 11 (SIGSEGV)"

    @pytest.mark.parametrize("stacks", [(), ((), ())])
    def test_a_rank_without_a_stack_has_no_place(self, stacks: tuple[tuple[Frame, ...], ...]) -> None:
        """A rank that could not be dumped stands nowhere."""
        judged = judge(failure(signature=HANG), late(waiting(0, stacks=stacks), waiting(1)))
        assert (judged.verdict, judged.rank, judged.where) == (Verdict.UNRUNNABLE, 0, "")

    @pytest.mark.parametrize(
        ("signature", "elsewhere", "rank_named", "problem"),
        [
            ({"ranks": "all"}, {1}, 1, "does not wait in all_gather"),
            (
                {"ranks": "any", "others": "barrier"},
                {0, 1},
                0,
                "does not wait in all_gather, nor does any other rank",
            ),
            ({"ranks": 0}, {1}, 1, "waits where the record does not say: its signature has no 'others'"),
        ],
    )
    def test_a_rank_that_waits_elsewhere(
        self, signature: dict[str, Any], elsewhere: set[int], rank_named: int, problem: str
    ) -> None:
        """The first such rank is named, with what the record asks of it."""
        barrier = (script_frame(), frame("barrier", "torch/distributed/c10d.py"))
        seen = late(*(waiting(number, *(barrier if number in elsewhere else ())) for number in (0, 1)))
        judged = judge(failure(signature=HANG | signature), seen)
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, rank_named)
        assert judged.reason == f"no end within 120 s, but rank {rank_named} {problem}"

    @pytest.mark.parametrize(
        ("held", "reason"),
        [
            (failed(1, reached=False), "rank 1 failed before it reached its own code"),
            (killed(1, SIGSEGV, reached=False), "rank 1 never reached its own code"),
        ],
    )
    def test_not_reached(self, held: Rank, reason: str) -> None:
        """With an error and without one."""
        assert judge(failure(), observation(rank(0), held)).reason == reason

    def test_the_words_of_the_first_oracle(self) -> None:
        """Of a pass the first rank is named, with its own words."""
        judged = judge(failure(), observation(rank(0, oracle="equal on 0"), rank(1, oracle="equal on 1")))
        assert (judged.rank, judged.evidence) == (0, "equal on 0")

    def test_a_missing_package(self) -> None:
        """The package is what to mend, not a peer that was lost."""
        error = raised("ImportError", "libcudart.so")
        judged = judge(failure(), observation(failed(0, error), failed(1, lost_peer(), at=6.0)))
        assert (judged.reason, judged.rank) == ("rank 0 lacks a package", 0)

    @pytest.mark.parametrize(
        ("ranks", "words"), [("all", "every rank"), ("any", "at least one rank"), (0, "rank 0 only")]
    )
    def test_ranks_of_the_signature(self, ranks: str | int, words: str) -> None:
        """The reason names the ranks that the record names."""
        others = failed(1, at=6.0) if ranks != 0 else rank(1)
        judged = judge(failure(signature={"ranks": ranks}), observation(failed(0), others))
        assert (judged.verdict, judged.reason) == (Verdict.REPRODUCED, f"the signature, on {words}")

    def test_ranks_of_a_refusal(self) -> None:
        """Likewise of a documented refusal."""
        error = raised("ValueError", "this is not supported", script_frame(), frame("setup"))
        judged = judge(failure(rejected=[REJECTION]), observation(failed(0, error), failed(1, error)))
        assert judged.reason == "refused with the documented error on every rank"

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (raised(), "the signature, but rank 1 does not show it"),
            (raised("TypeError", "no"), "the first error does not have the signature"),
        ],
    )
    def test_why_it_is_different(self, error: Raised, reason: str) -> None:
        """The documented error on too few ranks is told from another error."""
        judged = judge(failure(), observation(failed(0, error), rank(1)))
        assert (judged.verdict, judged.reason) == (Verdict.DIFFERENT, reason)


class TestBackport:
    """A cell with a backport needs it applied on every rank."""

    @pytest.mark.parametrize("applied", [(False, False), (True, False), (False, True)])
    def test_not_applied(self, applied: tuple[bool, bool]) -> None:
        """A pass without the backport on one rank proves nothing of the backport."""
        ranks = [rank(number, backport_applied=done) for number, done in enumerate(applied)]
        seen = observation(*ranks, cell=cell(backport="cure"))
        judged = judge(failure(), seen)
        assert judged.verdict is Verdict.UNRUNNABLE
        assert "backport was not applied" in judged.reason

    def test_applied(self) -> None:
        """With the backport on every rank, the usual rules hold."""
        seen = observation(*(rank(number, backport_applied=True) for number in (0, 1)), cell=cell(backport="cure"))
        assert verdict(seen) is Verdict.ABSENT

    def test_raised(self) -> None:
        """An error in the backport is its own, even with the signature's words."""
        ranks = [failed(number, phase=Phase.BACKPORT, reached=False) for number in (0, 1)]
        assert verdict(observation(*ranks, cell=cell(backport="cure"))) is Verdict.UNRUNNABLE


class TestImports:
    """What ran must be what the environment holds."""

    def check(self, imported: dict[str, Imported], *, versions: dict[str, str] | None = None, **record: Any) -> str:
        """The reason, if such imports on rank 1 make a passing and a failing run unrunnable; else nothing."""
        held = installed(versions) if versions is not None else installed()
        reasons = set()
        for make in (rank, failed):
            first = make(0, imported=imported) if versions else make(0)
            seen = observation(first, make(1, imported=imported), installed=held)
            judged = judge(failure(**record), seen)
            reasons.add(judged.reason if judged.verdict is Verdict.UNRUNNABLE else "")
        (reason,) = reasons
        return reason

    def test_other_version(self) -> None:
        """A module of another version than its distribution."""
        assert "imported lightning 2.2.2" in self.check({"lightning": Imported(version="2.2.2", inside=True)})

    def test_from_outside(self) -> None:
        """A module of the right version from somewhere else, say a source tree or PYTHONPATH."""
        assert "outside" in self.check({"lightning": Imported(version="2.2.1", inside=False)})

    def test_second_module_from_outside(self) -> None:
        """Every module of the distribution counts, not only the first."""
        modules = {
            "lightning": Imported(version="2.2.1", inside=True),
            "lightning_fabric": Imported(version="2.2.1", inside=False),
        }
        assert "outside" in self.check(modules)

    def test_not_imported(self) -> None:
        """A run that never imported what the record is about says nothing of it."""
        assert "did not import lightning" in self.check({"torch": Imported(version="2.2.2+cpu", inside=True)})

    def test_distribution_missing(self) -> None:
        """What the record is about is not installed."""
        assert "lightning is not installed" in self.check({}, versions={"torch": "2.2.2"})

    def test_needed_distribution_counts(self) -> None:
        """Distributions of ``needs`` are checked too: their version decides applicability."""
        imported = {
            "lightning": Imported(version="2.2.1", inside=True),
            "torch": Imported(version="2.1.0", inside=True),
        }
        assert "imported torch 2.1.0" in self.check(imported, needs={"distributions": {"torch": ">=2.2"}})

    def test_environment_unknown(self) -> None:
        """Without knowing what the environment holds, nothing is said but this."""
        judged = judge(failure(), observation(installed=None))
        assert (judged.verdict, judged.reason) == (
            Verdict.UNRUNNABLE,
            "it is not known what is installed in the environment",
        )

    @pytest.mark.parametrize(
        ("module", "distribution"),
        [
            ("2.13.0+cpu", "2.13.0"),
            ("2.13.0+cpu", "2.13.0+cpu"),
            ("2.2.2+cu121", "2.2.2"),
            ("2.2.2", "2.2.2+cu121"),
            ("2.3.0a0+git0f7d7be", "2.3.0a0"),
            ("2.3.0.rc1", "2.3.0rc1"),
            ("not-a-version", "not-a-version"),
        ],
    )
    def test_same_version(self, module: str, distribution: str) -> None:
        """Local labels and spellings of one release are the same release."""
        imported = {"lightning": Imported(version=module, inside=True)}
        assert self.check(imported, versions={"lightning": distribution}) == ""

    @pytest.mark.parametrize(
        ("module", "distribution"),
        [
            ("2.13.0", "2.13.1"),
            ("2.2.2", "2.2.2.post1"),
            ("2.2.0rc1", "2.2.0"),
            ("2.2.0.dev20240101", "2.2.0"),
            ("not-a-version", "2.2.0"),
            ("", "2.2.0"),
        ],
    )
    def test_not_same_version(self, module: str, distribution: str) -> None:
        """Another release is another release: post, pre and development releases too."""
        imported = {"lightning": Imported(version=module, inside=True)}
        assert self.check(imported, versions={"lightning": distribution}) != ""


class TestSignature:
    """``reproduced`` needs type, message and place, on exactly the ranks that the record names."""

    def test_on_every_rank(self) -> None:
        """The signature on all ranks: reproduced, with the error, its place and a rank."""
        judged = judge(failure(), observation(failed(0), failed(1)))
        assert judged.verdict is Verdict.REPRODUCED
        assert judged.evidence == "KeyError: 'optimizer_states'"
        assert judged.where == "lightning/pytorch/strategies/fsdp.py:560 in save_checkpoint"

    @pytest.mark.parametrize(
        "error",
        [
            raised("RuntimeError"),
            raised(message="'state_dict'"),
            raised("KeyError", "'optimizer_states'", script_frame(), frame("load_checkpoint")),
            raised("KeyError", "'optimizer_states'", script_frame(), frame(file="torch/distributed/fsdp/api.py")),
            raised("KeyError", "'optimizer_states'", script_frame("save_checkpoint")),
            raised("KeyError", "'optimizer_states'", script_frame(), frame(), frame("inner", line=7)),
            raised("KeyError", "'optimizer_states'", script_frame(), frame(file="lightning_fabric/x.py")),
            raised("KeyError", "'optimizer_states'").model_copy(update={"frames": ()}),
        ],
        ids=["type", "message", "function", "library", "own code", "deeper", "similar package", "no frames"],
    )
    def test_one_part_differs(self, error: Raised) -> None:
        """Another type, message, function or library is another failure."""
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.DIFFERENT

    def test_from_the_script_below_the_library(self) -> None:
        """An error of our own code that the library called is not the library's."""
        frames = (script_frame(), frame(), script_frame("hook"))
        error = raised("KeyError", "'optimizer_states'", *frames)
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.DIFFERENT

    def test_from_a_backport_below_the_library(self) -> None:
        """Nor is an error of a backport that the library called."""
        frames = (script_frame(), frame(), frame("apply", "placebo.py", Origin.HARNESS))
        error = raised("KeyError", "'optimizer_states'", *frames)
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.DIFFERENT

    def test_stdlib_below_the_library(self) -> None:
        """The standard library's frames below the library's are passed over: ``open`` fails for its caller."""
        stdlib = frame("open", "pathlib.py", Origin.STDLIB)
        error = raised("KeyError", "'optimizer_states'", script_frame(), frame(), stdlib)
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.REPRODUCED

    def test_through_a_backport(self) -> None:
        """A placebo that wraps the function does not hide the signature below it."""
        wrapper = frame("save_checkpoint", "placebo.py", Origin.HARNESS)
        error = raised("KeyError", "'optimizer_states'", script_frame(), frame("save"), wrapper, frame())
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.REPRODUCED

    def test_message_is_searched_as_a_pattern(self) -> None:
        """The record's message is a regular expression, found anywhere in a message of several lines."""
        error = raised("RuntimeError", "Error(s) in loading state_dict:\n  size mismatch for a.weight: 3 != 4")
        signature = {"type": "RuntimeError", "message": r"size mismatch for [a-z.]+: \d"}
        assert verdict(observation(failed(0, error), failed(1, error)), signature=signature) is Verdict.REPRODUCED

    def test_cause_in_the_chain_only(self) -> None:
        """The exception that left the script counts, not one that it came from."""
        chain = (raised("RuntimeError", "saving failed"), raised(link="cause"))
        assert verdict(observation(failed(0, chain=chain), failed(1, chain=chain))) is Verdict.DIFFERENT

    @pytest.mark.parametrize(
        ("wanted", "showing", "expected"),
        [
            ("all", {0, 1}, Verdict.REPRODUCED),
            ("all", {0}, Verdict.DIFFERENT),
            ("all", {1}, Verdict.DIFFERENT),
            ("any", {0, 1}, Verdict.REPRODUCED),
            ("any", {0}, Verdict.REPRODUCED),
            ("any", {1}, Verdict.REPRODUCED),
            (0, {0}, Verdict.REPRODUCED),
            (0, {1}, Verdict.DIFFERENT),
            (0, {0, 1}, Verdict.DIFFERENT),
            (1, {1}, Verdict.REPRODUCED),
            (1, {0}, Verdict.DIFFERENT),
            (2, {0}, Verdict.DIFFERENT),
        ],
    )
    @pytest.mark.parametrize("other", ["passed", "lost its peer", "stuck"])
    def test_ranks(self, wanted: str | int, showing: set[int], expected: Verdict, other: str) -> None:
        """The signature counts on exactly the ranks that the record names, whatever the silent others did."""
        quiet = {
            "passed": [rank(0), rank(1)],
            "lost its peer": [failed(number, lost_peer(), at=4.0) for number in (0, 1)],
            "stuck": [waiting(0), waiting(1)],
        }[other]
        ranks = [failed(number) if number in showing else quiet[number] for number in (0, 1)]
        make = late if other == "stuck" and len(showing) == 1 else observation
        if other == "stuck" and wanted == "all" and len(showing) == 1:
            expected = Verdict.UNRUNNABLE  # the other rank may be slow: it was ended before it showed anything
        assert verdict(make(*ranks), signature={"ranks": wanted}) is expected

    def test_in_another_phase_of_one_rank(self) -> None:
        """Another error of another rank beside the signature is no clean reproduction, even of any rank's."""
        other = failed(1, raised("TypeError", "no"), at=6.0)
        assert verdict(observation(failed(0), other), signature={"ranks": "any"}) is Verdict.DIFFERENT

    def test_consequence_beside_the_cause(self) -> None:
        """A lost peer's error that was recorded first does not displace the cause."""
        for consequence in (
            "Connection closed by peer [127.0.0.1]:31337",
            "[2] is setting up NCCL communicator: ncclRemoteError: A call failed possibly due to a network error",
            "Broken pipe",
            "Rank 1 failed to pass monitoredBarrier in 30000 ms",
        ):
            ranks = (failed(0, lost_peer(consequence), at=1.0), failed(1, at=2.0))
            judged = judge(failure(signature={"ranks": 1}), observation(*ranks))
            assert (judged.verdict, judged.rank) == (Verdict.REPRODUCED, 1), consequence

    def test_signature_with_the_words_of_a_consequence(self) -> None:
        """A record may be about a lost connection itself."""
        error = raised("RuntimeError", "Connection closed by peer")
        signature = {"type": "RuntimeError", "message": "Connection closed"}
        assert verdict(observation(failed(0, error), failed(1, error)), signature=signature) is Verdict.REPRODUCED

    def test_peer_that_exits_without_a_word(self) -> None:
        """A rank that ended itself with a code and no exception is something else that went wrong."""
        seen = observation(failed(0), rank(1, exit_code=3, finished=False, oracle=None))
        assert verdict(seen, signature={"ranks": 0}) is Verdict.DIFFERENT
        assert verdict(seen, signature={"ranks": "any"}) is Verdict.DIFFERENT

    def test_peer_that_was_stopped(self) -> None:
        """A rank that the launcher ended afterwards took no part, whatever code it made of the signal."""
        for peer in (killed(1, SIGTERM, stopped=True), rank(1, exit_code=143, stopped=True, finished=False)):
            assert verdict(observation(failed(0), peer), signature={"ranks": 0}) is Verdict.REPRODUCED

    def test_peer_that_raised_when_stopped(self) -> None:
        """What a rank raises because it was asked to end is no failure of its own."""
        stop = raised("SIGTERMException", "", script_frame(), frame("_run"), bases=("SystemExit",))
        peer = failed(1, stop, at=20.0, stopped=True)
        assert verdict(observation(failed(0), peer), signature={"ranks": 0}) is Verdict.REPRODUCED

    def test_deadline_beside_the_signature(self) -> None:
        """Rank 0 shows it and rank 1 waits for ever: the signature of rank 0, where the record says so."""
        seen = late(failed(0), waiting(1))
        assert verdict(seen, signature={"ranks": 0}) is Verdict.REPRODUCED
        judged = judge(failure(signature={"ranks": "all"}), seen)
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 0)
        assert "rank 1 was ended before it showed" in judged.reason

    def test_slow_peer_beside_another_failure(self) -> None:
        """A peer that was ended too early does not excuse another one that failed otherwise."""
        slow = killed(1, SIGTERM, stopped=True)
        other = failed(2, raised("TypeError", "no"), at=6.0)
        assert verdict(observation(failed(0), slow, other)) is Verdict.DIFFERENT


class TestFirstError:
    """The earliest root error decides."""

    def test_earliest_wins(self) -> None:
        """Of two different errors the one that was recorded first is named."""
        first, second = raised("ValueError", "first"), raised("TypeError", "second")
        for ranks, expected in (
            ((failed(0, first, at=1.0), failed(1, second, at=2.0)), 0),
            ((failed(0, second, at=2.0), failed(1, first, at=1.0)), 1),
        ):
            judged = judge(failure(), observation(*ranks))
            assert (judged.verdict, judged.rank, judged.evidence) == (Verdict.DIFFERENT, expected, "ValueError: first")

    def test_signature_after_another_error(self) -> None:
        """The signature as the second error is not the failure."""
        ranks = (failed(0, raised("ValueError", "x"), at=1.0), failed(1, at=2.0))
        judged = judge(failure(signature={"ranks": 1}), observation(*ranks))
        assert (judged.verdict, judged.rank) == (Verdict.DIFFERENT, 0)

    def test_system_exit(self) -> None:
        """``sys.exit(1)`` of the script is an end of another kind."""
        error = raised("SystemExit", "1", script_frame())
        judged = judge(failure(), observation(failed(0, error), failed(1, error)))
        assert (judged.verdict, judged.evidence) == (Verdict.DIFFERENT, "SystemExit: 1")

    def test_os_exit(self) -> None:
        """``os._exit(3)`` leaves no exception; the code is told."""
        judged = judge(failure(), observation(rank(0, exit_code=3, finished=False, oracle=None), rank(1)))
        assert judged.verdict is Verdict.DIFFERENT
        assert "exit code 3" in judged.reason

    def test_exit_code_after_the_end(self) -> None:
        """A code other than 0 at shutdown, after the oracle's words, is no pass."""
        assert verdict(observation(rank(0, exit_code=1), rank(1))) is Verdict.DIFFERENT

    def test_output_lost_at_the_end(self) -> None:
        """Python ends with 120 where its output could not be written: a limit, but only at the very end."""
        judged = judge(failure(), observation(rank(0, exit_code=120), rank(1)))
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 0)
        assert "exit code 120" in judged.reason
        assert verdict(observation(rank(0, exit_code=120, finished=False), rank(1))) is Verdict.DIFFERENT


class TestKilled:
    """Death by a signal."""

    @pytest.mark.parametrize("number", [SIGKILL, SIGTERM, 1, 2, 7, 13, 14, 24, 25, 64, 99])
    @pytest.mark.parametrize("other", ["passed", "signature", "lost its peer", "killed"])
    def test_from_outside(self, number: int, other: str) -> None:
        """Signals that a process does not raise by itself: nothing is said, whatever the others show."""
        peer = {
            "passed": rank(1),
            "signature": failed(1),
            "lost its peer": failed(1, lost_peer()),
            "killed": killed(1, number),
        }[other]
        seen = observation(killed(0, number), peer)
        judged = judge(failure(signature={"ranks": "any"}), seen)
        assert judged.verdict is Verdict.UNRUNNABLE
        assert f"rank 0 was killed by signal {number}" in judged.reason

    @pytest.mark.parametrize("first", [rank(0), failed(0, lost_peer()), killed(0, SIGTERM, stopped=True)])
    def test_from_outside_after_ranks_that_ended_otherwise(self, first: Rank) -> None:
        """Every rank counts: one that the system killed is no crash of the library, wherever it stands."""
        judged = judge(failure(), observation(first, killed(1, SIGKILL)))
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 1)
        assert judged.reason == "rank 1 was killed by signal 9 (SIGKILL) from outside"

    @pytest.mark.parametrize("number", [SIGSEGV, SIGABRT, 4, 5, 8, 31])
    @pytest.mark.parametrize("other", ["passed", "lost its peer", "killed", "stopped"])
    def test_crash(self, number: int, other: str) -> None:
        """A crash of native code is a failure, but not the documented one, and it is named."""
        peer = {
            "passed": rank(1),
            "lost its peer": failed(1, lost_peer(), at=0.5),
            "killed": killed(1, number),
            "stopped": killed(1, SIGTERM, stopped=True),
        }[other]
        judged = judge(failure(), observation(killed(0, number), peer))
        assert judged.verdict is Verdict.DIFFERENT
        assert f"signal {number}" in judged.reason

    @pytest.mark.parametrize("wanted", ["all", "any", 1])
    @pytest.mark.parametrize("number", [SIGSEGV, SIGABRT])
    def test_crash_beside_the_signature(self, wanted: str | int, number: int) -> None:
        """The signature beside a crash is not the documented failure alone."""
        seen = observation(killed(0, number), failed(1))
        assert verdict(seen, signature={"ranks": wanted}) is Verdict.DIFFERENT

    def test_crash_beside_a_full_disk(self) -> None:
        """A crash beside an error of the machine is the machine's: full shared memory kills by SIGBUS."""
        seen = observation(killed(0, 7), failed(1, raised("OSError", "[Errno 28] No space left on device")))
        judged = judge(failure(), seen)
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, 1)

    def test_crash_after_the_oracle(self) -> None:
        """A crash at shutdown, after the script's end, is no pass."""
        seen = observation(killed(0, SIGSEGV, finished=True, oracle="equal"), rank(1))
        assert verdict(seen) is Verdict.DIFFERENT

    def test_signature_then_killed(self) -> None:
        """A rank that recorded the signature and was killed afterwards has shown it."""
        seen = observation(failed(0, exit_code=None, signal=SIGKILL), failed(1))
        assert verdict(seen) is Verdict.REPRODUCED

    def test_killed_by_the_launcher(self) -> None:
        """Ranks that the launcher stopped, with no error anywhere, say nothing."""
        seen = observation(*(killed(number, SIGTERM, stopped=True) for number in (0, 1)))
        assert verdict(seen) is Verdict.UNRUNNABLE


class TestShutdown:
    """``died_at_shutdown``: a crash after everything was done is worth one more run."""

    DEAD = killed(1, SIGABRT, finished=True, oracle="equal")

    def test_after_the_end(self) -> None:
        """All scripts ended after their oracles, and then an interpreter died."""
        assert died_at_shutdown(observation(rank(0), self.DEAD))

    @pytest.mark.parametrize(
        "changes",
        [
            {"finished": False},
            {"oracle": None},
            {"chain": (raised(),)},
            {"stopped": True},
            {"signal": None, "exit_code": 0},
        ],
    )
    def test_anything_else(self, changes: dict[str, Any]) -> None:
        """Whatever is missing, the crash may have to do with the failure."""
        assert not died_at_shutdown(observation(rank(0), self.DEAD.model_copy(update=changes)))

    def test_no_ranks(self) -> None:
        """Nothing ran."""
        assert not died_at_shutdown(observation(ranks=(), cell=cell(world_size=2)))


class TestAssertion:
    """An assertion counts in the script only."""

    def test_in_the_script(self) -> None:
        """The oracle's own assertion on every rank: reproduced."""
        error = raised("AssertionError", "weights differ by 0.1", script_frame(), script_frame("compare"))
        assert verdict(observation(failed(0, error), failed(1, error)), signature=ASSERTION) is Verdict.REPRODUCED

    def test_in_a_library(self) -> None:
        """The same words from a library's assertion are another failure."""
        error = raised("AssertionError", "weights differ by 0.1", script_frame(), frame())
        assert verdict(observation(failed(0, error), failed(1, error)), signature=ASSERTION) is Verdict.DIFFERENT

    def test_in_the_stdlib(self) -> None:
        """Likewise from the standard library."""
        error = raised("AssertionError", "weights differ", script_frame(), frame("f", "queue.py", Origin.STDLIB))
        assert verdict(observation(failed(0, error), failed(1, error)), signature=ASSERTION) is Verdict.DIFFERENT

    @pytest.mark.parametrize(("function", "expected"), [("compare", Verdict.REPRODUCED), ("main", Verdict.DIFFERENT)])
    def test_function(self, function: str, expected: Verdict) -> None:
        """Where the record names the function, it counts."""
        error = raised("AssertionError", "weights differ", script_frame("main"), script_frame("compare"))
        seen = observation(failed(0, error), failed(1, error))
        assert verdict(seen, signature=ASSERTION | {"function": function}) is expected

    def test_other_message(self) -> None:
        """Another assertion of the script is another failure."""
        error = raised("AssertionError", "no file", script_frame())
        assert verdict(observation(failed(0, error), failed(1, error)), signature=ASSERTION) is Verdict.DIFFERENT

    def test_words_of_a_lost_peer(self) -> None:
        """An assertion that quotes a lost connection is an assertion."""
        error = raised("AssertionError", "rank 1 said: Connection closed by peer", script_frame())
        assert verdict(observation(failed(0, error), failed(1, error))) is Verdict.DIFFERENT


class TestHang:
    """A hang is a standstill in the documented function, on the documented ranks."""

    def test_signature(self) -> None:
        """The same stack twice on every rank, in the signature's function: reproduced, with the place."""
        judged = judge(failure(signature=HANG), late(waiting(0), waiting(1)))
        assert judged.verdict is Verdict.REPRODUCED
        assert "all_gather" in judged.where

    def test_ended_early(self) -> None:
        """A run that was ended because its ranks stood still says what it would have said at its deadline."""
        early = {"deadline_passed": False, "stood_still": 6.2}
        hang = failure(signature=HANG)
        assert judge(hang, late(waiting(0), waiting(1), **early)) == judge(hang, late(waiting(0), waiting(1)))
        working = waiting(1, between_dumps=STILL.model_copy(update={"running": 3}))
        judged = judge(hang, late(waiting(0), working, **early))
        assert judged.verdict is Verdict.UNRUNNABLE
        assert judged.reason.startswith("no rank did anything for 6 s, but rank 1 used")

    def test_without_a_hang_signature(self) -> None:
        """A deadline where no hang is documented says nothing, and tells where the ranks stood."""
        judged = judge(failure(), late(waiting(0), waiting(1)))
        assert judged.verdict is Verdict.UNRUNNABLE
        assert "120 s" in judged.reason
        assert "all_gather" in judged.where

    def test_without_any_stack(self) -> None:
        """No stacks were dumped: nothing is said."""
        seen = late(*(killed(number, SIGTERM, stopped=True) for number in (0, 1)))
        assert verdict(seen, signature=HANG) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize(
        "then",
        [
            (script_frame(), frame("all_gather", "torch/distributed/c10d.py", line=561)),
            (script_frame(line=41), frame("all_gather", "torch/distributed/c10d.py")),
            (script_frame(), frame("all_reduce", "torch/distributed/c10d.py")),
            (),
        ],
    )
    def test_slow(self, then: tuple[Frame, ...]) -> None:
        """Two different stacks are slow, not stuck."""
        assert verdict(late(waiting(0, then=then), waiting(1)), signature=HANG) is Verdict.UNRUNNABLE

    def test_one_dump_only(self) -> None:
        """One dump does not tell standing still from slow."""
        stacks = waiting(0).stacks[:1]
        assert (
            verdict(
                late(
                    waiting(
                        0,
                    ).model_copy(update={"stacks": stacks}),
                    waiting(1),
                ),
                signature=HANG,
            )
            is Verdict.UNRUNNABLE
        )

    def test_elsewhere(self) -> None:
        """A standstill in another function or library is not the documented one."""
        for place in (frame("all_reduce", "torch/distributed/c10d.py"), frame("all_gather", "lightning/x.py")):
            seen = late(waiting(0, script_frame(), place), waiting(1, script_frame(), place))
            assert verdict(seen, signature=HANG) is Verdict.UNRUNNABLE

    def test_function_in_the_middle_of_the_stack(self) -> None:
        """The documented function may wait in what it calls."""
        stack = (
            script_frame(),
            frame("all_gather", "torch/distributed/c10d.py"),
            frame("wait", "threading.py", Origin.STDLIB),
        )
        assert verdict(late(waiting(0, *stack), waiting(1, *stack)), signature=HANG) is Verdict.REPRODUCED

    HERE = (script_frame(), frame("all_gather", "torch/c10d.py"))
    THERE = (script_frame(line=50), frame("all_reduce", "torch/c10d.py"))

    @pytest.mark.parametrize(
        ("wanted", "others", "stuck", "expected"),
        [
            ("all", "", {0, 1}, Verdict.REPRODUCED),
            ("all", "", {0}, Verdict.UNRUNNABLE),
            ("any", "", {0, 1}, Verdict.REPRODUCED),
            ("any", "", {1}, Verdict.UNRUNNABLE),
            ("any", "all_reduce", {1}, Verdict.REPRODUCED),
            ("any", "all_reduce", {0, 1}, Verdict.REPRODUCED),
            ("any", "all_reduce", set(), Verdict.UNRUNNABLE),
            ("any", "barrier", {1}, Verdict.UNRUNNABLE),
            (0, "", {0}, Verdict.UNRUNNABLE),
            (0, "all_reduce", {0}, Verdict.REPRODUCED),
            (0, "all_reduce", {1}, Verdict.UNRUNNABLE),
            (0, "all_reduce", {0, 1}, Verdict.UNRUNNABLE),
            (0, "all_gather", {0, 1}, Verdict.REPRODUCED),
            (0, "barrier", {0}, Verdict.UNRUNNABLE),
            (1, "all_reduce", {1}, Verdict.REPRODUCED),
            (2, "all_reduce", {1}, Verdict.UNRUNNABLE),
            (2, "all_reduce", set(), Verdict.UNRUNNABLE),
        ],
    )
    def test_ranks(self, wanted: str | int, others: str, stuck: set[int], expected: Verdict) -> None:
        """Every rank stands where the record documents it: those that it names, and all others."""
        ranks = [waiting(number, *(self.HERE if number in stuck else self.THERE)) for number in (0, 1)]
        record = failure(signature=HANG | {"ranks": wanted, "others": others})
        judged = judge(record, late(*ranks))
        assert judged.verdict is expected, judged
        if expected is Verdict.REPRODUCED:
            assert judged.rank == (wanted if isinstance(wanted, int) else min(stuck))
            assert judged.where.endswith("in all_gather")
        else:
            assert "no end within 120 s, but rank" in judged.reason
            assert judged.where

    @pytest.mark.parametrize("wanted", ["all", "any", 0, 1])
    @pytest.mark.parametrize("which", [0, 1])
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"stacks": (), "between_dumps": STILL.model_copy(update={"stopped": True})}, "SIGSTOP"),
            ({"between_dumps": STILL.model_copy(update={"stopped": True})}, "SIGSTOP"),
            ({"between_dumps": STILL.model_copy(update={"cpu_seconds": 0.08})}, "used 0.08 s of CPU in the 2.5 s"),
            ({"between_dumps": STILL.model_copy(update={"running": 1})}, "of CPU"),
            ({"between_dumps": STILL.model_copy(update={"wakeups": 26})}, "woke up 26 times in the 2.5 s"),
            ({"between_dumps": STILL.model_copy(update={"seconds": 0.9})}, "was not watched"),
            ({"between_dumps": None}, "was not watched"),
            ({"stacks": ()}, "did not dump its stack twice"),
            ({"stacks": (HERE,)}, "did not dump its stack twice"),
            ({"stacks": ((), ())}, "did not dump its stack twice"),
            ({"stacks": (HERE, THERE)}, "slow, not stuck"),
            ({"stopped": False}, "had ended before the deadline"),
        ],
    )
    def test_one_rank_may_have_been_working(
        self, wanted: str | int, which: int, changes: dict[str, Any], reason: str
    ) -> None:
        """A rank that was stopped, busy, slow or not seen: nothing is known, whatever the record counts."""
        # Not stopped: it left by itself with exit code 0.
        changes |= {"signal": None, "exit_code": 0} if "stopped" in changes else {}
        ranks = [waiting(number, *self.HERE) for number in (0, 1)]
        ranks[which] = ranks[which].model_copy(update=changes)
        signature = HANG | {"ranks": wanted} | ({} if wanted == "all" else {"others": "all_gather"})
        judged = judge(failure(signature=signature), late(*ranks))
        assert (judged.verdict, judged.rank) == (Verdict.UNRUNNABLE, which)
        assert reason in judged.reason
        assert judged.reason.startswith(f"no end within 120 s, but rank {which} ")

    @pytest.mark.parametrize(
        "between",
        [
            STILL.model_copy(update={"cpu_seconds": 0.075, "wakeups": 25}),
            STILL.model_copy(update={"wakeups": None}),
            STILL.model_copy(update={"seconds": 1.0}),
        ],
    )
    def test_waiting_costs_a_little(self, between: BetweenDumps) -> None:
        """A dump and the threads of a library may wake up: that little is no work."""
        ranks = (waiting(0, between_dumps=between), waiting(1, between_dumps=between))
        assert verdict(late(*ranks), signature=HANG) is Verdict.REPRODUCED

    def test_library_that_called_the_script(self) -> None:
        """A hook of the script that sleeps below the documented function is the script's own wait."""
        place = (*self.HERE, script_frame("hook"), frame("sleep", "threading.py", Origin.STDLIB))
        seen = late(waiting(0, *place), waiting(1, *place))
        assert verdict(seen, signature=HANG) is Verdict.UNRUNNABLE
        assert verdict(seen, signature=HANG | {"library": ""}) is Verdict.REPRODUCED

    def test_stopped_without_a_hang_signature(self) -> None:
        """Without a documented hang the reason is the deadline."""
        ranks = (waiting(0, stacks=()), waiting(1))
        judged = judge(failure(), late(*ranks))
        assert (judged.verdict, judged.rank, judged.reason) == (Verdict.UNRUNNABLE, 1, "no end within 120 s")
        assert judge(failure(), late(*(waiting(number, stacks=()) for number in (0, 1)))).rank is None

    def test_without_a_deadline(self) -> None:
        """Stacks without a deadline are no hang."""
        seen = observation(waiting(0), waiting(1))
        assert verdict(seen, signature=HANG) is Verdict.UNRUNNABLE

    def test_error_beside_the_hang(self) -> None:
        """A rank that waits for one that failed is a consequence: the error decides."""
        seen = late(waiting(0), failed(1, raised("ValueError", "no")))
        judged = judge(failure(signature=HANG | {"ranks": "any"}), seen)
        assert (judged.verdict, judged.rank) == (Verdict.DIFFERENT, 1)

    def test_silent_exit_beside_the_hang(self) -> None:
        """A rank that waits for one that left without a word does not hang by itself."""
        seen = late(waiting(0), rank(1, exit_code=3, finished=False, oracle=None))
        assert verdict(seen, signature=HANG | {"ranks": "any"}) is Verdict.DIFFERENT

    def test_crash_beside_the_hang(self) -> None:
        """Nor one that waits for a rank that crashed."""
        seen = late(waiting(0), killed(1, SIGSEGV))
        assert verdict(seen, signature=HANG | {"ranks": "any"}) is Verdict.DIFFERENT

    def test_raised_when_stopped(self) -> None:
        """A rank that answers the stop at the deadline with an exception hung all the same."""
        stop = raised("SIGTERMException", "", script_frame(), bases=("SystemExit",))
        held: dict[str, Any] = {"stopped": True, "stacks": waiting(0).stacks, "between_dumps": STILL}
        ranks = [failed(number, stop, **held) for number in (0, 1)]
        assert verdict(late(*ranks), signature=HANG) is Verdict.REPRODUCED

    def test_hang_signature_never_matches_an_exception(self) -> None:
        """An exception is another failure where a hang is documented."""
        error = raised("", "anything", script_frame(), frame("all_gather", "torch/x.py"))
        seen = observation(failed(0, error), failed(1, error))
        assert verdict(seen, signature=HANG) is Verdict.DIFFERENT


class TestRejected:
    """A documented refusal is its own verdict."""

    ERROR = raised("ValueError", "this is not supported", script_frame(), frame("setup"))

    def test_documented(self) -> None:
        """The documented error on every rank."""
        seen = observation(failed(0, self.ERROR), failed(1, self.ERROR))
        judged = judge(failure(rejected=[REJECTION]), seen)
        assert (judged.verdict, judged.evidence) == (Verdict.REJECTED, "ValueError: this is not supported")

    def test_undocumented(self) -> None:
        """The same error without a record of it is a different failure."""
        assert verdict(observation(failed(0, self.ERROR), failed(1, self.ERROR))) is Verdict.DIFFERENT

    def test_on_one_rank_only(self) -> None:
        """Its ranks count as a signature's do."""
        seen = observation(failed(0, self.ERROR), rank(1))
        assert verdict(seen, rejected=[REJECTION]) is Verdict.DIFFERENT

    def test_beside_the_signature(self) -> None:
        """A refusal on one rank and the failure on the other are neither."""
        seen = observation(failed(0, self.ERROR), failed(1))
        anywhere = REJECTION | {"signature": REJECTION["signature"] | {"ranks": "any"}}
        assert verdict(seen, rejected=[anywhere]) is Verdict.DIFFERENT

    def test_similar_error(self) -> None:
        """The documented type from another function is no documented refusal."""
        error = raised("ValueError", "this is not supported", script_frame(), frame("validate"))
        assert verdict(observation(failed(0, error), failed(1, error)), rejected=[REJECTION]) is Verdict.DIFFERENT

    def test_second_of_two(self) -> None:
        """Every documented refusal counts."""
        other = REJECTION | {"signature": REJECTION["signature"] | {"message": "forbidden"}}
        seen = observation(failed(0, self.ERROR), failed(1, self.ERROR))
        assert verdict(seen, rejected=[other, REJECTION]) is Verdict.REJECTED

    def test_by_a_backport(self) -> None:
        """A refusal that names no place may be a backport's, called by the library."""
        anywhere = {"type": "ValueError", "message": "not supported"}
        frames = (script_frame(), frame("setup"), frame("check", "refusal.py", Origin.HARNESS))
        error = raised("ValueError", "this is not supported", *frames)
        ranks = (failed(number, error, backport_applied=True) for number in (0, 1))
        record = failure(rejected=[REJECTION | {"signature": anywhere}])
        assert judge(record, observation(*ranks, cell=cell(backport="refusal"))).verdict is Verdict.REJECTED

    def test_in_a_hang_record(self) -> None:
        """A record about a hang may have refusals too."""
        seen = observation(failed(0, self.ERROR), failed(1, self.ERROR))
        assert verdict(seen, rejected=[REJECTION], signature=HANG) is Verdict.REJECTED


RECORDS = [
    failure(),
    failure(signature={"ranks": "any"}),
    failure(signature={"ranks": 0}),
    failure(signature=HANG),
    failure(signature=HANG | {"ranks": "any", "others": "f"}),
    failure(signature=HANG | {"ranks": 0}),
    failure(signature=ASSERTION),
    failure(rejected=[REJECTION]),
]
ERRORS = [
    raised(),
    raised("KeyError", "'optimizer_states'", script_frame()),
    raised("ValueError", "this is not supported", script_frame(), frame("setup")),
    raised("AssertionError", "weights differ", script_frame()),
    raised("SystemExit", "1", script_frame()),
    raised("MemoryError", ""),
    raised("ImportError", "no", bases=("Exception",)),
    raised("KeyboardInterrupt", ""),
    raised("TypeError", "no").model_copy(update={"frames": ()}),
    lost_peer(),
]
maybe = st.booleans()
stack = st.lists(st.sampled_from([script_frame(), frame(), frame("all_gather", "torch/x.py")]), max_size=3).map(tuple)


@st.composite
def ranks_of(draw: st.DrawFn, number: int) -> Rank:
    code = draw(st.sampled_from([0, 0, 1, 3, None]))
    chain = draw(st.lists(st.sampled_from(ERRORS), max_size=2))
    return Rank(
        rank=number,
        started=draw(st.sampled_from([True, True, True, False])),
        reached=draw(st.sampled_from([True, True, True, False])),
        finished=draw(maybe),
        oracle=draw(st.sampled_from([None, "", "equal", "equal"])),
        exit_code=code,
        signal=draw(st.sampled_from([None, None, 6, 9, 11, 15])) if code is None else None,
        stopped=draw(maybe),
        ended=draw(maybe),
        phase=Phase.RUN if chain else None,
        chain=tuple(chain),
        failed_at=draw(st.one_of(st.none(), st.floats(0, 100))) if chain else None,
        backport_applied=draw(maybe),
        imported=draw(st.sampled_from([rank(0).imported] * 4 + [{}])),
        stacks=tuple(draw(st.lists(stack, max_size=2))),
        between_dumps=draw(st.sampled_from([None, STILL, STILL.model_copy(update={"running": 3})])),
        unreadable=draw(st.sampled_from([None, None, None, "half a line"])),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    count = draw(st.integers(1, 3))
    ranks = tuple(draw(ranks_of(number)) for number in range(draw(st.sampled_from([count, count, count, 0]))))
    return observation(
        ranks=ranks,
        cell=cell(world_size=count, backport=draw(st.sampled_from([None, None, "cure"]))),
        fault=draw(st.sampled_from([None, None, None, "our own fault"])),
        deadline_passed=draw(maybe),
        stood_still=draw(st.sampled_from([None, None, 6.0])),
        launcher_code=draw(st.sampled_from([0, 0, 1, -9, None])),
        installed=draw(st.sampled_from([installed(), installed(), installed({"torch": "2.2.2"}), None])),
    )


EXAMPLES = settings(max_examples=100, deadline=None)


@EXAMPLES
@given(st.sampled_from(RECORDS), observations())
def test_never_raises(record: Failure, seen: Observation) -> None:
    """Every valid observation has one verdict of a single run, with a reason, and the same one each time."""
    judged = judge(record, seen)
    assert judged.verdict is not Verdict.FLAKY
    assert judged.reason
    assert judge(record, seen) == judged


@EXAMPLES
@given(st.sampled_from(RECORDS), observations())
def test_absent_is_proved(record: Failure, seen: Observation) -> None:
    """Absent: no fault, no deadline, and every rank reached, finished, exited with 0 and has its oracle's words."""
    if judge(record, seen).verdict is not Verdict.ABSENT:
        return
    assert seen.fault is None
    assert not seen.cut_off
    assert seen.launcher_code == 0
    assert len(seen.ranks) == seen.cell.world_size
    for item in seen.ranks:
        assert item.started
        assert item.reached
        assert item.finished
        assert item.exit_code == 0
        assert item.oracle
        assert item.backport_applied or seen.cell.backport is None
        assert item.imported


@EXAMPLES
@given(st.sampled_from(RECORDS), observations())
def test_reproduced_is_proved(record: Failure, seen: Observation) -> None:
    """Reproduced: a sound run, with the signature on exactly the ranks that the record names."""
    if judge(record, seen).verdict is not Verdict.REPRODUCED:
        return
    assert seen.fault is None
    assert all(item.started and item.reached for item in seen.ranks)
    assert len(seen.ranks) == seen.cell.world_size
    signature = record.signature
    if signature.kind == "hang":
        assert seen.cut_off
        assert all(len(item.stacks) == 2 and item.stacks[0] == item.stacks[1] for item in seen.ranks)
        assert all(item.between_dumps == STILL for item in seen.ranks)
        showing = {item.rank for item in seen.ranks}
    else:
        showing = {item.rank for item in seen.ranks if item.error and item.error.type == signature.type}
        assert {"all": showing == set(range(len(seen.ranks))), "any": True}.get(
            str(signature.ranks), showing == {signature.ranks}
        )
    assert showing


@EXAMPLES
@given(st.sampled_from(RECORDS), observations(), st.sampled_from(["fault", "unreached", "unstarted", "unapplied"]))
def test_unsound_runs_say_nothing(record: Failure, seen: Observation, what: str) -> None:
    """A fault, a rank short of its own code, a missing rank or backport: unrunnable, whatever else was seen."""
    ranks = seen.ranks or (rank(0),)
    last = ranks[-1]
    spoilt: dict[str, dict[str, Any]] = {
        "fault": {"fault": "our own"},
        "unreached": {"ranks": (*ranks[:-1], last.model_copy(update={"reached": False}))},
        "unstarted": {"ranks": (*ranks[:-1], last.model_copy(update={"started": False}))},
        "unapplied": {
            "cell": cell(world_size=len(ranks), backport="cure"),
            "ranks": (last.model_copy(update={"backport_applied": False}), *ranks[1:]),
        },
    }
    assert judge(record, seen.model_copy(update=spoilt[what])).verdict is Verdict.UNRUNNABLE


class TestWatchdog:
    """NCCL's watchdog aborts a rank that waits for one that has gone: a consequence, where there is a cause."""

    WORDS = (
        "[rank1]:[E] Process group watchdog thread terminated with exception: [Rank 1] "
        "Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLGATHER) ran for 600021 milliseconds"
    )
    FRAMES = "frame #4: c10d::ProcessGroupNCCL::ncclCommWatchdog() + 0x14d (0x7f in libtorch_cuda.so)"
    RECORD = {"ranks": 0}

    def seen(self, number: int, words: str, error: Raised | None = None) -> Observation:
        return observation(failed(0, error), killed(1, number, tail=words))

    @pytest.mark.parametrize("words", [WORDS, FRAMES])
    def test_after_the_cause(self, words: str) -> None:
        """Rank 0 fails with the signature, the watchdog aborts rank 1: the documented failure."""
        assert verdict(self.seen(SIGABRT, words), signature=self.RECORD) is Verdict.REPRODUCED

    @pytest.mark.parametrize(
        ("number", "words"),
        [(SIGABRT, ""), (SIGABRT, "free(): invalid pointer"), (SIGSEGV, WORDS)],
    )
    def test_other_deaths(self, number: int, words: str) -> None:
        """An abort without the watchdog's words, or another signal, is a death of its own."""
        assert verdict(self.seen(number, words), signature=self.RECORD) is Verdict.DIFFERENT

    def test_no_cause(self) -> None:
        """All ranks aborted by the watchdog and no error at all: never the documented failure."""
        seen = observation(killed(0, SIGABRT, tail=self.WORDS), killed(1, SIGABRT, tail=self.WORDS))
        assert verdict(seen, signature=self.RECORD) is Verdict.DIFFERENT

    def test_other_cause(self) -> None:
        """Another error on rank 0 stays another error."""
        seen = self.seen(SIGABRT, self.WORDS, raised("TypeError", "no"))
        assert verdict(seen, signature=self.RECORD) is Verdict.DIFFERENT

    def test_every_rank_must_show_it(self) -> None:
        """Where every rank must show it, an aborted one does not."""
        assert verdict(self.seen(SIGABRT, self.WORDS)) is Verdict.DIFFERENT


class TestLanes:
    """A run is judged by the signature of its lane."""

    OTHER = {"type": "OutOfMemoryError", "message": "1EB", "function": "f", "library": "torch", "ranks": 1}
    RECORD = {
        "signature": HANG | {"ranks": 1, "others": "all_reduce"},
        "differs_in": {"cuda": {"signature": OTHER, "why": "no kinds"}},
    }
    HUGE = raised("OutOfMemoryError", "out of memory: more than 1EB", script_frame(), frame("f", "torch/c10d.py"))

    def test_exception_for_a_hang(self) -> None:
        """What hangs on gloo raises under NCCL: both are the documented failure, each in its lane only."""
        ranks = (killed(0, SIGTERM, stopped=True), failed(1, self.HUGE))
        cuda = observation(*ranks, cell=cell(lane="cuda", world_size=2))
        assert verdict(cuda, **self.RECORD) is Verdict.REPRODUCED
        assert verdict(observation(*ranks), **self.RECORD) is Verdict.UNRUNNABLE

    def test_hang_for_an_exception(self) -> None:
        """The hang is the CPU lane's."""
        seen = late(waiting(0, frame("all_reduce", "torch/c10d.py")), waiting(1))
        assert verdict(seen, **self.RECORD) is Verdict.REPRODUCED
        cuda = seen.model_copy(update={"cell": cell(lane="cuda", world_size=2)})
        assert verdict(cuda, **self.RECORD) is Verdict.UNRUNNABLE


class TestSignatures:
    """A run is judged by the signature that the record gives for its releases and factors."""

    OTHER = {"type": "TypeError", "message": "renamed", "function": "save", "library": "lightning", "ranks": "all"}
    RENAMED = raised("TypeError", "it was renamed", script_frame(), frame("save"))

    def signatures(self, **condition: Any) -> list[dict[str, Any]]:
        return [condition | {"signature": self.OTHER, "why": "it was renamed"}]

    def test_by_release(self) -> None:
        """Each release by its own signature: the other one is another failure there."""
        seen = observation(failed(0, self.RENAMED), failed(1, self.RENAMED))
        assert verdict(seen, signatures=self.signatures(releases={"lightning": ">=2.2"})) is Verdict.REPRODUCED
        assert verdict(seen, signatures=self.signatures(releases={"lightning": "<2.2"})) is Verdict.DIFFERENT
        main = observation(failed(0), failed(1))
        assert verdict(main, signatures=self.signatures(releases={"lightning": "<2.2"})) is Verdict.REPRODUCED
        assert verdict(main, signatures=self.signatures(releases={"lightning": ">=2.2"})) is Verdict.DIFFERENT

    def test_by_factor(self) -> None:
        """A factor counts with its default where the cell does not change it."""
        ranks = (failed(0, self.RENAMED), failed(1, self.RENAMED))
        changed = cell(factors={"state-dict-type": "full"})
        full = self.signatures(factors={"state-dict-type": "full"})
        assert verdict(observation(*ranks, cell=changed), signatures=full) is Verdict.REPRODUCED
        assert verdict(observation(*ranks), signatures=full) is Verdict.DIFFERENT
        sharded = self.signatures(factors={"state-dict-type": "sharded"})
        assert verdict(observation(*ranks), signatures=sharded) is Verdict.REPRODUCED
        assert verdict(observation(*ranks, cell=changed), signatures=sharded) is Verdict.DIFFERENT

    def test_all_conditions(self) -> None:
        """Releases and factors must both hold."""
        both = self.signatures(releases={"lightning": "<2.2"}, factors={"state-dict-type": "sharded"})
        assert verdict(observation(failed(0), failed(1)), signatures=both) is Verdict.REPRODUCED

    def test_by_timing(self) -> None:
        """What a run may show instead is reproduced too, with its own error as evidence."""
        judged = judge(
            failure(signatures=self.signatures(by_timing=True)),
            observation(failed(0, self.RENAMED), failed(1, self.RENAMED)),
        )
        assert (judged.verdict, judged.evidence) == (Verdict.REPRODUCED, "TypeError: it was renamed")

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [({"by_timing": True}, Verdict.REPRODUCED), ({"releases": {"lightning": "<2.2"}}, Verdict.DIFFERENT)],
    )
    def test_beside_the_signature(self, condition: dict[str, Any], expected: Verdict) -> None:
        """Only what another rank may show by timing is no other failure; the signature of other releases is one."""
        seen = observation(failed(0), failed(1, self.RENAMED, at=6.0))
        assert verdict(seen, signature={"ranks": "any"}, signatures=self.signatures(**condition)) is expected

    def test_of_the_lane(self) -> None:
        """A lane's own signature holds for all its runs."""
        lanes = {"cuda": {"signature": self.OTHER, "why": "another kernel"}}
        main = self.signatures(releases={"lightning": ">=2.2"})
        main[0]["signature"] = failure().signature.model_dump()
        seen = observation(failed(0, self.RENAMED), failed(1, self.RENAMED), cell=cell(lane="cuda", world_size=2))
        assert verdict(seen, differs_in=lanes, signatures=main) is Verdict.REPRODUCED


class TestNamedRanks:
    """The failure shows on the named ranks, and on no others."""

    @staticmethod
    def seen(*showing: int) -> Observation:
        ranks = [failed(n) if n in showing else failed(n, lost_peer(), at=6.0) for n in range(4)]
        return observation(*ranks, cell=cell(world_size=4))

    @pytest.mark.parametrize(
        ("ranks", "showing", "expected"),
        [
            ("all but 0", (1, 2, 3), Verdict.REPRODUCED),
            ("all but 0", (0, 1, 2, 3), Verdict.DIFFERENT),
            ("all but 0", (1, 2), Verdict.DIFFERENT),
            ([0, 2], (0, 2), Verdict.REPRODUCED),
            ([0, 2], (0,), Verdict.DIFFERENT),
            ([0, 2], (0, 2, 3), Verdict.DIFFERENT),
            ("all but 1, 3", (0, 2), Verdict.REPRODUCED),
        ],
    )
    def test_raised(self, ranks: object, showing: tuple[int, ...], expected: Verdict) -> None:
        """The others only lose their peers."""
        assert verdict(self.seen(*showing), signature={"ranks": ranks}) is expected

    def test_stopped_before_it_showed(self) -> None:
        """A named rank that was ended before it failed says nothing; it does not contradict."""
        ranks = [failed(0, lost_peer(), at=6.0), failed(1), killed(2, SIGTERM, stopped=True), failed(3)]
        seen = observation(*ranks, cell=cell(world_size=4))
        assert verdict(seen, signature={"ranks": "all but 0"}) is Verdict.UNRUNNABLE

    @pytest.mark.parametrize(("ranks", "expected"), [("all but 0", Verdict.REPRODUCED), ([0, 1], Verdict.UNRUNNABLE)])
    def test_hang(self, ranks: object, expected: Verdict) -> None:
        """The named ranks hang in the function, the others in another one."""
        others = waiting(0, frame("all_reduce", "torch/c10d.py"))
        seen = late(others, waiting(1), waiting(2), waiting(3))
        assert verdict(seen, signature=HANG | {"ranks": ranks, "others": "all_reduce"}) is expected


def test_shared_cores_are_said() -> None:
    """A run that was late says that its ranks shared cores."""
    seen = late(*(waiting(number) for number in range(4)), cores=2)
    assert judge(failure(), seen).reason == "no end within 120 s, 4 ranks on 2 cores"


class TestFailingImports:
    """A documented failure of an import: reproduced only where it is exactly that one."""

    SIGNATURE = {"kind": "import", "type": "ImportError", "message": "^cannot import name 'Gone'"}
    RECORD: ClassVar[dict[str, Any]] = {
        "signature": SIGNATURE | {"function": "<module>", "library": "lightning", "ranks": "all"},
        "needs": {"distributions": {"torch": ">=2"}},
    }
    GONE = "cannot import name 'Gone' from 'torch'"

    @staticmethod
    def ranks(error: Raised, phase: Phase = Phase.IMPORT, **changes: Any) -> tuple[Rank, ...]:
        held = {"torch": Imported(version="2.2.2", inside=True)}
        facts: dict[str, Any] = {"phase": phase, "reached": phase is Phase.RUN, "imported": held} | changes
        return tuple(failed(number, error, **facts) for number in range(2))

    def error(self, message: str = GONE, kind: str = "ImportError", package: str = "lightning") -> Raised:
        return raised(kind, message, script_frame(), frame("<module>", f"{package}/fabric.py"))

    def test_documented(self) -> None:
        """The error, from the library that the record names, while the script imports."""
        assert verdict(observation(*self.ranks(self.error())), **self.RECORD) is Verdict.REPRODUCED

    @pytest.mark.parametrize(
        "ranks",
        [
            pytest.param(
                lambda made: made.ranks(made.error("cannot import name 'Other' from 'torch'")), id="another name"
            ),
            pytest.param(lambda made: made.ranks(made.error(package="torch")), id="another library"),
            pytest.param(lambda made: made.ranks(made.error(), Phase.PREPARE), id="before the script"),
            pytest.param(lambda made: made.ranks(made.error(), Phase.BACKPORT), id="in a backport"),
            pytest.param(
                lambda made: made.ranks(made.error(), imported={"torch": Imported(version="2.2.2", inside=False)}),
                id="beside another torch",
            ),
            pytest.param(
                lambda made: made.ranks(made.error(), imported={"torch": Imported(version="2.6.0", inside=True)}),
                id="beside another release",
            ),
            pytest.param(
                lambda made: (*made.ranks(made.error())[:1], rank(1, reached=False, finished=False)), id="one rank"
            ),
        ],
    )
    def test_another(self, ranks: Any) -> None:
        """Anything else says nothing."""
        assert verdict(observation(*ranks(self)), **self.RECORD) is Verdict.UNRUNNABLE

    def test_missing_package(self) -> None:
        """A package that is not installed is never a documented failure."""
        missing = {"type": "ModuleNotFoundError", "message": "^No module named 'flash_attn'"}
        record = self.RECORD | {"signature": self.RECORD["signature"] | missing}
        error = self.error("No module named 'flash_attn'", "ModuleNotFoundError")
        assert verdict(observation(*self.ranks(error)), **record) is Verdict.UNRUNNABLE

    def test_not_for_other_kinds(self) -> None:
        """A failure of the script's own code has not shown itself where the imports fail."""
        record = self.RECORD | {"signature": self.RECORD["signature"] | {"kind": "exception"}}
        assert verdict(observation(*self.ranks(self.error())), **record) is Verdict.UNRUNNABLE

    def test_correct(self) -> None:
        """A release that can be imported runs to its end, with everything imported."""
        assert verdict(observation(), **self.RECORD) is Verdict.ABSENT
        half = tuple(rank(n, imported={"torch": Imported(version="2.2.2", inside=True)}) for n in range(2))
        assert verdict(observation(*half), **self.RECORD) is Verdict.UNRUNNABLE


class TestOthersThatRaise:
    """The named ranks raise from one function, all others the same from another one."""

    SIGNATURE: ClassVar[dict[str, Any]] = {"ranks": 0, "others": "load_checkpoint"}
    OTHER = raised("KeyError", "'optimizer_states'", script_frame(), frame("load_checkpoint"))

    @pytest.mark.parametrize(
        ("ranks", "expected"),
        [
            pytest.param((failed(0), failed(1, OTHER, at=2.0), failed(2, OTHER)), Verdict.REPRODUCED, id="documented"),
            pytest.param((failed(0), failed(1, OTHER), failed(2)), Verdict.DIFFERENT, id="another in the first"),
            pytest.param(
                (failed(0, OTHER), failed(1, OTHER), failed(2, OTHER)), Verdict.DIFFERENT, id="all in the second"
            ),
            pytest.param(
                (failed(0), failed(1, OTHER), failed(2, lost_peer())), Verdict.DIFFERENT, id="one lost its peers"
            ),
            pytest.param(
                (failed(0), failed(1, OTHER), killed(2, SIGTERM, stopped=True)), Verdict.UNRUNNABLE, id="one was ended"
            ),
        ],
    )
    def test_each(self, ranks: tuple[Rank, ...], expected: Verdict) -> None:
        """Only where each rank shows it in its own function is it the documented failure."""
        assert verdict(observation(*ranks), signature=self.SIGNATURE) is expected


class TestMayBeAbsent:
    """A distribution whose absence decides: a run needs neither it nor its import."""

    RECORD: ClassVar[dict[str, Any]] = {"affected": [{"lightning": ">=2.1.0,<2.2.2", "numpy": "absent"}]}

    def test_absent(self) -> None:
        assert failure(**self.RECORD).distributions == ("lightning",)
        assert verdict(observation(failed(0), failed(1)), **self.RECORD) is Verdict.REPRODUCED

    def test_imported_from_elsewhere(self) -> None:
        """A rank that found it outside the environment is no evidence of its absence."""
        seen = IMPORTED | {"numpy": Imported(version="2.2.3", inside=False)}
        judged = judge(failure(**self.RECORD), observation(failed(0, imported=seen), failed(1)))
        assert judged.verdict is Verdict.UNRUNNABLE
        assert judged.reason == "rank 0 imported numpy from outside the environment"

    def test_name_of_its_module(self) -> None:
        """Of what is not installed the module's name is the distribution's, as an import spells it."""
        record = {"affected": [{"lightning": ">=2.1.0,<2.2.2", "flash-attn": "absent"}]}
        seen = IMPORTED | {"flash_attn": Imported(version="2.8.0", inside=False)}
        judged = judge(failure(**record), observation(failed(0, imported=seen), failed(1)))
        assert judged.reason == "rank 0 imported flash_attn from outside the environment"

    @pytest.mark.parametrize(("inside", "expected"), [(True, Verdict.REPRODUCED), (False, Verdict.UNRUNNABLE)])
    def test_installed(self, inside: bool, expected: Verdict) -> None:
        """Where it is installed, it may be imported or not, but not another one than that."""
        held = installed({"lightning": "2.2.1", "torch": "2.2.2", "numpy": "2.2.3"})
        held = held.model_copy(update={"modules": held.modules | {"numpy": ("numpy",)}})
        seen = IMPORTED | {"numpy": Imported(version="2.2.3", inside=inside)}
        ranks = [failed(0, imported=seen), failed(1)]
        assert verdict(observation(*ranks, installed=held), **self.RECORD) is expected


def test_python_decides_the_signature() -> None:
    """A signature for some releases of Python: by the version that the environment has."""
    other = {"type": "TypeError", "message": "recursive_guard", "function": "save_checkpoint", "library": "lightning"}
    record = {"signatures": [{"releases": {"python": ">=3.11"}, "signature": other, "why": "another interpreter"}]}
    error = raised("TypeError", "missing recursive_guard")
    ranks = [rank_failed_with(number, error) for number in (0, 1)]
    assert verdict(observation(*ranks), **record) is Verdict.REPRODUCED
    older = installed().model_copy(update={"python": "3.10.13"})
    assert verdict(observation(*ranks, installed=older), **record) is Verdict.DIFFERENT


def rank_failed_with(number: int, error: Raised) -> Rank:
    return failed(number, chain=(error,))
