"""Checks ``seen_as`` of a record against logs: each pattern must match its example and must not match its near miss.

The logs are in a folder with the record's id: ``NAME.log`` and ``NAME.near.log`` for the pattern of that name.
"""

from collections.abc import Iterator
from pathlib import Path

from repro.catalog import yaml_reader
from repro.catalog.catalog import RECORD, Entry
from repro.doctor.log.given_log import answer_log
from repro.doctor.log.log_answer import LogAnswer
from repro.doctor.log.outcome import Known
from repro.model.errors import Fault, UsageError


def example_faults(entry: Entry, logs: Path | None) -> Iterator[Fault]:
    """One fault for each example that is missing or does not match, and for each near miss that matches."""
    if logs is None:  # an installed wheel carries no tests
        return
    lines = yaml_reader.lines_of(entry.folder / RECORD)
    folder = logs / entry.failure.id
    for index, seen in enumerate(entry.failure.seen_as):
        if seen.nothing:
            continue
        line = lines.get(("seen_as", index), 1)
        key = f"seen_as.{index}"
        for name, wanted in ((f"{seen.name}.log", True), (f"{seen.name}.near.log", False)):
            file = folder / name
            if not file.is_file():
                what = "a log that the pattern matches" if wanted else "a log that nearly matches, and must not"
                yield Fault(entry.folder / RECORD, line, key, f"{file} is missing", f"write {what}")
                continue
            try:
                answer = answer_log(file, Known((entry.failure,)), str)
            except UsageError as error:
                yield Fault(file, 0, "", str(error))
                continue
            problem = _problem(answer, seen.name, wanted=wanted)
            if problem:
                yield Fault(entry.folder / RECORD, line, key, f"{file}: {problem}", "change the pattern or the log")


def _problem(answer: LogAnswer, pattern: str, *, wanted: bool) -> str:
    found = answer.found[0].pattern if answer.found else None
    if not wanted:
        return f"is a near miss and must not match, but {found} does" if found else ""
    if found == pattern:
        return ""
    if found:
        return f"is matched by {found} and not by {pattern}"
    differs = "; ".join(text for near in answer.nearest for text in near.differs)
    return f"is not matched{f': {differs}' if differs else ''}"
