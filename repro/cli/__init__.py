"""The command line: parse, call, print.  No logic lives here."""

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO, cast

from repro.model.clean import EscapedStream
from repro.model.errors import Exit, ReproError, StoppedError

IMPATIENT_SECONDS = 2.0
"""Another Ctrl-C after this time ends the command at once; keepers then end what it started."""
_REPEAT_SECONDS = 0.01
_INTERRUPTS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
"""The last one repeats an interrupt that Python dropped."""


def main() -> None:
    """Run the command line; an error that the user can fix is one line and an exit code."""

    def run() -> None:
        # Imports leave almost no garbage; looking for it takes a tenth of the time of a short command.
        gc.set_threshold(500_000)
        from repro.cli.app import app  # noqa: PLC0415 - signals are handled before the slow imports

        app()

    run_command(run)


def run_command(command: Callable[[], object]) -> None:
    """Run a command and end this process with its exit code: 130 if it was interrupted, 3 if its output is lost."""
    # Set explicitly: a shell that starts us in the background ignores SIGINT.
    interrupt = _Interrupt()
    for number in _INTERRUPTS:
        signal.signal(number, interrupt)
    sys.unraisablehook = interrupt.repeat_if_dropped
    _make_writable()
    printed, said = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", EscapedStream(cast("TextIO", _Output(printed))))
    sys.stderr = cast("TextIO", EscapedStream(said))
    code = _run(command)
    for number in _INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    sys.stdout, sys.stderr = printed, said
    gc.freeze()  # else Python looks for garbage in everything that was imported before it ends
    sys.exit(code)


def _make_writable() -> None:
    """Make sure that any text can be written, also with an ASCII locale or closed streams."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - to the very end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _run(command: Callable[[], object]) -> str | int | None:
    try:
        try:
            command()
            return _flushed(Exit.OK)
        except SystemExit as end:
            return _flushed(end.code)
        except KeyboardInterrupt:
            raise StoppedError from None
    except ReproError as error:
        _say(str(error))
        return _flushed(error.exit_code)
    except _OutputLostError as error:
        _discard_output()
        # A closed pipe was closed on purpose; a full disk is reported.
        if not error.closed:
            _say(f"the output could not be written: {error}")
        return Exit.UNKNOWN


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"repro: {text}\n")
        sys.stderr.flush()


def _flushed(code: str | int | None) -> str | int | None:
    """The exit code, after all output was written; raises _OutputLostError."""
    sys.stdout.flush()
    return code


def _discard_output() -> None:
    """Discard what is still buffered: Python would write it at exit, and fail again."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


class _OutputLostError(BaseException):
    """Standard output cannot be written; no handler of a library may take it for an error of its own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.closed = isinstance(error, BrokenPipeError)


class _Output:
    """Standard output; its errors can be distinguished from those of other files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise _OutputLostError(error) from None

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise _OutputLostError(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Interrupt:
    """Answers Ctrl-C and SIGTERM: the first interrupts the command, which then ends its ranks."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._first is None or number == signal.SIGALRM:
            self._first = now
            raise KeyboardInterrupt
        if now - self._first > IMPATIENT_SECONDS:
            os._exit(Exit.INTERRUPTED)

    def repeat_if_dropped(self, dropped: "sys.UnraisableHookArgs") -> None:
        """Interrupt again, a little later: Python drops what is raised in a destructor or in a callback.

        The imports have many callbacks; a Ctrl-C in one of them did nothing.
        """
        if dropped.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _REPEAT_SECONDS)
        else:
            sys.__unraisablehook__(dropped)
