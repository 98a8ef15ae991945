"""What is derived from the rules of the redaction, which takes longer than a short command may.

``known_rules.json`` is written by `nox -s docs`.  It holds the patterns of one release of detect-secrets, which are
used only if that release is installed, and for each pattern what a text with a match needs, by a digest of the pattern.
What is not in it is computed.
"""

import json
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib import metadata, resources
from typing import Any

FILE = "known_rules.json"
DISTRIBUTION = "detect-secrets"
Needs = tuple[frozenset[str], ...]
Pattern = tuple[str, int]
"""A pattern and its flags."""


def known_needs(pattern: Pattern) -> Needs | None:
    """What a text with a match needs; None if it is not known."""
    found = _known()["needs"].get(_key(pattern))
    return None if found is None else tuple(frozenset(texts) for texts in found)


def known_patterns() -> list[Pattern] | None:
    """The patterns of the installed release of detect-secrets; None if they are not known."""
    known = _known()[DISTRIBUTION]
    if known["release"] != metadata.version(DISTRIBUTION):
        return None
    return [(pattern, flags) for pattern, flags in known["patterns"]]


def rules_text(needs: Iterable[tuple[Pattern, Needs]], theirs: Iterable[Pattern]) -> str:
    """The content of the file, from what was computed."""
    found = {_key(pattern): [sorted(texts) for texts in alternatives] for pattern, alternatives in needs}
    content = {
        DISTRIBUTION: {"release": metadata.version(DISTRIBUTION), "patterns": [list(pattern) for pattern in theirs]},
        "needs": dict(sorted(found.items())),
    }
    return json.dumps(content, indent=0, ensure_ascii=True) + "\n"


def _key(pattern: Pattern) -> str:
    text, flags = pattern
    return sha256(f"{flags} {text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@cache
def _known() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((resources.files("repro.report") / FILE).read_text(encoding="utf-8"))
    return found
