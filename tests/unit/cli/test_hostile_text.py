"""Titles, evidence, ids and names from outside never reach a terminal with control characters or escape sequences."""

import io
import json
import re
import sys
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text

from repro.catalog.project import Project
from repro.cli import run_command
from repro.report.console import console
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, RECORD, write_failure

HOSTILE = "a\x1b]0;title\x07b\x1b[5;9mc\x9b2Jd\u202ee\x08\rf"
"""Names the window, blinks, clears, turns the line round, goes back over it."""


def forbidden(text: str) -> list[str]:
    """The characters of a text that a terminal would obey; a new line and a tab are none."""
    return [c for c in text if unicodedata.category(c) in {"Cc", "Cf"} and c not in "\n\t"]


def test_the_text_is_hostile() -> None:
    assert len(forbidden(HOSTILE)) == 7


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "hostile-1"),
        ("doctor", "--from", "{file}", "--details"),
        ("doctor", "--from", "{file}"),
        ("advise", "--from", "{file}"),
        ("advise", "--from", "{file}", "--to", "lightning==2.2.2"),
        ("run", "hostile-1", "--env", "old", "--set", f"{HOSTILE}=x"),
        ("run", HOSTILE),
        ("show", HOSTILE),
        ("doctor", "--from", HOSTILE),
        ("doctor", "--python", HOSTILE),
        ("draft", HOSTILE),
        ("envs", "build", HOSTILE),
        ("check",),
        ("store", "merge", HOSTILE),
        (HOSTILE,),
        ("list", f"--{HOSTILE}"),
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "HOSTILE"),
)
def test_commands(held: Project, call: Call, words: tuple[str, ...]) -> None:
    """Neither output nor errors, in a table or a plain line."""
    write_failure(held.failures, id="hostile-1", title=HOSTILE, summary=HOSTILE)
    file = held.failures.parent / f"pins{HOSTILE}.txt"
    file.write_text(f"lightning==2.2.1\ntorch==2.2.2\n{HOSTILE} ???\n--{HOSTILE}\n")
    _, out, err = call(*(word.format(file=file) for word in words))
    assert out + err
    assert not forbidden(out + err)


@pytest.mark.parametrize("words", [("list", "--json"), ("show", FAILURE, "--json")])
def test_json(held: Project, call: Call, words: tuple[str, ...]) -> None:
    """JSON says every character, escaped."""
    record = held.failures / FAILURE / "failure.yaml"
    record.write_text(record.read_text().replace(RECORD["title"], json.dumps(HOSTILE)))
    out = call(*words)[1]
    assert not forbidden(out)
    assert HOSTILE in _texts(json.loads(out))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else [str(value)]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the styles of ours are the only sequences, in rows, lines, captions and markup."""
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    out = console()
    table = Table(HOSTILE, caption=HOSTILE, title=Text(HOSTILE))
    table.add_row(Text(HOSTILE, style="bold red"))
    table.add_row(HOSTILE)
    for printed in (table, Text(HOSTILE), HOSTILE, Text("good", style="bold red")):
        out.print(printed)
    written = terminal.getvalue()
    assert "\x1b[1;31mgood\x1b[0m" in written
    assert "5;9m" not in written
    assert not forbidden(re.sub(r"\x1b\[[\d;]*m", "", written))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_way_around(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """What click writes as bytes for a poor encoding is escaped too."""
    import typer  # noqa: PLC0415 - imported by the command, as for real

    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])

    def command() -> None:
        typer.echo(HOSTILE)
        typer.echo(HOSTILE, err=True)

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert not ended.value.code
    for stream in streams:
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        text = stream.buffer.getvalue().decode(encoding)
        assert text.startswith("a")
        assert not forbidden(text)
