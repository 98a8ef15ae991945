"""Reports: rows, words, Markdown, the terminal.  They read the store and run nothing."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.catalog.project import Project
from repro.launch.gates import GATES
from repro.model.cell import Cell
from repro.model.verdict import Status, Verdict
from repro.report.format import (
    STATUS_STYLES,
    VERDICT_GLYPHS,
    format_count,
    format_evidence,
    format_verdict,
    format_where,
)
from repro.report.matrix_page import code, escape, matrix_markdown, span
from repro.report.rows import Lookup, Report, Row, gate_reasons, row_of
from repro.report.write import gather, write_pages, write_reports
from repro.store.observations import Store
from repro.store.recipe import recipe_of
from repro.verdict.result import judge_repetitions
from tests.unit.factories import (
    FAILURE,
    cell,
    failed,
    failure,
    observation,
    project,
    raised,
    rank,
    script_frame,
)
from tests.unit.report.site.sites import many

GATE = GATES[0].name


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


def stored(held: Project, wanted: Cell, *ranks: Any, **changes: Any) -> str:
    """Store an observation of a cell as its present sources and lock would make it; returns its id."""
    recipe = recipe_of(wanted, held.catalog[FAILURE], held.environments.lock(wanted.environment.label).digest)
    identity = f"{recipe[:12]}-{changes.pop('number', 1):04}"
    made = observation(*(ranks or (failed(0), failed(1))), id=identity, recipe=recipe, cell=wanted, **changes)
    Store(held.reports / "data").add(made)
    return identity


def lookup(held: Project) -> Lookup:
    return Lookup(held.catalog, held.environments, Store(held.reports / "data"))


class TestRows:
    """One row a cell, run or not."""

    def test_run(self, held: Project) -> None:
        """A stored run: verdict, status, evidence, versions of what the record speaks of, gates, machine."""
        identity = stored(held, cell(), failed(0, gates=(GATE,)), failed(1))
        row = lookup(held).row(cell())
        assert (row.verdict, row.status, row.expected, row.k, row.n) == (
            "reproduced",
            "as documented",
            "reproduced",
            1,
            1,
        )
        assert row.versions == {"lightning": "2.2.1", "torch": "2.2.2+cpu"}
        assert (row.gates, row.observations, row.not_run) == ((GATE,), (identity,), None)
        assert row.hardware == "Linux x86_64, 2 cores"
        assert (row.python, row.launcher, row.seconds) == ("3.11.7", "torchrun", 9.5)

    def test_not_run(self, held: Project) -> None:
        """A cell without a stored run is shown as such, with the reason."""
        row = lookup(held).row(cell())
        assert (row.verdict, row.status) == (None, None)
        assert row.not_run

    def test_changed_source(self, held: Project) -> None:
        """A run of other sources is no run of this cell."""
        stored(held, cell())
        script = held.catalog[FAILURE].script
        script.write_text(script.read_text() + "\n")
        assert lookup(held).row(cell()).verdict is None

    def test_changed_lock(self, held: Project) -> None:
        """Nor is one with another lock."""
        stored(held, cell())
        file = held.locks / "old.txt"
        file.write_text(file.read_text().replace("aaaa", "bbbb"))
        assert lookup(held).row(cell()).verdict is None

    def test_of_an_environment_with_another_name(self, held: Project) -> None:
        """A point of a search may have the lock of a named environment: the row is that of the named one."""
        recipe = recipe_of(cell(), held.catalog[FAILURE], held.environments.lock("old").digest)
        point = cell(environment="old with lightning 2.2.1")
        made = observation(failed(0), failed(1), id=f"{recipe[:12]}-0001", recipe=recipe, cell=point)
        Store(held.reports / "data").add(made)
        row = lookup(held).row(cell())
        assert (row.cell.label, row.verdict) == (cell().label, "reproduced")
        assert write_reports(held, Store(held.reports / "data"), {FAILURE}).report.rows

    def test_of_another_cell(self, held: Project) -> None:
        """Nor is the run of the cell with a backport."""
        stored(held, cell(backport="cure"), *(rank(number, backport_applied=True) for number in (0, 1)))
        assert lookup(held).row(cell()).verdict is None
        assert lookup(held).row(cell(backport="cure")).verdict == "absent"

    def test_repetitions(self, held: Project) -> None:
        """All repetitions of the newest command: k of n."""
        stored(held, cell(), run="a", number=1)
        stored(held, cell(), rank(0), rank(1), run="b", number=2, started="2026-01-02T00:00:00+00:00")
        stored(held, cell(), run="b", number=3, started="2026-01-03T00:00:00+00:00")
        row = lookup(held).row(cell())
        assert (row.verdict, row.status, row.n, len(row.observations)) == ("flaky", "unknown", 2, 2)

    def test_adopted(self, held: Project) -> None:
        """An adopted interpreter is not kept in the matrix."""
        assert lookup(held).row(cell(environment="python:/usr/bin/python3")).verdict is None

    def test_accelerator(self) -> None:
        """A device is named in its own lane only."""
        machine = observation().hardware.model_copy(update={"accelerators": ("NVIDIA H100",)})
        cpu = row_of(judge_repetitions(failure(), [observation(hardware=machine)]), ["torch"])
        cuda = row_of(judge_repetitions(failure(), [observation(hardware=machine, cell=cell(lane="cuda"))]), ["torch"])
        assert "H100" not in cpu.hardware
        assert cuda.hardware.endswith("NVIDIA H100")

    def test_without_environment(self) -> None:
        """A cell whose environment could not be had has a row too."""
        row = row_of(
            judge_repetitions(failure(), [observation(ranks=(), fault="x", installed=None, launcher="none")]), ["torch"]
        )
        assert (row.verdict, row.versions, row.python) == ("unrunnable", {}, "")

    def test_json(self, held: Project) -> None:
        """The report is read back as it was written."""
        stored(held, cell())
        report = Report(rows=(lookup(held).row(cell()), lookup(held).row(cell(environment="new"))))
        assert Report.model_validate_json(report.model_dump_json()) == report
        assert '"format":1' in report.model_dump_json()

    def test_gate_reasons(self, held: Project) -> None:
        """Only the gates that were lifted, each with its reason."""
        stored(held, cell(), failed(0, gates=(GATE, "unknown")), failed(1))
        reasons = gate_reasons([lookup(held).row(cell())])
        assert reasons == {GATE: (GATES[0].refusal, GATES[0].reason)}


class TestWords:
    """A glyph and a word, never colour alone."""

    def test_complete(self) -> None:
        """Every verdict has a glyph of its own, every status a style."""
        assert set(VERDICT_GLYPHS) == set(Verdict)
        assert len(set(VERDICT_GLYPHS.values())) == len(VERDICT_GLYPHS)
        assert set(STATUS_STYLES) == set(Status)

    def test_where(self) -> None:
        """What sets a cell apart."""
        wanted = cell(backport="cure", factors={"a": "b"}, lane="cuda")
        assert format_where(Row(cell=wanted)) == "old + backport cure a=b [cuda]"

    def test_not_run(self) -> None:
        """Not run is neither absent nor unrunnable."""
        row = Row(cell=cell(), not_run="why")
        assert (format_verdict(row), format_evidence(row), format_count(row)) == ("· not run", "why", "—")

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"verdict": "absent", "evidence": "all equal", "reason": "r"}, "all equal"),
            (
                {"verdict": "reproduced", "evidence": "E: x", "where": "a.py:1 in f", "reason": "on every rank"},
                "E: x at a.py:1 in f (on every rank)",
            ),
            ({"verdict": "unrunnable", "reason": "no disk"}, "no disk"),
            ({"verdict": "different", "evidence": "E: x", "reason": "first error"}, "first error: E: x"),
        ],
    )
    def test_evidence(self, changes: dict[str, Any], words: str) -> None:
        """The line that decided."""
        assert format_evidence(Row(cell=cell(), **changes)) == words


NASTY = "a|b `c` *d* _e_ [f](g) <h> #i ~j~ \\ {k}\nl\r\nm\tn"


class TestMarkdown:
    """Upstream's words are never markup, and never break the table."""

    def test_escape(self) -> None:
        """Every character that Markdown knows is escaped; line ends become spaces."""
        escaped = escape(NASTY)
        assert "\n" not in escaped
        assert re.sub(r"\\(.)", "", escaped).translate(str.maketrans("", "", "abcdefghijklmn ()")) == ""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ""),
            ("KeyError: 'x'", "`KeyError: 'x'`"),
            ("a|b", "`a\\|b`"),
            ("a\nb", "`a b`"),
            ("use `x` now", "``use `x` now``"),
            ("`x`", "`` `x` ``"),
            ("end`", "`` end` ``"),
            ("two `` ticks", "```two `` ticks```"),
        ],
    )
    def test_code(self, text: str, expected: str) -> None:
        """Text as code: the fence is longer than any run of ticks, and apart from ticks at the ends."""
        assert code(text) == expected

    @settings(max_examples=80, deadline=None)
    @given(st.text(alphabet="`| a\\\n", max_size=12))
    def test_code_is_one_span(self, text: str) -> None:
        """Whatever the text, its code span ends where the text ends, inside one cell of the table."""
        made = code(text)
        if not text.split():
            return
        fence = re.match(r"`+", made)
        assert fence is not None
        length = len(fence[0])
        runs = [len(run) for run in re.findall(r"`+", made)]
        assert runs[0] == runs[-1] == length
        assert length not in runs[1:-1]
        assert not re.search(r"(?<!\\)\|", made)

    def test_span(self) -> None:
        """Days in UTC."""
        assert span("2026-01-01T23:30:00-02:00", "2026-01-02T01:00:00+00:00") == "on 2026-01-02"
        assert span("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00") == "from 2026-01-01 to 2026-01-02"

    def test_page(self, held: Project) -> None:
        """A summary, a table a failure in which every row has the head's columns, and the gates."""
        error = raised("RuntimeError", NASTY, script_frame())
        stored(held, cell(), failed(0, error, gates=(GATE,)), failed(1, error))
        rows = [lookup(held).row(cell()), lookup(held).row(cell(environment="new"))]
        page = matrix_markdown(rows, held.catalog)
        assert "1 of 2 cells run" in page
        assert "1 drifted, 1 not run." in page
        assert f"## {FAILURE}" in page
        tables = [line for line in page.splitlines() if line.startswith("|")]
        columns = [len(re.findall(r"(?<!\\)\|", line)) for line in tables]
        assert columns[:4] == [9] * 4
        assert GATES[0].reason.split(",")[0] in page

    def test_nothing_run(self, held: Project) -> None:
        """Before any run the page says so, and claims nothing."""
        page = matrix_markdown([lookup(held).row(cell())], held.catalog)
        assert "None of 1 cells has been run." in page
        assert "as documented." not in page

    def test_all_as_documented(self, held: Project) -> None:
        """Only a whole matrix as documented is called so."""
        stored(held, cell())
        rows = [lookup(held).row(cell())]
        assert "Every status is as documented." in matrix_markdown(rows, held.catalog)
        assert "Every status is as documented." not in matrix_markdown(
            [*rows, Row(cell=cell(environment="new"))], held.catalog
        )

    def test_written(self, held: Project) -> None:
        """Both files are written, from the store alone."""
        stored(held, cell())
        report = write_reports(held, Store(held.reports / "data")).report
        assert [row.cell.label for row in report.rows] == [f"{FAILURE} old", f"{FAILURE} new", f"{FAILURE} old +cure"]
        assert Report.model_validate_json((held.reports / "matrix.json").read_text()) == report
        assert (held.reports / "matrix.md").read_text().startswith("# Matrix")

    def test_pages_of_what_ran(self, tmp_path: Path) -> None:
        """After a run only its failures' pages are written, and those that are missing; the matrix shows all."""
        held = many(tmp_path, 3, 4)
        ran, other, missing = held.catalog.entries
        pages = {name: held.reports / f"{name}.md" for name in held.catalog.entries}
        store = Store(held.reports / "data")
        write_reports(held, store)
        fresh = pages[ran].read_text()
        pages[ran].write_text("older")
        pages[other].write_text("older")
        pages[missing].unlink()
        found = write_reports(held, store, of={ran})
        assert (pages[ran].read_text(), pages[other].read_text()) == (fresh, "older")
        assert pages[missing].is_file()
        assert {row.cell.failure for row in found.report.rows} == set(pages)
        assert [item.failure for item in found.comparisons] == list(pages)

    def test_nothing_new(self, tmp_path: Path) -> None:
        """A command that stored no run writes the pages of its failures alone; all reports if there are none."""
        held = many(tmp_path, 2, 3)
        ran, other = held.catalog.entries
        store = Store(held.reports / "data")
        write_pages(held, store, {ran})
        files = {file.name: file.read_bytes() for file in held.reports.glob("*.*")}
        assert {"matrix.json", "matrix.md", "lanes.md", f"{ran}.md", f"{other}.md"} <= files.keys()
        for name in files:
            (held.reports / name).write_text("older")
        write_pages(held, store, {ran})
        changed = {file.name for file in held.reports.glob("*.*") if file.read_bytes() != b"older"}
        assert changed == {f"{ran}.md"}
        assert (held.reports / f"{ran}.md").read_bytes() == files[f"{ran}.md"]

    def test_memory(self, tmp_path: Path) -> None:
        """No runs are kept: those of a large store would fill the memory."""
        held = many(tmp_path, 2, 3)
        found = gather(held, Store(held.reports / "data"))
        assert len(found.pages) == 2
        assert not found.lookup._found


def test_reports_do_not_show_output(tmp_path: Path) -> None:
    """What ranks printed is neither redacted nor kept for pages of Markdown."""
    held = many(tmp_path, 2, 3)
    found = write_reports(held, Store(held.reports / "data"))
    results = [result for row in found.report.rows if (result := found.lookup.result(row.cell)) is not None]
    assert results
    assert not any(rank.tail for result in results for rank in result.newest.ranks)
