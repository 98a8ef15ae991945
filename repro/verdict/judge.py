"""Judges one run: record + observation -> verdict.  Pure, so that stored observations can be judged again.

The order of the rules matters: everything that could make a verdict wrong is excluded before anything is concluded.
A verdict other than ``unrunnable`` needs a run in which every rank reached the script's own code, with imports from
the environment under test, and that no limit of the machine and nothing from outside disturbed.
"""

import signal
from collections.abc import Iterator, Sequence

from repro.model.failure import Failure, Signature
from repro.model.named_ranks import in_words, may_show, must_show
from repro.model.observation import Installed, Observation, Phase, Raised, Rank
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Judgement, Verdict
from repro.model.version import parsed_version
from repro.verdict.growth import with_growth
from repro.verdict.printed import with_printed
from repro.verdict.script_run import completed, ending, foreign_import, lacks_package
from repro.verdict.signature import (
    CRASHES,
    failed_silently,
    is_consequence,
    is_missing_import,
    is_watchdog_abort,
    met_limit,
    shows,
    waits_in,
    why_not_still,
)
from repro.verdict.stages import judge_stages

ASKED = {"KeyboardInterrupt", "SIGTERMException"}
"""Exceptions of a script that was asked to end; the second is lightning's."""
FLUSH_FAILED = 120
"""Python's exit code when it cannot flush its output at exit, because the disk is full or the log was closed."""


def judge(failure: Failure, observation: Observation) -> Judgement:
    """The verdict of one run."""
    if failure.stages:
        return judge_stages(failure, observation, judge)
    versions = observation.installed.versions if observation.installed else {}
    found = _judged(seen_in(failure, observation), observation)
    if found.verdict in {Verdict.DIFFERENT, Verdict.UNRUNNABLE}:
        for other in failure.also_seen_in(observation.cell.factors, versions):
            by_timing = _judged(other, observation)
            if by_timing.verdict is Verdict.REPRODUCED:
                return by_timing
    return found


def _judged(failure: Failure, observation: Observation) -> Judgement:
    """The verdict of one run, by the one signature of the record."""
    judgements = (
        _of_script(failure, observation) if isinstance(failure, ScriptFailure) else _of_record(failure, observation)
    )
    found = next((judgement for judgement in judgements if judgement is not None), None)
    return with_growth(failure, observation, found or _no_verdict(observation))


def seen_in(failure: Failure, observation: Observation) -> Failure:
    """The record with the signature that the failure has in this run: by its lane, its factors and its versions."""
    versions = observation.installed.versions if observation.installed else {}
    return failure.seen_in(observation.cell.lane, observation.cell.factors, versions)


def _of_record(failure: Failure, observation: Observation) -> Iterator[Judgement | None]:
    """The result of each rule for a documented failure, in order."""
    rules = (_not_started, _not_reached, _wrong_imports, _disturbed, _crashed, _passed, _failed, _left, _late)
    return (rule(failure, observation) for rule in rules)


def _of_script(failure: ScriptFailure, observation: Observation) -> Iterator[Judgement | None]:
    """The result of each rule for a user's script, in order; it has no oracle, and may fail in its imports."""
    yield _not_started(failure, observation)
    yield _imports_of_script(failure, observation)
    yield _disturbed(failure, observation)
    yield _exited_as_learned(failure, observation)
    if failure.rule == "exit":
        yield _failed_anyhow(failure, observation)
    yield _crashed(failure, observation)
    yield _completed(observation)
    yield _failed(failure, observation)
    yield _left(failure, observation)
    yield _late(failure, observation)


def _unrunnable(reason: str, rank: Rank | None = None, error: Raised | None = None) -> Judgement:
    return _judgement(Verdict.UNRUNNABLE, reason, rank, error)


def _judgement(verdict: Verdict, reason: str, rank: Rank | None, error: Raised | None) -> Judgement:
    frame = (error.innermost_library_frame or error.innermost_frame) if error else None
    return Judgement(
        verdict,
        reason,
        rank=rank.rank if rank else None,
        evidence=error.line if error else "",
        where=f"{frame.file}:{frame.line} in {frame.function}" if frame else "",
    )


def _not_started(_failure: Failure, observation: Observation) -> Judgement | None:
    if observation.fault:
        return _unrunnable(observation.fault)
    for rank in observation.ranks:
        if rank.unreadable:
            return _unrunnable(f"rank {rank.rank}: {rank.unreadable}", rank)
    missing = observation.cell.world_size - sum(rank.started for rank in observation.ranks)
    if missing:
        return _unrunnable(f"{missing} of {observation.cell.world_size} ranks never started")
    return None


def _not_reached(failure: Failure, observation: Observation) -> Judgement | None:
    for rank in observation.ranks:
        if observation.cell.backport and not rank.backport_applied:
            return _unrunnable(f"rank {rank.rank}: the backport was not applied", rank, rank.error)
        if not rank.reached and not _fails_to_import(rank, failure, observation):
            why = "failed before it reached its own code" if rank.error else "never reached its own code"
            return _unrunnable(f"rank {rank.rank} {why}", rank, rank.error)
    return None


def _fails_to_import(rank: Rank, failure: Failure, observation: Observation) -> bool:
    """True if an import failed as the record documents it, and not because a package is missing."""
    return (
        failure.signature.kind == "import"
        and rank.phase is Phase.IMPORT
        and rank.error is not None
        and shows(rank.error, failure.signature)
        and not lacks_package(rank.chain, observation.installed, tuple(rank.imported))
    )


def _imports_of_script(failure: ScriptFailure, observation: Observation) -> Judgement | None:
    """A package that is missing, or that the rank found outside the environment; a script may fail in its imports."""
    installed = observation.installed
    if installed is None:
        return _unrunnable("it is not known what is installed in the environment")
    for rank in observation.ranks:
        if lacks_package(rank.chain, installed, tuple(rank.imported)) and not (
            rank.error and shows(rank.error, failure.signature)
        ):
            return _unrunnable(f"rank {rank.rank} lacks a package", rank, rank.error)
        foreign = foreign_import(rank, installed, failure.distributions)
        if foreign:
            return _unrunnable(f"rank {rank.rank} imported {foreign} from outside the environment", rank)
        # A crash or a hang of an import is the library's failure; an end without any trace has no known cause.
        if not rank.reached and not (rank.error or ending(rank) or rank.stopped or observation.cut_off):
            return _unrunnable(f"rank {rank.rank} never reached its own code", rank)
    return None


def _same(module_version: str, distribution_version: str) -> bool:
    """True if a module's ``__version__`` is that of its distribution; a local label (+cpu) may be left out."""
    module, distribution = parsed_version(module_version), parsed_version(distribution_version)
    if module is None or distribution is None:
        return module_version == distribution_version
    return module.public == distribution.public


def _wrong_imports(failure: Failure, observation: Observation) -> Judgement | None:
    installed = observation.installed
    if installed is None:
        return _unrunnable("it is not known what is installed in the environment")
    for distribution in failure.distributions:
        if distribution not in installed.distributions:
            return _unrunnable(f"{distribution} is not installed in {installed.name}")
        for rank in observation.ranks:
            problem = _import_problem(rank, installed, distribution)
            if problem:
                return _unrunnable(f"rank {rank.rank} {problem}", rank)
    return _wrongly_present(failure, installed, observation.ranks)


def _wrongly_present(failure: Failure, installed: Installed, ranks: Sequence[Rank]) -> Judgement | None:
    """A distribution whose absence may decide, and that a rank has imported from elsewhere."""
    for name in failure.may_be_absent:
        modules = installed.modules.get(name, ()) if name in installed.distributions else (name.replace("-", "_"),)
        for rank in ranks:
            found = next((module for module in modules if module in rank.imported), None)
            if found and not (name in installed.distributions and rank.imported[found].inside):
                return _unrunnable(f"rank {rank.rank} imported {found} from outside the environment", rank)
    return None


def _import_problem(rank: Rank, installed: Installed, distribution: str) -> str:
    expected = installed.distributions[distribution]
    modules = [name for name in installed.modules.get(distribution, ()) if name in rank.imported]
    if not modules and rank.reached:
        return f"did not import {distribution}"
    for name in modules:
        module = rank.imported[name]
        if not module.inside:
            return f"imported {name} from outside the environment"
        if not _same(module.version, expected):
            return f"imported {name} {module.version}, but {distribution} {expected} is installed"
    return ""


def died_at_shutdown(observation: Observation) -> bool:
    """True if every script ended after its oracle passed, and an interpreter then died by a signal.

    torch without ``destroy_process_group`` does this occasionally, which is no evidence about the failure.  Not a pass:
    the caller must rerun the cell once, and a second crash is ``different``.
    """
    ended = all(rank.finished and rank.oracle and rank.error is None for rank in observation.ranks)
    died = any(rank.signal is not None and not rank.stopped for rank in observation.ranks)
    return bool(observation.ranks) and ended and died


def _documented(failure: Failure) -> tuple[Signature, ...]:
    """The signatures of the failure and of its documented refusals."""
    return (failure.signature, *(rejection.signature for rejection in failure.rejected))


def _disturbed(failure: Failure, observation: Observation) -> Judgement | None:
    """Unrunnable if something outside the script ended a rank, since the other ranks are then no evidence either."""
    for rank in observation.ranks:
        if rank.signal is None or rank.stopped or rank.error is not None:
            continue
        if rank.signal not in CRASHES and not any(
            met_limit(other, _documented(failure)) for other in observation.ranks
        ):
            return _unrunnable(f"rank {rank.rank} was killed by {_signal_name(rank.signal)} from outside", rank)
    limited = [rank for rank in observation.ranks if met_limit(rank, _documented(failure))]
    if limited:
        first = min(limited, key=_failed_at)
        return _unrunnable(f"rank {first.rank} met a limit of the machine", first, first.error)
    return None


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _failed_at(rank: Rank) -> float:
    return rank.failed_at or 0.0


def _crashed(failure: Failure, observation: Observation) -> Judgement | None:
    for rank in observation.ranks:
        if rank.signal is None or rank.stopped or rank.error is not None:
            continue
        if not any(failed_itself(other, failure) for other in observation.ranks):
            return _judgement(Verdict.DIFFERENT, f"rank {rank.rank} died by {_signal_name(rank.signal)}", rank, None)
    return None


def _passed(failure: Failure, observation: Observation) -> Judgement | None:
    ranks = observation.ranks
    if observation.cut_off or observation.launcher_code != 0:
        return None
    if not all(rank.exit_code == 0 and rank.finished for rank in ranks):
        return None
    silent = [rank for rank in ranks if not rank.oracle]
    if silent:
        return _unrunnable(f"rank {silent[0].rank} ended with exit code 0, but its oracle never passed", silent[0])
    reason = "every rank ended with exit code 0 after its oracle"
    passed = Judgement(Verdict.ABSENT, reason, rank=ranks[0].rank, evidence=ranks[0].oracle or "")
    signature = failure.signature
    return with_printed(signature, observation, passed) if signature.is_printed else passed


def _completed(observation: Observation) -> Judgement | None:
    if observation.cut_off or observation.launcher_code != 0 or not completed(observation.ranks):
        return None
    return Judgement(Verdict.ABSENT, "every rank ended with exit code 0", rank=observation.ranks[0].rank)


def _exited_as_learned(failure: ScriptFailure, observation: Observation) -> Judgement | None:
    """The signature of a process that ends without an exception, on the ranks that it names."""
    signature = failure.signature
    if signature.kind != "exit" or failure.rule == "exit" or observation.cut_off:
        return None
    showing = [rank for rank in observation.ranks if ending(rank) == signature.type]
    others = [rank for rank in observation.ranks if rank not in showing]
    # If other ranks than the named ones show it, it is a different failure.
    missing = [rank for rank in others if must_show(signature.ranks, rank.rank)]
    if not showing or missing or not all(may_show(signature.ranks, rank.rank) for rank in showing):
        return None
    if any(failed_itself(rank, failure) or (ending(rank) and not is_watchdog_abort(rank)) for rank in others):
        return None
    reason = f"ends with {signature.type} on {in_words(signature.ranks)}"
    return Judgement(Verdict.REPRODUCED, reason, rank=showing[0].rank, evidence=signature.type)


def _failed_anyhow(failure: ScriptFailure, observation: Observation) -> Judgement | None:
    """Judge by exit codes alone: any failure of a rank itself that other rules have not excluded."""
    if observation.cut_off:
        return None
    for rank in sorted(observation.ranks, key=_failed_at):
        if failed_itself(rank, failure):
            return _judgement(Verdict.REPRODUCED, "it fails; judged by exit code alone", rank, rank.error)
    for rank in observation.ranks:
        how = "" if is_watchdog_abort(rank) or rank.exit_code == FLUSH_FAILED else ending(rank)
        if how:
            reason = f"rank {rank.rank} ends with {how}; judged by exit code alone"
            return Judgement(Verdict.REPRODUCED, reason, rank=rank.rank, evidence=how)
    return None


def failed_itself(rank: Rank, failure: Failure) -> bool:
    """True if a rank failed by its own error, not by the loss of a peer or because it was asked to end."""
    if rank.error is None or rank.error.type in ASKED:
        return False
    return shows(rank.error, failure.signature) or not is_consequence(rank.error)


def _exited(rank: Rank) -> bool:
    """True if a rank ended itself with an exit code and no exception: ``os._exit(3)``."""
    return rank.signal is None and rank.error is None and failed_silently(rank)


def _failed(failure: Failure, observation: Observation) -> Judgement | None:
    causes = sorted((rank for rank in observation.ranks if failed_itself(rank, failure)), key=_failed_at)
    if not causes:
        return None
    root = causes[0]
    assert root.error is not None  # noqa: S101 - what failed_itself says
    for rejection in failure.rejected:
        if _objection(rejection.signature, failure, observation) is None:
            reason = f"refused with the documented error on {in_words(rejection.signature.ranks)}"
            return _judgement(Verdict.REJECTED, reason, root, root.error)
    documented = shows(root.error, failure.signature) or shows(root.error, _of_others(failure.signature))
    objection = _objection(failure.signature, failure, observation) if documented else None
    if documented and objection is None:
        reason = f"the signature, on {in_words(failure.signature.ranks)}"
        return _judgement(Verdict.REPRODUCED, reason, root, root.error)
    for rank in causes:
        if is_missing_import(rank.chain) and not (rank.error and shows(rank.error, failure.signature)):
            return _unrunnable(f"rank {rank.rank} lacks a package", rank, rank.error)
    unseen = _unseen(failure.signature, failure, observation) if documented else None
    if unseen is not None:
        return _unrunnable(
            f"the signature, but rank {unseen.rank} was ended before it showed whether it fails too", root, root.error
        )
    reason = f"the signature, but {objection}" if documented else "the first error does not have the signature"
    return _judgement(Verdict.DIFFERENT, reason, root, root.error)


def _of_others(signature: Signature) -> Signature:
    """The signature of the ranks that raise the same error in another function; unchanged if there are none."""
    return signature.model_copy(update={"function": signature.others or signature.function})


def _objection(signature: Signature, failure: Failure, observation: Observation) -> str | None:
    """Why the signature does not match; None if exactly the named ranks show it and nothing else went wrong."""
    showing = [rank.rank for rank in observation.ranks if rank.error is not None and shows(rank.error, signature)]
    timed = [other.signature for other in failure.signatures if other.by_timing]
    for rank in observation.ranks:
        if rank.rank in showing:
            if not may_show(signature.ranks, rank.rank):
                return f"rank {rank.rank} shows it too"
        elif must_show(signature.ranks, rank.rank):
            return f"rank {rank.rank} does not show it"
        elif signature.kind == "exception" and signature.others:
            if rank.error is None or not shows(rank.error, _of_others(signature)):
                return f"rank {rank.rank} does not show it in {signature.others}"
        elif failed_itself(rank, failure) and not any(rank.error and shows(rank.error, other) for other in timed):
            return f"rank {rank.rank} failed in another way"
        elif rank.signal is not None and not rank.stopped and not is_watchdog_abort(rank):
            return f"rank {rank.rank} died by {_signal_name(rank.signal)}"
        elif _exited(rank):
            return f"rank {rank.rank} ended with exit code {rank.exit_code} and no exception"
    return None if showing else "no rank shows it"


def _unseen(signature: Signature, failure: Failure, observation: Observation) -> Rank | None:
    """A rank that should show the signature but was ended before (it may be slow), if nothing else is wrong."""
    waiting = [
        rank
        for rank in observation.ranks
        if rank.stopped
        and (signature.others or must_show(signature.ranks, rank.rank))
        and not failed_itself(rank, failure)
    ]
    others = tuple(rank for rank in observation.ranks if rank not in waiting)
    # Were they as documented, would the others be so too?
    if not waiting or _objection(signature, failure, observation.model_copy(update={"ranks": others})) is not None:
        return None
    return waiting[0]


def _left(_failure: Failure, observation: Observation) -> Judgement | None:
    for rank in observation.ranks:
        if _exited(rank) and rank.exit_code == FLUSH_FAILED and rank.finished:
            return _unrunnable(f"rank {rank.rank} could not write its output at its end (exit code 120)", rank)
        if _exited(rank):
            reason = f"rank {rank.rank} ended with exit code {rank.exit_code} and no exception"
            return _judgement(Verdict.DIFFERENT, reason, rank, None)
    return None


def _late(failure: Failure, observation: Observation) -> Judgement | None:
    """Judge a run that did not end: a documented hang if every rank waits where the record says, else unknown."""
    if not observation.cut_off:
        return None
    signature = failure.signature
    late = f"no end within {observation.timeout} s{f', {observation.shared_cores}' if observation.shared_cores else ''}"
    if observation.stood_still is not None:
        late = f"no rank did anything for {observation.stood_still:.0f} s"
    if signature.kind != "hang":
        where = next((rank for rank in observation.ranks if rank.stacks), None)
        return Judgement(Verdict.UNRUNNABLE, late, where.rank if where else None, where=_place(where) if where else "")
    for rank in observation.ranks:
        problem = why_not_still(rank)
        if problem:
            return Judgement(
                Verdict.UNRUNNABLE, f"{late}, but rank {rank.rank} {problem}", rank.rank, where=_place(rank)
            )
    stuck = [rank for rank in observation.ranks if waits_in(rank.stacks[-1], signature.function, signature.library)]
    stray = _stray(signature, observation.ranks, stuck)
    if stray is not None:
        rank, problem = stray
        return Judgement(Verdict.UNRUNNABLE, f"{late}, but rank {rank.rank} {problem}", rank.rank, where=_place(rank))
    shown = next((rank for rank in stuck if must_show(signature.ranks, rank.rank)), stuck[0])
    reason = f"stands still in {signature.function} on {in_words(signature.ranks)}"
    return Judgement(Verdict.REPRODUCED, reason, rank=shown.rank, where=_place(shown))


def _stray(signature: Signature, ranks: Sequence[Rank], stuck: Sequence[Rank]) -> tuple[Rank, str] | None:
    """A rank that does not wait where the record says, with the reason; all ranks stand still."""
    for rank in ranks:
        if must_show(signature.ranks, rank.rank) and rank not in stuck:
            return rank, f"does not wait in {signature.function}"
        if may_show(signature.ranks, rank.rank) and rank in stuck:
            continue
        if not signature.others:
            return rank, "waits where the record does not say: its signature has no 'others'"
        if not waits_in(rank.stacks[-1], signature.others, signature.library):
            return rank, f"does not wait in {signature.others}, as the record says of the other ranks"
    return None if stuck else (ranks[0], f"does not wait in {signature.function}, nor does any other rank")


def _place(rank: Rank) -> str:
    frame = rank.stacks[-1][-1] if rank.stacks and rank.stacks[-1] else None
    return f"{frame.file}:{frame.line} in {frame.function}" if frame else ""


def _no_verdict(observation: Observation) -> Judgement:
    """Why a run that ended before its deadline has no verdict."""
    for rank in observation.ranks:
        if rank.error is not None and rank.error.type in ASKED:
            return _unrunnable(f"rank {rank.rank} was asked to end from outside ({rank.error.type})", rank, rank.error)
    for rank in observation.ranks:
        if rank.error is not None:
            return _unrunnable("every error is the loss of a peer: the cause was not seen", rank, rank.error)
    for rank in observation.ranks:
        reason = _why_no_end(rank)
        if reason:
            return _unrunnable(f"rank {rank.rank} {reason}", rank)
    return _unrunnable(f"every rank passed, but the launcher ended with exit code {observation.launcher_code}")


def _why_no_end(rank: Rank) -> str | None:
    """Why a rank without an error did not end normally, or None if it did."""
    if rank.stopped:
        return "was asked to end from outside, or by the launcher, before anything had failed"
    if rank.exit_code is None:
        return "has no recorded end: the process that watched it was killed"
    if not rank.finished:
        when = "after its oracle had passed" if rank.oracle else "before its oracle passed"
        return f"left with exit code 0 before the end of its script, {when} (sys.exit or os._exit)"
    return None
