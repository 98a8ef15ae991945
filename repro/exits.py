"""The exit codes of every command; documented in the README."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    """Everything is as documented."""
    CHANGED = 1
    """Some status is relapsed, cured or drifted."""
    USAGE = 2
    """Bad usage, or a bad record, matrix or lock."""
    UNKNOWN = 3
    """Something could not be run, and was needed; or its repetitions disagreed."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C."""
