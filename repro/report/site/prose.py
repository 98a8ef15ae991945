"""Markdown of records as safe HTML: tags are shown as text, and links lead only to the web."""

from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup


@cache
def _renderer() -> MarkdownIt:
    # An image would be fetched from another server.
    return MarkdownIt("commonmark", {"html": False}).disable("image")


def prose(text: str) -> Markup:
    """Paragraphs."""
    return Markup(_renderer().render(text))  # noqa: S704 - HTML in the text was escaped by the renderer


def phrase(text: str) -> Markup:
    """One line, without a paragraph around it."""
    return Markup(_renderer().renderInline(" ".join(text.split())))  # noqa: S704 - likewise
