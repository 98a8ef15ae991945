"""Record + observation -> verdict.  Pure, so that stored observations can be judged again.

The order of the rules is the meaning: what could make a verdict wrong is excluded before anything is
concluded.  A verdict other than ``unrunnable`` needs a run whose script reached its own code on every
rank, with the imports of the environment under test.
"""

from packaging.version import InvalidVersion, Version

from repro.model.failure import Failure, Signature
from repro.model.observation import Installed, Observation, Raised, Rank
from repro.model.verdict import Judgement, Verdict
from repro.verdict.signature import (
    hangs,
    is_consequence,
    is_missing_import,
    is_resource_fault,
    is_watchdog_abort,
    shows,
)

SIGKILL, SIGTERM = 9, 15
ASKED = {"KeyboardInterrupt", "SIGTERMException"}
"""What a script raises because someone asked it to end; the second is lightning's."""


def judge(failure: Failure, observation: Observation) -> Judgement:
    """The one verdict of one run."""
    failure = failure.in_lane(observation.cell.lane)
    for rule in (_not_started, _not_reached, _wrong_imports, _killed, _passed, _failed, _stuck):
        judgement = rule(failure, observation)
        if judgement is not None:
            return judgement
    return _unrunnable("the ranks ended in a way that no rule knows")


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
    missing = observation.cell.world_size - sum(rank.started for rank in observation.ranks)
    if missing:
        return _unrunnable(f"{missing} of {observation.cell.world_size} ranks never started")
    return None


def _not_reached(_failure: Failure, observation: Observation) -> Judgement | None:
    for rank in observation.ranks:
        if observation.cell.backport and not rank.backport_applied:
            return _unrunnable(f"rank {rank.rank}: the backport was not applied", rank, rank.error)
        if not rank.reached:
            why = "failed before it reached its own code" if rank.error else "never reached its own code"
            return _unrunnable(f"rank {rank.rank} {why}", rank, rank.error)
    return None


def _same(module_version: str, distribution_version: str) -> bool:
    """Whether a module's ``__version__`` is that of its distribution; a local build (+cpu) may be left out."""
    try:
        return Version(module_version).public == Version(distribution_version).public
    except InvalidVersion:
        return module_version == distribution_version


def _wrong_imports(failure: Failure, observation: Observation) -> Judgement | None:
    installed = observation.installed
    if installed is None:
        return _unrunnable("what the environment holds is not known")
    for distribution in failure.distributions:
        if distribution not in installed.distributions:
            return _unrunnable(f"{distribution} is not installed in {installed.name}")
        for rank in observation.ranks:
            problem = _import_problem(rank, installed, distribution)
            if problem:
                return _unrunnable(f"rank {rank.rank} {problem}", rank)
    return None


def _import_problem(rank: Rank, installed: Installed, distribution: str) -> str:
    expected = installed.distributions[distribution]
    modules = [name for name in installed.modules.get(distribution, ()) if name in rank.imported]
    if not modules:
        return f"did not import {distribution}"
    for name in modules:
        module = rank.imported[name]
        if not module.inside:
            return f"imported {name} from outside the environment"
        if not _same(module.version, expected):
            return f"imported {name} {module.version}, but {distribution} {expected} is installed"
    return ""


def died_at_shutdown(observation: Observation) -> bool:
    """Whether every rank's oracle spoke and its script ended, and only then an interpreter died by a signal.

    torch without ``destroy_process_group`` does so now and then, which tells nothing of the failure.  It is no pass:
    who sees it runs the cell once more, and a crash that comes again is ``different``.
    """
    ended = all(rank.finished and rank.oracle and rank.error is None for rank in observation.ranks)
    died = any(rank.signal is not None and not rank.stopped for rank in observation.ranks)
    return bool(observation.ranks) and ended and died


def _killed(failure: Failure, observation: Observation) -> Judgement | None:
    for rank in observation.ranks:
        if rank.signal is None or rank.stopped or rank.error is not None:
            continue
        if rank.signal in {SIGKILL, SIGTERM}:
            return _unrunnable(f"rank {rank.rank} was killed by signal {rank.signal} from outside", rank)
        if not any(failed_itself(other, failure) for other in observation.ranks):
            return _judgement(Verdict.DIFFERENT, f"rank {rank.rank} died by signal {rank.signal}", rank, None)
    return None


def _passed(_failure: Failure, observation: Observation) -> Judgement | None:
    ranks = observation.ranks
    if observation.deadline_passed or observation.launcher_code != 0:
        return None
    if not all(rank.exit_code == 0 and rank.finished for rank in ranks):
        return None
    silent = [rank for rank in ranks if not rank.oracle]
    if silent:
        return _unrunnable(f"rank {silent[0].rank} ended with exit code 0, but its oracle did not speak", silent[0])
    reason = "every rank ended with exit code 0 after its oracle"
    return Judgement(Verdict.ABSENT, reason, rank=ranks[0].rank, evidence=ranks[0].oracle or "")


def failed_itself(rank: Rank, failure: Failure) -> bool:
    """Whether a rank failed by an error of its own, not by the loss of a peer or because it was asked to end."""
    if rank.error is None or rank.error.type in ASKED:
        return False
    return shows(rank.error, failure.signature) or not is_consequence(rank.error)


def _left(rank: Rank) -> bool:
    """Whether a rank ended itself with a code and no exception: ``os._exit(3)``."""
    return rank.exit_code not in {0, None} and rank.error is None and not rank.stopped


def _failed(failure: Failure, observation: Observation) -> Judgement | None:
    causes = [rank for rank in observation.ranks if failed_itself(rank, failure)]
    causes.sort(key=lambda rank: rank.failed_at or 0.0)
    if not causes:
        return None
    root = causes[0]
    assert root.error is not None  # noqa: S101 - what failed_itself says
    for rejection in failure.rejected:
        if _objection(rejection.signature, failure, observation) is None:
            reason = f"refused with the documented error on {_which(rejection.signature)}"
            return _judgement(Verdict.REJECTED, reason, root, root.error)
    if failure.signature.kind != "hang" and shows(root.error, failure.signature):
        objection = _objection(failure.signature, failure, observation)
        if objection is None:
            reason = f"the signature, on {_which(failure.signature)}"
            return _judgement(Verdict.REPRODUCED, reason, root, root.error)
        return _judgement(Verdict.DIFFERENT, f"the signature, but {objection}", root, root.error)
    if is_missing_import(root.chain):
        return _unrunnable(f"rank {root.rank} lacks a package", root, root.error)
    if is_resource_fault(root.chain):
        return _unrunnable(f"rank {root.rank} met a limit of the machine", root, root.error)
    return _judgement(Verdict.DIFFERENT, "the first error does not have the signature", root, root.error)


def _which(signature: Signature) -> str:
    return {"all": "every rank", "any": "at least one rank"}.get(str(signature.ranks), f"rank {signature.ranks} only")


def _objection(signature: Signature, failure: Failure, observation: Observation) -> str | None:
    """None where the signature is on exactly the ranks that it names and nothing else went wrong."""
    showing = [rank.rank for rank in observation.ranks if rank.error is not None and shows(rank.error, signature)]
    for rank in observation.ranks:
        if rank.rank in showing:
            if isinstance(signature.ranks, int) and signature.ranks != rank.rank:
                return f"rank {rank.rank} shows it too"
        elif signature.ranks in {"all", rank.rank}:
            return f"rank {rank.rank} does not show it"
        elif failed_itself(rank, failure):
            return f"rank {rank.rank} failed in another way"
        elif rank.signal is not None and not rank.stopped and not is_watchdog_abort(rank):
            return f"rank {rank.rank} died by signal {rank.signal}"
        elif _left(rank):
            return f"rank {rank.rank} ended with exit code {rank.exit_code} and no exception"
    return None if showing else "no rank shows it"


def _stuck(failure: Failure, observation: Observation) -> Judgement | None:
    left = next((rank for rank in observation.ranks if _left(rank)), None)
    if left is not None:
        reason = f"rank {left.rank} ended with exit code {left.exit_code} and no exception"
        return _judgement(Verdict.DIFFERENT, reason, left, None)
    if not observation.deadline_passed:
        lost = next((rank for rank in observation.ranks if rank.error is not None), None)
        if lost is not None:
            return _unrunnable("every error is the loss of a peer: the cause was not seen", lost, lost.error)
        return None
    waiting = [rank for rank in observation.ranks if rank.stacks]
    signature = failure.signature
    if signature.kind == "hang":
        stuck = [rank for rank in waiting if hangs(rank.stacks, signature)]
        wanted = {
            "all": len(stuck) == len(observation.ranks),
            "any": bool(stuck),
        }.get(str(signature.ranks), [rank.rank for rank in stuck] == [signature.ranks])
        if wanted:
            reason = f"stands still in {signature.function} on {_which(signature)}"
            return Judgement(Verdict.REPRODUCED, reason, rank=stuck[0].rank, where=_place(stuck[0]))
    where = waiting[0] if waiting else None
    reason = f"no end within {observation.timeout} s"
    return Judgement(
        Verdict.UNRUNNABLE, reason, rank=where.rank if where else None, where=_place(where) if where else ""
    )


def _place(rank: Rank) -> str:
    frame = rank.stacks[-1][-1] if rank.stacks and rank.stacks[-1] else None
    return f"{frame.file}:{frame.line} in {frame.function}" if frame else ""
