"""Where our own files are, and writing a file whole.  Light: also loaded beside users' training."""

import os
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
RECORD = "failure.yaml"

LAUNCHER = PACKAGE / "launch"
"""The folder of the files that run inside the environment under test."""
BOOTSTRAP = LAUNCHER / "bootstrap.py"
ZYGOTE = LAUNCHER / "zygote.py"
GATES = LAUNCHER / "gates.py"


def catalog_elsewhere(given: Path | None = None) -> Path | None:
    """The folder of a catalogue outside the package: the one given, else what ``REPRO_CATALOG`` names, else None."""
    named = given or os.environ.get("REPRO_CATALOG")
    return Path(named).expanduser().resolve() if named else None


def failures_folder(given: Path | None = None) -> Path:
    """The folder of the failures: of a catalogue elsewhere, or our own."""
    return catalog_elsewhere(given) or PACKAGE / "failures"


def write_whole(file: Path, text: str) -> None:
    """Write a text to a temporary name beside ``file`` and rename it; raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
