"""The question of a bisection for a documented failure, from the user's options and the record."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.model.errors import UsageError
from repro.model.failure import Failure, Lane
from repro.search.environments import Vector, kept_versions
from repro.search.log import Question, SearchLog
from repro.search.question import Ends, question_of_days, question_of_releases, releases_to_search
from repro.search.releases import Fetch
from repro.search.roles import Moved, as_moved
from repro.search.start import base_of, digests_of, needs_direction, refuse_other, vector_of, with_direction
from repro.search.verdict_source import VerdictSource
from repro.store.answers import Tried


@dataclass(frozen=True)
class Asked:
    """The options of ``repro bisect``."""

    ends: Ends
    package: str | None
    by_date: bool
    env: str | None
    """The base environment; None for the first affected one."""
    keep: tuple[str, ...]
    lane: Lane
    stage: str | None = None
    """The role whose environment is moved."""
    stage_env: tuple[str, ...] = ()
    """``role=name``: where other roles stay."""

    @property
    def arguments(self) -> list[str]:
        """The options in command-line form."""
        words = ["--package", self.package] if self.package else []
        words += ["--by-date"] if self.by_date else []
        words += ["--good", self.ends.good] if self.ends.good else []
        words += ["--bad", self.ends.bad] if self.ends.bad else []
        if self.ends.find_fix is not None:
            words.append("--find-fix" if self.ends.find_fix else "--find-break")
        words += ["--env", self.env] if self.env else []
        for version in self.keep:
            words += ["--keep", version]
        words += ["--stage", self.stage] if self.stage else []
        for setting in self.stage_env:
            words += ["--stage-env", setting]
        return [*words, "--lane", self.lane]


def question_of_record(  # noqa: PLR0917 - the parts of one question
    project: Project,
    entry: Entry,
    asked: Asked,
    source: VerdictSource,
    fetch: Fetch,
    notify: Callable[[str], None],
    moved: Moved | None = None,
) -> tuple[Question, list[Tried]]:
    """The question, and the runs that found its direction; raises UsageError if the options contradict each other."""
    moved = moved or Moved()
    base = base_of(project, entry.failure, asked.env, moved)
    digests = digests_of(project, entry, base.name, asked.lane, moved)
    own = {"digests": digests, "role": moved.role, "roles": dict(moved.others)}
    if asked.by_date:
        return _question_of_days(entry.failure, base, asked).model_copy(update=own), []
    if asked.package is None:
        raise UsageError("give --package NAME, or --by-date --good DAY --bad DAY")
    if asked.keep:
        raise UsageError("--keep goes with --by-date: a bisection over releases keeps all other pins anyway")
    # What the record says of the moved role, the others being where they are.
    versions = {role: vector_of(project, name).of_record for role, name in moved.others.items()}
    failure = as_moved(entry.failure, moved, versions)
    releases = releases_to_search(project.matrix, failure, base, asked.package, fetch)
    ends = asked.ends
    facts: list[Tried] = []
    if needs_direction(failure, base, releases, ends):
        ends, facts = with_direction(source, failure, base, releases, ends, notify=notify)
    question = question_of_releases(failure, base, releases, ends, asked.lane)
    held = {point.label for point in question.points}
    return question.model_copy(update=own), [fact for fact in facts if fact.label in held]


def _question_of_days(failure: Failure, base: Vector, asked: Asked) -> Question:
    good, bad = asked.ends.good, asked.ends.bad
    if asked.package or good is None or bad is None:
        raise UsageError("--by-date needs --good DAY and --bad DAY, and no --package")
    return question_of_days(failure, base, good=good, bad=bad, keep=kept_versions(asked.keep), lane=asked.lane)


def log_of_record(log: Path, failure_id: str) -> SearchLog:
    """Read the log of a search for a failure; raises UsageError if it is about another failure."""
    journal = SearchLog.read(log)
    if journal.question.failure != failure_id:
        raise UsageError(f"{journal.file} is a search of {journal.question.failure}")
    return journal


def log_to_resume(log: Path, project: Project, entry: Entry) -> SearchLog:
    """Read a log to resume; raises UsageError if the script, the record or the environment changed since."""
    journal = log_of_record(log, entry.failure.id)
    question = journal.question
    moved = Moved(question.role, question.roles)
    refuse_other(question, digests_of(project, entry, question.base, question.lane, moved), str(journal.file))
    if question.has_local_sources:
        journal.question = question.on_this_machine(vector_of(project, question.base).environment.sources)
    return journal
