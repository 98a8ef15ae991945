"""Reads what a backport needs from its record, without the laboratory; `repro check` has validated the record."""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from repro.files import RECORD, failures_folder
from repro.model.errors import Fault, RecordError, UsageError, unknown
from repro.model.specifiers import covers, installed_versions, range_in_words


@dataclass(frozen=True)
class FoundBackport:
    """One backport, with the relevant parts of its record."""

    failure: str
    title: str
    name: str
    file: Path
    meaning: str
    affected: tuple[dict[str, str], ...]
    fixed_in: dict[str, str]
    upstream: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module name that marks it as applied: one for each failure, whose backports all patch the same place."""
        return f"repro.backports.applied.{self.failure}"

    @cached_property
    def installed(self) -> dict[str, str]:
        """The versions of the relevant distributions that are installed."""
        return installed_versions({name for releases in self.affected for name in releases})

    @property
    def is_affected(self) -> bool:
        """True if one of the record's alternatives covers the installed versions."""
        return any(covers(releases, self.installed) for releases in self.affected)

    @property
    def affected_text(self) -> str:
        """``lightning >=2.1.0,<2.2.2``."""
        alternatives = (" with ".join(range_in_words(*item) for item in held.items()) for held in self.affected)
        return " or ".join(alternatives)

    @property
    def installed_text(self) -> str:
        """``lightning 2.2.2 is installed``."""
        held = ", ".join(f"{name} {version}" for name, version in self.installed.items())
        return f"{held} is installed" if held else "none of it is installed"

    def load(self) -> ModuleType:
        """Load its file as a module; raises ImportError."""
        found = importlib.util.spec_from_file_location(self.module, self.file)
        if found is None or found.loader is None:
            raise ImportError(f"{self.file} cannot be loaded")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        return module


def known(catalog: Path | None = None) -> list[str]:
    """The ids of a catalogue; raises UsageError if the folder is missing."""
    root = failures_folder(catalog)
    if not root.is_dir():
        raise UsageError(f"no catalogue at {root}: a folder with one folder a failure is expected")
    return sorted(file.parent.name for file in root.glob(f"*/{RECORD}"))


def find(failure_id: str, name: str | None, catalog: Path | None = None) -> FoundBackport:
    """The backport of that name; without a name, the first one that the record offers to users.

    Raises UsageError for an unknown failure or backport, RecordError if the record cannot be read.
    """
    ids = known(catalog)
    if failure_id not in ids:
        raise unknown("failure", failure_id, ids)
    file = failures_folder(catalog) / failure_id / RECORD
    try:
        record: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        backports: dict[str, dict[str, Any]] = {item["name"]: item for item in record["backports"]}
        offered = [cure["backport"] for cure in record.get("cures", ()) if "backport" in cure]
        offered += [item["name"] for item in record["backports"] if item["cures"]]
        if not offered:
            raise UsageError(f"{failure_id} has no backport that cures")
        if name is not None and name not in backports:
            raise unknown(f"backport of {failure_id}", name, backports)
        chosen = backports[name or offered[0]]
        return FoundBackport(
            failure=failure_id,
            title=record["title"],
            name=chosen["name"],
            file=file.parent / chosen["file"],
            meaning=chosen["meaning"],
            affected=tuple(record["affected"]),
            fixed_in=record.get("fixed_in", {}),
            upstream=(*record["upstream"].get("issues", ()), *record["upstream"].get("fixes", ())),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise RecordError([Fault(file, 0, "", "is no valid record", "`repro check` says why")]) from None
