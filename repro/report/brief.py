"""The short form of the catalogue that ``repro list --json`` prints."""

from typing import Literal

from repro.catalog.catalog import Catalog
from repro.model.base import Strict
from repro.model.failure import Upstream
from repro.model.version_ranges import VersionRanges


class BriefFailure(Strict):
    """The fields of a record that help a reader choose."""

    id: str
    title: str
    kind: str
    upstream: Upstream
    affected: tuple[VersionRanges, ...]
    """In a record whose stages are of several environments, those of the last stage's: others decide too."""
    fixed_in: dict[str, str]


class BriefCatalog(Strict):
    """The answer of ``repro list --json``."""

    format: Literal[1] = 1
    failures: tuple[BriefFailure, ...]


def brief(catalog: Catalog) -> BriefCatalog:
    """Every failure of the catalogue, in its order."""
    names = tuple(BriefFailure.model_fields)
    return BriefCatalog(
        failures=tuple(
            BriefFailure.model_validate({name: getattr(entry.failure, name) for name in names}) for entry in catalog
        )
    )
