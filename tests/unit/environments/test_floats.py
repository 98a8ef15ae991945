"""What a floating environment is on a day."""

from datetime import date

import pytest

from repro.environments.floats import float_of, is_held, is_of, last_day, libraries_of
from repro.model.errors import UsageError
from repro.model.matrix import Matrix
from tests.unit.factories import matrix

TODAY = date(2026, 11, 25)


def floating(**environments: object) -> Matrix:
    first = {"newest": {"libraries": ["torch", "Py_Tool"]}}
    return Matrix.model_validate({**matrix().model_dump(), "floating": {**first, **environments}})


@pytest.mark.parametrize(("cooling", "day"), [(0, "2026-11-25"), (1, "2026-11-23"), (2, "2026-11-22")])
def test_every_upload_that_is_seen_is_old_enough(cooling: int, day: str) -> None:
    """Also one of the last second of the day is so many whole days old when the next day but N begins."""
    assert last_day(TODAY, cooling) == day
    made = float_of(floating(newest={"libraries": ["torch"], "cooling-days": cooling}), "newest", TODAY)
    assert (made.day, made.definition.cutoff, made.label) == (day, day, f"newest as of {day}")


def test_a_stated_day_has_no_cooling() -> None:
    made = float_of(floating(then={"as-of": "2026-05-01"}), "then", TODAY)
    assert (made.label, made.definition.floating) == ("then as of 2026-05-01", ("torch", "py-tool"))
    with pytest.raises(UsageError, match="as-of 2026-12-01 is later"):
        float_of(floating(then={"as-of": "2026-12-01"}), "then", TODAY)


def test_libraries_are_taken_over_and_pins_do_not_float() -> None:
    held = floating(candidate={"prereleases": True, "pins": {"Torch": "2.13.0"}, "cutoffs": {"torch": "2026-07-20"}})
    made = float_of(held, "candidate", TODAY).definition
    assert libraries_of(held, "candidate") == ("torch", "py-tool")
    assert (made.floating, made.pins, made.prereleases) == (("py-tool",), {"torch": "2.13.0"}, True)
    assert made.cutoffs == {"torch": "2026-07-20"}


def test_one_library_held() -> None:
    name, environment = float_of(floating(), "newest", TODAY).holding("torch", "2.14.0")
    assert name == "newest as of 2026-11-22 with torch 2.14.0"
    assert (environment.floating, environment.pins) == (("py-tool",), {"torch": "2.14.0"})


def test_labels() -> None:
    assert is_held(float_of(floating(), "newest", TODAY).holding("torch", "2.14.0")[0])
    assert not is_held("newest as of 2026-11-22")
    assert is_of("newest as of 2026-11-22", "newest")
    assert not any(is_of(label, "newest") for label in ("newest", "newest-candidate as of 2026-11-22", "newest as of "))
    assert not is_of("newest as of 2026-11-22 with torch 2.14.0", "newest")


def test_unknown() -> None:
    with pytest.raises(UsageError, match="did you mean 'newest'"):
        float_of(floating(), "newst", TODAY)
