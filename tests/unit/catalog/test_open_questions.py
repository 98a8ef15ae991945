"""A question that stands is a fault, with the key that it asks for; so is a placeholder without a question."""

from pathlib import Path

from repro.catalog.open_questions import unanswered

RECORD = """\
# a comment, not a question: ANSWER
id: x-1
# question: What goes wrong? -> "it fails"
title: ANSWER
nested:
  # question: How many?
  ranks: 2
  message: ANSWER
done: an ANSWERED one
"""


def told(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    return [str(fault).removeprefix(f"{file}:") for fault in unanswered(file)]


def test_record(tmp_path: Path) -> None:
    """One fault a question, with its line, key and remedy; its own placeholder is not told again."""
    assert told(tmp_path / "failure.yaml", RECORD) == [
        '3: title: not answered: What goes wrong?; e.g. "it fails"; answer it and remove this line',
        "6: nested.ranks: not answered: How many?; answer it and remove this line",
        "8: nested.message: ANSWER stands for what is not written; write it",
    ]


def test_question_removed_but_not_answered(tmp_path: Path) -> None:
    """Who removes the question and leaves the placeholder is told so."""
    text = "".join(line for line in RECORD.splitlines(keepends=True) if "question:" not in line)
    assert [line.partition(":")[0] for line in told(tmp_path / "failure.yaml", text)] == ["2", "5"]


def test_question_at_the_end(tmp_path: Path) -> None:
    """A question that no key follows."""
    (fault,) = told(tmp_path / "matrix.yaml", "id: x\n# question: What else?\n")
    assert fault == "2: not answered: What else?; answer it and remove this line"


def test_python(tmp_path: Path) -> None:
    """In Python there are no keys."""
    text = '"""ANSWER: what."""\n\ndef apply():\n    # question: Which lines? -> these\n    print("ANSWER")\n'
    assert told(tmp_path / "backport.py", text) == [
        "1: ANSWER stands for what is not written; write it",
        "4: not answered: Which lines?; e.g. these; answer it and remove this line",
    ]


def test_answered(tmp_path: Path) -> None:
    """Nothing is open, and a file that is not there asks nothing."""
    assert told(tmp_path / "failure.yaml", "id: x\ntitle: it fails  # no question: here\n") == []
    assert list(unanswered(tmp_path / "missing.yaml")) == []
