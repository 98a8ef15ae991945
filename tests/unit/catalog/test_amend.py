"""Records are changed in place, and nothing else of them."""

from pathlib import Path

import pytest

from repro.catalog import amend as amending
from repro.catalog.amend import amend, bounds, lower_bound, replaced, with_bound
from repro.catalog.yaml_reader import read_yaml
from repro.model.errors import RecordError, UsageError
from repro.model.failure import Failure
from tests.unit import factories

TEXT = """\
# A record with comments
format: 1
id: lib-1
title: 'Ünlike "others"'   # quoted
summary: >-
  Folded
  text.
kind: crash
upstream: {state: open}
affected:
  - {torch: ">=2.0"}   # first
  - {lightning: '>=2.1.0,<2.2.2', torch: ">=2.1"}   # second
fixed_in: {lightning: 2.2.2}
signature: {type: KeyError, message: x, function: f, library: lightning}
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    file = tmp_path / "failure.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


class TestAmend:
    def test_changes_one_scalar_and_keeps_comments_layout_and_quotes(self, record: Path) -> None:
        amend(record, {("affected", 1, "lightning"): ">=2.1.0,<2.3.0", ("fixed_in", "lightning"): "2.3.0"})
        expected = TEXT.replace("<2.2.2'", "<2.3.0'").replace("{lightning: 2.2.2}", '{lightning: "2.3.0"}')
        assert record.read_text(encoding="utf-8") == expected

    @pytest.mark.parametrize("at", [("affected", 2, "lightning"), ("affected", 0), ("summary",), ("title", "x")])
    def test_what_is_no_scalar_on_a_line_is_refused(self, record: Path, at: tuple[str | int, ...]) -> None:
        with pytest.raises(RecordError, match="by hand"):
            amend(record, {at: "x"})
        assert record.read_text(encoding="utf-8") == TEXT

    def test_an_invalid_result_leaves_the_file_as_it_was(self, record: Path) -> None:
        with pytest.raises(RecordError, match="PEP 440"):
            amend(record, {("affected", 0, "torch"): "newer"})
        assert record.read_text(encoding="utf-8") == TEXT

    def test_an_alias_is_not_changed_behind_the_users_back(self, record: Path) -> None:
        text = TEXT.replace('{torch: ">=2.0"}', '{torch: &v ">=2.0"}').replace('torch: ">=2.1"', "torch: *v")
        record.write_text(text, encoding="utf-8")
        with pytest.raises(RecordError, match="alias"):
            amend(record, {("affected", 0, "torch"): ">=2.2"})
        assert record.read_text(encoding="utf-8") == text

    def test_a_change_of_anything_else_is_refused(self, record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            amending, "replaced", lambda text, *_: text.replace("<2.2.2", "<2.3").replace("open", "closed")
        )
        with pytest.raises(RecordError, match="would touch other values"):
            amend(record, {("affected", 1, "lightning"): ">=2.1.0,<2.3"})
        assert record.read_text(encoding="utf-8") == TEXT

    def test_an_invalid_record_is_refused_before(self, record: Path) -> None:
        record.write_text(TEXT.replace("kind: crash", "kind: crush"), encoding="utf-8")
        with pytest.raises(RecordError, match="crush"):
            amend(record, {("affected", 0, "torch"): ">=2.2"})

    def test_replaces_from_the_end_so_that_places_stay_right(self) -> None:
        text = "a: 1\nb: 2\n"
        assert replaced(text, {("a",): "one hundred", ("b",): "two"}, Path("x")) == 'a: "one hundred"\nb: "two"\n'


class TestOpenBelow:
    LINE = "open_below: {lightning: '2.1.0'}\n"

    def test_is_written_after_the_affected_ranges(self, record: Path) -> None:
        amend(record, {}, {"lightning": "2.1.0"})
        assert record.read_text(encoding="utf-8") == TEXT.replace("fixed_in:", f"{self.LINE}fixed_in:")
        assert read_yaml(Failure, record).open_below == {"lightning": "2.1.0"}

    def test_is_changed_and_removed(self, record: Path) -> None:
        amend(record, {}, {"lightning": "2.0.0", "torch": "2.0"})
        amend(record, {("affected", 1, "lightning"): ">=2.1.0,<2.3.0"}, {"lightning": "2.1.0"})
        changed = TEXT.replace("<2.2.2'", "<2.3.0'")
        assert record.read_text(encoding="utf-8") == changed.replace("fixed_in:", f"{self.LINE}fixed_in:")
        amend(record, {}, {})
        assert record.read_text(encoding="utf-8") == changed

    def test_a_record_whose_ranges_are_last(self, record: Path) -> None:
        lines = TEXT.splitlines(keepends=True)
        moved = [*lines[:9], *lines[12:], *lines[9:12]]
        record.write_text("".join(moved).rstrip("\n"), encoding="utf-8")
        amend(record, {}, {"lightning": "2.1.0"})
        assert record.read_text(encoding="utf-8") == "".join(moved) + self.LINE

    def test_several_lines_are_left_to_people(self, record: Path) -> None:
        text = f"{TEXT}open_below:\n  lightning: 2.1.0\n"
        record.write_text(text, encoding="utf-8")
        with pytest.raises(RecordError, match="by hand: open_below"):
            amend(record, {}, {"lightning": "2.0.0"})
        assert record.read_text(encoding="utf-8") == text

    def test_what_affected_does_not_name_is_refused(self, record: Path) -> None:
        with pytest.raises(RecordError, match="open_below names numpy"):
            amend(record, {}, {"numpy": "1.0"})
        assert record.read_text(encoding="utf-8") == TEXT


class TestBounds:
    @pytest.mark.parametrize(
        ("specifiers", "clause", "expected"),
        [
            (">=2.1,<2.2", "<2.3", ">=2.1,<2.3"),
            (">=2.1,<=2.2", "<2.3", ">=2.1,<2.3"),
            (">2.1,<2.2", ">=2.0", ">=2.0,<2.2"),
            (">=2.1", "<2.3", ">=2.1,<2.3"),
            ("<2.2", ">=2.0", ">=2.0,<2.2"),
            (">=2.1,!=2.1.3,<2.2", "<2.3", ">=2.1,<2.3,!=2.1.3"),
            ("==2.1", "<2.3", ">=2.1,<2.3"),
            ("==2.1", ">=2.0", ">=2.0,<=2.1"),
        ],
    )
    def test_one_side_is_replaced(self, specifiers: str, clause: str, expected: str) -> None:
        assert with_bound(specifiers, clause) == expected

    @pytest.mark.parametrize("specifiers", ["==2.1.*", "~=2.1", ">=2,==2.1"])
    def test_single_series_are_left_to_people(self, specifiers: str) -> None:
        with pytest.raises(UsageError, match="by hand"):
            with_bound(specifiers, "<2.3")

    def test_the_oldest_release_of_a_range(self) -> None:
        found = [lower_bound(text) for text in (">=2.1,<2.3", "<2.3", "==2.1", "<2.3,>2.0", "!=2.2,<2.3")]
        assert found == ["2.1", None, "2.1", "2.0", None]

    def failure(self, record: Path) -> Failure:
        return read_yaml(Failure, record)

    def test_the_alternative_of_the_package_is_chosen(self, record: Path) -> None:
        found = bounds(self.failure(record), "lightning", {"lightning": "2.2.3", "torch": "2.2.2"}, "<2.3.0")
        assert found == {("affected", 1, "lightning"): ">=2.1.0,<2.3.0", ("fixed_in", "lightning"): "2.3.0"}

    def test_a_lower_bound_says_nothing_of_the_fix(self, record: Path) -> None:
        found = bounds(self.failure(record), "lightning", {"lightning": "2.0.9", "torch": "2.2.2"}, ">=2.0.9")
        assert found == {("affected", 1, "lightning"): ">=2.0.9,<2.2.2"}

    @pytest.mark.parametrize(
        "versions", [{"lightning": "2.2.3", "torch": "1.13"}, {"lightning": "2.0.3", "torch": "2.2"}]
    )
    def test_no_alternative_could_take_it(self, record: Path, versions: dict[str, str]) -> None:
        with pytest.raises(UsageError, match="no alternative"):
            bounds(self.failure(record), "lightning", versions, "<2.3.0")

    def test_several_could(self) -> None:
        failure = factories.failure(affected=[{"lightning": ">=2.1"}, {"lightning": ">=2.0,<2.1"}])
        with pytest.raises(UsageError, match="several"):
            bounds(failure, "lightning", {"lightning": "2.2"}, "<2.3")
