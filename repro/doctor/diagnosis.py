"""What a catalogue says of an environment, by specifiers and, where it was run, by verdict.  Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from repro.doctor.stack.stack import ALIASES, KnownVersion, Stack
from repro.errors import Exit
from repro.model.failure import Cure, Failure, listed, specifiers_of
from repro.model.observation import Observation
from repro.model.specifiers import covers
from repro.model.verdict import Verdict
from repro.verdict.result import Result


class Finding(StrEnum):
    """What is said of one failure in one environment."""

    SUFFERS = "suffers"
    """It was run here, and the failure showed."""
    NOT_SEEN = "listed, not seen"
    """The specifiers cover the versions, but a run did not show it."""
    LISTED = "listed"
    """The specifiers cover the versions; it was not run."""
    NOT_AFFECTED = "not affected"
    UNKNOWN = "could not tell"


@dataclass(frozen=True)
class Diagnosis:
    """One failure in one environment."""

    failure: Failure
    finding: Finding
    why: str
    cures: tuple[str, ...] = ()
    """Each in one line, the one to try first in front."""
    runs: bool = True
    """Whether the reproduction speaks of what is installed: it imports one name only."""
    note: str = ""
    """What the finding does not say, in one line."""


def diagnose(
    failures: Iterable[Failure],
    stack: Stack,
    results: Mapping[str, Result] | None = None,
    not_run: Mapping[str, str] | None = None,
) -> list[Diagnosis]:
    """One diagnosis a failure; ``results`` are runs on this environment by failure, ``not_run`` why there is none."""
    found = [_told(_by_specifiers(failure, stack), (results or {}).get(failure.id)) for failure in failures]
    return [_unrun(item, (not_run or {}).get(item.failure.id)) for item in found]


def _unrun(item: Diagnosis, reason: str | None) -> Diagnosis:
    if reason is None or item.finding is not Finding.LISTED:
        return item
    return replace(item, why=f"{item.why}; not run: {reason}")


def _by_specifiers(failure: Failure, stack: Stack) -> Diagnosis:
    found = _one_name(failure, stack)
    for name in failure.distributions:
        other = stack.under_alias(name)
        renamed = _one_name(failure, other) if other and found.finding is not Finding.LISTED else None
        if renamed is None or renamed.finding is Finding.NOT_AFFECTED:
            continue
        alias = ALIASES[name]
        if name in stack.held:
            # lightning brings pytorch-lightning in any version: it matters only to code that imports that.
            found = replace(found, note=f"{alias} beside it is in the affected range: code that imports it may have it")
        else:
            words = f"{renamed.why}; {alias} is {name} under another name, which the reproduction does not import"
            found = replace(renamed, why=words, runs=False)
    return found


def _one_name(failure: Failure, stack: Stack) -> Diagnosis:
    held = {name: stack.get(name) for name in failure.distributions}
    odd = [f"{name} {version}" for name, facts in held.items() if facts for version in facts.versions if _odd(version)]
    if odd:
        return Diagnosis(failure, Finding.UNKNOWN, f"{', '.join(odd)}: not a version that can be compared")
    readings = stack.readings(specifiers_of(failure))
    covered = [listed(failure, versions) for versions in readings]
    if covered and all(covered):
        return Diagnosis(failure, Finding.LISTED, _versions(held), cures_of(failure))
    if any(covered):
        doubts = [f"{name} {facts.why}" for name, facts in held.items() if facts and facts.version is None]
        return Diagnosis(failure, Finding.UNKNOWN, "; ".join(doubts), cures_of(failure))
    return Diagnosis(failure, Finding.NOT_AFFECTED, _why_not(failure, held, stack, readings))


def _odd(version: str) -> bool:
    try:
        Version(version)
    except InvalidVersion:
        return True
    return False


def _versions(held: Mapping[str, KnownVersion | None]) -> str:
    """``lightning 2.2.1, torch >=2.2``."""
    words = [(name, " or ".join(facts.versions) or facts.specifiers or "any") for name, facts in held.items() if facts]
    return ", ".join(f"{name} {text}" for name, text in words)


def _why_not(
    failure: Failure, held: Mapping[str, KnownVersion | None], stack: Stack, readings: list[dict[str, str]]
) -> str:
    missing = [name for name in failure.needs.distributions if held.get(name) is None]
    if missing:
        return f"needs {', '.join(missing)}: not {'installed' if stack.closed else 'named'}"
    stated = _versions(held)
    for rejection in failure.rejected:
        if readings and all(covers(rejection.releases, versions) for versions in readings):
            return f"{stated}: refused with a clear error"
    alternatives = (", ".join(f"{name} {text}" for name, text in releases.items()) for releases in failure.affected)
    return f"{stated}: only {' or '.join(alternatives)} is affected"


def _told(static: Diagnosis, result: Result | None) -> Diagnosis:
    """What a run adds to the record's word."""
    if result is None or static.finding is not Finding.LISTED:
        return static
    said = result.judgement.evidence or result.judgement.reason
    if result.verdict is Verdict.REPRODUCED:
        return replace(static, finding=Finding.SUFFERS, why=said)
    if result.verdict in {Verdict.ABSENT, Verdict.REJECTED}:
        return replace(static, finding=Finding.NOT_SEEN, why=f"{result.verdict}: {said}")
    return replace(static, finding=Finding.UNKNOWN, why=f"listed; {result.verdict}: {cause_of(result)}")


def cause_of(result: Result) -> str:
    """The reason of a verdict with the error that stands behind it, in one line."""
    evidence = result.judgement.evidence or _last_line(result.newest)
    return f"{result.judgement.reason}: {evidence}" if evidence else result.judgement.reason


_ERROR = re.compile(r"^(?:\[\S+\]:)?((?:[\w.]*\.)?\w*(?:Error|Exception)\b.*)$", re.MULTILINE)


def _last_line(observation: Observation) -> str:
    """The last error that a rank or the launcher printed, where nothing was recorded: a broken torch."""
    for text in (*(rank.tail for rank in observation.ranks), observation.launcher_tail):
        found = _ERROR.findall(text)
        if found:
            return str(found[-1])[:300]
    return ""


def cures_of(failure: Failure) -> tuple[str, ...]:
    """All cures in words; an upgrade first."""
    ordered = sorted(failure.cures, key=lambda cure: cure.upgrade is None)
    return tuple(format_cure(failure, cure) for cure in ordered)


def format_cure(failure: Failure, cure: Cure) -> str:
    """A cure in one line."""
    if cure.upgrade:
        return "upgrade to " + " and ".join(f"{name} {text}" for name, text in cure.upgrade.items())
    if cure.backport:
        backport = failure.backport(cure.backport)
        return f"backport {failure.id}/{backport.file}: {backport.meaning}" if backport else cure.backport
    return str(cure.setting)


def exit_of_diagnoses(found: Iterable[Diagnosis], *, static: bool) -> Exit:
    """1 if something was seen, or, where nothing is run, is listed; else 3 if something could not be told."""
    findings = {item.finding for item in found}
    if Finding.SUFFERS in findings or (static and Finding.LISTED in findings):
        return Exit.CHANGED
    return Exit.UNKNOWN if findings & {Finding.UNKNOWN, Finding.LISTED} else Exit.OK
