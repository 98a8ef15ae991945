"""Remembers what records and the matrix said, so that a command need not parse every YAML file again.

One file in the cache holds the records of one catalogue folder, or one matrix, each under the digest of its text.
What is taken from there is validated again; a file that is missing, damaged or written under other rules counts as
empty.  A record that is not valid is never remembered: its faults need the lines of the file.
"""

import json
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repro.errors import Fault, RecordError, UnreadableFileError
from repro.files import PACKAGE, YAML_LIMIT, read_bytes_file, read_text_file, write_whole
from repro.model.base import Model

MAX_BYTES = 64_000_000
_RULES = ("catalog/yaml_reader.py", "model/*.py")
"""What a text becomes depends on these files: after a change nothing that was remembered counts."""


@cache
def _digest(patterns: tuple[str, ...]) -> str:
    files = (file for pattern in patterns for file in sorted(PACKAGE.glob(pattern)))
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


class KnownRecords:
    """The records of one catalogue folder, or one matrix; without a cache nothing is remembered."""

    def __init__(self, root: Path, cache: Path | None) -> None:
        name = sha256(str(root.resolve()).encode()).hexdigest()[:16]
        self._file = cache / "records" / f"{name}.json" if cache else None
        self._rules = _digest(_RULES)
        self._remembered = self._read()
        self._used: dict[str, Any] = {}

    def parsed(self, model: type[Model], file: Path) -> Model:
        """What a file says; raises RecordError with every fault of it."""
        try:
            text = read_text_file(file, YAML_LIMIT)
        except UnreadableFileError as error:
            raise RecordError([Fault(file, 0, "", error.problem)]) from None
        digest = sha256(text.encode()).hexdigest()
        with suppress(KeyError, ValidationError):
            found = model.model_validate(self._remembered[digest])
            self._used[digest] = self._remembered[digest]
            return found
        from repro.catalog.yaml_reader import parse  # noqa: PLC0415 - slow, and not for what is remembered

        found = parse(model, text, file)
        # Without defaults: they are those of the code that reads this.
        self._used[digest] = found.model_dump(mode="json", exclude_unset=True)
        return found

    def save(self) -> None:
        """Remember the records that were asked for and no other; a cache that cannot be written is no error."""
        if self._file and self._used != self._remembered:
            with suppress(OSError):
                write_whole(self._file, json.dumps({"rules": self._rules, "records": self._used}))

    def _read(self) -> dict[str, Any]:
        try:
            held = json.loads(read_bytes_file(self._file, MAX_BYTES)) if self._file else None
        except (UnreadableFileError, ValueError, RecursionError):
            return {}
        if not isinstance(held, dict) or held.get("rules") != self._rules:
            return {}
        records = held.get("records")
        return records if isinstance(records, dict) else {}
