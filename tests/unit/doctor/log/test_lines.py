"""A log as cleaned lines: every prefix that launchers and viewers write, in bounded memory."""

import io
import json

import pytest

from repro.doctor.log import lines as lines_module
from repro.doctor.log.lines import BLOCK_BYTES, LINE_BYTES, MOST_LEARNED, WINDOW, Cleaner, Extent, Line, read_lines

HEAD = "Traceback (most recent call last):"


def lines_of(text: str | bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(text if isinstance(text, bytes) else text.encode())))


@pytest.mark.parametrize(
    ("prefix", "rank"),
    [
        ("", None),
        ("[rank3]: ", "3"),
        ("[rank3]: [rank3]: ", "3"),
        ("[rank: 3] ", "3"),
        ("[default3]:", "3"),
        ("3: ", "3"),
        ("3: [rank3]: ", "3"),
        ("[pod/train-7/pytorch] [rank3]: ", "3"),
        ("[default0]:[rank3]: ", "3"),
        ("\x1b[36m(RayTrainWorker pid=311, ip=10.0.0.2)\x1b[0m ", "311"),
        ("E1104 10:11:13.390000 140323527751488 torch/distributed/elastic/api.py:826] ", None),
        ("2026-01-05 10:00:00,123 - ERROR - trainer - ", None),
        ("2026-01-05T10:00:00.123456Z ", None),
        ("[2026-01-05 10:00:00,123] [ERROR] ", None),
        ("   17\t", None),
        ("  17 | ", None),
        ("> ", None),
        ("^C[rank3]: ", "3"),
        ("worker-1: [rank3]: ", "3"),
        ("\x1b[31m", None),
    ],
)
def test_prefixes(prefix: str, rank: str | None) -> None:
    """What launchers, loggers, viewers and people write in front of a line is taken off; the rank is kept."""
    (line,) = lines_of(prefix + HEAD)
    assert (line.text.strip(), line.rank) == (HEAD, rank)


def test_indentation_of_a_frame_is_kept() -> None:
    """The line of a frame stays indented behind torchrun's prefix."""
    (line,) = lines_of('[rank0]:   File "/job/a.py", line 1, in f')
    assert line.text == '  File "/job/a.py", line 1, in f'


def test_json_lines() -> None:
    """A logger's JSON object gives the lines of its message and traceback, with its rank."""
    entry = {
        "levelname": "ERROR",
        "rank": 2,
        "message": "failed",
        "exc_info": f"{HEAD}\n  File \"a.py\", line 1, in f\nKeyError: 'x'",
    }
    lines = lines_of(json.dumps(entry))
    assert [line.text for line in lines] == ["failed", HEAD, '  File "a.py", line 1, in f', "KeyError: 'x'"]
    assert {line.rank for line in lines} == {"2"}


def test_box_of_rich() -> None:
    """The frame that rich draws is taken off."""
    (line,) = Cleaner().lines("│ /opt/venv/a.py:91 in load           │", 1)
    assert (line.text, line.boxed) == ("/opt/venv/a.py:91 in load", True)


FRAME = '  File "/job/train.py", line 9, in step'
POD = "train-worker-0 pytorch "


@pytest.mark.parametrize(
    ("prefix", "rank"),
    [
        (POD, "0"),
        ("\x1b[38;5;12mtrain-worker-0\x1b[0m \x1b[34mpytorch\x1b[0m ", "0"),
        (POD + "2026-01-05T10:00:00.123456789Z ", "0"),
        ("train-7d9f8b6c5-x2x8z main ", "x2x8z"),
        (POD + "[rank3]: ", "3"),
        ("2026-01-05T10:00:00.1234567Z " + POD, "0"),
    ],
)
def test_stern(prefix: str, rank: str) -> None:
    """stern writes pod and container as two words; they are known once they stand before a traceback or a frame."""
    texts = [HEAD, FRAME, "    f(x)", "KeyError: 'x'"]
    lines = lines_of("".join(f"{prefix}{text}\n" for text in texts))
    assert [line.text.strip() for line in lines] == [text.strip() for text in texts]
    assert {line.rank for line in lines} == {rank}


def test_stern_with_namespaces() -> None:
    """Of three words only a frame says that they are no prose."""
    prefix = "ml-jobs train-worker-0 pytorch "
    lines = lines_of("".join(f"{prefix}{text}\n" for text in (HEAD, FRAME, "KeyError: 'x'")))
    assert [(line.text, line.rank) for line in lines[1:]] == [(FRAME, "0"), ("KeyError: 'x'", "0")]
    assert lines[0] == Line(1, prefix + HEAD)


@pytest.mark.parametrize(
    "text",
    [
        "gpt-2 model KeyError: 'x'",  # no traceback: two words of prose
        "the following Traceback (most recent call last):",  # no name of a pod
        "see worker-0 and Traceback (most recent call last):",
        "train-worker-0 pytorch says Traceback (most recent call last):",
        "Train-worker-0 pytorch Traceback (most recent call last):",
    ],
)
def test_two_words_of_prose(text: str) -> None:
    """What may be prose stays as it is, and teaches nothing."""
    lines = lines_of(f"{text}\ngpt-2 model weights, KeyError: 'x'\n")
    assert [(line.text, line.rank) for line in lines] == [(text, None), ("gpt-2 model weights, KeyError: 'x'", None)]


def test_pods_without_end() -> None:
    """Not more prefixes are remembered than the limit, and those beyond it are taken off before a traceback only."""
    texts = [f"pod-{n} main {HEAD}\npod-{n} main KeyError: 'x'\n" for n in range(MOST_LEARNED + 1)]
    lines = lines_of("".join(texts))
    assert [line.text for line in lines[-4:]] == [HEAD, "KeyError: 'x'", HEAD, f"pod-{MOST_LEARNED} main KeyError: 'x'"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0: {HEAD}1: {HEAD}", [("0", HEAD), ("1", HEAD)]),
        ("0: KeyError: 'x'1: KeyError: 'x'", [("0", "KeyError: 'x'"), ("1", "KeyError: 'x'")]),
        ("0: KeyError: 'x'11: KeyError: 'x'", [("0", "KeyError: 'x'"), ("11", "KeyError: 'x'")]),
        (f"0: KeyError: 'x'1: {HEAD}", [("0", "KeyError: 'x'"), ("1", HEAD)]),
        (f"0: {FRAME}1: {FRAME}", [("0", FRAME), ("1", FRAME)]),
        ("KeyError: 'x'KeyError: 'x'", [(None, "KeyError: 'x'"), (None, "KeyError: 'x'")]),
        (f"{HEAD}{HEAD}", [(None, HEAD), (None, HEAD)]),
    ],
)
def test_two_ranks_in_one_line(text: str, expected: list[tuple[str | None, str]]) -> None:
    """Ranks that write at once may miss the end of a line; each part is a line of its own rank."""
    assert [(line.rank, line.text) for line in lines_of(text)] == expected


def test_digits_before_a_label() -> None:
    """Digits belong to the label that other lines have; where none has, the line stays whole."""
    other = FRAME.replace("step", "forward")
    known = lines_of(f"0: {HEAD}\n1: {HEAD}\n0: {FRAME}11: {other}\n")
    assert [(line.rank, line.text) for line in known[2:]] == [("0", f"{FRAME}1"), ("1", other)]
    (line,) = lines_of(f"0: {FRAME}11: {other}")
    assert (line.rank, line.text) == ("0", f"{FRAME}11: {other}")


@pytest.mark.parametrize(
    "text",
    [
        "0: ValueError: got 3 values, expected 1: KeyError: 'x'",
        "0: KeyError: 'x'1: KeyError: 'y'",
        "0: step 3: Traceback (most recent call last):",
        "KeyError: 'x' KeyError: 'x'",
        "bye bye",
    ],
)
def test_one_rank_in_one_line(text: str) -> None:
    """What one rank may have written itself is never divided."""
    assert len(list(Cleaner().lines(text, 1))) == 1


def test_carriage_returns() -> None:
    """A progress bar that is drawn again and again is many lines, and the number of a line counts newlines only."""
    bar = "".join(f"{n}%|\r" for n in range(200))
    (line,) = lines_of(f"first\n{bar}KeyError: 'x'")
    assert (line.text, line.number) == ("KeyError: 'x'", 2)


def test_only_what_may_matter() -> None:
    """Lines far from an error are not cleaned; those after one are, for its message."""
    quiet = ["step 1 loss 0.5"] * 500
    lines = lines_of("\n".join([*quiet, HEAD, *quiet]))
    assert lines[0].text == HEAD
    assert len(lines) == WINDOW
    assert lines[0].number == 501


def test_long_lines() -> None:
    """What stands far behind in a line is not read, and the next line is read again."""
    lines = lines_of(b"KeyError " + b"x" * (3 * BLOCK_BYTES) + b"\nValueError: y\n")
    assert [len(line.text) for line in lines] == [LINE_BYTES, len("ValueError: y")]
    assert lines[1].number == 2


def test_utf16() -> None:
    """PowerShell writes UTF-16."""
    (line,) = lines_of("KeyError: 'ä'\n".encode("utf-16"))
    assert line.text == "KeyError: 'ä'"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"\x00" * 5000 + b"Error: x", bytes(range(256)) * 50, b"{" * 100_000 + b"Error}"]
)
def test_hostile(content: bytes) -> None:
    """No bytes make it fail, and no control character is left."""
    for line in lines_of(content):
        assert line.text.replace("\t", "").isprintable() or "\ufffd" in line.text


def test_count() -> None:
    """All lines are counted, also those that are passed over."""
    extent = Extent()
    list(read_lines(io.BytesIO(b"a\nb\nKeyError: 1\nc\n" * 10), (), extent))
    assert extent == Extent(lines=40)


def test_very_many_lines_that_may_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start and the end are read, and it is said how much was not."""
    monkeypatch.setattr(lines_module, "HEAD_LINES", 10)
    monkeypatch.setattr(lines_module, "TAIL_LINES", 5)
    extent = Extent()
    text = "".join(f"KeyError: {n}\n" for n in range(100))
    read = list(read_lines(io.BytesIO(text.encode()), (), extent))
    assert [line.number for line in read if line.text] == [*range(1, 11), *range(96, 101)]
    assert extent.left_out == 85


def test_a_warning_matters_in_its_own_line_only() -> None:
    """A log with a warning in every step is not read as a whole; a line with an error in it too is."""
    quiet = "step 1\n" * 50
    assert len(lines_of(f"UserWarning: x\n{quiet}")) == 1
    assert len(lines_of(f"UserWarning: x, KeyError: y\n{quiet}")) == WINDOW


@pytest.mark.parametrize("text", [r"^parameters = 3$", r"[$^]?parameters = \d$"])
@pytest.mark.parametrize("prefix", ["", "[rank1]: "])
def test_a_text_of_a_record_may_be_anchored(text: str, prefix: str) -> None:
    """``$`` is the end of a line, and ``^`` its beginning without a prefix; in a block of lines it was neither."""
    log = f"first\n{prefix}parameters = 3\nlast\n"
    found = list(read_lines(io.BytesIO(log.encode()), [text]))
    assert [line.text for line in found] == ["parameters = 3"]
