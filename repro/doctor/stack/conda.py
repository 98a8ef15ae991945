"""Reads conda's ``environment.yml``."""

import re
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from repro.doctor.stack.requirements import Read, named, read_lines, stack_of_requirements
from repro.doctor.stack.stack import Stack
from repro.errors import UsageError

NAMES = {"pytorch": "torch", "pytorch-gpu": "torch", "pytorch-cpu": "torch"}
"""conda's names of what PyPI calls otherwise."""
_ITEM = re.compile(r"^(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)$")
_NO_DISTRIBUTION = re.compile(r"^(_|python$|lib|cuda|ld_impl|bzip2$|openssl$|ncurses$|readline$|sqlite$|tk$|xz$|zlib$)")


def read_conda(content: Any, file: Path, read: Read) -> Stack:
    """The stack of an environment.yml; raises UsageError if it is none.

    conda's ``name=1.2`` is any 1.2.x; ``name==1.2`` and ``name=1.2=build`` are that version.
    """
    if not isinstance(content, dict) or not isinstance(content.get("dependencies"), list):
        raise UsageError(f"{file}: no dependencies in it: is it an environment.yml?")
    required, limits, complete, python = [], [], True, None
    for item in content["dependencies"]:
        if isinstance(item, dict):
            lines, bounds, whole = read_lines([str(line) for line in item.get("pip") or ()], file, read)
            required += lines
            limits += bounds
            complete = complete and whole
            continue
        match = _ITEM.match(str(item).strip())
        if match is None:
            raise UsageError(f"{file}: {item!r} is no dependency such as 'pytorch=2.2.2'")
        name, specifiers = match["name"].lower(), _specifiers(match["rest"])
        if name == "python":
            python = _python(specifiers)
        elif _NO_DISTRIBUTION.match(name):
            continue
        elif specifiers is None:
            required.append(named(NAMES.get(name, name), why=f"is not pinned ({match['rest']})"))
        else:
            required.append(named(NAMES.get(name, name), specifiers))
    stack = stack_of_requirements(required, limits, complete=complete)
    return Stack(stack.held, stack.closed, python)


def _specifiers(rest: str) -> str | None:
    """PEP 440 specifiers for conda's; None for what has no such form."""
    text = rest.strip()
    bracket = re.fullmatch(r"\[.*?version\s*=\s*['\"]?([^'\"\]]+)['\"]?.*\]", text)
    text = bracket[1].strip() if bracket else text
    if not text or text == "*":
        return ""
    built = re.fullmatch(r"={1,2}([^=\s,|]+)=[^=\s]+", text) or re.fullmatch(r"([0-9][^=\s,|]*)\s+\S+", text)
    fuzzy = re.fullmatch(r"=\s*([^=\s,|*]+?)\.?\*?", text)
    bare = re.fullmatch(r"([0-9][^=\s,|<>]*)", text)
    if built:
        text = f"=={built[1]}"
    elif fuzzy:
        text = f"=={fuzzy[1]}.*"
    elif bare:
        text = f"=={bare[1]}"
    try:
        return str(SpecifierSet(re.sub(r"(==\d[\w.]*)(?<!\.)\*", r"\1.*", text)))
    except InvalidSpecifier:
        return None


def _python(specifiers: str | None) -> str | None:
    found = re.match(r"==(\d+\.\d+)", specifiers or "")
    return found[1] if found else None
