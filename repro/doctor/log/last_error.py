"""The signature of the last error of a log, for ``bisect --like``."""

from pathlib import Path

from repro.doctor.log.given_log import opened
from repro.doctor.log.lines import read_lines
from repro.doctor.log.traces import Trace, TraceReader, only_reports
from repro.model.errors import UsageError
from repro.model.failure import Signature
from repro.verdict.learn import signature_of


def signature_in(file: Path) -> Signature:
    """The signature of the last traceback of a log that does not merely report another failed rank or process.

    The signature names no ranks, since a log seldom has the output of all ranks.  Raises UsageError if there is no such
    traceback, or if it mixes frames of several ranks, since the innermost frame is then not known.
    """
    with opened(file) as stream:
        read = TraceReader().read(read_lines(stream))
    found = [trace for trace in read.traces if _is_error(trace)]
    if not found:
        raise UsageError(
            f"{file}: shows no traceback of an error: 'Traceback (most recent call last):', frames and an error are "
            f"expected"
        )
    last = found[-1]
    if last.mixed:
        raise UsageError(
            f"{file}:{last.line}: frames of several ranks are mixed in the last traceback; keep the output of one rank"
        )
    return signature_of(last.error, "any")


def _is_error(trace: Trace) -> bool:
    """True for an exception with frames that the rank itself raised."""
    raised = bool(trace.error.type and trace.error.frames) and not trace.stack
    return raised and not trace.interrupted and not only_reports(trace)
