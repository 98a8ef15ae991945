"""Reads command lines: ``--flag value`` and ``key=value`` in scripts, Makefiles, Dockerfiles and strings."""

import re
from collections.abc import Iterator

from repro.doctor.code.facts import Fact, Place, Setting, Text, Value
from repro.doctor.code.vocabulary import Vocabulary
from repro.model.reach import normal_name, normal_value

_FLAG = re.compile(r"(?<![\w-])--?([A-Za-z][\w.-]*)(?:(?:=|[ \t]+\\?\n?[ \t]*)(?!-{1,2}[A-Za-z])([^\s\\;|&)]+))?")
_PAIR = re.compile(r"(?<![\w.-])\+{0,2}([A-Za-z_][\w./@-]*)=([^\s\\;|&)]*)")
_WORD = re.compile(r"[\w./-]+")


def facts_of_commands(
    text: str, vocabulary: Vocabulary, file: str, first_line: int = 1, cell: int = 0
) -> Iterator[Fact]:
    """The settings that command lines give."""
    for pattern, is_flag in ((_FLAG, True), (_PAIR, False)):
        for found in pattern.finditer(text):
            *above, name = re.split(r"[./@]", normal_name(found[1])) or [""]
            value = _value(found[2], is_flag=is_flag)
            if name.startswith("no_") and is_flag and name.removeprefix("no_") in vocabulary.settings:
                name, value = name.removeprefix("no_"), "false"
            if name in vocabulary.settings:
                place = Place(file, first_line + text.count("\n", 0, found.start()), cell)
                yield Setting(name, value, place, above[-1] if above else "")
    for number, line in enumerate(text.split("\n"), first_line):
        for word in _WORD.findall(line) if not line.lstrip().startswith("#") and vocabulary.is_text(line) else ():
            if vocabulary.is_text(word):
                yield Text(word, Place(file, number, cell))


def _value(text: str | None, *, is_flag: bool) -> Value:
    if text is None:
        return "true" if is_flag else None
    clean = text.strip("\"'`,]")
    return None if "$" in clean or "{" in clean or "%" in clean else normal_value(clean)
