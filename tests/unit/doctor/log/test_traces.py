"""What a log shows of errors: every form of a traceback, and what is lost peers only."""

import io

import pytest

from repro.doctor.log.lines import read_lines
from repro.doctor.log.traces import MOST_TRACES, Read, TraceReader, only_reports, owner, package_of
from repro.model.observation import Origin

SITE = "/opt/venv/lib/python3.11/site-packages/"
FORMS = {
    "plain": [
        "Traceback (most recent call last):", '  File "/job/a.py", line 1, in main', "    x()",
        f'  File "{SITE}torch/a.py", line 2, in step', "    y", "KeyError: 'x'",
    ],
    "cut head": ['  File "/job/a.py", line 1, in main', f'  File "{SITE}torch/a.py", line 2, in step', "KeyError: 'x'"],
    "ipython": [
        "KeyError                Traceback (most recent call last)", "File /job/a.py:1, in main(x)", "----> 1 x()", "",
        f"File {SITE}torch/a.py:2, in step(self)", "----> 2 y", "", "KeyError: 'x'",
    ],
    "colab": [
        "[/job/a.py](https://localhost:8080/#) in main(x)", "----> 1 x()", "",
        f"{SITE}torch/a.py in step(self)", "----> 2 y", "", "KeyError: 'x'",
    ],
    "rich": [
        "╭──── Traceback (most recent call last) ────╮", "│ /job/a.py:1 in main │", "│ ❱ 1 x() │",
        f"│ {SITE}torc │", "│ h/a.py:2 in step │", "╰────────╯", "KeyError: 'x'",
    ],
}  # fmt: skip
"""The same traceback in the forms that people paste."""


def read(text: str) -> Read:
    return TraceReader().read(read_lines(io.BytesIO(text.encode())))


def frames(text: str) -> list[str]:
    (trace,) = read(text).traces
    return [f"{package_of(frame)}:{frame.function}" for frame in trace.error.frames]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (SITE + "torch/nn/modules/module.py", (Origin.LIBRARY, "torch/nn/modules/module.py")),
        ("C:\\venv\\Lib\\site-packages\\torch\\serialization.py", (Origin.LIBRARY, "torch/serialization.py")),
        ("/usr/local/lib/python3.12/dist-packages/peft/a.py", (Origin.LIBRARY, "peft/a.py")),
        ("/src/transformers/src/transformers/trainer.py", (Origin.LIBRARY, "transformers/trainer.py")),
        ("lightning/pytorch/strategies/fsdp.py", (Origin.LIBRARY, "lightning/pytorch/strategies/fsdp.py")),
        ("/usr/lib/python3.10/contextlib.py", (Origin.STDLIB, "contextlib.py")),
        ("<frozen runpy>", (Origin.STDLIB, "<frozen runpy>")),
        ("/job/train.py", (Origin.SCRIPT, "train.py")),
        ("/home/me/transformers/train.py", (Origin.SCRIPT, "train.py")),
        ("/home/me/torch/run.py", (Origin.SCRIPT, "run.py")),
    ],
)
def test_owner(path: str, expected: tuple[Origin, str]) -> None:
    """Whose code a path is; a folder of the user that is named as a library is the user's."""
    assert owner(path) == expected


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    """Every form gives the same frames and the same exception."""
    text = "\n".join(FORMS[form])
    assert frames(text) == ["script:main", "torch:step"]
    (trace,) = read(text).traces
    assert trace.error.line == "KeyError: 'x'"


def test_ranks_with_prefixes_are_taken_apart() -> None:
    """Two ranks whose lines alternate: two tracebacks, shown once with the number of ranks."""
    one = ["Traceback (most recent call last):", '  File "/job/a.py", line 1, in main', "    x()", "KeyError: 'x'"]
    text = "\n".join(f"[rank{rank}]: {line}" for line in one for rank in (0, 1))
    (trace,) = read(text).traces
    assert (trace.ranks, trace.mixed, len(trace.error.frames)) == (2, False, 1)


def test_ranks_without_prefixes_are_marked() -> None:
    """Without prefixes their frames are mixed: it is said, and the order counts no more."""
    text = (
        'Traceback (most recent call last):\n  File "/job/a.py", line 1, in main\nTraceback (most recent call last):\n'
        "  File \"/job/a.py\", line 1, in main\n    x()\nKeyError: 'x'\n"
    )
    assert read(text).traces[0].mixed


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("KeyErrorKeyError: : 'x''x'", "KeyError", "'x'"),
        (
            "torch.utils.checkpoint.CheckpointError: torch.utils.checkpoint: A",
            "CheckpointError",
            "torch.utils.checkpoint: A",
        ),
        ("```RuntimeError: Expected to mark```", "RuntimeError", "Expected to mark```"),
        ("ERROR:root:job failed: ValueError: bad value", "ValueError", "bad value"),
    ],
)
def test_lines_alone(line: str, kind: str, message: str) -> None:
    """An exception in a line of its own, or run together by two ranks."""
    (trace,) = read(line).traces
    assert (trace.error.type, trace.error.message) == (kind, message)


@pytest.mark.parametrize(
    "line", ["UserWarning: x", "mean squared Error = 0.3", "Error: x", "step: 3 Exceptions: 0", "loss: 0.5"]
)
def test_no_exceptions(line: str) -> None:
    """What only looks like an exception is none."""
    assert read(f"Warning\n{line}\n").traces == []


def test_message_of_many_lines() -> None:
    """A message goes on over its lines, and ends where a logger writes."""
    text = "ValueError: first\nsecond\n\tthird\n2026-01-05 10:00:00,123 - INFO - next\nfourth\n"
    (trace,) = read(text).traces
    assert trace.error.message == "first\nsecond\n\tthird"


def test_type_that_was_lost() -> None:
    """The message in the exception's place, without its type; never a line of code."""
    text = "  File \"/job/a.py\", line 1, in main\n    x()\n    ^^^\n'AdamW' object has no attribute 'train'\n"
    (trace,) = read(text).traces
    assert (trace.error.type, trace.error.message) == ("", "'AdamW' object has no attribute 'train'")


def test_spawn() -> None:
    """Of mp.spawn the inner exception is the cause; the outer one only reports it."""
    text = (
        'Traceback (most recent call last):\n  File "/job/a.py", line 1, in main\n    mp.spawn(f)\n'
        "torch.multiprocessing.spawn.ProcessRaisedException: \n\n-- Process 1 terminated with the following error:\n"
        "Traceback (most recent call last):\n  File \"/job/b.py\", line 1, in f\n    x()\nKeyError: 'x'\n"
    )
    outer, inner = read(text).traces
    assert (only_reports(outer), only_reports(inner)) == (True, False)
    assert [frame.function for frame in inner.error.frames] == ["f"]


def test_chain() -> None:
    """An exception knows from which one it came."""
    text = (
        "KeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/job/b.py", line 1, in f\n    x()\nValueError: y\n'
    )
    first, second = read(text).traces
    assert (first.chain, second.chain) == (None, first.line)


def test_traceback_of_a_rank_inside_a_message() -> None:
    """torch's CheckpointException holds each rank's traceback: it has the outer frames as well."""
    text = (
        f'Traceback (most recent call last):\n  File "{SITE}lightning/a.py", line 1, in load_checkpoint\n    x()\n'
        "torch.distributed.checkpoint.api.CheckpointException: CheckpointException ranks:dict_keys([0])\n"
        f'Traceback (most recent call last): (RANK 0)\n  File "{SITE}torch/b.py", line 1, in local_step\n    x()\n'
        "RuntimeError: Missing key in checkpoint state_dict: a.\n"
    )
    _outer, inner = read(text).traces
    assert [frame.function for frame in inner.error.frames] == ["load_checkpoint", "local_step"]


@pytest.mark.parametrize(
    "text",
    [
        'Thread 42 (idle): "MainThread"\n    wait (torch/a.py:3)\n    main (train.py:9)\n',
        'Thread 0x00007f (most recent call first):\n  File "torch/a.py", line 3 in wait\n  File "a.py", line 9 in main',
    ],
    ids=["py-spy", "faulthandler"],
)
def test_stacks(text: str) -> None:
    """A dumped stack, the outermost frame in front."""
    (trace,) = read(text).traces
    assert trace.stack
    assert [frame.function for frame in trace.error.frames] == ["main", "wait"]


def test_lost_peers_are_no_cause() -> None:
    """The watchdog, the launcher's table and a peer's connection say only that another rank failed."""
    text = (
        "[rank4]:[E321 02:07:08 ProcessGroupNCCL.cpp:607] [Rank 4] Watchdog caught collective operation timeout\n"
        "RuntimeError: [../gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:41172\n"
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n====================\n"
        "Root Cause (first observed failure):\n[0]:\n  rank      : 5 (local_rank: 1)\n"
    )
    found = read(text)
    assert all(only_reports(trace) for trace in found.traces)
    assert (found.lost_count, found.failed_ranks) == (1, ["5"])


def test_reports_of_nccl() -> None:
    """What NCCL's threads log is no cause, in old and new forms; an exception that names the same file is one."""
    text = (
        "[rank0]:[E321 02:07:08 ProcessGroupNCCL.cpp:1664] [PG ID 0 PG GUID 0 Rank 0] Exception detected by watchdog\n"
        "[rank0]:[F321 02:07:08 ProcessGroupNCCL.cpp:1306] [PG 0 Rank 0] Dumped the flight recorder\n"
        "terminate called after throwing an instance of 'c10::DistBackendError'\n"
        "DistBackendError: NCCL error in: ../ProcessGroupNCCL.cpp:1970, unhandled cuda error, NCCL version 2.21.5\n"
    )
    found = read(text)
    assert found.lost_count == 3
    assert [only_reports(trace) for trace in found.traces] == [False]


def test_bounded() -> None:
    """Of very many errors the first and the last are kept, and the rest counted."""
    text = "".join(
        f"KeyError: 'k{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}'\n" for n in range(3000)
    )
    found = read(text)
    assert len(found.traces) == 2 * MOST_TRACES
    assert found.left_out == 3000 - 2 * MOST_TRACES
    assert found.traces[0].line == 1
    assert found.traces[-1].line == 3000
