"""Decides which failure a log shows: known, possible, reported by others, new, or only consequences.  Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from repro.doctor.exposure import Exposure, judge
from repro.doctor.log.log_answer import Answer, FoundFailure, LogAnswer, NearFailure, SeenError, WaitingRank
from repro.doctor.log.rule import Comparison, Grade, compare
from repro.doctor.log.traces import Read, Trace, only_reports
from repro.doctor.log.waits import Waits
from repro.doctor.stack.stack import Stack
from repro.model.errors import Exit
from repro.model.failure import Failure
from repro.model.public_threads import Reported
from repro.model.seen_as import SeenAs
from repro.model.specifiers import covers

_NEAREST = 3
_NEAR_ENOUGH = 0.25
_SHOWN_ERRORS = 10
_TEXT = 300
_AS_JSON = "the dump says which collective waits but not where it was called, as torch's JSON form does not"


@dataclass(frozen=True)
class Known:
    """The records and threads that a log is compared with."""

    failures: tuple[Failure, ...]
    reported: tuple[Reported, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The patterns of single lines."""
        patterns = [
            *(seen for failure in self.failures for seen in failure.seen_as),
            *(r.seen_as for r in self.reported),
        ]
        return tuple(dict.fromkeys(text for seen in patterns for text in (seen.text, seen.beside) if text))


@dataclass(frozen=True)
class Shown:
    """The content of a log."""

    read: Read
    lines: int
    stack: Stack
    noted: Mapping[str, tuple[int, str | None, str]] = field(default_factory=dict)
    """The first line that matches each line pattern: its number, rank and text."""
    notes: tuple[str, ...] = ()
    waits: Waits | None = None
    """If flight recorder dumps were given."""


@dataclass(frozen=True)
class _Match:
    failure: Failure | Reported
    seen: SeenAs
    comparison: Comparison
    line: int
    rank: str | None
    ranks: int
    text: str

    @property
    def is_warning(self) -> bool:
        """True if a single line may show the failure: where something is raised later, it is no answer to that."""
        return bool(self.seen.text) and self.comparison.grade is Grade.COULD_BE

    @property
    def order(self) -> tuple[object, ...]:
        documented = isinstance(self.failure, Failure)
        grade = self.comparison.grade if documented else Grade.NONE
        return (-grade, -(self.comparison.grade), -len(self.comparison.because), self.line)


def answer(source: str, shown: Shown, known: Known, redact: Callable[[str], str]) -> LogAnswer:
    """The answer for a log; ``redact`` is applied to every text of the log that is shown."""
    matches = sorted(_matches(shown, known), key=lambda match: match.order)
    causes = [trace for trace in shown.read.traces if not only_reports(trace)]
    raised = max((trace.line for trace in causes if not (trace.stack or trace.interrupted)), default=0)
    warned = [match for match in matches if match.is_warning and match.line < raised]
    found = _distinct([match for match in matches if match not in warned])
    lost = shown.read.lost_count + len(shown.read.traces) - len(causes)
    kind = Answer.NEW if shown.waits and shown.waits.agreed else _kind(found, causes, lost)
    watched = sorted({name for failure in known.failures for name in failure.judged_by})
    return LogAnswer(
        source=redact(source),
        answer=kind,
        lines=shown.lines,
        versions={name: shown.stack.versions[name] for name in watched if name in shown.stack.versions},
        python=shown.stack.python,
        found=tuple(_found(match, shown.stack, redact) for match in found),
        errors=tuple(_error(trace, redact) for trace in _chosen(shown.read.traces)),
        consequences=lost,
        left_out=shown.read.left_out,
        nearest=tuple(_nearest(causes, known, shown)) if kind is Answer.NEW else (),
        waits=tuple(_redacted(item, redact) for item in shown.waits.ranks) if shown.waits else (),
        notes=(*_notes(kind, found, causes, shown), *_of_warnings(warned)),
        next=tuple(_next(kind, found, shown)),
    )


def exit_of_log(found: LogAnswer) -> Exit:
    """CHANGED if a failure was found, UNKNOWN if one is possible, OK if nothing known was found."""
    if found.answer is Answer.KNOWN:
        return Exit.CHANGED
    return Exit.OK if found.answer in {Answer.NEW, Answer.NOTHING} else Exit.UNKNOWN


def _kind(found: Sequence[_Match], causes: Sequence[Trace], lost: int) -> Answer:
    documented = [match.comparison.grade for match in found if isinstance(match.failure, Failure)]
    if documented:
        return Answer.KNOWN if max(documented) is Grade.KNOWN else Answer.COULD_BE
    if found:
        return Answer.REPORTED
    if causes:
        return Answer.NEW
    return Answer.CONSEQUENCES if lost else Answer.NOTHING


def _matches(shown: Shown, known: Known) -> Iterable[_Match]:
    patterns: list[tuple[Failure | Reported, SeenAs]] = [
        *((failure, seen) for failure in known.failures for seen in failure.seen_as),
        *((item, item.seen_as) for item in known.reported),
    ]
    for failure, seen in patterns:
        if seen.text:
            note = shown.noted.get(seen.text)
            if note and (not seen.beside or seen.beside in shown.noted):
                compared = Comparison(
                    Grade.COULD_BE if seen.but else Grade.KNOWN, ("a line of the log",), _said(seen.but)
                )
                match = _Match(failure, seen, compared, note[0], note[1], 1, note[2])
                yield from _with_versions(match, shown.stack)
            continue
        for trace in shown.read.traces:
            if only_reports(trace):
                continue
            compared = compare(seen, trace, shown.noted.keys())
            if compared.grade:
                match = _Match(failure, seen, compared, trace.line, trace.rank, trace.ranks, _text_of(trace))
                yield from _with_versions(match, shown.stack)


def _said(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _with_versions(match: _Match, stack: Stack) -> Iterable[_Match]:
    """The match, weighed by the versions: uncertain if they are not listed; some patterns require listed versions."""
    failure = match.failure
    if isinstance(failure, Reported):
        if not match.seen.with_versions or covers(failure.stated, stack.versions):
            yield match
        return
    exposure = judge(failure, stack).exposure if _states(failure, stack) else None
    if match.seen.with_versions and exposure is not Exposure.AFFECTED:
        return
    clear = exposure is Exposure.CLEAR and not match.seen.refused
    if match.seen.refused and failure.rejected and _states(failure, stack):
        clear = not any(stack.surely(item.releases) for item in failure.rejected)
    if clear:
        why = "the record does not list these versions"
        compared = match.comparison
        changed = Comparison(Grade.COULD_BE, compared.because, (*compared.but, why), (), compared.near)
        yield _Match(failure, match.seen, changed, match.line, match.rank, match.ranks, match.text)
        return
    yield match


def _states(failure: Failure, stack: Stack) -> bool:
    """True if the version of any deciding distribution is known."""
    versions = stack.versions
    return any(name in versions for name in failure.judged_by) or "pytorch-lightning" in versions


def _distinct(matches: Sequence[_Match]) -> list[_Match]:
    """The best match of each failure; public threads only if no documented failure was found."""
    found: dict[str, _Match] = {}
    for match in matches:
        found.setdefault(match.failure.id, match)
    documented = [match for match in found.values() if isinstance(match.failure, Failure)]
    return documented or list(found.values())[:5]


def _found(match: _Match, stack: Stack, redact: Callable[[str], str]) -> FoundFailure:
    failure, compared = match.failure, match.comparison
    if isinstance(failure, Reported):
        stated = ", ".join(f"{name} {text}".strip() for name, text in failure.stated.items())
        return FoundFailure(
            id=failure.id, title=_short(failure.said), answer="reported, unproved", pattern=match.seen.name,
            line=match.line, rank=match.rank, ranks=match.ranks, shown=redact(match.text), because=compared.because,
            but=(*compared.but, "nobody of this project has run it"),
            versions=f"the thread speaks of {stated}" if stated else "the thread states no versions",
            links=(failure.link,), said=failure.said,
        )  # fmt: skip
    return FoundFailure(
        id=failure.id, title=failure.title,
        answer="known" if compared.grade is Grade.KNOWN else "could be", pattern=match.seen.name,
        line=match.line, rank=match.rank, ranks=match.ranks, shown=redact(match.text), because=compared.because,
        but=compared.but, refused=match.seen.refused, versions=_versions(failure, match.seen, stack),
        cures=failure.cure_lines, links=failure.links,
    )  # fmt: skip


def _versions(failure: Failure, seen: SeenAs, stack: Stack) -> str:
    versions = stack.versions
    held = [f"{name} {versions[name]}" for name in (*failure.judged_by, "pytorch-lightning") if name in versions]
    if not held:
        return f"the log states no version of {' or '.join(failure.judged_by)}: give --python or --from"
    judged = judge(failure, stack)
    if seen.refused:
        refuses = any(stack.surely(item.releases) for item in failure.rejected)
        return f"{', '.join(held)}: {'refuses the configuration' if refuses else 'not listed as refusing it'}"
    word = {
        Exposure.AFFECTED: "affected by the record",
        Exposure.CLEAR: "not listed by the record",
        Exposure.UNKNOWN: f"could not tell ({judged.why})",
    }
    return f"{', '.join(held)}: {word[judged.exposure]}"


def _text_of(trace: Trace) -> str:
    if trace.stack:
        inner = trace.error.frames[-1].function if trace.error.frames else ""
        return f"a stack that stands in {inner}"
    if not (trace.error.type or trace.error.message):
        return "a traceback without its last line"
    if not trace.error.type:
        return _short(trace.error.message.partition("\n")[0])
    return _short(trace.error.line)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else f"{line[: _TEXT - 3]}..."


def _error(trace: Trace, redact: Callable[[str], str]) -> SeenError:
    return SeenError(
        line=trace.line, rank=trace.rank, ranks=trace.ranks, text=redact(_text_of(trace)),
        consequence=only_reports(trace), stack=trace.stack, after=trace.chain,
    )  # fmt: skip


def _chosen(traces: Sequence[Trace]) -> list[Trace]:
    """The traces to show: causes before consequences, the earliest and the latest of them."""
    ordered = sorted(traces, key=lambda trace: (only_reports(trace), trace.line))
    if len(ordered) > _SHOWN_ERRORS:
        ordered = [*ordered[: _SHOWN_ERRORS // 2], *ordered[-_SHOWN_ERRORS // 2 :]]
    return sorted(ordered, key=lambda trace: trace.line)


def _nearest(causes: Sequence[Trace], known: Known, shown: Shown) -> Iterable[NearFailure]:
    """The documented failures that are most similar to an error of the log."""
    best: dict[str, tuple[float, Failure, Comparison]] = {}
    for failure in known.failures:
        for seen in failure.seen_as:
            for trace in causes[-20:]:
                compared = compare(seen, trace, shown.noted.keys())
                if compared.near >= _NEAR_ENOUGH and compared.near > best.get(failure.id, (0.0,))[0]:
                    best[failure.id] = (compared.near, failure, compared)
    for _near, failure, compared in sorted(best.values(), key=lambda item: (-item[0], item[1].id))[:_NEAREST]:
        yield NearFailure(id=failure.id, title=failure.title, differs=compared.differs)


def _redacted(item: WaitingRank, redact: Callable[[str], str]) -> WaitingRank:
    texts = {name: redact(getattr(item, name)) for name in ("file", "operation", "group", "called_from")}
    return item.model_copy(update=texts)


def _notes(kind: Answer, found: Sequence[_Match], causes: Sequence[Trace], shown: Shown) -> Iterable[str]:
    yield from shown.notes
    if shown.waits:
        yield from shown.waits.notes
        if shown.waits.without_frames:
            yield f"{_AS_JSON}: no record can be compared. Give the pickled dump"
        return
    if shown.read.left_out:
        yield f"{shown.read.left_out} errors in the middle of the log were left out"
    if causes and kind is Answer.NEW:
        after = shown.lines - max(trace.line for trace in causes)
        if after > 200:  # noqa: PLR2004
            yield f"{after} lines follow the last error: the run may have survived it"
    last = max((trace.line for trace in causes), default=0)
    if found and isinstance(found[0].failure, Failure) and last > found[0].line + 200:
        yield f"another error stands later in the log, line {last}"
    if kind is Answer.CONSEQUENCES:
        ranks = ", ".join(dict.fromkeys(shown.read.failed_ranks))
        yield (
            f"the launcher says that rank {shown.read.failed_ranks[0]} failed first; its own output is not in the log"
            if ranks
            else "each line only says that another rank or process has gone; the cause is in that one's output"
        )


def _of_warnings(warned: Sequence[_Match]) -> Iterable[str]:
    for match in _distinct(warned):
        yield f"line {match.line} may show {match.failure.id}, but is not the error: {' '.join(match.comparison.but)}"


def _next(kind: Answer, found: Sequence[_Match], shown: Shown) -> Iterable[str]:
    if shown.waits and not found:
        if kind is not Answer.NOTHING:
            yield "py-spy dump --pid PID   shows where a rank is that others wait for; give its output to --log"
        return
    if kind in {Answer.KNOWN, Answer.COULD_BE}:
        first = next(match for match in found if isinstance(match.failure, Failure))
        yield f"repro show {first.failure.id}"
        yield f"repro doctor {first.failure.id}   runs it on your versions"
    elif kind is Answer.CONSEQUENCES:
        yield "give the output of the rank that failed first: torchrun --log-dir DIR --tee 3 writes one of each rank"
    elif kind is Answer.REPORTED:
        yield "read the thread; nothing of it was proved here"
        yield "repro new ID --upstream LINK   begins a record of it"
    elif kind is Answer.NEW:
        yield "repro new ID   begins a record; repro bisect ID   finds the release; repro draft ID   writes the report"
