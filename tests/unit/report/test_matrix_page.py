"""Text from outside in Markdown tables."""

import pytest

from repro.report.matrix_page import code, escape


@pytest.mark.parametrize("put", [escape, code])
def test_no_control_characters(put: object) -> None:
    """Escape sequences, bells and marks that reorder text never reach a page."""
    written = put("a\x1b[31mb\x07\u202ec\nd")  # type: ignore[operator]
    assert not any(character in written for character in "\x1b\x07\u202e\n")
    assert written.strip("`").startswith("ab")
