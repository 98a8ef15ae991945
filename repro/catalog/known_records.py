"""Caches parsed records and matrices, so that commands need not parse every YAML file again.

One file in the cache contains the records of one catalogue folder, or one matrix, each under the digest of its text.
Cached values are validated again; a file that is missing, damaged or of other rules counts as empty.  Invalid records
are never cached, since their faults need the lines of the file.
"""

import json
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from repro.files import PACKAGE, YAML_LIMIT, read_bytes_file, read_text_file, write_whole
from repro.model.base import WHOLE, Model
from repro.model.errors import Fault, RecordError, UnreadableFileError

MAX_BYTES = 64_000_000
_RULES = ("catalog/yaml_reader.py", "model/*.py")
"""The files that determine how a text is parsed; if they change, the cache is invalid."""


@cache
def _digest(patterns: tuple[str, ...]) -> str:
    files = (file for pattern in patterns for file in sorted(PACKAGE.glob(pattern)))
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


class KnownRecords:
    """The cached records of one catalogue folder, or one matrix; without a cache, nothing is kept."""

    def __init__(self, root: Path, cache: Path | None) -> None:
        name = sha256(str(root.resolve()).encode()).hexdigest()[:16]
        self._file = cache / "records" / f"{name}.json" if cache else None
        self._rules = _digest(_RULES)
        self._remembered = self._read()
        self._used: dict[str, Any] = {}

    def parsed(self, model: type[Model], file: Path) -> Model:
        """The parsed file; raises RecordError with all its faults."""
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
        # Without defaults, which come from the code that reads this.
        self._used[digest] = found.model_dump(mode="json", exclude_unset=True, context=WHOLE)
        return found

    def save(self) -> None:
        """Keep only the records that were used; a cache that cannot be written is not an error."""
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
