"""The consoles that commands print on."""

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from repro.model.clean import EscapedStream, clean


class _CleanConsole(Console):
    """A console that removes control characters from everything that it prints."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else clean(segment.text)
            yield segment if text == segment.text else segment._replace(text=text)


def console(*, error: bool = False) -> Console:
    """A console on standard output or error; if that is no terminal: 160 columns and no styles."""
    stream = sys.stderr if error else sys.stdout
    file = stream.styled if isinstance(stream, EscapedStream) else stream
    width = None if stream.isatty() else 160
    return _CleanConsole(file=file, width=width, highlight=False, soft_wrap=not stream.isatty())
