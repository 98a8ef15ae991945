"""Pieces of text that are not plain, code and emphasis, which Markdown and HTML pages write in their own way."""


class Code(str):
    """Text to be shown exactly as it is: an error, a name, a strip of glyphs."""

    __slots__ = ()


class Strong(str):
    """Emphasised text."""

    __slots__ = ()


Fragments = tuple[str, ...]
"""Pieces of one sentence, in order; the plain ones are ``str``."""
