"""Whole logs: the labelled ones, those of other failures, and very large ones."""

import io
import json
import os
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.doctor.log.given_log import answer_log, known_of, read_log
from repro.doctor.log.log_answer import Answer, LogAnswer
from repro.doctor.log.outcome import Known, answer
from repro.model.errors import UsageError
from repro.report.redaction import Redactor
from tests.unit.doctor.log.corpus import large_log, unrelated_logs
from tests.unit.doctor.log.forms import FORMS

LOGS = Path(__file__).parents[3] / "data" / "logs"
LABELS: dict[str, list[str]] = json.loads((LOGS / "labels.json").read_text())
ERROR = (LOGS / "02-19492-pl-name.log").read_text()


@pytest.fixture(scope="module")
def known() -> Known:
    project = Project.here()
    return known_of(project, [entry.failure for entry in project.catalog])


def answered(text: str, known: Known) -> LogAnswer:
    return answer("log", read_log(io.BytesIO(text.encode()), known), known, Redactor())


@pytest.mark.parametrize("name", sorted(LABELS))
def test_labelled_logs(name: str, known: Known) -> None:
    """Logs as users have them: the right failure in the first place, or none."""
    found = answer_log(LOGS / f"{name}.log", known, Redactor())
    assert (found.found[0].id if found.found else "none") == LABELS[name][0]


EXAMPLES = sorted(file for file in LOGS.glob("*/*.log") if not file.name.endswith(".near.log"))


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, known: Known) -> None:
    """Whatever launcher, logger, viewer or person wrote it: a match stays one, and a near miss none."""
    for file in EXAMPLES:
        near = file.with_suffix(".near.log")
        for text, expected in ((file, file.parent.name), (near, "")):
            found = answered("\n".join([*FORMS[form](text.read_text().splitlines()), ""]), known)
            assert (found.found[0].id if documented(found) else "") == expected, text


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_cut(file: Path, known: Known) -> None:
    """A log without its first lines, or whose last line is cut, is never taken for another failure."""
    lines = file.read_text().rstrip("\n").splitlines()
    cut = ["\n".join(lines[at:]) for at in range(1, min(len(lines), 6))]
    last = len(lines[-1])
    cut += ["\n".join([*lines[:-1], lines[-1][: last * part // 4]]) for part in (1, 2, 3)]
    for text in cut:
        found = answered(f"{text}\n", known)
        assert not documented(found) or found.found[0].id == file.parent.name, text


def test_unrelated_logs(known: Known) -> None:
    """Of 600 logs of other failures at most one in a hundred is taken for a documented one."""
    wrong = [
        found.found[0].id for found in (answered(text, known) for text in unrelated_logs(600)) if documented(found)
    ]
    assert len(wrong) <= 6, wrong


def documented(found: LogAnswer) -> bool:
    return found.answer in {Answer.KNOWN, Answer.COULD_BE}


def test_a_failure_among_noise_is_found(known: Known) -> None:
    """The corpus is no reason to find nothing: with a real failure in the middle each log is recognised."""
    for text in unrelated_logs(40, seed=3):
        found = answered(f"{text}{ERROR}{text}", known)
        assert found.found[0].id == "lightning-19492"


class Stream(io.RawIOBase):
    """A stream over blocks that are made while they are read."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = next(self._blocks, b"")
        part = self._rest[: len(buffer)]
        buffer[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


def seconds(megabytes: int, known: Known) -> float:
    """How long a log of that size takes; the failure in its middle is found."""
    start = time.process_time()
    shown = read_log(io.BufferedReader(Stream(large_log(megabytes, ERROR)), 1 << 20), known)
    took = time.process_time() - start
    assert answer("log", shown, known, Redactor()).found[0].id == "lightning-19492"
    return took


def test_large_logs_take_time_by_size_and_no_memory(known: Known) -> None:
    """Time grows with the size, and memory does not; ``tests/bench/log_size.py`` measures 100 MB."""
    seconds(1, known)
    small, large = seconds(2, known), seconds(8, known)
    assert large < 10 * small + 0.2
    tracemalloc.start()
    try:
        seconds(1, known)
        _, little = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        seconds(6, known)
        _, much = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert much < 1.5 * little + 2_000_000


def test_no_regular_file(tmp_path: Path, known: Known) -> None:
    """A FIFO, a folder, a device, a missing file and an archive are refused in one line; nothing waits."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "log.gz").write_bytes(b"\x1f\x8b\x08 rest")
    for file in (tmp_path / "fifo", tmp_path, Path("/dev/zero"), tmp_path / "missing", tmp_path / "log.gz"):
        with pytest.raises(UsageError) as raised:
            answer_log(file, known, str)
        assert "\n" not in str(raised.value)


def test_what_is_shown_is_redacted(known: Known) -> None:
    """Names and secrets of the log do not reach the answer, nor do control characters."""
    text = "ValueError: /home/alice/run: token=hf_abcdefghijklmnopqrstuvwxyz0123456789 \x1b]0;title\x07 \x9b31m\n"
    shown = answered(text, known).model_dump_json()
    assert "alice" not in shown
    assert "hf_abc" not in shown
    assert "\\u001b" not in shown
    assert "\\u009b" not in shown
