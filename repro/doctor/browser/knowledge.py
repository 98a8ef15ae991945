"""The page's data: the records' ranges and patterns, and the expressions that read a text.  Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence

from repro.doctor.browser.portable import Dialect, Expression, NotPortableError, portable
from repro.doctor.diagnosis import Tried
from repro.doctor.log import flight_recorder, lines, rule, traces, versions_said
from repro.doctor.log.log_answer import RULE
from repro.doctor.stack import commands, env_reports, files, inexact, listings, requirements
from repro.doctor.stack.conda_spec import CONDA_NAMES
from repro.doctor.stack.stack import ALIASES
from repro.model import clean
from repro.model.affected import specifiers_of
from repro.model.base import Strict
from repro.model.failure import Failure
from repro.model.matrix import Denied
from repro.model.observation import LINE_CHARACTERS
from repro.model.public_threads import Reported
from repro.model.seen_as import Relation, SeenAs, SeenFrame
from repro.verdict import signature

_WORD = re.compile(r"[A-Za-z_]{4,}")


class PageFrame(Strict):
    """A frame of a pattern."""

    library: str
    named: str
    """The display name of the function."""
    function: Expression


class PagePattern(Strict):
    """A pattern of what a user sees."""

    name: str
    kind: str
    error: tuple[str, ...]
    message: Expression | None = None
    words: tuple[str, ...] = ()
    """The words of the message, for the similarity of a log."""
    holds: tuple[Relation, ...] = ()
    lacks: Expression | None = None
    lacks_shown: str = ""
    frames: tuple[PageFrame, ...] = ()
    without: tuple[PageFrame, ...] = ()
    inside: bool = False
    text: str = ""
    beside: str = ""
    beside_shown: str = ""
    alone: bool = False
    refused: bool = False
    with_versions: bool = False
    but: str = ""


class PageFailure(Strict):
    """The parts of a record about versions and logs."""

    id: str
    title: str
    affected: tuple[dict[str, str], ...]
    sides: tuple[tuple[dict[str, str], ...], ...]
    """What the environments of the other roles must have, where several decide together."""
    affected_together: str
    rejected: tuple[dict[str, str], ...]
    never_tried: tuple[tuple[str, str, str], ...]
    judged_by: tuple[str, ...]
    may_be_absent: tuple[str, ...]
    distributions: tuple[str, ...]
    specifiers: dict[str, tuple[str, ...]]
    needs: dict[str, str]
    fixed_in: dict[str, str]
    tried: dict[str, str]
    cures: tuple[str, ...]
    links: tuple[str, ...]
    seen_as: tuple[PagePattern, ...]


class PageThread(Strict):
    """A failure that a public thread reports."""

    id: str
    link: str
    said: str
    stated: dict[str, str]
    seen_as: PagePattern


class Knowledge(Strict):
    """All data of the page; the site's file ``answers.json``."""

    format: int = 1
    rule: int = RULE
    """The version of the rule that compares a log with the records."""
    failures: tuple[PageFailure, ...]
    reported: tuple[PageThread, ...]
    needs_command: tuple[str, ...]
    """Records and threads with a pattern of logs that a browser cannot compare."""
    texts: dict[str, Expression]
    """Patterns of single lines, by their text in the records."""
    denied: tuple[Denied, ...]
    aliases: dict[str, str]
    conda_names: dict[str, str]
    expressions: dict[str, Expression]
    limits: dict[str, int]
    lists: dict[str, tuple[str, ...]]
    words: dict[str, str]


def knowledge(
    failures: Sequence[Failure], reported: Sequence[Reported], denied: Sequence[Denied], tried: Tried
) -> Knowledge:
    """The page's data about these failures; patterns without a JavaScript equivalent are left out and named."""
    left_out: dict[str, None] = {}
    texts: dict[str, Expression] = {}
    known = []
    for failure in failures:
        patterns = _patterns(failure.id, failure.seen_as, texts, left_out)
        known.append(_failure(failure, patterns, tried.get(failure.id, {})))
    threads = []
    for item in reported:
        for pattern in _patterns(item.link, (item.seen_as,), texts, left_out):
            stated = dict(item.stated)
            threads.append(PageThread(id=item.id, link=item.link, said=item.said, stated=stated, seen_as=pattern))
    return Knowledge(
        failures=tuple(known),
        reported=tuple(threads),
        needs_command=tuple(left_out),
        texts=texts,
        denied=tuple(denied),
        aliases=ALIASES,
        conda_names=CONDA_NAMES,
        expressions=_expressions(),
        limits={
            **lines.LIMITS,
            **traces.LIMITS,
            "said": versions_said.MOST,
            "before": versions_said.BEFORE,
            "error_line": LINE_CHARACTERS,
            "dump_keys": flight_recorder.ENOUGH,
            "dump_start": flight_recorder.START,
        },
        lists={
            **lines.KEYS,
            "dump_keys": tuple(f'"{key}"' for key in flight_recorder.KEYS),
            "libraries": tuple(sorted(traces.LIBRARIES)),
            "wrappers": tuple(sorted(traces.WRAPPERS)),
            "endings": traces.ENDINGS,
            "comprehensions": tuple(sorted(rule.COMPREHENSIONS)),
        },
        words={
            "may_be_prefix": lines.MAY_BE_PREFIX,
            "closers": lines.CLOSERS,
            "head": lines.HEAD,
            **traces.CHAINS,
            "aborted": traces.ABORTED,
            "escaped": lines.ESCAPED,
            **{f"same {name}": other for name, other in traces.SAME.items()},
            **{f"name {name}": other for name, other in versions_said.NAMES.items()},
        },
    )


def _failure(failure: Failure, patterns: tuple[PagePattern, ...], tried: Mapping[str, str]) -> PageFailure:
    return PageFailure(
        id=failure.id,
        title=failure.title,
        affected=tuple(dict(releases) for releases in failure.affected),
        sides=tuple(tuple(dict(one) for one in stage.affected) for stage in failure.stages if stage.affected),
        affected_together=failure.affected_together,
        rejected=tuple(dict(item.releases) for item in failure.rejected),
        never_tried=tuple((item.name, item.specifier, item.words) for item in failure.never_tried),
        judged_by=failure.judged_by,
        may_be_absent=failure.may_be_absent,
        distributions=failure.distributions,
        specifiers=specifiers_of(failure),
        needs=dict(failure.needs.distributions),
        fixed_in=failure.fixed_in,
        tried=dict(tried),
        cures=failure.cure_lines,
        links=failure.links,
        seen_as=patterns,
    )


def _patterns(
    name: str, seen: Iterable[SeenAs], texts: dict[str, Expression], left_out: dict[str, None]
) -> tuple[PagePattern, ...]:
    found = []
    for pattern in seen:
        if pattern.nothing:
            continue
        try:
            of_lines = {text: portable(text, Dialect.RE2) for text in (pattern.text, pattern.beside) if text}
            found.append(_pattern(pattern))
        except NotPortableError:
            left_out[name] = None
            continue
        texts.update(of_lines)
    return tuple(found)


def _pattern(seen: SeenAs) -> PagePattern:
    return PagePattern(
        name=seen.name,
        kind=seen.kind,
        error=seen.error,
        message=_of(seen.message),
        words=tuple(sorted({word.lower() for word in _WORD.findall(seen.message)})),
        holds=seen.holds,
        lacks=_of(seen.lacks),
        lacks_shown=repr(seen.lacks),
        frames=tuple(_frame(frame) for frame in seen.frames),
        without=tuple(_frame(frame) for frame in seen.without),
        inside=seen.inside,
        text=seen.text,
        beside=seen.beside,
        beside_shown=repr(seen.beside),
        alone=seen.alone,
        refused=seen.refused,
        with_versions=seen.with_versions,
        but=seen.but,
    )


def _of(pattern: str) -> Expression | None:
    return portable(pattern, Dialect.RE2) if pattern else None


def _frame(frame: SeenFrame) -> PageFrame:
    return PageFrame(library=frame.library, named=frame.function, function=portable(frame.function, Dialect.RE2))


def _expressions() -> dict[str, Expression]:
    """The expressions of the modules that read texts; a test ensures that all of them are portable."""
    of_python = {
        **lines.EXPRESSIONS,
        **traces.EXPRESSIONS,
        **versions_said.EXPRESSIONS,
        **requirements.EXPRESSIONS,
        **files.EXPRESSIONS,
        "consequences": signature.CONSEQUENCES,
        "watchdog": signature.WATCHDOG,
        "official": inexact.OFFICIAL,
        "pip_header": listings.PIP_HEADER,
        "pip_show": listings.PIP_SHOW,
        "conda_list": listings.CONDA_HEADER,
        "explicit": listings.EXPLICIT,
        "report": env_reports.ANCHOR,
        "dockerfile": commands.DOCKERFILE,
        "install": commands.INSTALL,
        "word": _WORD,
        "escapes": clean.ESCAPES,
        "control": clean.CONTROL,
    }
    found = {name: portable(item.pattern, Dialect.PYTHON, item.flags) for name, item in of_python.items()}
    found["interest"] = portable(lines.OF_INTEREST, Dialect.RE2)
    found["own_line"] = portable(lines.OF_ITS_OWN_LINE, Dialect.RE2)
    return found
