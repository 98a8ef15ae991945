"""Formats the answers of searches for the terminal and for failure pages."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from repro.model.affected import is_affected
from repro.model.failure import Failure
from repro.model.verdict import Side
from repro.report.format import VERDICT_GLYPHS
from repro.report.fragments import Code, Fragments, Strong
from repro.search.question import describe_skipped
from repro.search.roles import Moved
from repro.store.answers import Bisected, Blamed, BlamedChange, Every, Role, Stored, Swept, Tried, Turned, stretches

NOTHING = "·"
"""Shown for a release to which the failure does not apply."""


def glyph(fact: Tried) -> str:
    return VERDICT_GLYPHS[fact.verdict] if fact.verdict else NOTHING


def strip(answer: Swept) -> str:
    """``✗✗✗⊘⊘ ✓``: one glyph for each release, then one for the newest stack."""
    latest = f" {glyph(answer.latest)}" if answer.latest else ""
    return "".join(glyph(fact) for fact in answer.tried) + latest


def _name(answer: Bisected, fact: Tried) -> str:
    return f"{answer.package} {fact.label}" if answer.package else f"the stack of {fact.label}"


def _moved(answer: Bisected | Swept) -> Moved:
    return Moved(answer.role, answer.roles)


def _subject(answer: Bisected | Swept) -> str:
    """``torch``, or ``torch of the reader`` where the environment of one role alone was moved."""
    package = answer.package or "the whole stack, by days"
    return f"{package} of the {answer.role}" if answer.role else package


def _beside(answer: Bisected | Swept) -> str:
    """`` (reader, with writer torch-2.6)``; empty where the environment of all stages was moved."""
    note = _moved(answer).note
    return f" ({note})" if note else ""


def bisected_lines(answer: Bisected) -> list[str]:
    """The answer of a bisection: both neighbours, their evidence, skipped releases, and whether the record agrees."""
    last, first = ("last bad", "first good") if answer.older is Side.BAD else ("last good", "first bad")
    lines = [f"moved       {_moved(answer).note}"] if answer.role else []
    lines += [
        f"{last:<11} {_name(answer, answer.before)}: {answer.before.text}",
        f"{first:<11} {_name(answer, answer.after)}: {answer.after.text}",
    ]
    lines += note_lines(answer)
    if answer.untested:
        lines.append(f"between     {len(answer.untested)} skipped, so that the answer is a range:")
        lines += [f"            {_name(answer, fact)}: {fact.text}" for fact in answer.untested]
    if answer.package and answer.also_moved:
        lines.append(f"also moved  {', '.join(answer.also_moved)}")
    if answer.blame:
        lines += blamed_lines(answer.blame)
    if answer.upstream:
        lines.append(f"upstream    {', '.join(answer.upstream)}")
    lines += record_lines(answer)
    lines.append(f"effort      {effort(answer)}; log {answer.log}")
    return lines


def note_lines(answer: Bisected) -> list[str]:
    """Further notes on a bisection: repetitions, launchers, other changes and an open end."""
    lines = []
    if answer.confirmed:
        counts = ", ".join(f"{fact.label} in {fact.conclusive} runs" for fact in (answer.before, answer.after))
        lines.append(f"confirmed   {counts}{'; the failure is noisy' if answer.noisy else ''}")
    else:
        lines.append("confirmed   no: an older version ran each release once; bisect again")
    if answer.launchers_disagree:
        lines.append("launchers   torchrun disagrees with the warm launcher; only its runs were counted")
    lines += [f"not the only change: {text}" for text in answer.other_changes]
    if answer.lower_end_open:
        first = answer.ends[0]
        words = ["--package", str(answer.package), *_moved(answer).words, "--find-break", "--bad", first]
        again = shlex.join(["repro", "bisect", answer.failure, *words])
        lines.append(f"lower end   open: no release before {first} was run; to find the first bad one: {again}")
    return lines


def record_lines(answer: Bisected) -> list[str]:
    """Compares the record's specifiers with what was seen."""
    if answer.package is None:
        return []
    if answer.disagreeing:
        lines = []
        for fact in answer.disagreeing:
            says = "affected" if fact.affected else "not affected"
            lines.append(f"record      disagrees: it lists {_name(answer, fact)} as {says}, which is {fact.verdict}")
        return lines
    return ["record      agrees" if answer.agrees else "record      agrees with every release that gave a verdict"]


def effort(answer: Stored) -> str:
    """``7 runs, 2 reused, at 5 of 30 points, 84 s``."""
    facts = answer.all_tried
    total = sum(max(len(fact.runs), 1) for fact in facts)
    reused = sum(sum(run.reused for run in fact.runs) if fact.runs else fact.reused for fact in facts)
    places = f", at {len(answer.tried)} of {answer.points} points" if isinstance(answer, Bisected) else ""
    return f"{total - reused} runs, {reused} reused{places}, {answer.seconds:.0f} s"


_PARTS = {
    Role.GUILTY: "guilty",
    Role.NEEDED: "guilty or only needed: the rest does not resolve without it",
    Role.REQUIRED: "moved with the guilty one, which requires it; could not be tried alone",
    Role.INNOCENT: "innocent (tested)",
    Role.UNTESTED: "untested: no combination with it and without the guilty ones gave a verdict",
}


def blamed_lines(answer: Blamed) -> list[str]:
    """The answer of a blame: each smallest set, then every change with its role."""
    lines = []
    for cause in answer.causes:
        together = ", together" if len(cause) > 1 else "" if answer.required.get(cause[0]) else ", alone"
        lines.append(f"cause       {answer.cause_text(cause)}{together}")
    lines += [f"  {change.text}: {_part(change)}" for change in answer.changes]
    return lines


def _part(change: BlamedChange) -> str:
    return f"{_PARTS[change.part]}{f': {change.reason}' if change.reason else ''}"


def _stretches(answer: Swept) -> list[tuple[str, int, Tried]]:
    """Each run of equal verdicts: its first and last release, its length, and the evidence of the last release."""
    found = [
        (one.first.label if one.count == 1 else f"{one.first.label} to {one.last.label}", one.count, one.last)
        for one in stretches(answer.tried)
    ]
    if answer.latest:
        found.append((f"the newest stack of {answer.date[:10]}", 1, answer.latest))
    return found


def swept_lines(answer: Swept) -> list[str]:
    """The answer of a sweep: the strip, then each range of equal verdicts."""
    lines = [f"{answer.package} in {answer.base}{_beside(answer)}", strip(answer)]
    lines += [f"{glyph(fact)} {ends} ({count}): {fact.text}" for ends, count, fact in _stretches(answer)]
    lines += describe_skipped(answer.left_out)
    lines.append(f"effort      {effort(answer)}")
    return lines


@dataclass(frozen=True)
class Section:
    """One section of a failure page, independent of the output format."""

    title: str
    lead: Fragments
    heads: tuple[str, ...]
    rows: tuple[Fragments, ...]
    """One fragment for each column."""
    notes: tuple[str, ...] = ()


def sections(answers: Sequence[Stored]) -> list[Section]:
    """The sections of a page that show the answers of searches, sweeps first."""
    order = {"sweep": 0, "release": 1, "bisect": 2, "blame": 3}
    return [_section(answer) for answer in sorted(answers, key=lambda found: order[found.kind])]


def _section(answer: Stored) -> Section:
    if isinstance(answer, Swept):
        return _sweep(answer)
    if isinstance(answer, Bisected):
        return _bisection(answer)
    if isinstance(answer, Turned):
        return _turned(answer)
    return _blame(answer, f"Blame: {answer.start.environment} to {answer.end.environment}")


def _sweep(answer: Swept) -> Section:
    rows = [
        (
            ends,
            str(count),
            f"{glyph(fact)} {fact.verdict or 'does not apply'}",
            Code(fact.evidence or fact.reason),
            {True: "agrees", False: "disagrees", None: "—"}[fact.agrees],
        )
        for ends, count, fact in _stretches(answer)
    ]
    first, last = answer.tried[0].label, answer.tried[-1].label
    every = "the last release of every minor series" if answer.every is Every.MINOR else "every release"
    span = f"{every}, {first} to {last}" if len(answer.tried) > 1 else first
    return Section(
        f"Releases of {_subject(answer)}",
        (
            Code(strip(answer)),
            f" {span}, other pins as in ",
            Code(answer.base),
            f"{_beside(answer)}; {effort(answer)}, on {answer.date[:10]}.",
        ),
        ("releases", "number", "verdict", "evidence of the last", "record"),
        tuple(rows),
        tuple(describe_skipped(answer.left_out)),
    )


def _bisection(answer: Bisected) -> Section:
    last, first = ("last bad", "first good") if answer.older is Side.BAD else ("last good", "first bad")
    rows = [(last, answer.before), *(("skipped", fact) for fact in answer.untested), (first, answer.after)]
    notes = [" ".join(line.split()) for line in (*note_lines(answer), *record_lines(answer))]
    if answer.package and answer.also_moved:
        notes.append(f"Between the two these moved too: {', '.join(answer.also_moved)}.")
    if answer.blame:
        notes += [" ".join(line.split()) for line in blamed_lines(answer.blame)]
    question = "When was it mended" if answer.older is Side.BAD else "When did it break"
    return Section(
        f"{question}: {_subject(answer)}",
        (
            f"{' to '.join(answer.ends)}, in ",
            Code(answer.base),
            f"{_beside(answer)}; {effort(answer)}, on {answer.date[:10]}.",
        ),
        ("", answer.package or "day", "verdict", "evidence"),
        tuple(
            (name, fact.label, f"{glyph(fact)} {fact.verdict or 'does not apply'}", Code(fact.evidence or fact.reason))
            for name, fact in rows
        ),
        tuple(notes),
    )


def against_record(answer: Stored, failure: Failure) -> Stored:
    """The answer with today's record: the range that it disagreed with, or proposed, may have been written since.

    Unchanged in a record in which several environments decide, since an answer holds the versions of one.
    """
    if failure.depends_on_roles:
        return answer
    named = {name for releases in failure.affected for name in releases}

    def today(fact: Tried) -> Tried:
        """Unchanged if the fact does not hold the versions that the record decides by."""
        if not named <= fact.versions.keys():
            return fact
        return fact.model_copy(update={"affected": is_affected(failure, fact.versions)})

    if isinstance(answer, Turned):
        return answer.model_copy(update={"after": today(answer.after)})
    if isinstance(answer, Bisected):
        tried = tuple(map(today, answer.tried))
        return answer.model_copy(update={"before": today(answer.before), "after": today(answer.after), "tried": tried})
    if isinstance(answer, Swept):
        latest = answer.latest and today(answer.latest)
        return answer.model_copy(update={"tried": tuple(map(today, answer.tried)), "latest": latest})
    return answer


def turned_lines(answer: Turned) -> list[str]:
    """What a new release changed: one sentence, the evidence of both ends, and the proposed edit of the record."""
    lines = [sentence(answer)]
    lines += [f"  {fact.environment}: {fact.text}" for fact in answer.all_tried]
    lines += required_lines(answer)
    if answer.proposal_problem:
        lines.append(f"  no bound is proposed: {answer.proposal_problem}")
    return lines + ([f"  {line}" for line in answer.proposal.splitlines()] if answer.proposal else [])


def required_lines(answer: Turned) -> list[str]:
    """One line for each required release that could not be tried alone, with the reason."""
    return [
        f"  {release.distribution} {release.version} could not be tried alone: {release.reason}"
        for release in answer.required
        if not release.tried
    ]


def sentence(answer: Turned) -> str:
    """The answer in one sentence; by today's rules there may be no change."""
    if answer.holds:
        return answer.sentence
    return f"{answer.package} {answer.release}: no change of {answer.failure} by the rules of today"


def _turned(answer: Turned) -> Section:
    facts = ((answer.last, answer.before), (answer.release, answer.after))
    notes = tuple(f"{line.strip()}." for line in required_lines(answer))
    notes += (f"No bound is proposed: {answer.proposal_problem}.",) if answer.proposal_problem else ()
    return Section(
        f"New release: {answer.package} {answer.release}",
        (f"{sentence(answer)}. Found by ", Code("repro watch --run"), f" on {answer.date[:10]}."),
        (answer.package, "environment", "verdict", "runs", "evidence"),
        tuple(
            (
                label,
                fact.environment,
                f"{glyph(fact)} {fact.verdict or 'does not apply'}",
                str(len(fact.runs)),
                Code(fact.evidence or fact.reason),
            )
            for label, fact in facts
        ),
        notes,
    )


def _blame(answer: Blamed, title: str) -> Section:
    lead: list[str] = [f"The verdict turns from {answer.start.verdict} to {answer.end.verdict} by "]
    for number, cause in enumerate(answer.causes):
        lead += [", or by "] if number else []
        lead.append(Strong(answer.cause_text(cause)))
    return Section(
        title,
        (*lead, f". {effort(answer)}."),
        ("package", "change", "part"),
        tuple(
            (
                change.distribution,
                change.text.removeprefix(change.distribution).strip(),
                _part(change),
            )
            for change in answer.changes
        ),
    )
