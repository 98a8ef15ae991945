"""Joins the line of an observation with its parts (``parts.py``).

A part is read and validated once, and all observations that name it share the value: the runs of a large store repeat
few environments, imports and errors.  Nobody may change such a value.  A part is named by its content, so a value that
was read before is never out of date.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from repro.model.errors import StoreError
from repro.model.observation import FORMAT, Observation, Rank
from repro.store import parts as stored_parts
from repro.store.parts import OF_OBSERVATION, OF_RANK, Parts

REQUIRED = {"hardware": {"system": "", "machine": "", "cores": 0, "memory_bytes": 0}}
"""What stands for a part that has no default while the rest is validated."""
SHARED = 4096
"""The number of values that are kept; most runs have the same."""
TEXTS = 64
"""The number of texts that are kept: most are the output of one run."""


def joined(parts: Parts, stated: Mapping[str, Any]) -> Observation:
    """The observation of a stored line whose large values are parts.

    Raises StoreError if a part cannot be read, and ValidationError for a value that no observation has.
    """
    own: dict[str, Any] = {}
    of_ranks: dict[int, dict[str, Any]] = {}
    size = 0

    def split(held: Mapping[str, Any], kinds: tuple[str, ...], found: dict[str, Any], place: str) -> dict[str, Any]:
        """The values that are in the line; those of parts go to ``found``."""
        nonlocal size
        left = dict(held)
        for kind in kinds:
            value = held.get(kind)
            if not (isinstance(value, dict) and value.keys() == {"part"} and isinstance(value["part"], str)):
                continue
            length, found[kind] = _value(parts, kind, value["part"], place)
            size += length
            if size > stored_parts.PART_BYTES:
                limit = f"{stored_parts.PART_BYTES:,}"
                raise StoreError(f"{parts.folder}: the parts of one observation are larger than {limit} bytes")
            del left[kind]
            if kind in REQUIRED:
                left[kind] = REQUIRED[kind]
        return left

    line = split(stated, OF_OBSERVATION, own, "") | {"format": FORMAT}
    ranks = line.get("ranks")
    if isinstance(ranks, list):
        line["ranks"] = [
            split(rank, OF_RANK, of_ranks.setdefault(number, {}), f"ranks.{number}.")
            if isinstance(rank, dict)
            else rank
            for number, rank in enumerate(ranks)
        ]
    found = Observation.model_validate_json(to_json(line))
    if any(of_ranks.values()):
        own["ranks"] = tuple(
            rank.model_copy(update=of_ranks[number]) if of_ranks.get(number) else rank
            for number, rank in enumerate(found.ranks)
        )
    return found.model_copy(update=own) if own else found


def _value(parts: Parts, kind: str, name: str, place: str) -> tuple[int, Any]:
    """The size of a part in bytes, and its value; raises StoreError."""
    read = _text if name.endswith(".txt") else _model
    try:
        return read(parts, kind, name)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in (kind, *first["loc"]))
        message = f"{place}{where}: {first['msg'].lower()}"
        raise StoreError(f"{parts.folder / name}: {message}; remove or restore the file") from None
    except UnicodeDecodeError:
        raise StoreError(f"{parts.folder / name}: is not UTF-8 text; remove or restore the file") from None


@lru_cache(maxsize=TEXTS)
def _text(parts: Parts, kind: str, name: str) -> tuple[int, Any]:
    content = parts.read(name)
    return len(content), _adapter(kind).validate_python(content.decode())


@lru_cache(maxsize=SHARED)
def _model(parts: Parts, kind: str, name: str) -> tuple[int, Any]:
    content = parts.read(name)
    return len(content), _adapter(kind).validate_json(content)


@cache
def _adapter(kind: str) -> "TypeAdapter[Any]":
    """Validates the values of one field."""
    fields = Observation.model_fields if kind in OF_OBSERVATION else Rank.model_fields
    annotation: Any = fields[kind].annotation
    return TypeAdapter(annotation)
