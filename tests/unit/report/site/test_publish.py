"""The site of a large catalogue: nothing of the small one is missing, and it stays small.  Nothing is run."""

import base64
import gc
import hashlib
import pickle
import re
from collections import Counter
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.model.observation import Rank
from repro.report.site import failure_files, pages, publish
from repro.report.site.answer_box import AnswerBox
from repro.report.site.publish import summaries
from repro.report.site.render import SHARED
from repro.report.write import gather
from repro.store import observations
from repro.store.observations import Store
from tests.unit.report.site.sites import many, passing, stored
from tests.unit.report.site.test_pages import Page, contents, written

FAILURES = 12
SHARED_BYTES = 18_000
"""Of style and script."""
SUMMARY_BYTES = 30_000
"""Of what is kept of a failure with five cells."""
LINE_BYTES = 500
"""Of a failure on the first page."""


def large_site(held: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, Page]:
    """The pages of a project, written as those of a large catalogue; its map has three pages."""
    monkeypatch.setattr(pages, "LARGE_FAILURES", 2)
    monkeypatch.setattr(pages, "MAP_FAILURES", 5)
    reports = written(held)
    return {file.name: Page(file.read_text()) for file in reports.glob("*.html")}


def tiles(*made: Page) -> Counter[tuple[str, str]]:
    """The place and the glyphs of every tile of maps."""
    found: Counter[tuple[str, str]] = Counter()
    for page in made:
        for tag in page.of("a"):
            if "tile" in str(tag.get("class")).split():
                verdict = next(word for word in str(tag["class"]).split() if word.startswith("v-"))
                found[str(tag["href"]), verdict] += 1
    return found


@pytest.fixture
def held(tmp_path: Path) -> Project:
    made = many(tmp_path, FAILURES, 6)
    first = next(iter(made.matrix.runs))
    turned = next(row.cell for row in gather(made, Store(made.reports / "data")).report.rows)
    assert turned.failure == first
    stored(made, turned, *passing(), at=30)
    return made


def test_every_failure_is_there(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the list, in the map, in the table of upstream, among the releases, and with a page of its own."""
    made = large_site(held, monkeypatch)
    ids = set(held.catalog.entries)
    assert len(ids) == FAILURES
    lines = Counter(str(tag["href"]) for tag in made["index.html"].of("a") if "mono" in str(tag.get("class")))
    maps = [page for name, page in made.items() if name.startswith("map-")]
    assert len(maps) == 3
    heads = Counter(str(tag["href"]) for page in maps for tag in page.of("a") if "mono" in str(tag.get("class")))
    for name in ids:
        assert f"{name}.html" in made
        assert heads[f"{name}.html"] == 1, name
        assert lines[f"{name}.html"] >= 1, name
        assert f"{name}.html#upstream" in {tag["href"] for tag in made["upstream.html"].of("a")}, name
        assert name in made["releases.html"].text, name


def test_every_tile_is_there(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps of a large catalogue have the tiles of the first page of a small one."""
    small = tiles(Page((written(held) / "index.html").read_text()))
    made = large_site(held, monkeypatch)
    assert small
    assert tiles(*(page for name, page in made.items() if name.startswith("map-"))) == small


def test_every_cell_is_on_the_page_of_its_failure(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same anchor, record and turns as on the page of a small catalogue."""
    reports = written(held)
    small = {name: Page((reports / f"{name}.html").read_text()) for name in held.catalog.entries}
    made = large_site(held, monkeypatch)
    for name, page in small.items():
        large = made[f"{name}.html"]
        assert {one for one in page.ids if str(one).startswith("cell-")} <= set(large.ids)
        records = {tag["href"] for tag in page.of("a") if str(tag["href"]).startswith("data/")}
        assert records <= {tag["href"] for tag in large.of("a")}
        assert page.prose.count("moved:") == large.prose.count("moved:")
    assert sum(page.prose.count("moved:") for page in small.values()) == 1


def test_runs_stand_among_the_releases(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that was run on a release says so in both forms."""
    small = (written(held) / "releases.html").read_text()
    large_site(held, monkeypatch)
    large = (held.reports / "releases.html").read_text()
    for verdict in ("reproduced", "absent"):
        assert f'; run there: {verdict}"' in small
        assert f'; run there: {verdict}"' in large


def test_links_lead_somewhere(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a file that is there, and to a place in it; and no id is given twice."""
    made = large_site(held, monkeypatch)
    for name, page in made.items():
        assert len(page.ids) == len(set(page.ids)), name
        for tag in page.of("a"):
            if str(tag["href"]).startswith("https://"):
                continue
            file, _, place = str(tag["href"]).partition("#")
            assert (held.reports / (file or name)).is_file(), (name, tag)
            if place:
                assert place in made[file or name].ids, (name, tag)


def test_no_page_repeats_what_all_share(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The style and the script are files, and the pages are small; nothing comes from elsewhere."""
    small = {file.name: file.stat().st_size for file in written(held).glob("*.html")}
    made = large_site(held, monkeypatch)
    for name, page in made.items():
        assert page.of("style") == []
        assert [tag["src"] for tag in page.of("script")] == ["site.js"], name
        assert [tag["href"] for tag in page.of("link") if tag["rel"] == "stylesheet"] == ["site.css"]
        (policy,) = [str(tag["content"]) for tag in page.of("meta") if tag.get("http-equiv")]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
    assert all((held.reports / name).stat().st_size for name in SHARED)
    for name in held.catalog.entries:
        assert (held.reports / f"{name}.html").stat().st_size < small[f"{name}.html"] - SHARED_BYTES, name
    empty = (held.reports / "index.html").stat().st_size - FAILURES * LINE_BYTES
    assert empty < 15_000


def test_the_box_has_a_page_of_its_own(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its script is the one that the policy of the page allows."""
    monkeypatch.setattr(pages, "LARGE_FAILURES", 2)
    store = Store(held.reports / "data")
    box = AnswerBox("let first = 1;\n\n\nlet second = 2;\n", '{"known": 1}')
    publish.publish(held, store, gather(held, store), box)
    text = (held.reports / "ask.html").read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [str(tag["content"]) for tag in Page(text).of("meta") if tag.get("http-equiv")]
    assert box.script in script
    assert f"script-src 'sha256-{digest}'" in policy
    assert box.knowledge in text
    assert (held.reports / "answers.json").read_text() == box.knowledge
    assert "ask.html" in {tag["href"] for tag in Page((held.reports / "index.html").read_text()).of("a")}


def test_only_odd_runs_have_logs(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many a failure, and the page says of how many runs it has the output."""
    monkeypatch.setattr(failure_files, "LARGE_LOGS", 2)
    made = large_site(held, monkeypatch)
    logs = list((held.reports / "logs").glob("*/*.txt"))
    rows = gather(held, Store(held.reports / "data")).report.rows
    odd = {row.observations[-1]: row.cell.failure for row in rows if row.status != "as documented"}
    assert {file.stem for file in logs} <= set(odd)
    count = Counter(file.parent.name for file in logs)
    assert count == {name: min(2, many) for name, many in Counter(odd.values()).items()}
    assert len(logs) < len(odd)
    for name in held.catalog.entries:
        assert f"The raw output is here for {count[name]} of 5 cells" in made[f"{name}.html"].prose
    assert all("=== rank 0" in file.read_text() for file in logs)


def test_the_other_form_goes(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that becomes small again has the very site that it had before, and no file of the large one."""
    before = contents(written(held))
    with monkeypatch.context() as patched:
        large_site(held, patched)
        assert (held.reports / "upstream.html").is_file()
    assert contents(written(held)) == before
    assert not any((held.reports / name).exists() for name in (*SHARED, "upstream.html"))


def test_logs_of_a_failure_that_is_gone_go(held: Project) -> None:
    gone = held.reports / "logs" / "gone-1" / "x.txt"
    gone.parent.mkdir(parents=True)
    gone.write_text("x")
    written(held)
    assert not gone.exists()


def test_no_runs_are_kept(held: Project) -> None:
    """What is left of a failure when its pages are written has no rank of any run; it is sent between processes."""
    store = Store(held.reports / "data")
    before = alive()
    found = gather(held, store)
    left = summaries(held, store, found, large=False)
    assert len(left) == FAILURES
    for one in left:
        assert len(pickle.dumps(one)) < SUMMARY_BYTES
    assert alive() <= before


def alive() -> int:
    """The number of ranks in memory."""
    gc.collect()
    return sum(isinstance(held, Rank) for held in gc.get_objects())


def test_each_file_is_read_once(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the reports, and once more for the site."""
    read: Counter[Path] = Counter()
    true = observations.read_stored

    def counted(file: Path) -> bytes:
        read[file] += 1
        return true(file)

    monkeypatch.setattr(observations, "read_stored", counted)
    store = Store(held.reports / "data")
    found = gather(held, store)
    assert set(read.values()) == {1}
    assert set(read) == set(store.files())
    publish.publish(held, store, found)
    assert set(read.values()) == {2}
