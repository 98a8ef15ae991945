"""Writes OSV records: one file each, and the archive that osv-scanner reads offline."""

import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from repro.doctor.osv.record import ECOSYSTEM, OsvRecord
from repro.files import path_inside, write_whole, writing
from repro.model.errors import UsageError

OFFLINE = Path("osv-scanner") / ECOSYSTEM / "all.zip"
"""The path of the archive below osv-scanner's folder of databases."""
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def write_files(folder: Path, records: Sequence[OsvRecord]) -> list[Path]:
    """Write ``<id>.json`` for each record; raises UsageError if that fails."""
    written = []
    for record in records:
        file = path_inside(folder, f"{record.id}.json")
        with writing(file, UsageError):
            write_whole(file, record.text() + "\n")
        written.append(file)
    return written


def write_offline(folder: Path, records: Sequence[OsvRecord]) -> Path:
    """Write the archive below the folder that ``OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY`` names."""
    file = folder / OFFLINE
    with writing(file, UsageError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(archive_of(records))
    return file


def archive_of(records: Sequence[OsvRecord]) -> bytes:
    """A zip with a file for each record; the same records give the same bytes."""
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            info = zipfile.ZipInfo(f"{record.id}.json", _FIRST_DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, record.text())
    return held.getvalue()
