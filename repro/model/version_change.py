"""One distribution that changes its version."""

import operator
from typing import Annotated

from pydantic import Field

from repro.model.base import Strict
from repro.model.development_version import shortened


class VersionChange(Strict):
    """A distribution before and after; None where it is not installed."""

    distribution: str
    before: str | None
    after: str | None
    source_before: Annotated[str, Field(exclude_if=operator.not_)] = ""
    """Of a development version: its commit or its wheel, without folders of a machine; empty for a release."""
    source_after: Annotated[str, Field(exclude_if=operator.not_)] = ""

    @property
    def text(self) -> str:
        """``torch 2.4.0 → 2.5.0``."""
        return f"{self.distribution} {_side(self.before, self.source_before)} → {_side(self.after, self.source_after)}"

    @property
    def text_after(self) -> str:
        """``torch 2.5.0``, or ``torch removed``."""
        return f"{self.distribution} {_side(self.after, self.source_after) if self.after else 'removed'}"


def _side(version: str | None, source: str) -> str:
    return f"{version or 'not installed'}{f' ({shortened(source)})' if source else ''}"
