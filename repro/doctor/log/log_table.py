"""Prints the answer of ``repro doctor --log``: the answer, the reasons, what to do, then the errors of the log."""

from rich.console import Console
from rich.text import Text

from repro.doctor.log.log_answer import Answer, FoundFailure, LogAnswer, WaitingRank

_STYLES = {
    Answer.KNOWN: "bold red",
    Answer.COULD_BE: "yellow",
    Answer.REPORTED: "magenta",
    Answer.CONSEQUENCES: "cyan",
    Answer.NEW: "bold",
    Answer.NOTHING: "dim",
}
_WORDS = {
    Answer.CONSEQUENCES: "the log holds only consequences of a failure, not its cause",
    Answer.NEW: "no record and no reported thread shows in this way",
    Answer.NOTHING: "no exception and no stack was found",
}
_WORDS_OF_DUMPS = {
    Answer.CONSEQUENCES: "a rank waits in a collective; the dump does not say where it was called",
    Answer.NEW: "no record and no reported thread shows in this way",
    Answer.NOTHING: "no rank waits in a collective",
}


def print_log_answer(out: Console, answer: LogAnswer) -> None:
    """Print the answer for a log."""
    out.print(Text(f"{answer.source}: {answer.lines} {'calls of a flight recorder' if answer.waits else 'lines'}"))
    for rank in answer.waits:
        out.print(Text(f"  {_waiting(rank)}"))
    for item in answer.found:
        _print_found(out, item, "call" if answer.waits else "line")
    if not answer.found:
        out.print(
            Text(answer.answer, style=_STYLES[answer.answer]).append(
                f": {(_WORDS_OF_DUMPS if answer.waits else _WORDS)[answer.answer]}", style="default"
            )
        )
    for near in answer.nearest:
        out.print(Text(f"  nearest: {near.id}: {near.title}"))
        for text in near.differs:
            out.print(Text(f"    but {text}", style="dim"))
    if not answer.waits:
        _print_errors(out, answer)
    for note in answer.notes:
        out.print(Text(f"note: {note}", style="yellow"))
    for step in answer.next:
        out.print(Text(f"next: {step}", style="green"))


def _waiting(item: WaitingRank) -> str:
    """A rank and its collective in one line."""
    who = f"rank {item.rank}" if item.rank else item.file
    what = f"{item.operation}, call {item.number} of group {item.group}"
    tensors = f", {item.tensors}" if item.tensors else ""
    if not item.waits:
        return f"{who} waits in no collective; its last one is {what}"
    return f"{who} waits in {what}{tensors}{f', called from {item.called_from}' if item.called_from else ''}"


def _print_found(out: Console, item: FoundFailure, unit: str) -> None:
    head = Text(item.answer, style=_STYLES[Answer(item.answer)])
    name = item.links[0] if item.answer == "reported, unproved" else item.id
    out.print(head.append(f": {name}: {item.title}", style="default"))
    ranks = f", {item.ranks} ranks" if item.ranks > 1 else f", rank {item.rank}" if item.rank else ""
    out.print(Text(f"  {unit} {item.line}{ranks}: {item.shown}"))
    if item.refused:
        out.print(Text("  this release refuses the configuration with this clear error", style="dim"))
    if item.because:
        out.print(Text(f"  because: {'; '.join(item.because)}", style="dim"))
    for text in item.but:
        out.print(Text(f"  but: {text}", style="dim"))
    out.print(Text(f"  versions: {item.versions}", style="dim"))
    for cure in item.cures[:2]:
        out.print(Text(f"  cure: {cure}", style="green"))


def _print_errors(out: Console, answer: LogAnswer) -> None:
    """The errors in the order of the log; mere reports of other errors are counted in one line."""
    shown = [error for error in answer.errors if not error.consequence]
    if len(shown) > 1 or (shown and not answer.found):
        out.print(Text("errors of the log, the first in front:"))
        for error in shown:
            ranks = f"{error.ranks} ranks" if error.ranks > 1 else f"rank {error.rank}" if error.rank else ""
            after = f" (after that of line {error.after})" if error.after else ""
            out.print(Text(f"  line {error.line}{', ' if ranks else ''}{ranks}: {error.text}{after}", style="dim"))
    if answer.consequences:
        out.print(Text(f"{answer.consequences} more say only that another rank or process failed", style="dim"))
