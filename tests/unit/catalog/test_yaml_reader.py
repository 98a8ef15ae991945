"""YAML documents: every fault with its line, all at once, and versions stay text."""

import os
import time
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from repro.catalog.yaml_reader import lines_of, parse, read_yaml
from repro.model.base import Strict
from repro.model.errors import Fault, RecordError

FILE = Path("failure.yaml")


class Pin(Strict):
    version: str
    note: str = ""


class Document(Strict):
    format: Literal[1]
    python: str = "3.11"
    kind: Literal["crash", "hang"] = "crash"
    pins: dict[str, str] = {}
    listed: tuple[Pin, ...] = ()
    nested: Pin | None = None
    timeout: Annotated[int, Field(ge=1)] = 1


def faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(RecordError) as caught:
        parse(Document, text, FILE)
    return caught.value.faults


def fault(text: str) -> Fault:
    (only,) = faults(text)
    return only


class TestValid:
    """What is right is read as it stands."""

    def test_quoted_versions(self) -> None:
        """Quoted versions, days and words keep every character."""
        text = "format: 1\npython: '3.10'\npins: {torch: \"2.10\", day: '2024-03-01', answer: 'no', 2.10: 'key'}\n"
        read_back = parse(Document, text, FILE)
        assert read_back.python == "3.10"
        assert read_back.pins == {"torch": "2.10", "day": "2024-03-01", "answer": "no", "2.10": "key"}

    def test_anchors(self) -> None:
        """An alias stands for what it names."""
        text = "format: 1\npins: &a {torch: '2.10'}\nnested: {version: &v '1.0', note: *v}\n"
        made = parse(Document, text, FILE).nested
        assert made is not None
        assert made.note == "1.0"

    def test_versions_with_three_parts(self) -> None:
        """Three parts are text for every YAML reader."""
        assert parse(Document, "format: 1\npins: {torch: 2.10.0}", FILE).pins == {"torch": "2.10.0"}

    def test_frozen(self) -> None:
        """A document cannot be changed after it was validated."""
        with pytest.raises(ValueError, match="frozen"):
            setattr(parse(Document, "format: 1", FILE), "python", "3.12")  # noqa: B010 - mypy knows better


class TestVersions:
    """YAML's own types are refused where text is meant."""

    @pytest.mark.parametrize(
        ("value", "read_as"),
        [
            ("2.10", "a number, 2.1"),
            ("3.10", "a number, 3.1"),
            ("2", "a number, 2"),
            ("1e3", None),
            ("2024-03-01", "a date, 2024-03-01"),
            ("no", "true or false, False"),
            ("on", "true or false, True"),
            ("0x10", "a number, 16"),
            ("12:30", "a number, 750"),
        ],
    )
    def test_unquoted(self, value: str, read_as: str | None) -> None:
        """An unquoted value is refused with its line, how it was read, and the remedy; else it is text."""
        text = f"format: 1\npins:\n  lightning: '2.1'\n  torch: {value}\n"
        if read_as is None:
            assert parse(Document, text, FILE).pins["torch"] == value
        else:
            assert fault(text) == Fault(FILE, 4, "pins.torch", f"was read as {read_as}", "quote it")

    def test_sentence(self) -> None:
        """The error reads as a sentence that says where, what, and what to do."""
        text = "format: 1\npython: 3.10\n"
        assert str(fault(text)) == "failure.yaml:2: python: was read as a number, 3.1; quote it"

    def test_in_a_list(self) -> None:
        """Inside a list the item's own line is named."""
        text = "format: 1\nlisted:\n  - version: '1.0'\n  - note: x\n    version: 1.0\n"
        assert (fault(text).line, fault(text).key) == (5, "listed.1.version")

    def test_empty(self) -> None:
        """A key without a value is no text."""
        assert fault("format: 1\npython:\n").line == 2


class TestKeys:
    """Keys are known, there, and given once."""

    @pytest.mark.parametrize(
        ("text", "line", "near"),
        [
            ("format: 1\npyhton: '3.11'\n", 2, "python"),
            ("format: 1\nlisted:\n- {version: '1', nota: x}\n", 3, "note"),
            ("format: 1\nnested:\n  versoin: '1'\n  version: '1'\n", 3, "version"),
        ],
    )
    def test_unknown(self, text: str, line: int, near: str) -> None:
        """An unknown key is refused with its line and the nearest valid one."""
        found = fault(text)
        assert (found.line, found.problem, found.remedy) == (line, "unknown key", f"did you mean '{near}'?")

    def test_unknown_without_a_near_one(self) -> None:
        """Where nothing is near, the valid keys are listed."""
        assert fault("format: 1\nxyzzy: 1\n").remedy.startswith("valid: format, kind")

    def test_missing(self) -> None:
        """A missing key is named, on the line of what lacks it."""
        assert fault("python: '3.11'\n") == Fault(FILE, 1, "format", "is missing", "add it")
        found = fault("format: 1\nlisted:\n- version: '1'\n- note: x\n")
        assert (found.line, found.key) == (4, "listed.1.version")

    def test_twice(self) -> None:
        """A key that is given twice is refused at the second: YAML readers take the last in silence."""
        found = fault("format: 1\npins:\n  torch: '2.1'\n  torch: '2.2'\n")
        assert (found.line, found.key, found.problem) == (4, "torch", "given twice")

    @pytest.mark.parametrize("text", ["format: 1\nkind: hagn\n", "format: 1\nkind: hang!\n"])
    def test_unknown_value(self, text: str) -> None:
        """A value out of a list is refused with the nearest."""
        assert fault(text).remedy == "did you mean 'hang'?"

    def test_format(self) -> None:
        """Another format is refused, on its line."""
        assert fault("python: '3'\nformat: 2\n").line == 2

    def test_bounds(self) -> None:
        """A number out of its bounds is refused with the value."""
        assert "0" in fault("format: 1\ntimeout: 0\n").problem


class TestSeveral:
    """All faults are told at once, in the order of the lines."""

    def test_at_once(self) -> None:
        """Three kinds of faults, one error, sorted."""
        text = "format: 1\npython: 3.10\npyhton: x\npins:\n  a: no\n  a: 'b'\nkind: hang\nkind: hang\n"
        found = faults(text)
        assert [item.line for item in found] == sorted(item.line for item in found)
        assert {(item.line, item.key) for item in found} >= {(2, "python"), (3, "pyhton"), (6, "a"), (8, "kind")}

    def test_message_has_a_line_each(self) -> None:
        """The error's text is one line a fault."""
        with pytest.raises(RecordError) as caught:
            parse(Document, "format: 1\npython: 3.10\nxyzzy: 1\n", FILE)
        assert len(str(caught.value).splitlines()) == 2


class TestNotADocument:
    """What is no mapping of YAML is a fault of the file, never a crash."""

    @pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "word", "1", "null", "---\n"])
    def test_not_a_mapping(self, text: str) -> None:
        """Nothing, a list and a scalar are no record."""
        assert fault(text).problem == "a mapping is expected here"

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("format: 1\nx: [1,\n", 3),
            ("format: 1\n\ttab: 1\n", 2),
            ("format: 1\na: b: c\n", 2),
            ("format: 1\na: 'open\n", 3),
            ("format: 1\na: *nothing\n", 2),
            ("format: 1\n---\nformat: 1\n", 2),
            ("format: 1\nx: !!python/name:os.system\n", 2),
            ("format: 1\npython: !version 3.10\n", 2),
            ("format: 1\npython: 2024-13-45\n", 2),
        ],
    )
    def test_broken(self, text: str, line: int) -> None:
        """Broken YAML, unknown tags and impossible dates are named with their line."""
        found = fault(text)
        assert found.problem.startswith("not valid YAML")
        assert found.line == line

    @pytest.mark.parametrize("text", ["format: 1\nx: \x00\n", "format: 1\nx: \x07\n"])
    def test_odd(self, text: str) -> None:
        """Control characters are faults too."""
        assert fault(text).problem.startswith("not valid YAML")


class TestRead:
    """Files that cannot be read are faults as well."""

    def test_read(self, tmp_path: Path) -> None:
        """A valid file."""
        file = tmp_path / "x.yaml"
        file.write_text("format: 1\npython: '3.10'  # ü\n", encoding="utf-8")
        assert read_yaml(Document, file).python == "3.10"

    def test_missing(self, tmp_path: Path) -> None:
        """A missing file is named, without a line."""
        with pytest.raises(RecordError, match=r"x\.yaml: cannot be read: No such file") as caught:
            read_yaml(Document, tmp_path / "x.yaml")
        assert caught.value.faults[0].line == 0

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is no file."""
        with pytest.raises(RecordError, match="is a folder; a regular file is expected"):
            read_yaml(Document, tmp_path)

    def test_not_utf8(self, tmp_path: Path) -> None:
        """Another encoding is refused in words."""
        file = tmp_path / "x.yaml"
        file.write_bytes(b"format: 1 # \xe9\xff\n")
        with pytest.raises(RecordError, match="is not UTF-8 text"):
            read_yaml(Document, file)

    def test_lines(self, tmp_path: Path) -> None:
        """The line of every key, for faults that are found later."""
        file = tmp_path / "x.yaml"
        file.write_text("format: 1\npins:\n  torch: '1'\nlisted:\n- version: '1'\n", encoding="utf-8")
        lines = lines_of(file)
        assert lines["pins", "torch"] == 3
        assert lines["listed", 0, "version"] == 5
        assert lines["listed",] == 4


class TestHostile:
    """Documents made to exhaust the reader: one clear line each, at once."""

    @pytest.mark.parametrize(
        "text",
        [
            "format: " + "[" * 100_000,
            "format: " + "{a: " * 50_000,
            "format:\n" + "- " * 100_000 + "x",
            "format: " + "[" * 41 + "]" * 41,
        ],
        ids=["sequences", "mappings", "compact", "just too deep"],
    )
    def test_deep(self, text: str) -> None:
        """libyaml's composer recurses in C: this ended the process with a segmentation fault."""
        assert "nests deeper than 40 levels" in str(fault(text))

    @pytest.mark.parametrize("text", ["x: &a [*a]\n", "&a {b: *a}\n"])
    def test_endless(self, text: str) -> None:
        """An alias inside what it stands for."""
        assert "once its aliases are followed" in str(fault(text))

    def test_billion_laughs(self) -> None:
        """Ten lines of aliases stand for ten to the ninth values."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        began = time.monotonic()
        assert "once its aliases are followed" in str(fault("\n".join(lines)))
        assert time.monotonic() - began < 10

    def test_file(self, tmp_path: Path) -> None:
        """A FIFO in place of a record, and a record of two megabytes."""
        os.mkfifo(tmp_path / "fifo.yaml")
        (tmp_path / "large.yaml").write_text("format: 1 #" + "x" * 2_000_000)
        for name, words in (("fifo.yaml", "is a FIFO"), ("large.yaml", "is larger than")):
            with pytest.raises(RecordError, match=words):
                read_yaml(Document, tmp_path / name)
