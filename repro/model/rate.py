"""How often a rare failure shows, and how many clean runs say that it is not there."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from repro.model.base import Strict

SPARE = 3
"""So many runs more than the rate asks for are made where some show nothing."""


class Rate(Strict):
    """A failure that does not show in every run: how often it shows at least, where it is there."""

    runs: Annotated[int, Field(ge=2)]
    """So many runs."""
    at_least: Annotated[int, Field(ge=1)]
    """Of them, the least number in which it shows."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of ``absent``: the probability of having seen it, had it been there."""

    @model_validator(mode="after")
    def _rare(self) -> Self:
        if self.at_least >= self.runs:
            raise ValueError("a failure that shows in every run has no rate: at_least is below runs")
        return self

    @property
    def share(self) -> float:
        """The least share of runs that show it."""
        return self.at_least / self.runs

    @property
    def clean_runs(self) -> int:
        """So many runs without it make it ``absent``."""
        return clean_runs(self.share, 1 - self.confidence)

    @property
    def most_runs(self) -> int:
        """More runs than this are never made of one cell, where those through torchrun must show it as well."""
        return 2 * (self.clean_runs + SPARE)

    def bound(self, clean: int) -> float:
        """The largest share of runs that could show it after so many clean runs, at this confidence."""
        return 1 - math.pow(1 - self.confidence, 1 / clean)

    def describe(self) -> str:
        """``in at least 8 of 20 runs; absent after 6 clean runs (95 % confidence)``."""
        return (
            f"in at least {self.at_least} of {self.runs} runs; absent after {self.clean_runs} clean runs "
            f"({percent(self.confidence)} confidence)"
        )


def clean_runs(share: float, error: float) -> int:
    """The least number of runs that all miss a failure of this share with at most this probability."""
    return math.ceil(round(math.log(error) / math.log(1 - share), 9))


def percent(value: float) -> str:
    """``95 %``."""
    return f"{100 * value:.3g} %"
