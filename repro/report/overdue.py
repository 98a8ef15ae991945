"""Default cells without a recent run, and the runs that new releases still need.  Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from repro.model.base import Strict
from repro.model.verdict import Verdict
from repro.report.answers import sentence
from repro.report.rows import Row
from repro.search.question import describe_skipped
from repro.search.watch_plan import ReleaseState, Watched, WatchedFloat, WatchedRelease
from repro.store.answers import Turned


class Overdue(Strict):
    """The answer of ``repro watch``."""

    format: Literal[1] = 1
    cells: int
    """The number of default cells."""
    max_age_days: float
    """The age, in days, above which a run is stale."""
    stale: tuple[str, ...]
    """The cells without a recent run, each with the reason."""
    watched: Watched | None = None
    """The runs that new releases need; None if no environment floats, or the index was not asked."""
    found: tuple[Turned, ...] = ()
    """The changes that this command found."""


def stale(rows: Sequence[Row], oldest: datetime) -> list[str]:
    """The cells without a conclusive run since ``oldest``, each with the reason."""
    found = []
    for row in rows:
        if row.verdict is None:
            found.append(f"{row.cell.label}: never run as it is today")
        elif row.verdict == Verdict.UNRUNNABLE:
            found.append(f"{row.cell.label}: could not be run: {row.reason}")
        elif datetime.fromisoformat(row.date) < oldest:
            found.append(f"{row.cell.label}: last run on {row.date[:10]}")
    return found


def watched_lines(watched: Watched) -> list[str]:
    """The runs that new releases need, for a terminal."""
    lines: list[str] = []
    for held in watched.floats:
        lines += _float_lines(held)
    count = sum(len(held.releases) for held in watched.floats)
    lines.append(f"{count} new releases, {watched.owed} runs owed on them, {watched.unsearched} changes not searched")
    return lines


def _float_lines(held: WatchedFloat) -> list[str]:
    if held.problem:
        return [f"{held.name} as of {held.day}: nothing is known: {held.problem}"]
    lines = [f"{held.environment}: new releases since {held.base}: {len(held.releases) or 'none'}"]
    for release in held.releases:
        lines += _release_lines(release)
    for distribution, skipped in held.left_out.items():
        lines += [f"  {distribution}: {line}" for line in describe_skipped(skipped)]
    for change in held.changes:
        state = "its release is known" if change.searched else "not searched yet"
        lines.append(
            f"  changed: {change.failure}: {change.was} on {change.before}, {change.found} on {change.after}; {state}"
        )
    return lines


def _release_lines(release: WatchedRelease) -> list[str]:
    name = f"  {release.name} of {release.day}"
    if release.state is ReleaseState.COOLING:
        return [f"{name}: cooling {release.reason}"]
    if release.state is ReleaseState.UNRESOLVED:
        return [f"{name}: does not resolve with the others: {release.reason}"]
    lines = [f"{name}: {len(release.run)} of {len(release.run) + len(release.owed)} records run"]
    lines += [f"    {failure}: {verdict}{_against(release, failure)}" for failure, verdict in release.run.items()]
    for failure in release.owed:
        why = release.undecided.get(failure)
        lines.append(f"    {failure}: owed{f', no verdict: {why}' if why else ''}")
    return lines


def _against(release: WatchedRelease, failure: str) -> str:
    return ", not as the record says" if failure in release.unexpected else ""


def found_lines(found: Sequence[Turned]) -> list[str]:
    """One sentence for each change."""
    return [sentence(answer) for answer in found]
