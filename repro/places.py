"""Where a catalogue is.  Light: it also serves users' own processes, beside their training."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
RECORD = "failure.yaml"


def catalog_elsewhere(given: Path | None = None) -> Path | None:
    """The folder of a catalogue outside the package: the one given, else what ``REPRO_CATALOG`` names, else None."""
    named = given or os.environ.get("REPRO_CATALOG")
    return Path(named).expanduser().resolve() if named else None


def failures_folder(given: Path | None = None) -> Path:
    """The folder of the failures: of a catalogue elsewhere, or our own."""
    return catalog_elsewhere(given) or PACKAGE / "failures"
