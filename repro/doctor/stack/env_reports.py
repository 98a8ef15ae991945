"""Reads the environment reports that libraries print for issues.

``transformers-cli env`` (and the commands of its kind), ``accelerate env``, ``python -m torch.utils.collect_env``,
Lightning's ``collect_env_details`` and the form of its issues.  Other lines are skipped.
"""

import re

from packaging.utils import canonicalize_name
from packaging.version import Version

from repro.doctor.stack.conda_spec import CONDA_NAMES
from repro.doctor.stack.document import Document
from repro.doctor.stack.stack import LIBRARIES
from repro.doctor.stack.statements import Authority, Reading, names_dependencies_of_torch, statement
from repro.model.version import parsed_version

_NAMES = {
    "pytorch": "torch",
    "pytorch lightning": "pytorch-lightning",
    "pytorch-version": "torch",
}
"""Names in reports that differ from those on PyPI."""
_STATED = LIBRARIES | {
    "python", "numpy", "safetensors", "tokenizers", "huggingface-hub", "datasets", "deepspeed", "diffusers", "peft",
    "trl",
}  # fmt: skip
"""Distributions for which a line ``NAME version:`` is trusted; other names are compilers, drivers and the like."""
_ABSENT = re.compile(r"(not installed|n/?a|none|no)\b", re.IGNORECASE)
_VERSION_LINE = re.compile(
    r"^[\s>#*-]*[`*]*(?P<name>[A-Za-z][\w. -]*?)[`*]*\s+version[`*]*\s*(?:\((?:e\.g\.|[^()]*\?)[^()]*\))?\s*[`*]*:[`*]*"
    r"\s*(?P<version>.*)$",
    re.IGNORECASE,
)
_ROW = re.compile(r"^\s*[-*]\s+(?P<name>[A-Za-z][\w.-]*):\s+(?P<version>\S.*)$")
_SECTION = re.compile(r"^\s*(?:[-*]\s*)?(?:<summary>)?\s*\*?\s*(?P<name>CUDA|Lightning|Packages|System)\s*:?\s*$")
_PIP_LINE = re.compile(r"^\s*\[pip\d*\]\s+(?P<name>[\w.-]+)==(?P<version>\S+)\s*$")
_CONDA_LINE = re.compile(
    r"^\s*\[conda\]\s+(?P<name>[\w.-]+)\s+(?P<version>\d\S*)(?:\s+(?P<build>\S+))?(?:\s+(?P<channel>\S+))?"
)
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*[0-9A-Za-z.+!_-]*)")
ANCHOR = re.compile(
    r"Collecting environment information|^\s*\[(?:pip\d*|conda)\] |^\s*\*\s*Lightning:|^\s*\*\s*CUDA:"
    r"|^[\s>#*-]*`?(?:transformers|accelerate|(?:PyTorch )?Lightning|PyTorch|torch)`? version\s*(?:\([^)]*\))?\s*:",
    re.MULTILINE | re.IGNORECASE,
)

_NUMBERS = 3
"""The number of parts of a whole release: ``2.2.1``."""


def is_report(text: str) -> bool:
    """True if a text has a line that occurs only in such reports."""
    return bool(ANCHOR.search(text))


def read_report(document: Document) -> Reading:
    """Every version that the report states."""
    reading = Reading()
    section = ""
    packages: list[str] = []
    for line in document.text.splitlines():
        head = _SECTION.match(line)
        if head:
            section = head["name"].lower()
            continue
        pip, conda = _PIP_LINE.match(line), _CONDA_LINE.match(line)
        stated, row = _VERSION_LINE.match(line), _ROW.match(line)
        if pip:
            reading.required.append(statement(pip["name"], f"=={pip['version']}"))
        elif conda:
            _conda(reading, conda)
        elif stated:
            _version(reading, stated["name"], stated["version"], Authority.IMPORTED)
        elif row and section in {"lightning", "packages", "system"}:
            packages.append(canonicalize_name(row["name"]))
            _version(reading, row["name"], row["version"], Authority.PIP)
    reading.closed = names_dependencies_of_torch(packages)
    return reading


def _conda(reading: Reading, row: re.Match[str]) -> None:
    if row["channel"] == "pypi" or row["build"] == "pypi_0":
        reading.required.append(statement(row["name"], f"=={row['version']}"))
        return
    name = CONDA_NAMES.get(canonicalize_name(row["name"]), row["name"])
    reading.required.append(statement(name, f"=={row['version']}", rank=Authority.CONDA))


def _version(reading: Reading, stated: str, text: str, rank: Authority) -> None:
    name = _NAMES.get(stated.lower(), _NAMES.get(canonicalize_name(stated), canonicalize_name(stated)))
    value = text.strip().strip("`*")
    if rank is Authority.IMPORTED and name not in _STATED:
        return
    if name == "python":
        found = re.match(r"\d+\.\d+(\.\d+)?", value)
        reading.python = reading.python or (found[0] if found else None)
        return
    if _ABSENT.match(value):
        reading.absent.add(name)
        return
    match = _VERSION.match(value)
    if match is None:
        return
    parsed = parsed_version(match[1])
    if parsed is None:
        reading.required.append(statement(name, why=f"is stated as {value[:40]!r}", rank=rank))
        return
    version = str(parsed)
    # People who fill in a form by hand write 2.2 for any 2.2.x.
    typed = rank is Authority.IMPORTED and len(Version(version).release) < _NUMBERS
    reading.required.append(
        statement(name, f"=={Version(version).base_version}.*" if typed else f"=={version}", rank=rank)
    )
