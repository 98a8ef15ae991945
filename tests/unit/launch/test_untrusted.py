"""What a rank leaves is read within limits, and never waited for."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.launch import untrusted
from repro.launch.untrusted import MAX_DEPTH, UntrustedError, excess, parse_json, read_bytes, text_of


class TestRead:
    """``read_bytes``."""

    def test_start_and_end(self, tmp_path: Path) -> None:
        """At most so many bytes, and the size of the whole."""
        file = tmp_path / "a"
        file.write_bytes(b"0123456789")
        assert read_bytes(file, 4) == (b"0123", 10)
        assert read_bytes(file, 4, tail=True) == (b"6789", 10)
        assert read_bytes(file, 99, tail=True) == (b"0123456789", 10)
        assert read_bytes(tmp_path / "none", 4) == (b"", 0)

    @pytest.mark.parametrize("kind", ["pipe", "folder", "link", "device"])
    def test_no_regular_file(self, tmp_path: Path, kind: str) -> None:
        """Opening a pipe would wait for ever, reading a device never end."""
        file = tmp_path / "rank0.jsonl"
        if kind == "pipe":
            os.mkfifo(file)
        elif kind == "folder":
            file.mkdir()
        elif kind == "link":
            file.symlink_to("/etc/passwd")
        else:
            file = Path("/dev/zero")
        with pytest.raises(UntrustedError, match=file.name):
            read_bytes(file, 4)

    def test_text(self) -> None:
        """Bytes that are no text are replaced; a carriage return ends a line."""
        assert text_of(b"a\r\nb\rc\xff\n") == "a\nb\nc�\n"


class TestJson:
    """``parse_json``."""

    def test_depth(self) -> None:
        """As many levels as are allowed, and one more; brackets in strings do not count."""
        text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
        assert json.dumps(parse_json(text)) == text
        for deep in ("[" + text + "]", '{"a":' * 100_000, "[" * 10_000_000):
            with pytest.raises(UntrustedError, match="levels deep"):
                parse_json(deep)
        quoted = json.dumps(["[" * 500 + '"\\', "{" * 500])
        assert parse_json(quoted) == json.loads(quoted)
        assert parse_json("[" + ",".join(["[]"] * 200) + "]") == [[]] * 200

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("1.5e-7", 1.5e-7),
            ("1e999", "1e999"),
            ("-Infinity", "-Infinity"),
            ("NaN", "NaN"),
            ('"\\ud800x"', "?x"),
            ('{"\\udfff": 1}', {"?": 1}),
        ],
    )
    def test_storable(self, text: str, value: object) -> None:
        """Numbers that JSON has no form for become text; lone surrogates are replaced."""
        assert parse_json(text) == value

    @pytest.mark.parametrize("text", ["", "x", "[", "[1,]", "1" * 5000])
    def test_no_json(self, text: str) -> None:
        """Whatever is no JSON is a ValueError, and no other."""
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)

    @settings(max_examples=200, deadline=None)
    @given(st.one_of(st.text(), st.text('[]{}",:\\1eu', max_size=300)))
    def test_any_text(self, text: str) -> None:
        """Any text gives a value that can be stored, or a ValueError."""
        try:
            value = parse_json(text)
        except ValueError:
            return
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


class TestExcess:
    """``excess``: a run that writes too much is found early."""

    def test_within(self, tmp_path: Path) -> None:
        """Logs, events, checkpoints of usual size."""
        (tmp_path / "rank0.log").write_bytes(bytes(1000))
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner" / "rank0.log").write_bytes(bytes(1000))
        assert excess(tmp_path) is None
        assert excess(tmp_path / "none") is None

    @pytest.mark.parametrize(
        ("name", "limit", "reason"),
        [
            ("rank7.log", "MAX_OUTPUT_BYTES", "rank 7 wrote more than"),
            ("rank7.jsonl", "MAX_JOURNAL_BYTES", "rank 7 wrote more than"),
            ("launcher.log", "MAX_OUTPUT_BYTES", "the launcher wrote more than"),
            ("inner/file", "MAX_FOLDER_BYTES", "the run wrote more than"),
        ],
    )
    def test_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limit: str, reason: str) -> None:
        """A file, or all of them together."""
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * 10_000)
        monkeypatch.setattr(untrusted, limit, 20_000)
        assert excess(tmp_path) is None
        monkeypatch.setattr(untrusted, limit, 4_000)
        assert str(excess(tmp_path)).startswith(reason)

    def test_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Very many files."""
        monkeypatch.setattr(untrusted, "MAX_FOLDER_FILES", 3)
        for number in range(4):
            assert excess(tmp_path) is None
            (tmp_path / str(number)).touch()
        assert "made more than 3 files" in str(excess(tmp_path))

    def test_file_that_goes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A link that leads nowhere and a loop of links do no harm."""
        (tmp_path / "loop").symlink_to(tmp_path)
        (tmp_path / "gone").symlink_to(tmp_path / "none")
        monkeypatch.setattr(untrusted, "MAX_FOLDER_FILES", 3)
        assert excess(tmp_path) is None
