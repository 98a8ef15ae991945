"""The versions that a log states: in the libraries' own output, in pins, and in file names."""

import re
from collections.abc import Mapping

from repro.doctor.log.lines import Line
from repro.doctor.stack.stack import KnownVersion, Stack

_NAMES = {
    "pytorch": "torch", "pytorch lightning": "pytorch-lightning", "pytorch-lightning": "pytorch-lightning",
    "pytorch_lightning": "pytorch-lightning", "pytorchlightning": "pytorch-lightning",
}  # fmt: skip
"""Names other than those on PyPI."""
_SAID = re.compile(
    r"(?i)(?<![\w./-])"
    r"(?P<name>pytorch[ _-]?lightning|torch|pytorch|lightning|transformers|accelerate|peft|trl|deepspeed|datasets)"
    r"[`'\"*]{0,3}(?: version)?(?: \(GPU\?\))?[`'\"*]{0,3} ?(?:[=:]{1,2}|-(?=\d)|v(?=\d)| )[ `'\"v*]{0,30}"
    r"(?P<version>\d{1,3}\.\d{1,3}\.\d{1,3}(?:\.?(?:a|b|rc|dev|post)\d{1,10})*(?:\+[\w.]{1,40})?)(?![\w-]*\.\d)"
)
_ASKED_BEFORE = re.compile(
    r"(?i)\b(?:requires?|required|needs?|wants?|expects?|supports?|assumes?"
    r"|(?:built|compiled|made|tested|released|written) (?:for|with|against|by)"
    r"|(?:up|down)grad(?:e|ing) to|updat(?:e|ing) to|existing installation|uninstall(?:ing|ed)"
    r"|at least|since|until|before|after|from|for|removed in|deprecated in|introduced in|added in"
    r"|as of|instead of|than|only in|starting with|minimum)"
    r"[\s:`'\"]{1,4}(?:the |version |our )?$"
)
"""Words directly before a version that is asked for or talked of: it is not said to be installed."""
_ASKED_AFTER = re.compile(
    r"(?i)^[`'\"*,;)]{0,3} ?(?:or|and) (?:newer|later|higher|above|greater|older|up|earlier|below|lower)\b"
    r"|^[`'\"*)]{0,3} (?:is|are|was) (?:required|needed|expected|deprecated|recommended)"
    r"|^[`'\"*)]{0,3} with CUDA \d+ \(you have "
)
_IN_PATH = re.compile(
    r"[/\\](?P<name>torch|pytorch_lightning|lightning|transformers|accelerate|peft|trl)-(?P<version>\d[\w.+]{1,40}?)(?:\.dist-info|-py3|\.egg|-cp3)"
)
_PYTHON = re.compile(r"[/\\]python(3\.\d{1,2})[/\\](?:site|dist)-packages")
_MOST = 20_000
"""The number of lines that are read."""
BEFORE = 40
"""So many characters before a version are read for what is said of it."""
EXPRESSIONS = {
    "said": _SAID, "in_path": _IN_PATH, "python": _PYTHON, "asked_before": _ASKED_BEFORE, "asked_after": _ASKED_AFTER
}  # fmt: skip
"""The expressions with which the site's page reads versions as this module does."""
NAMES = _NAMES
MOST = _MOST


class SaidVersions:
    """Collects the versions that lines state."""

    def __init__(self) -> None:
        self._said: dict[str, set[str]] = {}
        self._python: set[str] = set()
        self._lines = 0

    def look(self, line: Line) -> None:
        """Note what one line states."""
        text = line.text
        if self._lines > _MOST or len(text) > 2000 or "." not in text:  # noqa: PLR2004
            return
        self._lines += 1
        if len(self._python) < 2 and "-packages" in text:  # noqa: PLR2004 - two contradict one another already
            self._python |= set(_PYTHON.findall(text))
        for pattern in (_SAID, _IN_PATH):
            for found in pattern.finditer(text):
                if _is_asked(text, found):
                    continue
                name = found["name"].lower()
                self._said.setdefault(_NAMES.get(name, name), set()).add(found["version"])

    @property
    def contradictions(self) -> Mapping[str, tuple[str, ...]]:
        """The distributions for which the log states several versions."""
        return {name: tuple(sorted(said)) for name, said in self._said.items() if len(said) > 1}

    def stack(self) -> Stack:
        """The known versions; a distribution with several stated versions has one of them."""
        held = {
            name: KnownVersion(tuple(sorted(said)), why="" if len(said) == 1 else "is stated with several versions")
            for name, said in self._said.items()
        }
        python = next(iter(self._python)) if len(self._python) == 1 else None
        return Stack(held, closed=False, python=python)


def _is_asked(text: str, found: re.Match[str]) -> bool:
    """True if a version is required, recommended or gone, and not said to be there."""
    before = text[max(0, found.start() - BEFORE) : found.start()]
    return bool(_ASKED_BEFORE.search(before) or _ASKED_AFTER.search(text[found.end() :]))
