"""The signature of the last error of a log: what ``bisect --like`` looks for."""

from pathlib import Path

from repro.doctor.log.given_log import opened
from repro.doctor.log.lines import read_lines
from repro.doctor.log.traces import Trace, TraceReader, only_reports
from repro.errors import UsageError
from repro.model.failure import Signature
from repro.verdict.learn import signature_of


def signature_in(file: Path) -> Signature:
    """The signature of the last traceback of a log that is no report of another rank's or process's failure.

    The ranks are not taken from it: a log seldom holds the output of all of them.  Raises UsageError if the log shows
    no such traceback, or if frames of several ranks are mixed in it: then nobody knows which frame is the innermost.
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
