"""The base of every model that is read from or written to a file."""

import re
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

Location = tuple[str | int, ...]


_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")


def _file_name(text: str) -> str:
    if not _FILE_NAME.fullmatch(text):
        raise ValueError(f"{text[:200]!r} is not a file name: letters, digits and ._+- are expected")
    return text


FileName = Annotated[str, AfterValidator(_file_name)]
"""A name that becomes part of a path: validated where it enters, since files come from other machines too."""


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date such as '2024-03-28'") from None
    return text


Day = Annotated[str, AfterValidator(_day)]

Model = TypeVar("Model", bound="Strict")
WHOLE = "whole"
"""The context of a serialisation that stays on this machine."""


class Strict(BaseModel):
    """Base of every model that is read from or written to a file: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
