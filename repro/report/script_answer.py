"""Formats the answer of a bisection for a user's script: what changed, since when, and what to do."""

from collections.abc import Iterable, Sequence

from repro.model.failure import Failure
from repro.model.verdict import Side
from repro.report.answers import effort
from repro.search.log import Question
from repro.store.answers import Bisected, Tried
from repro.verdict.learn import describe

LIBRARIES = ("torch", "lightning", "pytorch-lightning", "transformers", "accelerate")
_RELEASES = {
    "torch": "https://github.com/pytorch/pytorch/releases/tag/v{}",
    "lightning": "https://github.com/Lightning-AI/pytorch-lightning/releases/tag/{}",
    "pytorch-lightning": "https://github.com/Lightning-AI/pytorch-lightning/releases/tag/{}",
    "transformers": "https://github.com/huggingface/transformers/releases/tag/v{}",
    "accelerate": "https://github.com/huggingface/accelerate/releases/tag/v{}",
}
"""The page of each project that lists the changes of a release."""


def changelog(package: str, version: str) -> str:
    """The address of the changes of a release: the project's own page, else the one on PyPI."""
    return _RELEASES.get(package, f"https://pypi.org/project/{package}/{{}}/").format(version)


def sentence(answer: Bisected, question: Question) -> str:
    """The answer in one sentence."""
    script = question.script.script if question.script else answer.failure
    days = {point.label: point.day for point in question.points}
    day = f" of {days[answer.after.label]}" if days.get(answer.after.label) else ""
    does = "passes" if answer.older is Side.BAD else "fails"
    if question.metric:
        does = f"has {question.metric.metric} as at the {'good' if answer.older is Side.BAD else 'bad'} end"
    first = f"{answer.package} {answer.after.label}{day}"
    if answer.untested:
        skipped = ", ".join(fact.label for fact in answer.untested)
        said = f"{script} {does} with {first}, or since one of {skipped}, which gave no verdict"
    else:
        said = f"{first} is the first release with which {script} {does}"
    return f"{said}; {_others(answer, question)}"


def _others(answer: Bisected, question: Question) -> str:
    moved = {text.split()[0] for text in answer.also_moved}
    held = {*answer.before.versions, *answer.after.versions}
    for point in question.points:
        if point.definition:
            held |= {*point.definition.pins, *point.definition.preferred}
    same = [name for name in LIBRARIES if name in held and name not in {*moved, answer.package}]
    words = []
    if same:
        words.append(f"{_joined(same)} {'are' if len(same) > 1 else 'is'} innocent: the same on both sides")
    if answer.also_moved:
        words.append(f"not separated from it, since it needs them so: {', '.join(answer.also_moved)}")
    return "; ".join(words) or "no other package differs between the two sides"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def advice(answer: Bisected) -> str:
    """What to do about it: a cap, or an upgrade."""
    if answer.older is Side.BAD:
        return f"upgrade: {answer.package}>={answer.after.label}"
    bound = f"<={answer.before.label}" if answer.untested else f"<{answer.after.label}"
    return f"cap: {answer.package}{bound}, until a newer release passes"


def script_lines(
    answer: Bisected, question: Question, known: Sequence[tuple[Failure, bool]] = (), gates: Iterable[str] = ()
) -> list[str]:
    """The answer, its evidence, skipped releases with the reasons, advice, and the command that repeats it."""
    last, first = ("last bad", "first good") if answer.older is Side.BAD else ("last good", "first bad")
    lines = [
        sentence(answer, question),
        f"{last:<11} {answer.package} {answer.before.label}: {_said(answer.before)}",
        f"{first:<11} {answer.package} {answer.after.label}: {_said(answer.after)}",
    ]
    if question.metric:
        lines.append(f"judged by   {question.metric.describe()}")
    elif question.script and question.script.rule == "signature":
        lines.append(f"judged by   {describe(question.script.signature)}")
    counts = ", ".join(f"{fact.label} in {fact.conclusive} runs" for fact in (answer.before, answer.after))
    lines.append(f"confirmed   {counts}{'; it fails in some of the runs only' if answer.noisy else ''}")
    if answer.launchers_disagree:
        lines.append("launchers   torchrun disagrees with the warm launcher; only its runs were counted")
    lines += [f"not the only change: {text}" for text in answer.other_changes]
    skipped = [fact for fact in answer.tried if fact.side is Side.SKIP]
    lines += [f"skipped     {answer.package} {fact.label}: {fact.text}" for fact in skipped]
    lines += gate_lines(gates)
    lines += known_lines(known) if known or not question.metric else []
    lines += [
        f"advice      {advice(answer)}",
        f"changelog   {changelog(str(answer.package), answer.after.label)}",
        f"effort      {effort(answer)}",
    ]
    return lines


def gate_lines(gates: Iterable[str]) -> list[str]:
    """The gates that the CPU lane lifted in the runs; no line if there are none."""
    lifted = ", ".join(sorted(set(gates)))
    return [f"CPU lane    refusals to run without an accelerator were lifted: {lifted}"] if lifted else []


def known_lines(known: Sequence[tuple[Failure, bool]]) -> list[str]:
    """The documented failures with the same signature, each with a note if its record does not cover the versions."""
    lines = []
    for failure, covered in known:
        how = "known       " if covered else "similar     "
        less = "" if covered else " (its record does not list these versions)"
        lines.append(f"{how}{failure.id}: {failure.title}{less}")
    return lines or ["known       no documented failure has this signature"]


def _said(fact: Tried) -> str:
    return fact.text
