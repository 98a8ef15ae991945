"""Judges by the record alone whether a stack has a failure: yes, no, or not known and why.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from repro.doctor.stack.inexact import describe, span
from repro.doctor.stack.stack import ALIASES, KnownVersion, Stack
from repro.model.affected import is_affected, is_open, plays_a_role, roles_in_words, specifiers_of
from repro.model.specifiers import covers, range_in_words
from repro.model.version import parsed_version

if TYPE_CHECKING:
    from repro.model.outline import Outlined


class Exposure(StrEnum):
    """The judgement of a stack by a record."""

    AFFECTED = "affected"
    CLEAR = "clear"
    UNKNOWN = "not known"
    """The allowed versions disagree, or one of them is older or newer than any that was tried."""


@dataclass(frozen=True)
class Judged:
    """The judgement of a stack, with the reason."""

    exposure: Exposure
    why: str
    possible: bool
    """True if some versions that the stack allows are affected, or may be."""
    newest: Exposure | None = None
    """If not known: the exposure of the newest releases that the stack allows; None if that is not known either."""
    alias: str = ""
    """The other name of a distribution, if only the version under that name decides."""


_WEIGHT = {Exposure.AFFECTED: 2, Exposure.UNKNOWN: 1, Exposure.CLEAR: 0}


def judge(failure: "Outlined", stack: Stack) -> Judged:
    """Judge a stack; each distribution counts under all its names."""
    found = _under_one_name(failure, stack)
    for name in failure.judged_by:
        renamed = stack.under_alias(name)
        if renamed is None:
            continue
        other = _under_one_name(failure, renamed)
        held_only_so = name not in stack.held and other.exposure is found.exposure is Exposure.UNKNOWN
        if held_only_so or _WEIGHT[other.exposure] > _WEIGHT[found.exposure]:
            found = replace(other, alias=ALIASES[name])
    return found


def exposure(failure: "Outlined", stack: Stack) -> Exposure:
    """AFFECTED or CLEAR only if all versions that the stack allows agree."""
    return judge(failure, stack).exposure


def may_affect(failure: "Outlined", stack: Stack) -> bool:
    """True if some versions that the stack allows are affected, or may be."""
    return judge(failure, stack).possible


def _of_versions(failure: "Outlined", versions: Mapping[str, str]) -> Exposure:
    if is_affected(failure, versions):
        return Exposure.AFFECTED
    # What the other environment has, such as the one that wrote a checkpoint, is not known here.
    if failure.depends_on_roles and plays_a_role(failure, versions):
        return Exposure.UNKNOWN
    return Exposure.UNKNOWN if is_open(failure, versions) else Exposure.CLEAR


def _under_one_name(failure: "Outlined", stack: Stack) -> Judged:
    held = {name: stack.get(name) for name in failure.judged_by}
    odd = [
        f"{name} {version}"
        for name, facts in held.items()
        if facts
        for version in facts.versions
        if parsed_version(version) is None
    ]
    if odd:
        return Judged(Exposure.UNKNOWN, f"{', '.join(odd)}: not a version that can be compared", possible=True)
    specifiers = specifiers_of(failure)
    readings = stack.readings(specifiers)
    if not readings:
        return Judged(Exposure.UNKNOWN, f"{_stated(held)}: no version satisfies this", possible=True)
    found = [_of_versions(failure, versions) for versions in readings]
    possible = set(found) != {Exposure.CLEAR}
    if set(found) == {Exposure.AFFECTED}:
        return Judged(Exposure.AFFECTED, _stated(held), possible)
    if not possible:
        return Judged(Exposure.CLEAR, _why_clear(failure, held, readings), possible)
    doubts = [_doubt(name, facts) for name in _deciding(readings, found) if (facts := held[name])]
    if set(found) == {Exposure.UNKNOWN}:
        doubts = [
            f"{untried.words} was never tried"
            for untried in failure.never_tried
            if any(covers({untried.name: untried.specifier}, versions) for versions in readings)
        ]
    if failure.depends_on_roles:
        doubts = [f"two environments decide together ({roles_in_words(failure)}), and this is one of them"]
    newest = stack.newest(specifiers)
    return Judged(
        Exposure.UNKNOWN,
        "; ".join(doubts or [_doubt(name, facts) for name, facts in held.items() if facts and not facts.version]),
        possible,
        newest=None if newest is None else _of_versions(failure, newest),
    )


def _deciding(readings: Sequence[Mapping[str, str]], found: Sequence[Exposure]) -> list[str]:
    """The distributions for which a different version alone changes the answer."""
    names = sorted({name for versions in readings for name in versions})
    deciding = []
    for name in names:
        answers: dict[tuple[tuple[str, str], ...], set[Exposure]] = {}
        for versions, answer in zip(readings, found, strict=True):
            rest = tuple(sorted(item for item in versions.items() if item[0] != name))
            answers.setdefault(rest, set()).add(answer)
        if any(len(kinds) > 1 for kinds in answers.values()):
            deciding.append(name)
    return deciding


def _doubt(name: str, facts: KnownVersion) -> str:
    """Why one distribution leaves the answer undecided: ``torch is not pinned (>=2.2)``."""
    builds = [version for version in facts.versions if span(version, facts.inexact)]
    if len(facts.versions) == 1 and builds:
        return f"{name} {builds[0]} {describe(builds[0], facts.inexact)}"
    return f"{name} {facts.why}"


def _stated(held: Mapping[str, KnownVersion | None]) -> str:
    """``lightning 2.2.1, torch >=2.2``."""
    words = [(name, " or ".join(facts.versions or filter(None, facts.ranges)) or "any") for name, facts in _there(held)]
    return ", ".join(f"{name} {text}" for name, text in words)


def _there(held: Mapping[str, KnownVersion | None]) -> Iterable[tuple[str, KnownVersion]]:
    return [(name, facts) for name, facts in held.items() if facts]


def _why_clear(
    failure: "Outlined", held: Mapping[str, KnownVersion | None], readings: Sequence[Mapping[str, str]]
) -> str:
    missing = [name for name, facts in held.items() if facts is None and name not in failure.may_be_absent]
    if missing and all(set(missing) & set(releases) for releases in failure.affected):
        return f"{', '.join(missing)} is not installed"
    stated = _stated(held)
    for refused in failure.refused:
        if all(covers(refused, versions) for versions in readings):
            return f"{stated}: refused with a clear error"
    alternatives = (", ".join(range_in_words(*item) for item in releases.items()) for releases in failure.affected)
    return f"{stated}: only {' or '.join(alternatives)} is affected"
