"""A release that requires a newer one of another package: the watch blames it, and finds which release broke."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.launch.session import Silent
from repro.model.verdict import Verdict
from repro.report.answers import turned_lines
from repro.report.causes import release_markdown
from repro.search.index import fetch_files
from repro.search.watch_run import Watch
from repro.search.watch_search import WatchBudget
from repro.store.answers import AnswerStore, Blamed, Role
from tests.unit.search.local_index import Published
from tests.unit.search.watch_world import TORCH, watched_world

TODAY = date(2026, 3, 10)


def tool(version: str, uploaded: str, hub: str, *, broken: bool = False) -> Published:
    fails = '    raise ValueError("alpha is broken")\n' if broken else ""
    text = f"__version__ = {version!r}\nimport hub\n\ndef alpha():\n    assert hub\n{fails}"
    return Published("tool", version, uploaded, {"tool/__init__.py": text}, requires=(hub,))


def hub(version: str, uploaded: str) -> Published:
    return Published("hub", version, uploaded, {"hub.py": f"__version__ = {version!r}\n"})


RELEASES = [
    TORCH,
    hub("0.9", "2026-01-01"),
    hub("1.0", "2026-02-01"),
    hub("1.1", "2026-02-20"),
    tool("4.0", "2026-01-01", "hub<1"),
    tool("4.1", "2026-01-20", "hub<1"),
    tool("5.0", "2026-02-02", "hub>=1", broken=True),
    tool("5.1", "2026-02-21", "hub>=1.1", broken=True),
]
"""tool 5.0 breaks, and is superseded by the day of the watch; it needs hub 1, which no tool 4 accepts."""


def matrix(**pins: str) -> dict[str, Any]:
    locked = {"cutoff": "2026-01-10", "pins": {"torch": "2.2.2", "tool": "4.0", **pins}, "why": "the last lock"}
    return {
        "format": 1,
        "environments": {"newest": locked},
        "floating": {"newest": {"libraries": ["torch", "tool"]}},
        "runs": {"tool-alpha": {"environments": ["newest"]}},
    }


@pytest.fixture(params=[{}, {"hub": "0.9"}], ids=["hub floats", "hub is pinned"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A locked environment that pins the required package, and one that does not name it."""
    records = {"alpha": (">=9", Verdict.ABSENT)}
    with watched_world(tmp_path_factory.mktemp("required"), RELEASES, matrix(**request.param), records) as made:
        yield made


def test_the_release_that_requires_the_other_is_named(held: Project) -> None:
    said: list[str] = []
    failures = [entry.failure for entry in held.catalog]
    made = Watch(held, "newest", TODAY, fetch_files, failures, superseded=False)
    assert made.current().lock.versions["hub"] == "1.1"
    (turned,) = made.run(WatchBudget(), Silent(), said.append)
    assert (turned.package, turned.last, turned.release, turned.exact) == ("tool", "4.1", "5.0", True), said
    assert turned.sentence == (
        "tool 5.0 of 2026-02-02, with what it requires (hub 1.0, not tried alone): "
        "tool-alpha is back (4.1 does not show it, 5.0 does, 4 of 4), stay below 5.0"
    )
    for text in ("\n".join(turned_lines(turned)), release_markdown(turned)):
        assert "hub 1.0 could not be tried alone: unrunnable: " in text
    (blamed,) = (answer for answer in AnswerStore(held.reports / "data").of("tool-alpha") if isinstance(answer, Blamed))
    assert blamed.causes == (("tool",),)
    assert blamed.required == {"tool": ("hub",)}
    assert {change.distribution: change.part for change in blamed.changes} == {
        "tool": Role.GUILTY,
        "hub": Role.REQUIRED,
    }
    assert not made.look().turns, "the change is explained"
