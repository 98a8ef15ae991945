"""Marked pieces of text (code, emphasis) that Markdown and HTML pages each render in their own way."""


class Code(str):
    """Text to be shown verbatim: an error, a name, a strip of glyphs."""

    __slots__ = ()


class Strong(str):
    """Emphasised text."""

    __slots__ = ()


Fragments = tuple[str, ...]
"""The pieces of one sentence, in order; plain pieces are ``str``."""
