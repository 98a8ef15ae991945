"""The catalogue: the records of all failures, loaded and validated."""

from repro.catalog.loading import Catalog, Entry, load
from repro.catalog.records import Failure, Lane

__all__ = ["Catalog", "Entry", "Failure", "Lane", "load"]
