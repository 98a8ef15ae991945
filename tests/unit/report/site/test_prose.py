"""Prose of the records."""

import pytest

from repro.report.site.prose import phrase, prose


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a `b` *c*", "<p>a <code>b</code> <em>c</em></p>\n"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>\n"),
        ("[x](https://example.org)", '<p><a href="https://example.org">x</a></p>\n'),
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>\n"),
    ],
)
def test_prose(text: str, made: str) -> None:
    assert prose(text) == made


def test_pictures_are_not_fetched() -> None:
    assert "<img" not in prose("![x](https://example.org/x.png)")


def test_phrase_is_one_line() -> None:
    assert phrase("a\n\n<b> `c`") == "a &lt;b&gt; <code>c</code>"
