"""What is not as documented, by root cause."""

from typing import Any

from repro.report.causes import cause_markdown, causes, summary_markdown
from repro.report.rows import Row
from tests.unit.factories import cell


def row(status: str | None, evidence: str = "", **changes: Any) -> Row:
    verdict = {"relapsed": "reproduced", "cured": "absent", "unknown": "unrunnable"}.get(status or "", "different")
    facts = {"cell": cell(), "status": status, "verdict": verdict if status else None, "evidence": evidence}
    return Row.model_validate(facts | changes)


class TestCauses:
    """Rows that one thing explains."""

    def test_same_error(self) -> None:
        """The same error in another failure, with other numbers, is the same cause; at another place it is not."""
        place = "torch/x.py:7 in send"
        rows = [
            row("drifted", "RuntimeError: lost [127.0.0.1]:4711 at 0x7f00", where=place),
            row("drifted", "RuntimeError: lost [127.0.0.1]:9 at 0x7f11", where="torch/x.py:9 in send",
                cell=cell(failure="lib-1")),
            row("drifted", "RuntimeError: lost [127.0.0.1]:9 at 0x7f11", where="torch/y.py:9 in receive"),
            row("relapsed", "RuntimeError: lost [127.0.0.1]:9 at 0x7f11", where=place),
        ]  # fmt: skip
        assert [len(cause.rows) for cause in causes(rows)] == [2, 1, 1]
        assert "lightning-19492 and 1 more" in causes(rows)[0].title

    def test_releases(self) -> None:
        """What is cured has the releases in common that it ran on."""
        new, newer = {"torch": "2.15.0"}, {"torch": "2.16.0"}
        rows = [row("cured", "ok 1", versions=new), row("cured", "ok 2", versions=new), row("cured", versions=newer)]
        assert [cause.text for cause in causes(rows)] == ["torch 2.15.0", "torch 2.16.0"]

    def test_as_documented(self) -> None:
        """What is as expected, and what was not run, has no cause."""
        assert causes([row("as documented", "KeyError"), row("unjudged", "x"), row(None)]) == []

    def test_slug(self) -> None:
        """A cause has the same mark in every run, and the mark stands in its issue."""
        one, two = (causes([row("drifted", f"E: {number}", seconds=number)])[0] for number in (1, 2))
        assert one.slug == two.slug
        assert one.slug in cause_markdown(one)
        assert one.slug != causes([row("drifted", "F: 1")])[0].slug

    def test_unknown(self) -> None:
        """What could not be told is grouped by its reason."""
        found = causes([row("unknown", reason="no end within 120 s"), row("unknown", reason="no end within 60 s")])
        assert len(found) == 1


class TestSummary:
    """The summary of a job."""

    def test_summary(self) -> None:
        """Counts, causes with upstream's words escaped, and what was not run."""
        rows = [row("drifted", "<b>E</b> @someone", where="x"), row("as documented"), row(None)]
        text = summary_markdown(rows)
        assert "2 of 3 cells run; root causes of what is not as documented: 1" in text
        assert r"\<b\>" in text
        assert "## Not run" in text
