"""Uses of the libraries that several records share, by name."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from repro.model.errors import nearest
from repro.model.reach import Use


@cache
def groups() -> dict[str, Use]:
    """The groups of ``reach_groups.yaml``, which stands beside this module."""
    text = Path(__file__).with_name("reach_groups.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Use]).validate_python(yaml.safe_load(text))


def group(name: str) -> Use:
    """The uses of a group; raises ValueError for an unknown name."""
    if name not in groups():
        raise ValueError(f"no group {name!r}; {nearest(name, groups())}")
    return groups()[name]
