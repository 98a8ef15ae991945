"""What ``repro list`` and ``repro show`` print of every failure, as texts that are cached until a record changes."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from repro.catalog.known_texts import known_text
from repro.catalog.project import Project

if TYPE_CHECKING:
    from repro.catalog.catalog import Catalog


@dataclass(frozen=True)
class Listed:
    """What ``repro list`` prints."""

    skipped: list[str]
    """One line for each failure that is left out."""
    rows: list[list[str]]
    """Id, kind, affected releases and title of the others."""
    answer: str
    """The same as JSON."""


def listed_of(project: Project) -> Listed:
    """What ``repro list`` prints of the project's catalogue."""

    def make() -> str:
        return json.dumps(asdict(_listed(project.catalog)))

    return Listed(**json.loads(known_text("listed", project.failures, project.cache, make)))


def _listed(catalog: "Catalog") -> Listed:
    # Slow imports: none is needed for a text that is cached.
    from repro.report.brief import brief  # noqa: PLC0415
    from repro.report.format import format_releases  # noqa: PLC0415

    rows = []
    for entry in catalog:
        failure = entry.failure
        alone = " or ".join(format_releases(releases) for releases in failure.affected)
        rows.append([failure.id, failure.kind, failure.affected_together or alone, failure.title])
    return Listed(catalog.skipped, rows, brief(catalog).model_dump_json(indent=1))


def lines_of(project: Project, name: str) -> list[str]:
    """The lines that ``repro show`` prints of a failure, by its id or an upstream name.

    Raises the errors of ``Catalog.named``.
    """

    def make() -> str:
        from repro.report.failure_lines import failure_lines  # noqa: PLC0415 - as above

        entries = (*project.catalog, *project.catalog.drafts.values())
        return json.dumps({entry.failure.id: failure_lines(entry.failure) for entry in entries})

    known: dict[str, list[str]] = json.loads(known_text("shown", project.failures, project.cache, make))
    if name in known:
        return known[name]
    from repro.report.failure_lines import failure_lines  # noqa: PLC0415 - as above

    return failure_lines(project.catalog.named(name).failure)
