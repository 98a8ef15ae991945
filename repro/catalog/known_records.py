"""Caches parsed records and matrices, so that commands need not parse every YAML file again.

One file in the cache contains the records of one catalogue folder, or one matrix, each under the digest of its text.
Cached values are validated again; a file that is missing, damaged or of other rules counts as empty.  Invalid records
are never cached, since their faults need the lines of the file.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic

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


@dataclass(frozen=True)
class KnownRecord(Generic[Model]):
    """A valid record or matrix, which is validated when it is first used: most commands use one of many."""

    id: Any
    """What the file states as ``id``."""
    _validated: Callable[[], Model]

    @cached_property
    def value(self) -> Model:
        return self._validated()


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
        return self.record(model, file).value

    def record(self, model: type[Model], file: Path) -> "KnownRecord[Model]":
        """The parsed file, validated now only if it is not cached; raises RecordError with all its faults."""
        try:
            text = read_text_file(file, YAML_LIMIT)
        except UnreadableFileError as error:
            raise RecordError([Fault(file, 0, "", error.problem)]) from None
        digest = sha256(text.encode()).hexdigest()
        stated = self._remembered.get(digest)

        def read() -> Model:
            from repro.catalog.yaml_reader import parse  # noqa: PLC0415 - slow, and not for what is remembered

            found = parse(model, text, file)
            # Without defaults, which come from the code that reads this.
            self._used[digest] = found.model_dump(mode="json", exclude_unset=True, context=WHOLE)
            return found

        def validated() -> Model:
            try:
                return model.model_validate(stated)
            except ValidationError:  # the cache was damaged
                found = read()
                self.save()
                return found

        if not isinstance(stated, dict):
            found = read()
            return KnownRecord(self._used[digest].get("id"), lambda: found)
        self._used[digest] = stated
        return KnownRecord(stated.get("id"), validated)

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
