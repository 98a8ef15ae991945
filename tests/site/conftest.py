"""Two sites and a real Chromium: one made here with everything that can happen, one of the repository's own runs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, Playwright, ViewportSize, sync_playwright

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.doctor.browser.box import box_knowledge, box_script
from repro.model.cell import Cell
from repro.model.failure import Lane
from repro.model.verdict import Verdict
from repro.report.site.answer_box import AnswerBox
from repro.report.site.publish import publish
from repro.report.write import write_reports
from repro.store.answers import AnswerStore
from repro.store.observations import Store
from tests.unit.factories import HARDWARE, failed, lost_peer
from tests.unit.report.site.sites import HOSTILE, failing, many, passing, stored
from tests.unit.report.test_answers import bisected, swept

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OWN = Path(__file__).parents[2] / "reports" / "data"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=740)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # One browser for each file, so that two processes share the work.
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="needs Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of eight failures: relapses, a lost peer, a CUDA run, a sweep, and words that would be markup."""
    held = many(tmp_path_factory.mktemp("made"), 8, 6)
    first, second, third, *_ = held.matrix.runs
    cells = {cell.environment: cell for cell in _cells(held, first)}
    old, other, *_ = cells.values()
    machine = HARDWARE.model_copy(update={"accelerators": ("NVIDIA H100",)})
    stored(held, old.model_copy(update={"lane": Lane.CUDA}), *passing(), at=3, hardware=machine)
    stored(held, other, *(failed(number, lost_peer(HOSTILE)) for number in (0, 1)), at=4)
    for cell in _cells(held, second)[:2]:
        stored(held, cell, ranks=(), fault="No space left on device", launcher="none", at=5)
    for cell in _cells(held, third):
        stored(held, cell, *failing(), at=6)
    releases = [Verdict.REPRODUCED] * 12 + [Verdict.REJECTED] * 4 + [Verdict.ABSENT] * 9
    answers = AnswerStore(held.reports / "data")
    answers.put(swept(*releases, failure=first))
    answers.put(bisected(failure=first))
    store = Store(held.reports / "data")
    publish(held, store, write_reports(held, store), box_of(held))
    return held.reports


def box_of(project: Project) -> AnswerBox:
    """The box, as `repro report --html` builds it."""
    return AnswerBox(box_script(), box_knowledge(project))


def _cells(held: Project, failure: str) -> list[Cell]:
    return [cell for cell in default_cells(held.matrix, held.catalog) if cell.failure == failure and not cell.backport]


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of what is stored in the repository."""
    project = Project.here(tmp_path_factory.mktemp("own"))
    publish(project, Store(OWN), write_reports(project, Store(OWN)), box_of(project))
    return project.reports


@pytest.fixture(scope="session")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of our own records without a run: its box answers as that of the whole one."""
    project = Project.here(tmp_path_factory.mktemp("answering"))
    store = Store(project.reports / "data")
    publish(project, store, write_reports(project, store), box_of(project))
    return project.reports


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


def _context(playwright: Playwright, folder: Path, *, script: bool) -> BrowserContext:
    return playwright.chromium.launch_persistent_context(
        folder,
        executable_path=CHROMIUM,
        headless=True,
        args=ARGUMENTS,
        viewport=DESKTOP,
        java_script_enabled=script,
        reduced_motion="reduce",
    )


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    context = _context(playwright, tmp_path_factory.mktemp("profile"), script=True)
    yield context
    context.close()


@contextmanager
def _opened(browser: BrowserContext) -> Iterator[Page]:
    """A new page; an error of a script or a dialog fails whoever opened it."""
    found: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        found.append(dialog.message)
        dialog.dismiss()

    opened = browser.new_page()
    opened.on("pageerror", lambda error: found.append(str(error)))
    opened.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    opened.on("dialog", dismissed)
    yield opened
    opened.close()
    assert found == []


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A fresh page, on which an error of a script or a dialog fails the test."""
    with _opened(browser) as opened:
        yield opened


@pytest.fixture(scope="session")
def asked(browser: BrowserContext, answering: Path) -> Iterator[Page]:
    """One page for all tests that only call its function: to open the box costs more than to ask it."""
    with _opened(browser) as opened:
        opened.goto((answering / "index.html").as_uri())
        yield opened


@pytest.fixture
def plain(playwright: Playwright, tmp_path: Path) -> Iterator[Page]:
    """A page in a browser that runs no script."""
    context = _context(playwright, tmp_path / "profile", script=False)
    yield context.new_page()
    context.close()
