"""What a rank wrote of people, machines and secrets leaves in no file: reports, site, logs, feed, JUnit, issues."""

from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.model.cell import make_cell
from repro.model.failure import Failure
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.verdict.judge import judge
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE, failed, observation, raised, rank

SECRETS = ("hf_" + "abcdefghij0123456789" + "AB", "kingfisher7", "wrenhale", "osprey-gpu-03", "10.71.3.8")
TEXT = (
    f"token {SECRETS[0]} password={SECRETS[1]} /home/{SECRETS[2]}/x.py "
    f"{SECRETS[3]}:812:900 [0] NCCL INFO eth0:{SECRETS[4]}<0>"
)


@pytest.fixture
def stored(held: Project) -> Project:
    """A project with runs whose every text is private: one that fails otherwise, and one that could not be run."""
    store = Store(held.reports / "data")
    entry = held.catalog[FAILURE]
    assert isinstance(entry.failure, Failure)
    for number, name in enumerate(("old", "new")):
        cell = make_cell(entry.failure, name)
        recipe = recipe_of(cell, entry, held.environments.lock(name).digest)
        error = raised("ValueError", f"no {TEXT}")
        ranks = (
            failed(0, error, tail=TEXT, measured={"x": TEXT}),
            failed(1, error, tail=TEXT, at=9.0),
        )
        seen = observation(
            *(ranks if name == "old" else (rank(0, tail=TEXT), rank(1, oracle=TEXT))),
            id=f"{recipe[:12]}-20260101T000000Z-00000{number}",
            recipe=recipe,
            cell=cell,
            launcher_tail=TEXT,
            timeout=entry.failure.timeout,
            **({} if name == "old" else {"fault": f"no folder: {TEXT}"}),
        )
        store.add(seen)
        store.record_verdict(seen.id, judge(entry.failure, seen).verdict)
    return held


def test_nothing_leaves(stored: Project, call: Call, tmp_path: Path) -> None:
    """Every file that a command writes for others, and what it prints of the runs."""
    data = stored.reports / "data"
    before = set(data.rglob("*"))
    printed = [
        call("report", "--html", "--junit", str(tmp_path / "junit.xml")),
        call("report", "--json"),
        call("summary"),
        call("summary", "--json"),
        call("summary", "--issues", str(tmp_path / "issues")),
        call("show", FAILURE),
        call("draft", FAILURE, "--env", "old"),
    ]
    written = [file for file in stored.reports.rglob("*") if file.is_file() and file not in before]
    written += [tmp_path / "junit.xml", *(tmp_path / "issues").rglob("*")]
    names = {file.name for file in written}
    assert {"matrix.md", "matrix.json", "index.html", "feed.xml", "junit.xml"} <= names
    assert (tmp_path / "issues").is_dir()
    texts = {str(file): file.read_text(encoding="utf-8") for file in written if file.is_file()}
    texts |= {f"output {number}": out + err for number, (_, out, err) in enumerate(printed)}
    leaks = {(name, secret) for name, text in texts.items() for secret in SECRETS if secret in text}
    assert not leaks
    # The texts themselves are there: what was looked for would have been found.
    shown = [name for name, text in texts.items() if "&lt;secret&gt;" in text or "<secret>" in text]
    assert any(name.endswith((".html", ".log", ".txt")) for name in shown), shown
    assert any(name.endswith("junit.xml") for name in shown), shown
