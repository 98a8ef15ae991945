"""Reads conda's ``environment.yml`` and ``conda env export``."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from repro.doctor.stack.conda_spec import is_system, parse_item
from repro.doctor.stack.document import Document
from repro.doctor.stack.requirements import read_lines
from repro.doctor.stack.statements import Authority, Reading, pin_of, shortened
from repro.model.errors import UsageError

_ONLY_IN_EXPORTS = re.compile(r"(_libgcc_mutex|_openmp_mutex|ld_impl|libgcc|libstdcxx|ca-certificates)\b")
"""Packages that are in exports but that nobody lists by hand."""
_SERIES = re.compile(r"==(\d+\.\d+)(?:\.\d+)*(?:\.\*)?")


def read_environment(content: Mapping[str, Any], document: Document) -> Reading:
    """The statements of an environment.yml or an export; raises UsageError if it has no dependencies.

    conda's ``name=1.2`` means any 1.2.x, except in a full export without builds, where it is an exact version.
    """
    dependencies = content.get("dependencies")
    if not isinstance(dependencies, list):
        raise UsageError("no dependencies in it: is it an environment.yml?")
    items = [item.strip() for item in dependencies if isinstance(item, str)]
    export = any(_ONLY_IN_EXPORTS.match(item.rpartition("::")[2]) for item in items)
    reading = Reading(strict=True)
    for item in items:
        _add_item(reading, item, exact=export)
    for part in dependencies:
        lines = part.get("pip") if isinstance(part, dict) else None
        if isinstance(lines, list):
            reading.add(read_lines([line for line in lines if isinstance(line, str)], document.file, document.read))
    reading.closed = (
        export
        and not reading.unread
        and all(item.pin or item.why for item in reading.required)
        and any(item.name == "torch" for item in reading.required)
    )
    return reading


def _add_item(reading: Reading, item: str, *, exact: bool) -> None:
    found = parse_item(item, exact=exact)
    if found is None:
        reading.skipped += 1
        reading.note(f"not understood: {shortened(item)}") if "torch" in item else None
    elif found.name == "python":
        reading.python = _python(found.specifiers)
        reading.requires_python = "" if reading.python else found.specifiers
    elif not is_system(found.name):
        reading.required.append(replace(found, rank=Authority.CONDA))


def _python(specifiers: str) -> str | None:
    found = _SERIES.fullmatch(specifiers)
    pin = pin_of(specifiers) if specifiers else None
    return found[1] if found and (pin or specifiers.count(".") > 1) else None
