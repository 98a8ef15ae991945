"""The stack of an existing interpreter."""

import json
import re
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.doctor.stack.stack import LIBRARIES, KnownVersion, Stack
from repro.environments.interpreter import Distributions


def stack_of_interpreter(found: Distributions) -> Stack:
    """The distributions of an interpreter.

    In a conda environment, a distribution without readable metadata takes its version from conda's records.
    """
    held = {
        name: KnownVersion((version,), inexact=found.inexact.get(name, ""))
        for name, version in found.distributions.items()
    }
    known = conda_versions(Path(found.prefix)) if found.unreadable else {}
    for name, why in found.unreadable.items():
        stated = known.get(name) if name not in held else None
        held[name] = KnownVersion((stated,)) if stated else KnownVersion(why=why)
    notes = tuple(
        f"{name} {found.distributions[name]} {why}: its code may differ from that release"
        for name, why in sorted(found.inexact.items())
        if name in LIBRARIES and name in found.distributions
    )
    return Stack(held, python=found.python, notes=notes)


def conda_versions(prefix: Path) -> dict[str, str]:
    """The versions in ``conda-meta/*.json`` by PyPI name; unreadable records are left out."""
    from repro.doctor.stack.conda_spec import CONDA_NAMES  # noqa: PLC0415 - slow, and for conda's interpreters alone

    found: dict[str, str] = {}
    for file in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            name, version = str(content["name"]), str(content["version"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if re.match(r"\d", version):
            found[canonicalize_name(CONDA_NAMES.get(name, name))] = version
    return found
