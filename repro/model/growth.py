"""What grows in a failure that costs memory, objects, time or traffic, and from which ratio on it counts."""

from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from repro.model.base import Strict


class Growth(Strict):
    """A quantity that the script measures in two windows after its warm-up; no absolute size or time counts."""

    quantity: Literal["memory", "objects", "time", "collectives", "bytes written"]
    measured: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Name of the measurement: the script prints its windows under it."""
    ratio: Annotated[float, Field(gt=1)]
    """The failure is there if the mean of the second window is at least so many times that of the first."""

    def describe(self) -> str:
        """``objects (measured as loaders) at least 1.5 times as many in the second window``."""
        return f"{self.quantity}, measured as {self.measured}: at least {self.ratio:g} times in the second window"


_Window = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...], Field(min_length=2, max_length=1000)
]


class Windows(Strict):
    """What a rank printed: ``measured NAME = {"first": [...], "second": [...], "same": [[...], [...]]}``."""

    first: _Window
    second: _Window
    same: tuple[_Window, _Window]
    """Two windows between which nothing may grow: an A/A comparison, which shows the noise."""

    @property
    def ratio(self) -> float:
        return _ratio(self.first, self.second)

    @property
    def noise(self) -> float:
        """The ratio of the two equal windows, the larger one above: 1 without noise."""
        found = _ratio(*self.same)
        return max(found, 1 / found) if found else float("inf")


def windows_of(value: Any) -> Windows | None:
    """The windows in a measurement; None if it holds none."""
    try:
        return Windows.model_validate_json(value) if isinstance(value, str) else Windows.model_validate(value)
    except ValidationError:
        return None


def _ratio(before: Sequence[float], after: Sequence[float]) -> float:
    """Of the means; infinite where something came of nothing, 1 where nothing was and is."""
    first, second = fmean(before), fmean(after)
    if not first:
        return float("inf") if second else 1.0
    return second / first
