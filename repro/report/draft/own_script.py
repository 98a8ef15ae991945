"""The material of a draft for a user's script, which has no record: a finished search, or one of its runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.catalog.catalog import Catalog, Entry
from repro.launch.describe import Described
from repro.model.cell import Cell
from repro.model.errors import StoreError, UndecidedError, UsageError
from repro.model.failure import Failure
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Judgement, Side, Verdict
from repro.model.version import parsed_version
from repro.report.answers import sections
from repro.report.draft.case import Case
from repro.report.private import Redact, redacted, redacted_result
from repro.report.rows import row_of
from repro.report.script_answer import sentence
from repro.report.upstream import compare_with_upstream
from repro.report.view import FailureView
from repro.search.learn_ends import known_failures
from repro.search.log import SUFFIX, Question, SearchLog, environments_of
from repro.search.own_stack import DISTRIBUTIONS, imported_modules
from repro.search.seen import copy_of, read_answered
from repro.store.answers import Bisected, Blamed, Stored, Tried, read_answer
from repro.store.observations import SEARCHES, Store, read_observation
from repro.verdict.learn import in_short
from repro.verdict.result import Result, judge_repetitions


@dataclass(frozen=True)
class SearchedScript:
    """A user's script, how it fails, and the result of a search or a run."""

    failure: ScriptFailure
    folder: Path
    """The copy of the script and the files beside it."""
    facts: tuple[Tried, ...]
    """The releases that were tried, the oldest first."""
    drafted: Tried
    """The point that the draft is about: it shows the failure."""
    store: Store
    question: Question | None = None
    """The question of a bisection; None for other searches."""
    answer: Bisected | Blamed | None = None
    """None if the search is not finished and the draft is about one run of it."""
    definitions: Mapping[str, Environment] | None = None


def is_search(target: str) -> bool:
    """True if a target names a file rather than a failure; ids have no dot and no slash."""
    return "/" in target or target.endswith((SUFFIX, ".json"))


def read_searched(file: Path) -> SearchedScript:
    """Read the log of a bisection, the answer of a blame, or a stored run of a user's script.

    Raises UsageError for any other file, UndecidedError if it does not show the failure.
    """
    if not file.is_file():
        raise UsageError(
            f"{file}: no such file; a log of `repro bisect SCRIPT`, an answer of blame or a run is expected"
        )
    if file.suffix == SUFFIX:
        return _of_log(file)
    if file.resolve().parent.parent.name == SEARCHES:
        answer = read_answer(file)
        if isinstance(answer, Blamed):
            return _of_blame(file, answer)
        if isinstance(answer, Bisected):
            return _of_log(file.with_name(answer.log))
        raise UsageError(f"{file}: a bisection or a blame of a user's script is expected")
    return _of_run(file)


def _of_log(log: Path) -> SearchedScript:
    journal, answer, folder = read_answered(log)
    learned = journal.question.script
    assert learned is not None  # noqa: S101 - as read
    places = {point.label: index for index, point in enumerate(journal.question.points)}
    facts = sorted(answer.tried, key=lambda fact: places.get(fact.label, -1))
    return SearchedScript(
        failure=learned,
        folder=folder,
        facts=tuple(facts),
        drafted=_newest_bad(facts),
        store=_store_of(log),
        question=journal.question,
        answer=answer,
        definitions=environments_of(journal.question.points),
    )


def _of_blame(file: Path, answer: Blamed) -> SearchedScript:
    if answer.script is None:
        raise UsageError(f"{file}: a blame of a user's script is expected, made by this version or a newer one")
    facts = answer.all_tried
    bad_end = answer.end if answer.end.side is Side.BAD else answer.start
    folder = copy_of(answer.script, file.resolve().parents[3])
    return SearchedScript(answer.script, folder, facts, bad_end, _store_of(file), answer=answer)


def _of_run(file: Path) -> SearchedScript:
    """A stored run, judged by the rule of the newest search that contains it."""
    try:
        observation = read_observation(file)
    except StoreError as error:
        raise UsageError(f"{error}; a log, an answer of blame or a stored run of a user's script is expected") from None
    searches = file.resolve().parents[1] / SEARCHES / observation.cell.failure
    for log in sorted(searches.glob(f"*{SUFFIX}"), key=lambda log: log.stat().st_mtime, reverse=True):
        journal = SearchLog.read(log)
        fact = next((fact for fact in journal.tried if observation.id in _ids(fact)), None)
        learned = journal.question.script
        if learned is None or fact is None:
            continue
        drafted = _of_one_run(fact, observation, learned, by_metric=journal.question.metric is not None)
        return SearchedScript(
            failure=learned,
            folder=copy_of(learned, file.resolve().parents[2]),
            facts=(drafted,),
            drafted=drafted,
            store=_store_of(log),
            question=journal.question,
            definitions=environments_of(journal.question.points),
        )
    raise UsageError(f"{file}: no search beside it knows this run; name the log of a search, or an answer of blame")


def _ids(fact: Tried) -> set[str]:
    return {*fact.observations, *(run.observation for run in fact.runs)}


def _of_one_run(fact: Tried, observation: Observation, learned: ScriptFailure, *, by_metric: bool) -> Tried:
    """One run alone; raises UndecidedError unless it shows the failure."""
    if by_metric:
        raise UndecidedError("a search by --metric needs all its runs: name the log of the search, not one run")
    result = judge_repetitions(learned, [observation])
    if result.verdict is not Verdict.REPRODUCED:
        raise UndecidedError(f"{observation.id} does not show the failure: {result.verdict}, {result.judgement.reason}")
    return fact.model_copy(
        update={
            "verdict": result.verdict,
            "side": Side.BAD,
            "reason": result.judgement.reason,
            "evidence": result.judgement.evidence,
            "observations": (observation.id,),
            "runs": (),
        }
    )


def _newest_bad(facts: Sequence[Tried]) -> Tried:
    """The newest release that shows it, which is the one maintainers ask for."""
    return next(fact for fact in reversed(facts) if fact.side is Side.BAD)


def _store_of(file: Path) -> Store:
    return Store(file.resolve().parents[2])


def case_of(found: SearchedScript, catalog: Catalog, redact: Redact, describe: Callable[[Cell], Described]) -> Case:
    """The case of a searched script; ``describe`` asks the environment of a cell to describe itself.

    Raises UndecidedError if the run is no longer stored.
    """
    stored = {held.id: held for held in found.store.of_failure(found.failure.id)}
    results = {fact.label: _result(found, fact, stored) for fact in found.facts if fact.verdict}
    drafted = results.get(found.drafted.label)
    if drafted is None:
        raise UndecidedError(f"the runs of {found.drafted.label} are no longer stored; search again")
    failure = _worded(found)
    shown = {label: redacted_result(result, redact) for label, result in results.items() if result is not None}
    rows = {label: row_of(result, failure.concerns) for label, result in shown.items()}
    # The good neighbour of the answer shows the correct behaviour.
    mended = isinstance(found.answer, Bisected) and found.answer.older is Side.BAD
    nearest_first = dict(shown.items() if mended else reversed(shown.items()))
    answers: tuple[Stored, ...] = (redacted(found.answer, redact),) if found.answer else ()
    upstream = compare_with_upstream(failure, rows.values(), answers)
    entry = Entry(failure, found.folder)
    view = FailureView(
        entry=entry,
        rows=tuple(rows.values()),
        results=nearest_first,
        root=None,
        surveys=(),
        ablation=None,
        claims=(),
        searches=tuple(sections(answers)),
        answers=answers,
        # Nobody looked for a report upstream, so nothing can disagree with it.
        upstream=replace(upstream, disagreements=()),
    )
    result = shown[found.drafted.label]
    return Case(
        entry=entry,
        script=entry.script.read_text(encoding="utf-8", errors="replace"),
        view=view,
        result=result,
        environment=_environment(found, drafted.newest),
        described=describe(result.cell),
        missing=_missing(found),
        notes=_notes(found, known_failures(catalog, drafted.observations)),
    )


def _result(found: SearchedScript, fact: Tried, stored: Mapping[str, Observation]) -> Result | None:
    """The runs of a point, with the verdict that the search gave; None if they are no longer stored."""
    runs = [stored[name] for name in fact.observations if name in stored]
    if not runs or fact.verdict is None:
        return None
    result = judge_repetitions(found.failure, runs)
    if found.question is None or found.question.metric is None:
        return result
    judgement = Judgement(fact.verdict, fact.reason, rank=0, evidence=fact.evidence)
    return replace(result, judgement=judgement, k=result.n)


def _worded(found: SearchedScript) -> ScriptFailure:
    """The failure with a title and a summary of what was found."""
    learned, answer = found.failure, found.answer
    metric = found.question.metric if found.question else None
    name = f"{metric.metric} changed" if metric else in_short(learned.signature)
    ranks = f"`{learned.script}` runs by torchrun on {learned.needs.world_size} ranks"
    if isinstance(answer, Bisected) and found.question:
        found_by = f"{ranks}. {sentence(answer, found.question)}."
        if metric:
            found_by += f" Judged by {metric.describe()}."
        return learned.model_copy(update={"title": f"{name} {_since(answer)}", "summary": found_by})
    if isinstance(answer, Blamed):
        causes = " or ".join(" together with ".join(cause) for cause in answer.causes) or "not one set of packages"
        moved = {name for cause in answer.causes for one in cause for name in (one, *answer.required.get(one, ()))}
        changed = {change.distribution: change.text for change in answer.changes if change.distribution in moved}
        found_by = f"{ranks}. Between two environments that differ in {len(answer.changes)} packages, {causes} turns it"
        listed = ": " + ", ".join(changed.values()) if changed else ""
        return learned.model_copy(update={"title": f"{name} ({causes})", "summary": f"{found_by}{listed}."})
    versions = " ".join(f"{key} {version}" for key, version in found.drafted.versions.items())
    return learned.model_copy(
        update={"title": f"{name} with {versions}", "summary": f"{ranks}, and fails with {versions}."}
    )


def _since(answer: Bisected) -> str:
    if answer.older is Side.BAD:
        return f"up to {answer.package} {answer.before.label} (not with {answer.after.label})"
    between = f" or one of {len(answer.untested)} before it" if answer.untested else ""
    return f"since {answer.package} {answer.after.label}{between} (not with {answer.before.label})"


def _environment(found: SearchedScript, run: Observation) -> Environment:
    """What a reader must install: what the script imports and what was moved, at the versions of the run."""
    held = run.installed.distributions if run.installed else {}
    modules = imported_modules(found.folder / found.failure.script)
    names: set[str] = {canonicalize_name(DISTRIBUTIONS.get(name, name)) for name in modules}
    names |= {"torch", "numpy", *found.failure.distributions}
    pins = {name: _public(held[name]) for name in sorted(names) if name in held}
    python = ".".join(run.installed.python.split(".")[:2]) if run.installed else "3.11"
    known = (found.definitions or {}).get(found.drafted.environment)
    if known is not None:
        return known.model_copy(update={"pins": pins, "floating": ()})
    return Environment(python=python, cutoff=run.started[:10], pins=pins, why="the versions of the run")


def _public(version: str) -> str:
    parsed = parsed_version(version)
    return parsed.public if parsed else version


def _missing(found: SearchedScript) -> tuple[str, ...]:
    missing = [f"{fact.label}: {fact.reason}" for fact in found.facts if fact.verdict is None]
    if found.answer is None:
        missing.append("This is one run: no finished search over releases is stored with it.")
    if found.failure.needs.lanes[0] == "cpu":
        missing.append("Not run on accelerators (NCCL): all runs are on CPU with gloo.")
    return tuple(missing)


def _notes(found: SearchedScript, known: Sequence[tuple[Failure, bool]]) -> tuple[str, ...]:
    learned = found.failure
    files = sorted(
        str(file.relative_to(found.folder)) for file in found.folder.rglob("*") if file.is_file() or file.is_symlink()
    )
    beside = [name for name in files if name != learned.script]
    notes = [
        "There is no record of this failure, and nobody looked for a report upstream: search the tracker first.",
        "It is your whole script: `repro shrink` makes it smaller; bisect the smaller one and draft from that log.",
    ]
    if beside:
        shown = ", ".join(beside[:5]) + (f" and {len(beside) - 5} more" if len(beside) > 5 else "")  # noqa: PLR2004
        notes.append(f"The script ran with files beside it that the report does not hold: {shown}.")
    if learned.variables:
        notes.append(f"Its ranks saw the variables {', '.join(learned.variables)}: say what they must hold.")
    for failure, covered in known:
        how = "is documented" if covered else "has a documented relative, whose record does not list these versions"
        issues = ", ".join(failure.upstream.issues) or "not reported"
        notes.append(f"This signature {how}: {failure.id}, {failure.title} ({issues}).")
    return tuple(notes)
