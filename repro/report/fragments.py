"""Words that are not plain: what is code and what is weighty, said once and written in Markdown and HTML."""


class Code(str):
    """Text to be shown exactly as it is: an error, a name, a strip of glyphs."""

    __slots__ = ()


class Strong(str):
    """Text that weighs more than its neighbours."""

    __slots__ = ()


Fragments = tuple[str, ...]
"""Pieces of one sentence, in order; the plain ones are ``str``."""
