"""What ``repro doctor --static`` reads of the catalogue and the matrix, cached until one of them changes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.catalog.known_texts import known_text
from repro.catalog.project import Project
from repro.doctor.denied import DeniedRelease
from repro.doctor.diagnosis import Tried
from repro.model.outline import Outline


@dataclass(frozen=True)
class KnownOutlines:
    """The finished failures, and what is left out."""

    outlines: tuple[Outline, ...]
    skipped: tuple[str, ...]
    """One line for each failure that is left out."""
    broken: bool
    """True if the record of one of them is not valid."""


def outlines_of(project: Project) -> KnownOutlines:
    """The records of the project's catalogue."""

    def make() -> str:
        held = project.catalog
        plain = [Outline.of(entry.failure).plain for entry in held]
        return json.dumps({"outlines": plain, "skipped": held.skipped, "broken": bool(held.broken)})

    read = json.loads(known_text("outlines", project.failures, project.cache, make))
    return KnownOutlines(tuple(map(Outline.read, read["outlines"])), tuple(read["skipped"]), read["broken"])


@dataclass(frozen=True)
class KnownReleases:
    """What the matrix says of releases."""

    tried: Tried
    denied: tuple[DeniedRelease, ...]


def releases_of(project: Project) -> KnownReleases:
    """What the project's matrix says; raises RecordError if it is not valid."""

    def make() -> str:
        from repro.doctor.tried import newest_tried  # noqa: PLC0415 - imports models

        deny = [(entry.distribution, entry.version, entry.reason) for entry in project.matrix.deny]
        return json.dumps({"tried": newest_tried(project.matrix), "denied": deny})

    # The matrix of another catalogue is laid over our own: two folders decide.
    text = make() if project.base else known_text("releases", project.matrix_file.parent, project.cache, make)
    read: Mapping[str, Any] = json.loads(text)
    return KnownReleases(read["tried"], tuple(DeniedRelease(*item) for item in read["denied"]))
