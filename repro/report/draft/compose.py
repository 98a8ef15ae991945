"""Fills in the fields of a form.  Pure: a case in, Markdown out."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Template
from packaging.version import Version

from repro.files import read_text_file, templates_of
from repro.model.cell import Cell, stage_cells
from repro.model.failure import UNSET, WORLD_SIZE, Lane
from repro.model.matrix import Environment
from repro.model.rank_launcher import LAUNCHER, by_hand
from repro.model.stages import FOLDER_FLAG, STAGE_FLAG
from repro.model.verdict import Verdict
from repro.model.version import parsed_version
from repro.report.draft.case import Case
from repro.report.draft.forms import Field, FieldContent, Form, Tracker
from repro.report.draft.tracebacks import format_exit, traceback_text
from repro.report.failure_page import FILTERS
from repro.report.matrix_page import code, escape
from repro.report.rows import gate_reasons
from repro.verdict.result import Result


@dataclass(frozen=True)
class Detail:
    """How much detail to write; trackers refuse a body that is too long."""

    frames: int | None = None
    """The number of innermost frames of each exception; None for all."""
    message: int | None = None
    """The number of characters of each exception's message."""
    environment: int | None = None
    """The number of characters of the environment's description."""
    tables: bool = True
    evidence: bool = True
    cut: str = ""
    """A description of what was left out."""


LEVELS = (
    Detail(),
    Detail(environment=12_000, message=4_000, cut="long messages and the environment's description were cut"),
    Detail(frames=24, message=1_500, environment=6_000, tables=False, cut="the tables of other runs were left out"),
    Detail(frames=10, message=400, environment=2_000, tables=False, evidence=False, cut="the evidence was left out"),
)
"""From full detail to the minimum of a useful report."""


def fenced(text: str, language: str = "text") -> str:
    """A text in a code block whose fence is longer than any fence in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def prose(text: str) -> str:
    """A text of the record without @mentions, so that a report notifies no strangers."""
    pieces = re.split(r"(`+[^`]*`+)", text.strip())
    calm = [piece if piece.startswith("`") else re.sub(r"(?<![\w.])@(?=\w)", "@\u200b", piece) for piece in pieces]
    return "".join(calm)


def title_of(case: Case) -> str:
    """The record's title on one line."""
    return " ".join(case.failure.title.split())


def field_text(field: Field, form: Form, case: Case, detail: Detail) -> str:
    """The text of a field; empty if a person must write it."""
    text = _PARTS[field.part](case, detail)
    if field.part is FieldContent.VERSIONS:
        return "\n".join(_options(field, case, form))
    if field.options:
        return "\n".join(
            f"- [{'x' if index == len(field.options) - 1 else ' '}] {name}" for index, name in enumerate(field.options)
        )
    if field.part is FieldContent.ENVIRONMENT:
        plain = bool(field.render) or form.project is Tracker.TRANSFORMERS
        return text if plain else fenced(text)
    return text


def _joined(*parts: str) -> str:
    return "\n\n".join(part.rstrip() for part in parts if part)


def _description(case: Case, detail: Detail) -> str:
    return _joined(*_what(case), "**Steps**", _steps(case, "the script below"), *_outcome(case, detail))


def _self_contained(case: Case, detail: Detail) -> str:
    script = fenced(case.script, "python")
    return _joined(
        *_what(case), script, _steps(case, "the script above"), *_outcome(case, detail), _evidence(case, detail)
    )


def _reproduction(case: Case, detail: Detail) -> str:
    script = fenced(case.script, "python")
    observed = ("**Observed**", _observed(case, detail))
    return _joined(*_what(case), script, _steps(case, "the script above"), *observed, _evidence(case, detail))


def _what(case: Case) -> tuple[str, str]:
    return prose(case.failure.summary), _related(case)


def _outcome(case: Case, detail: Detail) -> tuple[str, ...]:
    return "**Expected**", _expected(case, detail), "**Observed**", _observed(case, detail)


def _logs(case: Case, detail: Detail) -> str:
    ranks = [f"rank {rank.rank}: {format_exit(rank)}" for rank in case.result.newest.ranks]
    return fenced("\n".join([*ranks, "", _traceback(case, detail)]))


def _environment(case: Case, detail: Detail) -> str:
    described = case.described
    if described.problem is not None:
        installed = case.result.newest.installed
        listed = installed.distributions if case.own and installed else case.row.versions
        held = "\n".join(f"{name}=={version}" for name, version in listed.items())
        text = f"`{described.command}` gave nothing: {described.problem}\n\nPython {case.row.python}\n{held}"
    else:
        text = described.text
    if detail.environment is not None and len(text) > detail.environment:
        text = f"{text[: detail.environment]}\n... ({len(text) - detail.environment} more characters)"
    return text


def _traceback(case: Case, detail: Detail) -> str:
    return traceback_text(case.root, detail.frames, detail.message)


def _observed(case: Case, detail: Detail) -> str:
    root = case.root
    ranks = ", ".join(f"rank {rank.rank}: {format_exit(rank)}" for rank in case.result.newest.ranks)
    if case.failure.rate:
        ranks = f"It does not show in every run: here in {case.result.k} of {case.result.n}. {ranks}"
    shown = _traceback(case, detail)
    if not shown:
        return f"{ranks}. {code(case.result.judgement.evidence or case.result.judgement.reason)}"
    words = f"{ranks}. The first error, of rank {root.rank}:" if root.chain else f"{ranks}. Rank {root.rank}:"
    return f"{words}\n\n{fenced(shown)}"


_EXPECTED = (
    "Exit code 0 on every rank. At its end the script compares the result with a plain reference and prints"
    " `oracle passed: …`."
)
_LIFTED = (
    "The run below was made on CPU with gloo, after lifting the refusals to run without an accelerator; the evidence"
    " names each one."
)


def _expected(case: Case, _detail: Detail) -> str:
    lines = ["Exit code 0 on every rank." if case.own else _EXPECTED]
    other = _passing(case)
    if other is not None:
        ending = "refuses the configuration" if other.verdict is Verdict.REJECTED else "ends well"
        held = other.newest.installed.distributions if other.newest.installed else {}
        versions = " ".join(f"{name} {held[name]}" for name in case.row.versions if name in held)
        changed = ", ".join(_in_words(case, other.cell, name, value) for name, value in other.cell.factors.items())
        with_flags = f" with {code(changed)}" if changed else ""
        seen = f": {code(other.judgement.evidence)}" if other.judgement.evidence else ""
        lines.append(f"On {escape(versions)}{with_flags} it {ending}{seen}.")
    return "\n\n".join(lines)


def _in_words(case: Case, cell: Cell, name: str, value: str) -> str:
    """A factor that differs from its default, as it is written on a command line."""
    if name in {LAUNCHER, WORLD_SIZE}:
        return shlex.join(by_hand(case.failure.launcher(cell.factors), cell.world_size))
    factor = case.failure.factor(name)
    if factor and factor.variable:
        return f"env -u {factor.variable}" if value == UNSET else f"{factor.variable}={shlex.quote(value)}"
    return f"--{name} {value}"


def _passing(case: Case) -> Result | None:
    """The run that best shows the correct behaviour: on another release, else with another value of a factor."""
    good = [
        result
        for result in case.view.results.values()
        if result.verdict in {Verdict.ABSENT, Verdict.REJECTED} and not result.cell.backport
    ]
    good.sort(
        key=lambda result: (
            bool(result.cell.factors),
            result.verdict is Verdict.REJECTED,
            result.cell.factors != {} and result.cell.environment != case.result.cell.environment,
        )
    )
    return good[0] if good else None


def _steps(case: Case, script: str) -> str:
    name = case.own.script if case.own else "repro.py"
    jobs = stage_cells(case.failure, case.result.cell)
    lines = [f"Save {script} as `{name}` and run it{', a stage after the other in one folder' if jobs else ''}:", ""]
    lines.append(fenced("\n".join(_commands(case, name, jobs)), "bash"))
    launcher = case.failure.launcher(case.result.cell.factors)
    if launcher.config:
        text = read_text_file(case.entry.folder / launcher.config)
        lines[:0] = [f"Save this configuration as `{launcher.config}` beside the script:", "", fenced(text, "yaml"), ""]
    alone = " ".join(by_hand(launcher, case.result.cell.world_size)[: 2 if launcher.config else 1])
    lines += ["", f"or `{alone}` alone in an environment of these releases."]
    if not case.own:
        lines[-1] += " It needs nothing to be downloaded."
    if case.row.gates:
        unchanged = "On accelerators it runs unchanged. " if Lane.CUDA in case.failure.needs.lanes else ""
        lines += ["", unchanged + _LIFTED]
    return "\n".join(lines)


def _commands(case: Case, name: str, jobs: Sequence[Cell]) -> list[str]:
    """The command that shows the failure, or one for each stage in the environment of its role."""
    if jobs:
        roles = {stage.name: stage.role for stage in case.failure.stages}
        return [
            _command(case, case.roles.get(roles[job.stage], case.environment), job, _stage_words(case, name, job))
            for job in jobs
        ]
    words = name
    if case.own and case.own.arguments:
        # Without "--" torchrun may take an argument of the script for one of its own.
        words = f"-- {name} {shlex.join(case.own.arguments)}"
    return [_command(case, case.environment, case.result.cell, words)]


def _stage_words(case: Case, name: str, job: Cell) -> str:
    flags = [
        part for factor, value in job.factors.items() if factor in case.failure.flags for part in (f"--{factor}", value)
    ]
    return shlex.join([name, f"--{STAGE_FLAG}", job.stage, f"--{FOLDER_FLAG}", "checkpoints", *flags])


def _command(case: Case, environment: Environment, job: Cell, words: str) -> str:
    python = ".".join(case.row.python.split(".")[:2]) or "3.11"
    pins = " ".join(f'--with "{name}=={version}"' for name, version in _needed_pins(case, environment).items())
    # If single packages have cut-off days of their own, one day for all would exclude them.
    day = "" if environment.cutoffs else f" --exclude-newer {environment.cutoff}"
    command = f"{shlex.join(by_hand(case.failure.launcher(job.factors), job.world_size))} {words}"
    return f"uv run --no-project --python {python}{day} {pins} \\\n  {command}"


def _needed_pins(case: Case, environment: Environment) -> dict[str, str]:
    """The pins of an environment; only torch and numpy if a record's script imports none of the others."""
    if case.own:
        return environment.pins
    alone = {"torch", "numpy"}
    pins = environment.pins
    others = [name for name in pins if name not in alone]
    imports = any(re.search(rf"^\s*(?:import|from) {re.escape(name)}\b", case.script, re.MULTILINE) for name in others)
    return {name: version for name, version in pins.items() if imports or name in alone}


def _related(case: Case) -> str:
    upstream = case.failure.upstream
    lines = []
    if upstream.issues:
        lines.append(f"Related: {', '.join(upstream.issues)} ({upstream.state}).")
    if upstream.fixes:
        lines.append(f"Proposed or merged: {', '.join(upstream.fixes)}.")
    return " ".join(lines)


def versions_that_show(case: Case, names: tuple[str, ...]) -> list[str]:
    """Every version of a distribution with which a stored run shows the failure, the oldest first."""
    rows = [row for row in case.view.rows if row.verdict == "reproduced" and not row.cell.backport]
    held = [row.versions for row in (case.row, *rows)]
    held += [
        fact.versions for answer in case.view.answers for fact in answer.all_tried if fact.verdict is Verdict.REPRODUCED
    ]
    found = {versions[name] for versions in held for name in names if name in versions}
    return sorted((text for text in found if parsed_version(text)), key=Version)


def _options(field: Field, case: Case, form: Form) -> list[str]:
    chosen = []
    for text in versions_that_show(case, form.distributions):
        version = Version(text)
        for option in (f"v{version.major}.{version.minor}", f"v{version.major}.x"):
            if option in field.options and option not in chosen:
                chosen.append(option)
                break
    return chosen


def _evidence(case: Case, detail: Detail) -> str:
    if not detail.evidence:
        return ""
    view = case.view
    return (
        _template()
        .render(
            row=case.row,
            cell=case.result.cell,
            ranks=case.result.newest.ranks,
            gates=gate_reasons([case.row]) if case.result.cell.lane is Lane.CPU else {},
            detail=detail,
            rows=view.rows,
            searches=view.searches,
            ablation=view.ablation,
            disagreements=view.upstream.disagreements,
            mechanism=prose(case.failure.mechanism) if case.failure.mechanism else "",
            missing=case.missing,
        )
        .removesuffix("\n")
    )


@cache
def _template() -> Template:
    own: Mapping[str, Callable[..., str]] = {
        "code": code,
        "sentence": lambda text: f"{escape(text[:1].upper() + text[1:].rstrip('., '))}.",
        "exit": format_exit,
    }
    return templates_of("repro.report.draft", {**FILTERS, **own}, trim=False).get_template("evidence.md.j2")


def _nothing(_case: Case, _detail: Detail) -> str:
    return ""


_PARTS: Mapping[FieldContent, Callable[[Case, Detail], str]] = {
    FieldContent.DESCRIPTION: _description,
    FieldContent.SELF_CONTAINED: _self_contained,
    FieldContent.SCRIPT: lambda case, _: case.script.rstrip(),
    FieldContent.LOGS: _logs,
    FieldContent.REPRODUCTION: _reproduction,
    FieldContent.EXPECTED: _expected,
    FieldContent.ENVIRONMENT: _environment,
    FieldContent.EVIDENCE: _evidence,
    FieldContent.VERSIONS: _nothing,
    FieldContent.OWN_SCRIPT: _nothing,
    FieldContent.OWN_TASK: _nothing,
    FieldContent.LEFT: _nothing,
}
