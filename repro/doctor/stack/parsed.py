"""Typed access to values of parsed TOML or JSON: the value if it has the wanted type, else an empty one."""

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]


def table_of(value: Any) -> Table:
    """The table, or an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """The text, or an empty one."""
    return value if isinstance(value, str) else ""
