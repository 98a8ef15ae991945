"""The pages of the site about all failures: ``index.html``, ``releases.html``, the feed.

The site is static: its script filters, adds ages and answers to pasted texts, but fetches nothing.

In a large catalogue the first page lists the failures, one line each.  The map of failures and environments is then
divided into pages by library, and upstream's word and the box that answers have pages of their own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from repro.environments.rot import Rots
from repro.launch.gates import GATES
from repro.model.affected import specifiers_of
from repro.model.failure import Failure
from repro.report.site.answer_box import AnswerBox
from repro.report.site.feed import feed
from repro.report.site.overview import FailureSummary, Overview
from repro.report.site.render import SHARED, asset, render
from repro.report.site.strips import LibraryStrip, Word, seen_of, strips
from repro.report.upstream import LOOK_DAYS, UpstreamAgreement, has_old_look
from repro.search.watch_plan import Watched
from repro.store.answers import Turned

SHOWN_RUNS = 12
LARGE_FAILURES = 200
LARGE_CELLS = 4000
"""From one of these numbers on a catalogue is large."""
MAP_FAILURES = 100
"""The failures on one page of the map of a large catalogue."""
SHOWN_CAUSES = 20
"""The causes of changes on the first page of a large catalogue."""
_STRIP = {
    Word.LISTED: ("listed", "■"),
    Word.WITH_OTHERS: ("with", "◧"),
    Word.REFUSED: ("refused", "r"),
    Word.UNTRIED: ("untried", "?"),
    Word.CLEAR: ("clear", "·"),
}
"""Class and sign of a cell of the strips."""


def is_large(failures: int, cells: int) -> bool:
    """True if the pages of so many failures and default cells must be divided."""
    return failures >= LARGE_FAILURES or cells >= LARGE_CELLS


@dataclass(frozen=True)
class MapPage:
    """A part of the map of a large catalogue."""

    library: str
    number: int
    of: int
    failures: tuple[FailureSummary, ...]

    @property
    def name(self) -> str:
        """``map-lightning.html``, ``map-lightning-2.html``."""
        return f"map-{self.library}{f'-{self.number}' if self.number > 1 else ''}.html"

    @property
    def title(self) -> str:
        return f"{self.library}{f', part {self.number} of {self.of}' if self.of > 1 else ''}"


def site_files(
    view: Overview,
    releases: Mapping[str, Mapping[str, str]],
    *,
    large: bool = False,
    rot: Rots | None = None,
    lanes: str = "",
    watched: Watched | None = None,
    floats: bool = False,
    box: AnswerBox | None = None,
) -> Iterator[tuple[str, str]]:
    """The files about all failures, by name below ``reports/``.  Pure: the same store gives the same bytes.

    ``releases`` are the pins of each environment, ``rot`` the last result of `repro rot`, ``lanes`` the comparison of
    the lanes as text, ``watched`` the runs that new releases need (expected if an environment ``floats``), and ``box``
    answers to pasted texts.
    """
    values = _values(view, releases) | {"rot": rot, "lanes": lanes, "watched": watched, "floats": floats}
    answers = {"known": Markup(box.knowledge) if box else ""}  # noqa: S704 - without a character of HTML
    script = box.script if box else ""
    parts = map_pages(view.failures) if large else ()
    if large:
        yield (
            "index.html",
            render("large_index.html.j2", values | {"parts_of_map": parts, "box": bool(box)}, large=True),
        )
        for part in parts:
            yield part.name, render("map.html.j2", values | _of_map(view, releases, part) | {"part": part}, large=True)
        yield "upstream.html", render("upstream.html.j2", values, large=True)
        if box:
            yield "ask.html", render("ask.html.j2", values | answers, large=True, more_script=script)
        for name in SHARED:
            yield name, str(asset(name))
    else:
        yield "index.html", render("index.html.j2", values | answers, large=False, more_script=script)
    if box:
        yield "answers.json", box.knowledge
    found = {"strips": _strips(view, releases), "words": _STRIP}
    yield "releases.html", render("releases.html.j2", found, large=large)
    yield "feed.xml", feed(view.news, view.newest, turned_of(view))


def map_pages(failures: Sequence[FailureSummary]) -> tuple[MapPage, ...]:
    """The map in parts: each failure stands in one, by the first library that decides who has it."""
    by_library: dict[str, list[FailureSummary]] = {}
    for found in failures:
        library = next(iter(specifiers_of(found.failure)), "other")
        by_library.setdefault(library, []).append(found)
    pages = []
    for library, held in sorted(by_library.items(), key=lambda item: (-len(item[1]), item[0])):
        cut = [held[first : first + MAP_FAILURES] for first in range(0, len(held), MAP_FAILURES)]
        pages += [MapPage(library, number, len(cut), tuple(own)) for number, own in enumerate(cut, 1)]
    return tuple(pages)


def _strips(view: Overview, releases: Mapping[str, Mapping[str, str]]) -> tuple[LibraryStrip, ...]:
    rows = [found.row for found in view.failures]
    return strips([row.failure for row in rows], releases, seen_of(rows))


def turned_of(view: Overview) -> list[Turned]:
    """What new releases changed, the newest first."""
    found = [answer for held in view.failures for answer in held.turned]
    return sorted(found, key=lambda answer: (answer.date, answer.failure), reverse=True)


def _old_looks(view: Overview) -> list[Failure]:
    """The failures whose upstream issues were not read lately, as of the newest run (a page has no date of its own)."""
    if view.newest is None:
        return []
    day = datetime.fromisoformat(view.newest).date()
    return [found.failure for found in view.failures if has_old_look(found.failure, day)]


def _of_map(view: Overview, releases: Mapping[str, Mapping[str, str]], part: MapPage) -> dict[str, object]:
    """The values of the template of the map."""
    rows = [found.row for found in part.failures]
    names = [name for name in view.environments if any(name in row.places for row in rows)]
    used = {name: [f"{package} {version}" for package, version in releases.get(name, {}).items()] for name in names}
    return {
        "rows": rows,
        "environments": names,
        "releases": used,
        "packages": sorted({name for row in rows for name in row.failure.distributions}),
        "choices": sorted({text for texts in used.values() for text in texts}),
    }


def _values(view: Overview, releases: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    """The values of the template of the first page."""
    comparisons = [found.upstream for found in view.failures]
    order = list(UpstreamAgreement)
    lifted = {gate for found in view.failures for gate in found.gates}
    return {
        "view": view,
        "runs": view.runs[:SHOWN_RUNS],
        "hidden_runs": max(0, len(view.runs) - SHOWN_RUNS),
        "oldest": min((found.oldest for found in view.failures if found.oldest), default=None),
        "comparisons": sorted(comparisons, key=lambda found: order.index(found.reading)),
        "present": [found for found in view.failures if found.upstream.present],
        "attention": view.attention,
        "turned": turned_of(view),
        "old_looks": _old_looks(view),
        "look_days": LOOK_DAYS,
        "disagreeing": sum(found.reading is UpstreamAgreement.DISAGREES for found in comparisons),
        "gates": {gate.name: (gate.refusal, gate.reason) for gate in GATES if gate.name in lifted},
        **_of_map(view, releases, MapPage("", 1, 1, view.failures)),
        "verdicts_of": verdicts_of,
        "SHOWN_CAUSES": SHOWN_CAUSES,
    }


def verdicts_of(found: FailureSummary) -> dict[str, int]:
    """How many default cells of a failure have each verdict."""
    return dict(Counter(tile.row.verdict or "not run" for tile in found.row.tiles if tile.in_matrix))
