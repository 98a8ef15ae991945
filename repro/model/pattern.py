"""Regular expressions of records, matched in linear time.

Records of other catalogues are not trusted: an expression that backtracks would stop a session for hours.  RE2 never
backtracks; it has no look-around and no back references, and a record that uses them is refused.
"""

import re
from functools import cache
from typing import Any

import re2

PATTERN_CHARACTERS = 1000
_TOKEN = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|.", re.DOTALL)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)


def check_pattern(pattern: str) -> str:
    """The pattern as given; raises ValueError that says what is wrong with it."""
    if len(pattern) > PATTERN_CHARACTERS:
        raise ValueError(f"a regular expression of at most {PATTERN_CHARACTERS} characters is expected")
    try:
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        cause = error.args[0] if error.args else "cannot be read"
        cause = cause.decode(errors="replace") if isinstance(cause, bytes) else str(error)
        raise ValueError(
            f"{pattern!r} is no regular expression of RE2 (no look-around, no back references): {cause}"
        ) from None
    return pattern


def group_names(pattern: str) -> frozenset[str]:
    """The named groups of a pattern."""
    return frozenset(_compiled(pattern).groupindex)


def groups_found(pattern: str, text: str, most: int = 50) -> list[dict[str, str]]:
    """The named groups of each place where the pattern matches, at most so many; an empty list if it does not."""
    clean = text.encode("utf-8", "replace").decode()
    found: list[dict[str, str]] = []
    for match in _compiled(pattern).finditer(clean):
        found.append({name: value or "" for name, value in match.groupdict().items()})
        if len(found) >= most:
            break
    return found


def is_whole(pattern: str, text: str) -> bool:
    """True if the pattern matches the whole text."""
    return bool(_compiled(pattern).fullmatch(text.encode("utf-8", "replace").decode()))


def is_found(pattern: str, text: str) -> bool:
    """True if the pattern matches somewhere in the text.  As in Python, ``$`` also matches before a last newline."""
    clean = text.encode("utf-8", "replace").decode()
    expression = _compiled(pattern)
    return bool(expression.search(clean) or (clean.endswith("\n") and expression.search(clean[:-1])))


def with_anchors(pattern: str, begin: str, end: str) -> str:
    """The pattern with other expressions in the place of ``^`` and ``$``."""
    return "".join({"^": begin, "$": end}.get(token, token) for token in _TOKEN.findall(pattern))
