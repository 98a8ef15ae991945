"""What doctor says of a text, against an enumeration of all real releases that the text allows."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.catalog.catalog import load
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.stack.files import read_stack
from repro.files import PACKAGE
from repro.model.failure import Failure

DATA = Path(__file__).parents[2] / "data" / "releases.json"
RELEASES: dict[str, list[str]] = {
    name: list(days)
    for name, days in json.loads(DATA.read_text(encoding="utf-8")).items()
    if name != "pytorch-lightning"
}
FINALS = {name: [text for text in found if not Version(text).is_prerelease] for name, found in RELEASES.items()}
LINES = ("", "{name}", "{name}=={low}", "{name}>={low}", "{name}<{high}", "{name}>={low},<{high}", "{name}~={low}")


@cache
def failures() -> list[Failure]:
    """The failures that only distributions decide whose releases are listed in the data."""
    found = [entry.failure for entry in load(PACKAGE / "failures").entries.values()]
    return [failure for failure in found if {*failure.judged_by} <= RELEASES.keys()]


@cache
def contains(specifiers: str, version: str) -> bool:
    return SpecifierSet(specifiers).contains(version, prereleases=True)


def holds(failure: Failure, versions: dict[str, str]) -> bool | None:
    """Whether real versions have a failure, read off the record here, without the code under test; None if open."""

    def fits(name: str, text: str, *, opened: bool) -> bool:
        if name not in versions:
            return False
        below = opened and name in failure.open_below and contains(f"<{failure.open_below[name]}", versions[name])
        above = opened and name in failure.open_above and contains(f">{failure.open_above[name]}", versions[name])
        return below or above or contains(text, versions[name])

    def any_of(alternatives: Iterable[Mapping[str, str]], *, opened: bool = False) -> bool:
        return any(all(fits(name, text, opened=opened) for name, text in item.items()) for item in alternatives)

    if any_of(rejection.releases for rejection in failure.rejected):
        return False
    sides = [failure.affected, *(stage.affected for stage in failure.stages if stage.affected)]
    if len(sides) > 1:  # two environments decide together: one that can be a side of it is open
        found = [any_of(side) for side in sides]
        return all(found) or (None if any(found) else False)
    if any_of(failure.affected):
        return True
    return None if any_of(failure.affected, opened=True) else False


@st.composite
def texts(draw: st.DrawFn) -> dict[str, str]:
    """For each distribution the line that a requirements file has of it; empty for none."""
    lines = {}
    for name, releases in RELEASES.items():
        first, last = sorted(draw(st.tuples(*[st.integers(0, len(releases) - 1)] * 2)))
        low, high = releases[first], releases[last]
        form = draw(st.sampled_from(LINES if high != low and low.count(".") else LINES[:4]))
        lines[name] = form.format(name=name, low=low, high=high)
    return lines


def allowed(line: str, name: str) -> list[str | None]:
    """The real releases that a line allows; a distribution that no line names may be any, or absent."""
    if not line:
        return [None, *RELEASES[name]]
    return [version for version in RELEASES[name] if contains(line.removeprefix(name), version)]


@settings(max_examples=25, deadline=None)
@given(texts())
def test_doctor_agrees_with_all_real_releases(lines: dict[str, str]) -> None:
    """Never "not affected" where one allowed resolution is affected, never "listed" where one is not."""
    # A line that no release fits, such as >=2.5.0.dev1,<2.5.0, is refused.
    assume(all(allowed(line, name) for name, line in lines.items()))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(filter(None, [*lines.values(), "rich"])) + "\n", encoding="utf-8")
        stack = read_stack(file)
    for failure, item in zip(failures(), diagnose(failures(), stack), strict=True):
        names = failure.judged_by
        possible = {
            holds(failure, {name: version for name, version in zip(names, chosen, strict=True) if version})
            for chosen in product(*(allowed(lines[name], name) for name in names))
        }
        if item.finding is Finding.NOT_AFFECTED:
            assert possible <= {False}, (failure.id, lines)
        elif item.finding is Finding.LISTED:
            assert possible <= {True}, (failure.id, lines)


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({name: st.sampled_from(finals) for name, finals in FINALS.items()}))
def test_pinned_stacks_are_decided(versions: dict[str, str]) -> None:
    """A whole stack of final releases has one answer, but below what was ever tried."""
    expected = {True: Finding.LISTED, False: Finding.NOT_AFFECTED, None: Finding.UNKNOWN}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
        stack = read_stack(file)
    for failure, item in zip(failures(), diagnose(failures(), stack), strict=True):
        assert item.finding is expected[holds(failure, versions)], (failure.id, versions)
