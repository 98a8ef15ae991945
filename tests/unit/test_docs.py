"""README and docs/: the generated parts are current, links lead somewhere, nothing names a machine."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from repro.cli.app import COMMANDS
from repro.files import PACKAGE
from repro.model.errors import Exit

ROOT = PACKAGE.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
MACHINE = re.compile(r"(?<![\w.])/(work|root|tmp|opt|home/(?!user))/?\w*|\.cache/repro")


def generator() -> ModuleType:
    """``docs/generate.py``, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_current() -> None:
    """A command, model or exit code that changed changes its page: run `nox -s docs`."""
    assert generator().stale() == []


def test_a_stale_part_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is stale as soon as what the code says of it differs; every generated part has its page."""
    module = generator()
    monkeypatch.setattr(module, "SCHEMAS", {})
    monkeypatch.setattr(module, "BLOCKS", dict.fromkeys(module.BLOCKS, lambda: "another text"))
    pages = [page for page in PAGES if "<!-- generated: " in page.read_text()]
    assert sorted(module.stale()) == sorted(pages)
    used = {name for page in pages for name in re.findall(r"<!-- generated: ([a-z-]+) -->", page.read_text())}
    assert used == set(module.BLOCKS)


def test_commands_and_exit_codes() -> None:
    """Every command has a section; README, the pages and the code share one table of exit codes."""
    commands = (ROOT / "docs" / "commands.md").read_text()
    assert [line for line in commands.splitlines() if line.startswith("## ")] == [
        f"## repro {name}" for name in COMMANDS
    ]
    for page in ("README.md", "docs/commands.md", "docs/verdicts.md"):
        rows = re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / page).read_text(), re.MULTILINE)
        assert rows == [(str(int(code)), code.meaning) for code in Exit], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """A relative link leads to a file of the repository."""
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_machine(page: Path) -> None:
    assert not MACHINE.findall(page.read_text())


def test_readme_is_short() -> None:
    """A stranger reads it in a minute; everything else is a link away."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
