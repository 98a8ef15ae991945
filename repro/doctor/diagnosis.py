"""Diagnoses an environment by the records' specifiers and, if failures were run, by their verdicts.  Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from packaging.version import Version

from repro.doctor.exposure import Exposure, Judged, judge
from repro.doctor.stack.inexact import describe
from repro.doctor.stack.stack import ALIASES, Stack
from repro.model.affected import inapplicable
from repro.model.errors import Exit, exit_of
from repro.model.specifiers import covers
from repro.model.verdict import Verdict

if TYPE_CHECKING:  # not loaded where nothing is run
    from repro.model.observation import Observation
    from repro.model.outline import Outlined
    from repro.verdict.result import Result


class Finding(StrEnum):
    """The finding for one failure in one environment."""

    SUFFERS = "suffers"
    """A run here showed the failure."""
    NOT_SEEN = "listed, not seen"
    """The record lists these versions, but a run here did not show the failure."""
    LISTED = "listed"
    """The record lists these versions; it was not run."""
    NOT_AFFECTED = "not affected"
    UNKNOWN = "could not tell"


@dataclass(frozen=True)
class Diagnosis:
    """One failure in one environment."""

    failure: "Outlined"
    finding: Finding
    why: str
    cures: tuple[str, ...] = ()
    """One line for each cure; try the first one first."""
    runs: bool = True
    """True if the versions allow the reproduction to run here."""
    notes: tuple[str, ...] = ()
    """The limits of the finding, one line each."""
    newest: Exposure | None = None
    """For an undecided failure: its exposure at the newest releases that the text allows."""


Tried = Mapping[str, Mapping[str, str]]
"""The newest release on which each failure was ever run, by failure and distribution."""


def diagnose(
    failures: "Iterable[Outlined]",
    stack: Stack,
    results: "Mapping[str, Result] | None" = None,
    not_run: Mapping[str, str] | None = None,
    tried: Tried | None = None,
) -> list[Diagnosis]:
    """One diagnosis for each failure; ``results`` are runs here, ``not_run`` reasons for missing ones, by failure."""
    catalog = list(failures)
    why_none = _none_named(catalog, stack)
    found = []
    for failure in catalog:
        item = Diagnosis(failure, Finding.UNKNOWN, why_none, runs=False) if why_none else _by_record(failure, stack)
        item = _with_notes(item, stack, (tried or {}).get(failure.id, {}))
        item = _with_result(item, (results or {}).get(failure.id))
        found.append(_unrun(item, (not_run or {}).get(failure.id)))
    return found


def _none_named(failures: "Iterable[Outlined]", stack: Stack) -> str:
    """The reason if none of the libraries is there, since it may then be the wrong environment; else empty."""
    names = sorted({name for failure in failures for name in failure.distributions})
    if not names or {*names, *(ALIASES[name] for name in names if name in ALIASES)} & stack.held.keys():
        return ""
    there = "installed: is it the right environment?" if stack.closed else "named"
    return f"none of {', '.join(names)} is {there}"


_BY_RECORD = {
    Exposure.AFFECTED: Finding.LISTED,
    Exposure.UNKNOWN: Finding.UNKNOWN,
    Exposure.CLEAR: Finding.NOT_AFFECTED,
}


def _by_record(failure: "Outlined", stack: Stack) -> Diagnosis:
    judged = judge(failure, stack)
    return Diagnosis(
        failure,
        _BY_RECORD[judged.exposure],
        _why(judged, stack),
        failure.cure_lines if judged.possible else (),
        runs=not judged.alias and inapplicable(failure, stack.versions) is None,
        newest=judged.newest,
    )


def _why(judged: Judged, stack: Stack) -> str:
    if not judged.alias:
        return judged.why
    name = next(name for name, alias in ALIASES.items() if alias == judged.alias)
    if name in stack.held:
        return f"{judged.why} of {judged.alias}, the same code as {name}: code that imports it"
    return f"{judged.why}; {judged.alias} is {name} under another name, which the reproduction does not import"


def _with_notes(item: Diagnosis, stack: Stack, tried: Mapping[str, str]) -> Diagnosis:
    """Add the limits of the finding: an inexact build, a reproduction that cannot run, a release that is too new."""
    failure = item.failure
    notes = []
    for name in failure.judged_by:
        held = stack.held.get(name)
        build = describe(held.version, held.inexact) if held and held.version else ""
        if held and build and item.finding is not Finding.UNKNOWN:
            notes.append(f"{name} {held.version} {build}")
    versions = stack.versions
    needs = failure.needed if item.finding is Finding.LISTED else {}
    notes += [
        f"the reproduction cannot run here: it needs {name}{text}"
        for name, text in needs.items()
        if name in versions and not covers({name: text}, versions)
    ]
    notes += [
        _beyond(failure, name, newest, versions[name])
        for name, newest in tried.items()
        if name in failure.judged_by and name in versions and _newer(versions[name], newest)
    ]
    return replace(item, notes=(*item.notes, *notes))


def _newer(version: str, other: str) -> bool:
    """True if a version has a higher release number than another; False if one of them is not a version."""
    return not describe(version).startswith("is not") and Version(version).release > Version(other).release


def _beyond(failure: "Outlined", name: str, newest: str, version: str) -> str:
    fixed = f"fixed in {name} {failure.fixed_in[name]} by the record; " if name in failure.fixed_in else ""
    return f"{fixed}newest run {name} {newest}; not run on {version}"


def _unrun(item: Diagnosis, reason: str | None) -> Diagnosis:
    if reason is None or item.finding is not Finding.LISTED:
        return item
    return replace(item, why=f"{item.why}; not run: {reason}")


def _with_result(static: Diagnosis, result: "Result | None") -> Diagnosis:
    """Combine the record's judgement with a run.

    What a run showed counts more than the record.  An inconclusive run never improves a finding.
    """
    if result is None:
        return static
    said = result.judgement.evidence or result.judgement.reason
    notes = tuple(note for note in static.notes if "not run on" not in note)
    if result.verdict is Verdict.REPRODUCED:
        more = () if static.finding is Finding.LISTED else (f"the record does not list it: {static.why}",)
        return replace(
            static, finding=Finding.SUFFERS, why=said, notes=(*notes, *more), cures=static.failure.cure_lines
        )
    if static.failure.depends_on_roles and static.finding is Finding.UNKNOWN:
        # One environment played all roles: that says nothing of two that differ.
        return replace(static, notes=(*notes, f"{result.verdict} where this environment plays every role"))
    if result.verdict in {Verdict.ABSENT, Verdict.REJECTED}:
        finding = Finding.NOT_SEEN if static.finding is Finding.LISTED else Finding.NOT_AFFECTED
        return replace(static, finding=finding, why=f"{result.verdict}: {said}", notes=notes, newest=None)
    if static.finding is not Finding.LISTED and result.verdict is Verdict.UNRUNNABLE:
        return replace(static, notes=(*static.notes, f"not run: {cause_of(result)}"))
    before = {Finding.LISTED: "listed; ", Finding.NOT_AFFECTED: "not listed; "}.get(static.finding, f"{static.why}; ")
    why = f"{before}{result.verdict}: {cause_of(result)}"
    return replace(static, finding=Finding.UNKNOWN, why=why, newest=None)


def cause_of(result: "Result") -> str:
    """The reason of a verdict with the underlying error, in one line."""
    evidence = result.judgement.evidence or _last_line(result.newest)
    return f"{result.judgement.reason}: {evidence}" if evidence else result.judgement.reason


_ERROR = re.compile(r"^(?:\[\S+\]:)?((?:[\w.]*\.)?\w*(?:Error|Exception)\b.*)$", re.MULTILINE)


def _last_line(observation: "Observation") -> str:
    """The last error that a rank or the launcher printed, if none was recorded, as with a broken torch."""
    for text in (*(rank.tail for rank in observation.ranks), observation.launcher_tail):
        found = _ERROR.findall(text)
        if found:
            return str(found[-1])[:300]
    return ""


def exit_of_diagnoses(found: Iterable[Diagnosis], *, static: bool) -> Exit:
    """A failure is found if it was seen or, if nothing is run, if it is listed."""
    findings = {item.finding for item in found}
    return exit_of(
        changed=Finding.SUFFERS in findings or (static and Finding.LISTED in findings),
        unknown=bool(findings & {Finding.UNKNOWN, Finding.LISTED}),
    )
