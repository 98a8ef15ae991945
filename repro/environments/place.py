"""The folder of a built environment on this machine, and the record of its build."""

import sys
from dataclasses import dataclass
from pathlib import Path

from repro.files import write_whole

MARK = "repro-environment.txt"
"""The file that is written last; a folder without it is unfinished."""


@dataclass(frozen=True)
class BuildRecord:
    """The record of an environment's build; fields are empty if an older version built it."""

    torch: str = ""
    """The version of torch with the label of its build: ``2.13.0+cpu``."""
    source: str = ""
    """The index or folder of torch."""
    records: str = ""
    """SHA-256 over the RECORD files of all distributions."""


@dataclass(frozen=True)
class EnvironmentFolder:
    """The folder of an environment of one lock."""

    name: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def site(self) -> Path:
        """Its folder of distributions."""
        found = sorted(self.folder.glob("lib/python3.*/site-packages"))
        return found[0] if found else self.folder / "Lib" / "site-packages"

    @property
    def exists(self) -> bool:
        return (self.folder / MARK).is_file()

    def finish(self, digest: str, record: BuildRecord) -> None:
        """Mark the environment as finished; raises OSError."""
        facts = {"torch": record.torch, "source": record.source, "records": record.records}
        lines = [self.name, digest, *(f"{key}: {value}" for key, value in facts.items() if value)]
        write_whole(self.folder / MARK, "\n".join(lines) + "\n")

    @property
    def record(self) -> BuildRecord:
        """The readable part of the record of its build."""
        try:
            lines = (self.folder / MARK).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return BuildRecord()
        facts = dict(line.split(": ", 1) for line in lines[2:] if ": " in line)
        return BuildRecord(**{key: facts[key] for key in ("torch", "source", "records") if key in facts})
