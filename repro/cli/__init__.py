"""The command line: parse, call, print.  No logic lives here."""

import contextlib
import signal
import sys
from types import FrameType

from repro.errors import Exit, ReproError, StoppedError


def main() -> None:
    """Run the command line; every error that the user can mend is one line and an exit code."""
    # Explicitly: a shell that starts us in the background has SIGINT ignored.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    from repro.cli.app import app  # noqa: PLC0415 - signals are handled before the slow imports

    try:
        try:
            app()
        except KeyboardInterrupt:
            raise StoppedError from None
    except ReproError as error:
        sys.stderr.write(f"repro: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        sys.exit(Exit.OK)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
