"""Writes a rank's error as Python prints it, from the stored chain: the earliest cause first."""

import signal

from repro.model.observation import Frame, Origin, Raised, Rank

_LINKS = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}


def traceback_text(rank: Rank, frames: int | None = None, characters: int | None = None) -> str:
    """The whole chain of a rank's error, or the stack of its hang; empty if it has neither.

    ``frames`` bounds the frames of each exception, ``characters`` the length of each message; a note marks what was
    left out.
    """
    if not rank.chain:
        return _stack_text(rank, frames)
    parts = []
    for index in range(len(rank.chain) - 1, -1, -1):
        parts.append(_raised(rank.chain[index], frames, characters))
        link = rank.chain[index].link
        if index and link:
            parts.append(_LINKS[link])
    return "\n\n".join(parts)


def _raised(error: Raised, frames: int | None, characters: int | None) -> str:
    lines = ["Traceback (most recent call last):", *_frames(error.frames, frames)]
    name = error.type if error.module in {"builtins", "__main__", ""} else f"{error.module}.{error.type}"
    message = error.message.strip("\n")
    if characters is not None and len(message) > characters:
        message = f"{message[:characters]}... ({len(message) - characters} more characters)"
    lines.append(f"{name}: {message}" if message else name)
    return "\n".join(lines)


def _frames(frames: tuple[Frame, ...], limit: int | None) -> list[str]:
    shown = [frame for frame in frames if frame.origin is not Origin.HARNESS]
    left_out = max(len(shown) - limit, 0) if limit is not None else 0
    lines = [f"  ... {left_out} outer frames ..."] if left_out else []
    for frame in shown[left_out:]:
        lines.append(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
        lines += [f"    {frame.code}"] if frame.code else []
    return lines


def _stack_text(rank: Rank, frames: int | None) -> str:
    if not rank.stacks:
        return ""
    return "\n".join(["Stack at the deadline (most recent call last):", *_frames(rank.stacks[-1], frames)])


def format_exit(rank: Rank) -> str:
    """``exit code 1``, ``signal 9 (SIGKILL)``; with a note if it was asked to end."""
    if rank.signal is not None:
        try:
            name = f" ({signal.Signals(rank.signal).name})"
        except ValueError:
            name = ""
        words = f"signal {rank.signal}{name}"
    else:
        words = "did not end" if rank.exit_code is None else f"exit code {rank.exit_code}"
    return f"{words}, asked to end" if rank.stopped else words
