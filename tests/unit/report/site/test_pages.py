"""The site without a browser: what is on the pages, escaping, size, determinism.  Nothing is run."""

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.project import Project
from repro.environments.rot import Rot, Rots
from repro.model.cell import Cell
from repro.model.errors import StoreError
from repro.model.observation import Rank
from repro.model.verdict import Verdict
from repro.report.fragments import Code, Strong
from repro.report.site.anchors import anchor
from repro.report.site.overview import Overview, State, overview
from repro.report.site.publish import publish, summaries
from repro.report.site.render import day, html_fragment, html_reference
from repro.report.write import gather, write_reports
from repro.search.watch_plan import WATCH_FILE, Watched, WatchedFloat, WatchedRelease
from repro.store.answers import AnswerStore
from repro.store.observations import Store
from repro.store.recipe import environment_key, recipe_of
from tests.unit.factories import FAILURE, HARDWARE, failed, imported, installed, lost_peer, observation, write_failure
from tests.unit.report.site.sites import HOSTILE, cell, failing, many, passing, small, stored
from tests.unit.report.test_answers import bisected, blamed, swept
from tests.unit.search.test_watch_plan import answer as turned

BUDGET = 300_000
"""Bytes of the first page with 25 failures."""


class Page(HTMLParser):
    """Tags with their attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def prose(self) -> str:
        return " ".join(" ".join(self.pieces).split())

    @property
    def ids(self) -> list[str | None]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return small(tmp_path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = many(tmp_path_factory.mktemp("large"), 25, 12)
    written(made)
    return made


def written(held: Project) -> Path:
    store = Store(held.reports / "data")
    publish(held, store, write_reports(held, store))
    return held.reports


def index(held: Project) -> Page:
    return Page((written(held) / "index.html").read_text())


def page(held: Project) -> Page:
    return Page((written(held) / f"{FAILURE}.html").read_text())


def seen(held: Project) -> Overview:
    store = Store(held.reports / "data")
    return overview(summaries(held, store, gather(held, store), large=False), held.matrix)


def adopted(held: Project, shown: Callable[..., tuple[Rank, Rank]], **changes: int) -> Cell:
    """Store a CUDA run on a machine's own interpreter; returns its cell."""
    there = installed({"lightning": "2.2.5", "torch": "2.7.0"}, lock=None, name="python:3.12.3")
    made = cell("python:3.12.3", lane="cuda", **changes)
    recipe = recipe_of(made, held.catalog[FAILURE], environment_key(there))
    facts = {"id": f"{recipe[:12]}-1", "recipe": recipe, "cell": made, "installed": there}
    ranks = shown(imported=imported(there.distributions))
    Store(held.reports / "data").add(observation(*ranks, **facts))
    return made


def floating(root: Path) -> Project:
    """A project with a floating environment."""
    held = small(root)
    content = yaml.safe_load(held.matrix_file.read_text()) | {"floating": {"newest": {"libraries": ["lightning"]}}}
    held.matrix_file.write_text(yaml.safe_dump(content))
    return held


class TestOverview:
    """What the first screen counts."""

    def test_before_any_run(self, held: Project) -> None:
        first = seen(held)
        assert (first.counts, first.complete, first.since, first.newest) == ({State.NEVER: 3}, None, None, None)
        assert not first.changes
        assert not first.news

    def test_told_untold_outdated_and_never(self, held: Project) -> None:
        """Four states that no reader may confuse, and none of them is `absent`."""
        stored(held, cell(), *failing())
        stored(held, cell("new"), ranks=(), fault="no disk", launcher="none")
        stored(held, cell(backport="cure"), *passing(backport_applied=True), recipe="f" * 64)
        first = seen(held)
        assert first.counts == {State.JUDGED: 1, State.UNKNOWN: 1, State.OUTDATED: 1}
        assert [(group.what, group.reason) for group in first.attention] == [("could not be judged", "no disk")]

    def test_what_does_not_apply_is_not_missing(self, tmp_path: Path) -> None:
        """A failure that needs what an environment does not hold: the run is complete without it."""
        held = small(tmp_path, needs={"distributions": {"lightning": ">=2.2.2"}})
        stored(held, cell("new"), *passing())
        first = seen(held)
        assert first.counts == {State.INAPPLICABLE: 2, State.JUDGED: 1}
        assert first.complete is not None

    def test_changes_since_the_newest_complete_run(self, held: Project) -> None:
        """A small later run does not hide what the complete one changed; older changes are history."""
        new = cell("new")
        for at, run in ((1, "first"), (10, "second")):
            stored(held, cell(), *failing(), at=at, run=run)
            stored(held, new, *(passing() if at == 1 else failing()), at=at + 1, run=run)
            stored(held, cell(backport="cure"), *passing(backport_applied=True), at=at + 2, run=run)
        stored(held, cell(), *passing(), at=20, run="later")
        first = seen(held)
        assert first.complete is not None
        assert first.complete == first.since
        assert first.complete.startswith("2026-01-01T10")
        assert {turn.cell.environment.label for group in first.changes for turn in group.turns} == {"old", "new"}
        assert [kind for kind, _ in first.news] == ["cured", "relapsed"]
        stored(held, cell(), *passing(), at=30, run="third")
        stored(held, new, *failing(), at=31, run="third")
        stored(held, cell(backport="cure"), *passing(backport_applied=True), at=32, run="third")
        assert seen(held).changes == ()

    def test_the_shards_of_a_schedule_are_a_complete_run(self, held: Project) -> None:
        """As old as the first of them; and none is complete while a cell is missing."""
        stored(held, cell(), *failing(), at=3, run="shard-1")
        stored(held, cell("new"), *passing(), at=4, run="shard-2")
        assert seen(held).complete is None
        stored(held, cell(backport="cure"), *passing(backport_applied=True), at=5, run="shard-2")
        assert str(seen(held).complete).startswith("2026-01-01T03")

    def test_a_run_under_another_name_counts(self, held: Project) -> None:
        """A search may have run the very lock of a cell that nothing else has run; the site could not be written."""
        stored(held, cell(), *failing(), at=3, run="all")
        stored(held, cell(backport="cure"), *passing(backport_applied=True), at=5, run="all")
        stored(held, cell("new"), *passing(), at=2, run="search")
        store = Store(held.reports / "data")
        found = next(run for run in store if run.run == "search")
        store.remove(found)
        store.add(found.model_copy(update={"cell": cell("old with lightning 2.2.5")}))
        first = seen(held)
        assert first.counts == {State.JUDGED: 3}
        assert str(first.complete).startswith("2026-01-01T02")

    def test_changes_with_one_cause_stand_together(self, held: Project) -> None:
        lost = [failed(number, lost_peer()) for number in (0, 1)]
        for environment in ("old", "new"):
            stored(held, cell(environment), *(failing() if environment == "old" else passing()), at=1)
            stored(held, cell(environment), *lost, at=2, run="last")
        (group,) = seen(held).changes
        assert "Connection closed by peer" in group.cause
        assert len(group.turns) == 2

    def test_lanes(self, held: Project) -> None:
        """The other lane stands beside each cell, run or not, and is no part of the matrix's count."""
        stored(held, cell(), *failing())
        machine = HARDWARE.model_copy(update={"accelerators": ("NVIDIA H100",)})
        stored(held, cell(lane="cuda"), *failing(), at=2, hardware=machine)
        first = seen(held)
        assert first.cuda == (1, 3)
        assert first.counts == {State.JUDGED: 1, State.NEVER: 2}

    def test_a_packed_environment_stands_for_the_cuda_lane(self, held: Project) -> None:
        """Run on another machine's torch, so without our lock; with other sources it does not count."""
        there = installed({"lightning": "2.2.1", "torch": "2.7.0"}, lock=None, name="overlay:old")
        wanted = cell("overlay:old", lane="cuda")
        recipe = recipe_of(wanted, held.catalog[FAILURE], environment_key(there))
        ranks = failing(imported=imported(there.distributions))
        facts = {"recipe": recipe, "cell": wanted, "installed": there}
        Store(held.reports / "data").add(observation(*ranks, **facts))
        first = seen(held)
        assert first.cuda == (1, 3)
        (pair,) = first.failures[0].row.places["old"][:1]
        assert pair.cuda is not None
        assert pair.cuda.row.verdict == "reproduced"
        made = page(held)
        assert "lightning 2.2.1 torch 2.7.0" in made.prose
        assert anchor(wanted) in made.ids
        assert any("logs/" in str(tag["href"]) for tag in made.of("a"))
        script = held.catalog[FAILURE].script
        script.write_text(script.read_text() + "\n")
        assert seen(held).cuda == (0, 3)

    def test_a_packed_environment_brings_no_torch(self, tmp_path: Path) -> None:
        """Where torch decides who is affected, a run on another torch is not that of the cell; the page says why."""
        held = small(tmp_path, affected=[{"torch": "<2.6"}])
        wanted = cell("overlay:old", lane="cuda")
        for torch, count in (("2.7.0", 0), ("2.2.2", 1)):
            there = installed({"lightning": "2.2.1", "torch": torch}, lock=None, name="overlay:old")
            recipe = recipe_of(wanted, held.catalog[FAILURE], environment_key(there))
            facts = {"id": f"{recipe[:12]}-1", "recipe": recipe, "cell": wanted, "installed": there}
            Store(held.reports / "data").add(observation(*failing(imported=imported(there.distributions)), **facts))
            first = seen(held)
            assert first.cuda[0] == count
            if not count:
                (pair,) = first.failures[0].row.places["old"][:1]
                assert pair.cuda is not None
                assert pair.cuda.why == "needs torch 2.2.2; the machines with devices had 2.7.0 only"
                sentence = "needs torch 2.2.2; the machines with devices had 2.7.0 only"
                assert page(held).prose.index("Not run in the CUDA lane, ") < page(held).prose.index("Symptom")
                (shown,) = page(held).prose.split("Not run in the CUDA lane, ")[1:]
                assert shown.startswith(f"{sentence}: old [cuda] , old + backport cure [cuda] , new [cuda] .")
                assert f"3: {sentence}" in index(held).prose

    def test_a_machines_own_interpreter_has_its_place(self, held: Project) -> None:
        """CUDA runs there are shown beside the lane that was not run, and are no news and no part of the matrix."""
        wanted = adopted(held, failing)
        first = seen(held)
        (pair,) = first.failures[0].row.places["python:3.12.3"]
        assert pair.cpu is not None
        assert pair.cuda is not None
        assert (pair.cpu.run, pair.cuda.row.verdict, pair.cuda.row.status) == (False, "reproduced", "relapsed")
        assert (first.news, first.changed, first.counts) == ((), 0, {State.NEVER: 3})
        made = page(held)
        assert anchor(wanted) in made.ids
        assert f"repro run {FAILURE} --catalog failures --python PATH --lane cuda --fresh" in made.prose
        tiles = [tag["data-lane"] for tag in index(held).of("a") if "python:3.12.3" in str(tag.get("aria-label"))]
        assert tiles == ["cuda"]

    def test_what_most_failures_run_on_comes_first(self, tmp_path: Path) -> None:
        """The map is dense at its left: on a phone that is what one sees."""
        held = small(tmp_path)
        matrix = yaml.safe_load(held.matrix_file.read_text())
        matrix["runs"]["lightning-2"] = {"environments": ["new"]}
        held.matrix_file.write_text(yaml.safe_dump(matrix))
        write_failure(held.failures, id="lightning-2")
        assert seen(held).environments == ("new", "old")


class TestIndex:
    def test_first_screen(self, held: Project) -> None:
        stored(held, cell(), *failing(), at=1, run="a")
        stored(held, cell("new"), *failing(), at=2, run="a")
        words = index(held).prose
        assert "Not as documented 1 of 2 judged" in words
        assert "Never run 1 of 3 cells" in words
        assert "Last complete run none" in words
        assert "relapsed" in words

    def test_every_tile_has_a_glyph_a_name_and_a_place_to_go(self, held: Project) -> None:
        stored(held, cell(), *failing())
        first = index(held)
        tiles = [tag for tag in first.of("a") if "tile" in str(tag.get("class")).split()]
        assert [(tile["data-verdict"], tile["data-lane"]) for tile in tiles] == [
            ("reproduced", "cpu"),
            ("not run", "cpu"),
            ("not run", "cpu"),
        ]
        anchors = page(held).ids
        for tile in tiles:
            assert tile["aria-label"]
            file, _, place = str(tile["href"]).partition("#")
            assert file == f"{FAILURE}.html"
            assert place in anchors
        assert "✗" in first.text

    def test_several_nodes_are_named(self, held: Project) -> None:
        """Beside a run on one node, one on two would else look like the same cell told twice."""
        for nodes in (1, 2):
            adopted(held, passing, nodes=nodes)
        words = index(held).prose
        assert (words.count("cuda ✓"), words.count("2 nodes cuda ✓")) == (2, 1)

    def test_rot_is_a_state_of_its_own(self, held: Project) -> None:
        assert "no longer install" not in index(held).prose
        locks = (Rot(environment="old", state="rotten", reason=HOSTILE), Rot(environment="new", state="installs"))
        made = Rots(date="2026-01-01T00:00:00+00:00", dry=True, locks=locks)
        (held.reports / "rot.json").write_text(made.model_dump_json())
        words = index(held).prose
        assert "1 of 2, tried 2026-01-01 00:00 UTC , resolved only." in words
        assert "old : <script>alert(1)</script>" in words
        (held.reports / "rot.json").write_text("{}")
        with pytest.raises(StoreError, match="repro rot"):
            written(held)

    def test_what_new_releases_owe_stands_on_the_first_screen(self, tmp_path: Path) -> None:
        """Beside the age of the last complete run; where no look is stored, the page says so."""
        held = floating(tmp_path)
        assert "New releases never looked for repro watch asks the index" in index(held).prose
        release = WatchedRelease(
            distribution="lightning", version="2.6.7", day="2026-01-01", state="owed", owed=(FAILURE,), reason=HOSTILE
        )
        seen = WatchedFloat(name="newest", environment="newest as of 2026-01-02", day="2026-01-02", releases=(release,))
        made = Watched(date="2026-01-05T00:00:00+00:00", floats=(seen,))
        (held.reports / WATCH_FILE).write_text(made.model_dump_json())
        words = index(held).prose
        assert "New releases 1 run owed on them; the index was asked 2026-01-05 00:00 UTC" in words
        assert "lightning 2.6.7 2026-01-01 owed <script>alert(1)</script>" in words
        (held.reports / WATCH_FILE).write_text("{}")
        with pytest.raises(StoreError, match="repro watch"):
            written(held)

    def test_what_a_new_release_changed(self, held: Project) -> None:
        """On the first screen, on the page of the failure and in the feed; what no longer holds is on none of them."""
        stored(held, cell(), *failing())
        answer = turned(failure=FAILURE)
        AnswerStore(held.reports / "data").put(answer)
        written(held)
        said = "lib 1.2 of 2026-02-10: lightning-19492 is cured (1.1 shows it, 1.2 does not, 0 of 0), the cap can go"
        assert said in Page((held.reports / "index.html").read_text()).prose
        assert said in page(held).prose
        assert said in (held.reports / "feed.xml").read_text()
        AnswerStore(held.reports / "data").put(answer.model_copy(update={"after": answer.before}))
        assert "lib 1.2" not in index(held).prose
        assert "lib 1.2" not in (held.reports / "feed.xml").read_text()

    @pytest.mark.parametrize(("looked", "old"), [(None, 1), ("2025-10-02", 1), ("2025-10-04", 0)])
    def test_old_looks_upstream(self, tmp_path: Path, looked: str | None, old: int) -> None:
        """Ninety days before the newest run, which is of 1 January."""
        upstream = {"state": "open", "issues": ["https://example.org/1"], **({"looked": looked} if looked else {})}
        held = small(tmp_path, upstream=upstream)
        stored(held, cell(), *failing())
        assert f"Upstream not read for 90 days {old} of 1 failures" in index(held).prose

    def test_a_cuda_run_stands_beside_the_cpu_run(self, held: Project) -> None:
        stored(held, cell(), *failing())
        stored(held, cell(lane="cuda"), *passing(), at=2)
        lanes = [tag["data-lane"] for tag in index(held).of("a") if "data-lane" in tag]
        assert lanes.count("cuda") == 1
        assert "≠ differs" in page(held).prose

    def test_lanes_are_compared(self, held: Project) -> None:
        """The first page says what ``lanes.md`` says, and leads to it."""
        made = index(held)
        assert "lanes" in made.ids
        assert "lanes.md" in {tag["href"] for tag in made.of("a")}
        told = "Nothing has been run in the CUDA lane."
        assert f"{told} Pair by pair" in made.prose
        assert told in (held.reports / "lanes.md").read_text()

    def test_budget(self, large: Project) -> None:
        size = (large.reports / "index.html").stat().st_size
        assert size < BUDGET
        assert len(Page((large.reports / "index.html").read_text()).of("tr")) > 25


class TestPage:
    def test_not_run(self, held: Project) -> None:
        words = page(held).prose
        assert "never run" in words
        assert "The CUDA lane was not run." in words
        assert "No run is stored." in words

    def test_a_factor_that_is_a_variable_is_named(self, tmp_path: Path) -> None:
        """In both pages: who repeats a run by hand has no flag for it."""
        factor = {"name": "debug", "values": ["unset", "1"], "variable": "TORCH_X", "meaning": "what it is"}
        held = small(tmp_path, factors=[factor], claims=[])
        stored(held, cell(), *failing())
        stored(held, cell(factors={"debug": "1"}), *passing(), at=2)
        assert "debug (variable TORCH_X)" in page(held).prose
        assert "| debug (variable TORCH_X) | unset |" in (held.reports / f"{FAILURE}.md").read_text()

    def test_everything_that_is_stored_has_its_place(self, held: Project) -> None:
        answers = AnswerStore(held.reports / "data")
        timeline = swept(Verdict.REPRODUCED, Verdict.ABSENT, None, failure=FAILURE)
        for answer in (timeline, bisected(failure=FAILURE), blamed(failure=FAILURE)):
            answers.put(answer)
        identity = stored(held, cell(), *failing())
        stored(held, cell(factors={"state-dict-type": "full"}), *passing(), at=2)
        made = page(held)
        for place in (
            "symptom",
            "affected",
            "cure",
            "evidence",
            "errors",
            "lanes",
            "releases",
            "ablation",
            "history",
            "upstream",
            "repeat",
        ):
            assert place in made.ids, place
        assert "✗ 1.0 ✓ 1.1 · 1.2" in made.prose
        assert f"data/{FAILURE}/{identity}.json" in {tag["href"] for tag in made.of("a")}
        assert f"repro run {FAILURE} --catalog failures --env old --fresh" in made.prose
        assert "save_checkpoint" in made.prose[made.prose.index("Ranks 0 and 1: exit code 1") :][:200]

    def test_links_lead_somewhere(self, large: Project) -> None:
        """Every relative link of every page leads to a file that is there, and to a place in it."""
        pages = {file.name: Page(file.read_text()) for file in large.reports.glob("*.html")}
        for name, made in pages.items():
            for tag in made.of("a"):
                if str(tag["href"]).startswith("https://"):
                    continue
                file, _, place = str(tag["href"]).partition("#")
                target = large.reports / (file or name)
                assert target.is_file(), (name, tag)
                if place:
                    assert place in pages[target.name].ids, (name, tag)

    def test_every_log_is_led_to(self, large: Project) -> None:
        linked = {str(tag["href"]) for file in large.reports.glob("*.html") for tag in Page(file.read_text()).of("a")}
        logs = {str(file.relative_to(large.reports)) for file in large.reports.glob("logs/*/*")}
        assert logs
        assert logs <= linked

    def test_ids_are_unique(self, large: Project) -> None:
        for file in large.reports.glob("*.html"):
            ids = Page(file.read_text()).ids
            assert len(ids) == len(set(ids)), file.name

    def test_long_histories_show_their_newest_part(self, held: Project) -> None:
        for at in range(1, 24):
            stored(held, cell(), *failing(), at=at)
        words = page(held).prose
        assert "3 earlier" in words
        assert "always the same" in words

    def test_logs_are_files_of_their_own_and_old_ones_go(self, held: Project) -> None:
        stored(held, cell(), *failing("raw words"), at=1)
        (first,) = (written(held) / "logs").glob("*/*.txt")
        assert "raw words" in first.read_text()
        stored(held, cell(), *failing("raw words"), at=2)
        (second,) = (written(held) / "logs").glob("*/*.txt")
        assert first.name != second.name


class TestHostile:
    """Whatever upstream prints is text."""

    @pytest.fixture
    def pages(self, tmp_path: Path) -> dict[str, Page]:
        held = small(
            tmp_path,
            title=HOSTILE,
            summary=HOSTILE,
            mechanism=HOSTILE,
            cures=[{"setting": HOSTILE}],
            not_tested=[HOSTILE],
            upstream={"state": "open", "issues": [HOSTILE, "javascript:alert(3)", f"{HOSTILE}#1"]},
        )
        stored(held, cell(), *failing(HOSTILE), at=1)
        stored(held, cell(), *failing("'optimizer_states'"), at=2)
        stored(held, cell("new"), *passing(oracle=HOSTILE), at=1)
        stored(held, cell("new"), ranks=(), fault=HOSTILE, launcher="none", at=2)
        AnswerStore(held.reports / "data").put(
            swept(Verdict.REPRODUCED, failure=FAILURE, package=HOSTILE, base=HOSTILE)
        )
        return {name: Page((written(held) / name).read_text()) for name in ("index.html", f"{FAILURE}.html")}

    def test_is_no_markup(self, pages: dict[str, Page]) -> None:
        for name, made in pages.items():
            assert len(made.of("script")) == 1, name
            assert made.of("img") == []
            assert not any(key.startswith("on") for _, attributes in made.tags for key in attributes)
            assert not any("javascript:" in str(tag.get("href")) for tag in made.of("a"))

    def test_is_shown(self, pages: dict[str, Page]) -> None:
        assert pages[f"{FAILURE}.html"].text.count("<script>alert(1)</script>") > 4
        assert "<script>alert(1)</script>" in pages["index.html"].text

    def test_is_no_template(self, pages: dict[str, Page]) -> None:
        assert all("49" not in re.findall(r"\{\{ .*? \}\}|\b49\b", made.text) for made in pages.values())

    def test_no_foreign_script_would_run(self, pages: dict[str, Page]) -> None:
        for made in pages.values():
            (policy,) = [tag["content"] for tag in made.of("meta") if tag.get("http-equiv")]
            assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]+';", str(policy))
            assert "default-src 'none'" in str(policy)


class TestDeterminism:
    def test_same_store_same_bytes(self, large: Project) -> None:
        """Written twice, and from a copy whose files have other dates and another order."""
        before = contents(large.reports)
        written(large)
        assert contents(large.reports) == before

    def test_nothing_of_the_clock_or_the_machine(self, tmp_path: Path) -> None:
        held = small(tmp_path / "a")
        stored(held, cell(), *failing())
        first = contents(written(held))
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        root = tmp_path / "b"
        other = Project(root / "failures", root / "matrix.yaml", root / "locks", root / "reports", root / "cache")
        assert contents(written(other)) == first
        assert str(tmp_path) not in "".join(first.values())


def contents(root: Path) -> dict[str, str]:
    return {
        str(file.relative_to(root)): file.read_text()
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.suffix in {".html", ".xml", ".txt"}
    }


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, "cell-old"),
        ({"lane": "cuda", "backport": "cure"}, "cell-old-cuda-with-cure"),
        ({"environment": "lightning-2.2.1"}, "cell-lightning-2.2.1"),
    ],
)
def test_anchor(changes: dict[str, Any], place: str) -> None:
    assert anchor(cell(**{"environment": "old"} | changes)) == place


def test_pieces() -> None:
    assert html_fragment(Code("<a>")) == "<code>&lt;a&gt;</code>"
    assert html_fragment(Strong("<a>")) == "<strong>&lt;a&gt;</strong>"
    assert html_fragment("<a>") == "&lt;a&gt;"
    assert html_reference("o/r#1") == '<a href="https://github.com/o/r/issues/1">o/r#1</a>'
    assert html_reference("<b>#1").startswith('<a href="https://github.com/&lt;b&gt;/issues/1">')
    assert html_reference("data:x") == "data:x"
    assert day("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04"
