"""Writes a backport as one self-contained file: source, provenance, licence, and a check of versions."""

import ast
import hashlib
import re
from pathlib import Path

from packaging.specifiers import SpecifierSet

from repro import __version__
from repro.backports.find import FoundBackport
from repro.files import PACKAGE, templates_of
from repro.model.errors import UsageError
from repro.model.specifiers import ABSENT

_COMPARED = (">=", "<=", ">", "<", "==", "!=")
"""The operators that the check in an exported file can evaluate without a library."""


def exported(backport: FoundBackport) -> str:
    """The text of the file.

    Raises UsageError if the record's specifiers are more than plain comparisons.
    """
    source = backport.file.read_text(encoding="utf-8")
    lines = source.splitlines()
    first = ast.parse(source).body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.end_lineno
    end = first.end_lineno if documented and first.end_lineno else 0
    body = re.sub(r"(?m)^def apply\(\)", "def _patch()", "\n".join(lines[end:]).strip())
    return (
        templates_of("repro.backports")
        .get_template("fix.py.j2")
        .render(
            backport=backport,
            bounds=[
                {name: _bounds(backport, text) for name, text in releases.items()} for releases in backport.affected
            ],
            digest=hashlib.sha256(source.encode()).hexdigest(),
            documentation=re.sub(
                r"import \w+(?: as \w+)?; \w+\.apply\(\)", "import fix; fix.apply()", "\n".join(lines[:end])
            ),
            body=body,
            licence=_licence(backport.file),
            version=__version__,
        )
    )


def _bounds(backport: FoundBackport, text: str) -> list[tuple[str, str]] | None:
    """The comparisons of a range; None where the distribution must be absent."""
    if text == ABSENT:
        return None
    clauses = [(item.operator, item.version) for item in SpecifierSet(text)]
    for operator, version in clauses:
        if operator not in _COMPARED or version.endswith(".*"):
            raise UsageError(f"{backport.failure}: {operator}{version} cannot be compared without a library: no export")
    return sorted(clauses, reverse=True)


def _licence(file: Path) -> list[str]:
    """The lines of our licence: of the file beside the package, or inside an installed one."""
    if PACKAGE not in file.parents:
        return []
    places = (PACKAGE / "LICENSE", PACKAGE.parent / "LICENSE")
    return next(place for place in places if place.is_file()).read_text(encoding="utf-8").strip().splitlines()
