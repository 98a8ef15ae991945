"""The large values of observations, each stored once in a file named by its content.

Most runs repeat values of others: the same environment, hardware, imports, exception and output.  An observation file
names such a value by kind and digest, ``{"part": "tail/0123456789abcdef.txt"}``.  The file is then one short line, and
only new values make new files.

A store may come from another machine, so a name must have that form, and the content must have the named digest.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.files import read_bytes_file, write_whole, writing
from repro.model.errors import StoreError, UnreadableFileError

PARTS = "parts"
"""The folder for parts; no failure may have this name."""
OF_OBSERVATION = ("installed", "hardware", "launcher_tail")
OF_RANK = ("imported", "chain", "tail", "stacks", "gates")
LEAST_CHARACTERS = 160
"""Shorter values stay in the observation's file."""
PART_BYTES = 8 << 20
"""Larger parts are not read; the limits of a rank do not allow them."""
SETTLED_SECONDS = 3600.0
"""A younger part without an observation may belong to a run that is being stored."""
DIGEST_CHARACTERS = 24
_NAME = re.compile(rf"({'|'.join((*OF_OBSERVATION, *OF_RANK))})/[0-9a-f]{{{DIGEST_CHARACTERS}}}\.(txt|json)")
_REFERENCE = re.compile(rf'\{{"part": "({_NAME.pattern})"\}}'.encode())


@dataclass(frozen=True)
class Parts:
    """The parts of one store."""

    folder: Path

    @classmethod
    def of_store(cls, root: Path) -> "Parts":
        return cls(root / PARTS)

    def split(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write the large values of an observation, and return its content with their names; raises StoreError."""
        return _mapped(content, self._put)

    def read(self, name: str) -> bytes:
        """The content of a part, which has the named digest; raises StoreError."""
        if not _NAME.fullmatch(name):
            raise StoreError(f"{self.folder}: {name!r} is not the name of a part")
        file = self.folder / name
        try:
            content = read_bytes_file(file, PART_BYTES)
        except UnreadableFileError as error:
            raise StoreError(f"{error}; restore the file") from None
        if _digest(content) != file.stem:
            raise StoreError(f"{file}: its content is not what its name says; restore the file")
        return content

    def _put(self, kind: str, value: Any) -> Any:
        is_text = isinstance(value, str)
        text = value if is_text else json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        if len(text) < LEAST_CHARACTERS:
            return value
        name = f"{kind}/{_digest(text.encode())}.{'txt' if is_text else 'json'}"
        file = self.folder / name
        with writing(file):
            if not file.exists():
                write_whole(file, text)
        return {"part": name}

    def problems(self) -> Iterator[str]:
        """A message for each part whose content does not have the named digest."""
        for file in self.files():
            try:
                self.read(str(file.relative_to(self.folder)))
            except StoreError as error:
                yield str(error)

    def files(self) -> Iterator[Path]:
        """Every part."""
        yield from sorted(file for file in self.folder.glob("*/*") if file.is_file() and not file.name.startswith("."))

    def unnamed(self, observations: Iterator[bytes], now: float | None = None) -> list[Path]:
        """The settled parts that no observation names, given the content of every observation file."""
        named = {match[1].decode() for content in observations for match in _REFERENCE.finditer(content)}
        settled = (time.time() if now is None else now) - SETTLED_SECONDS
        return [
            file
            for file in self.files()
            if str(file.relative_to(self.folder)) not in named and file.stat().st_mtime < settled
        ]


def _mapped(content: Mapping[str, Any], change: Callable[[str, Any], Any]) -> dict[str, Any]:
    """The content of an observation with ``change`` applied to each value that may be a part."""

    def changed(held: Mapping[str, Any], kinds: tuple[str, ...]) -> dict[str, Any]:
        return {name: change(name, value) if name in kinds else value for name, value in held.items()}

    made = changed(content, OF_OBSERVATION)
    ranks = made.get("ranks")
    if isinstance(ranks, list):
        made["ranks"] = [changed(rank, OF_RANK) if isinstance(rank, dict) else rank for rank in ranks]
    return made


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]
