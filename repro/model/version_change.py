"""One distribution that changes its version."""

from repro.model.base import Strict


class VersionChange(Strict):
    """A distribution before and after; None where it is not installed."""

    distribution: str
    before: str | None
    after: str | None

    @property
    def text(self) -> str:
        """``torch 2.4.0 → 2.5.0``."""
        return f"{self.distribution} {self.before or 'not installed'} → {self.after or 'not installed'}"
