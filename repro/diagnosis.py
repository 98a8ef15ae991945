"""What a catalogue says of an environment, by specifiers and, where it was run, by verdict.  Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from repro.catalog.records import Cure, Failure
from repro.result import Result
from repro.verdict import Verdict, inapplicable, is_affected


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


def listed(failure: Failure, versions: Mapping[str, str]) -> bool:
    """Whether the record's specifiers cover the versions."""
    held = dict(versions)
    return inapplicable(failure, held) is None and is_affected(failure, held)


def diagnose(
    failures: Iterable[Failure],
    versions: Mapping[str, str],
    results: Mapping[str, Result],
    unknown: Iterable[str] = (),
) -> list[Diagnosis]:
    """One diagnosis a failure.

    ``results`` are runs on this environment by failure; ``unknown`` are distributions that are there in
    a version that cannot be known.
    """
    return [_diagnose(failure, versions, results.get(failure.id), frozenset(unknown)) for failure in failures]


def _diagnose(
    failure: Failure, versions: Mapping[str, str], result: Result | None, unknown: frozenset[str]
) -> Diagnosis:
    open_ones = sorted(set(failure.distributions) & unknown)
    if open_ones:
        return Diagnosis(failure, Finding.UNKNOWN, f"the version of {', '.join(open_ones)} is not known")
    if not listed(failure, versions):
        why = inapplicable(failure, dict(versions)) or "its versions are not among the affected ones"
        return Diagnosis(failure, Finding.NOT_AFFECTED, why)
    cures = tuple(cure_words(failure, cure) for cure in failure.cures)
    if result is None:
        held = ", ".join(f"{name} {versions[name]}" for name in failure.distributions if name in versions)
        return Diagnosis(failure, Finding.LISTED, held, cures)
    said = result.judgement.evidence or result.judgement.reason
    if result.verdict is Verdict.REPRODUCED:
        return Diagnosis(failure, Finding.SUFFERS, said, cures)
    if result.verdict in {Verdict.ABSENT, Verdict.REJECTED}:
        return Diagnosis(failure, Finding.NOT_SEEN, f"{result.verdict}: {said}", cures)
    why = f"{result.verdict}: {result.judgement.reason}"
    return Diagnosis(failure, Finding.UNKNOWN, f"{why}: {result.judgement.evidence}".removesuffix(": "), cures)


def cure_words(failure: Failure, cure: Cure) -> str:
    """A cure in one line."""
    if cure.upgrade:
        return "upgrade to " + " and ".join(f"{name} {text}" for name, text in cure.upgrade.items())
    if cure.backport:
        backport = failure.backport(cure.backport)
        return f"backport {failure.id}/{backport.file}: {backport.meaning}" if backport else cure.backport
    return str(cure.setting)
