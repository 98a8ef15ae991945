"""The site in a real Chromium: clicks, filters, keys, widths, no script, accessibility."""

from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.site.conftest import DESKTOP, PHONE

TILES = "#heat .tile:not([hidden])"
SHOWN = f"{TILES}:visible"


def open_index(page: Page, site: Path, query: str = "") -> None:
    page.set_viewport_size(DESKTOP)
    page.goto(f"{(site / 'index.html').as_uri()}{query}")


def chosen(page: Page, name: str, value: str) -> None:
    page.locator(f"#filters [name={name}]").select_option(value)


def verdicts(page: Page) -> set[str]:
    return set(page.locator(SHOWN).evaluate_all("tiles => tiles.map(tile => tile.dataset.verdict)"))


class TestFilters:
    def test_verdict(self, page: Page, made: Path) -> None:
        """Only tiles of that verdict, only rows and columns that hold one; reset brings all back."""
        open_index(page, made)
        before = page.locator(SHOWN).count()
        chosen(page, "verdict", "unrunnable")
        assert verdicts(page) == {"unrunnable"}
        assert page.locator("#heat tbody tr:visible").count() == 1
        assert page.locator("#heat thead th[data-releases]:visible").count() == 2
        expect(page.locator("#count")).to_contain_text("1 of 8 failures, 2 of")
        page.locator("#filters button[type=reset]").click()
        expect(page.locator(SHOWN)).to_have_count(before)

    def test_release(self, page: Page, made: Path) -> None:
        open_index(page, made)
        chosen(page, "release", "lightning 2.3.1")
        heads = page.locator("#heat thead th[data-releases]:visible")
        expect(heads).to_have_count(1)
        assert "2.3.1" in heads.inner_text()

    def test_lane(self, page: Page, made: Path) -> None:
        open_index(page, made)
        chosen(page, "lane", "cuda")
        expect(page.locator(SHOWN)).to_have_count(1)
        assert "cuda" in page.locator(SHOWN).inner_text()

    def test_package(self, page: Page, own: Path) -> None:
        """Failures whose record speaks of the package, and no others."""
        open_index(page, own)
        chosen(page, "package", "transformers")
        names = page.locator("#heat tbody tr:visible th a").all_inner_texts()
        assert "transformers-36626" in names
        assert "lightning-19492" not in names

    def test_words(self, page: Page, own: Path) -> None:
        open_index(page, own)
        page.locator("#filters [name=text]").fill("OPTIMIZER_STATES")
        assert page.locator("#heat tbody tr:visible th a").all_inner_texts() == ["lightning-19492"]

    def test_a_link_keeps_the_filter(self, page: Page, made: Path) -> None:
        """What is chosen stands in the address, and comes back from it."""
        open_index(page, made)
        chosen(page, "verdict", "different")
        assert page.url.endswith("?verdict=different")
        page.reload()
        assert verdicts(page) == {"different"}

    def test_nothing_matches(self, page: Page, made: Path) -> None:
        """An empty map says so in words."""
        open_index(page, made, "?lane=cuda&verdict=flaky")
        expect(page.locator("#count")).to_contain_text("0 of 8 failures, 0 of")


class TestClicks:
    def test_a_tile_leads_to_the_row_of_its_cell(self, page: Page, made: Path) -> None:
        open_index(page, made)
        tile = page.locator(SHOWN).nth(5)
        name = str(tile.get_attribute("aria-label"))
        tile.click()
        row = page.locator("tr:target")
        expect(row).to_be_in_viewport()
        assert row.locator("th").inner_text() in name

    def test_folded_parts_open(self, page: Page, own: Path) -> None:
        page.goto((own / "lightning-19492.html").as_uri())
        claim = page.locator("#claim-symptom")
        expect(claim.locator("table")).not_to_be_visible()
        claim.locator("summary").click()
        expect(claim.locator("table")).to_be_visible()

    def test_the_log_is_there(self, page: Page, own: Path) -> None:
        page.goto((own / "lightning-19492.html").as_uri())
        page.get_by_role("link", name="log of lightning-2.2.1-torch-2.2", exact=True).click()
        expect(page.locator("body")).to_contain_text("=== rank 0")


class TestKeys:
    def test_the_first_stop_skips_to_the_content(self, page: Page, made: Path) -> None:
        open_index(page, made)
        page.keyboard.press("Tab")
        expect(page.locator(".skip:focus")).to_be_in_viewport()
        page.keyboard.press("Enter")
        assert page.url.endswith("#main")

    def test_arrows_walk_the_map_and_enter_opens(self, page: Page, made: Path) -> None:
        open_index(page, made)
        first = page.locator("#heat td:has([data-lane=cuda]) .tile").first
        first.focus()
        page.keyboard.press("ArrowDown")
        assert "[cuda]" in page.evaluate("document.activeElement.ariaLabel")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
        second = page.evaluate("document.activeElement.href")
        assert second != first.get_attribute("href")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
        target = page.evaluate("document.activeElement.href")
        assert "#cell-" in target
        page.keyboard.press("Enter")
        expect(page).to_have_url(target)

    def test_tab_reaches_every_filter_and_the_map(self, page: Page, made: Path) -> None:
        open_index(page, made)
        stops = []
        for _ in range(60):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.name || document.activeElement.id"))
            if stops[-1] == "heat":
                break
        assert [stop for stop in stops if stop in {"package", "release", "verdict", "lane", "text", "heat"}] == [
            "package",
            "release",
            "verdict",
            "lane",
            "text",
            "heat",
        ]


class TestWidth:
    @pytest.mark.parametrize("site", ["made", "own"])
    def test_a_phone_never_scrolls_sideways(self, page: Page, site: str, request: pytest.FixtureRequest) -> None:
        """Wide tables scroll inside their own frame."""
        page.set_viewport_size(PHONE)
        for file in sorted(request.getfixturevalue(site).glob("*.html")):
            page.goto(file.as_uri())
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], file.name

    def test_heads_of_the_map_stay(self, page: Page, own: Path) -> None:
        """Scrolled to its far corner, the map still shows the environment and the failure of each tile."""
        open_index(page, own)
        page.set_viewport_size(ViewportSize(width=800, height=600))
        page.locator("#heat").evaluate("heat => heat.scrollTo(heat.scrollWidth, heat.scrollHeight)")
        frame = page.locator("#heat").bounding_box()
        head = page.locator("#heat thead th").last.bounding_box()
        name = page.locator("#heat tbody th").last.bounding_box()
        assert frame is not None
        assert head is not None
        assert name is not None
        assert page.locator("#heat").evaluate("heat => [heat.scrollLeft, heat.scrollTop].every(moved => moved > 0)")
        assert abs(head["y"] - frame["y"]) < 3
        assert abs(name["x"] - frame["x"]) < 3


class TestWithoutScript:
    def test_all_can_be_read(self, plain: Page, made: Path) -> None:
        """No filter is offered that would not work; the map, its links and the first screen are there."""
        open_index(plain, made)
        expect(plain.locator("#filters")).not_to_be_visible()
        expect(plain.locator("#changes")).to_contain_text("No space left on device")
        assert plain.locator(SHOWN).count() > 30
        plain.locator(SHOWN).first.click()
        expect(plain.locator("tr:target")).to_be_in_viewport()
        expect(plain.locator("#errors")).to_be_visible()


class TestReading:
    def test_first_screen(self, page: Page, made: Path) -> None:
        """Without scrolling: what changed, by cause, the last complete run with its age, what is not known."""
        open_index(page, made)
        for words in ("What changed", "No space left on device"):
            expect(page.locator("#changes").get_by_text(words).first).to_be_in_viewport()
        for words in ("Last complete run", "Could not be judged", "Never run"):
            expect(page.locator(".facts").get_by_text(words)).to_be_in_viewport()
        expect(page.locator("time[data-age]").first).to_contain_text("ago")

    def test_dark_and_light_differ(self, page: Page, made: Path) -> None:
        open_index(page, made)
        colours = []
        schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert len(set(colours)) == 2

    def test_verdicts_can_be_told_without_colour(self, page: Page, made: Path) -> None:
        """Every tile has a glyph to see and a word to hear."""
        open_index(page, made)
        tiles = page.locator(SHOWN)
        assert all(text.strip() for text in tiles.all_inner_texts())
        names = tiles.evaluate_all("all => all.map(tile => [tile.getAttribute('aria-label'), tile.dataset.verdict])")
        assert all(verdict in name or verdict == "not run" for name, verdict in names)


@pytest.mark.parametrize(
    ("site", "scheme", "rules"), [("made", "light", None), ("made", "dark", ["color-contrast"]), ("own", "light", None)]
)
def test_accessibility(
    page: Page, site: str, scheme: Literal["light", "dark"], rules: list[str] | None, request: pytest.FixtureRequest
) -> None:
    """axe-core finds nothing on the first page, on that of releases and on that of a failure, all folded parts opened.

    The colours are the same on both sites, so one is enough in the dark.
    """
    root: Path = request.getfixturevalue(site)
    page.emulate_media(color_scheme=scheme)
    failures = [file for file in root.glob("*.html") if file.name not in {"index.html", "releases.html"}]
    largest, smallest = max(failures, key=_size), min(failures, key=_size)
    for file in (root / "index.html", root / "releases.html", largest if site == "made" else smallest):
        page.goto(file.as_uri())
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
        options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
        found = Axe().run(page, options=options).response["violations"]
        told = [(item["id"], item["nodes"][0]["html"][:200], len(item["nodes"])) for item in found]
        assert told == [], file.name


def _size(file: Path) -> int:
    return file.stat().st_size
