"""Values of a parsed TOML or JSON text, which may be of any type: each as the type asked for, or empty."""

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
