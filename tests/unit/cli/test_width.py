"""Nothing that a command prints is wider than the terminal, with the records as they are."""

import io
import re
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.unit.cli.calls import called

PINS = """\
accelerate==1.12.0
lightning==2.5.2
torch>=2.2,<2.7
transformers==4.46.3
-e git+https://github.com/someone/a-project-with-a-long-name.git@1f2d3c4b5a69788796a5b4c3d2e1f00112233445#egg=project
"""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ("doctor", "--from", "{file}"),
        ("doctor", "--from", "{file}", "--details"),
        ("advise", "--from", "{file}"),
        ("advise", "--from", "{file}", "--to", "torch==2.6.0,accelerate==1.13.0"),
        ("list",),
        ("show", "lightning-19492"),
        ("show", "lightning-19267"),
    ],
    ids=" ".join,
)
def test_width(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    width: int,
) -> None:
    """At 60, 80 and 120 columns."""
    file = tmp_path / "requirements.txt"
    file.write_text(PINS)
    terminal = _Terminal()
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr("repro.cli.advise.fetch_files", lambda _: [])
    monkeypatch.setattr("repro.cli.advise.bounds", lambda *_: [])
    called([word.format(file=file) for word in words], capsys, monkeypatch)
    lines = re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue()).splitlines()
    assert len(lines) > 5
    assert [line for line in lines if cell_len(line.rstrip()) > width] == []
