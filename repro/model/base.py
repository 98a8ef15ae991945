"""The base of every model that is read from or written to a file."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

Location = tuple[str | int, ...]


Model = TypeVar("Model", bound="Strict")


class Strict(BaseModel):
    """Base of every model that is read from or written to a file: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
