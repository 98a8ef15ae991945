"""The same log as different launchers, loggers, viewers and people write it."""

import json
import re
from collections.abc import Callable

Form = Callable[[list[str]], list[str]]
FRAME = re.compile(r'^\s*File "(.*)", line (\d+), in (.*)$')
IS_DIVIDED = re.compile(r'Traceback \(most recent call last\):$|\s*File ".*", line \d+, in [a-z_<>]+$')
BAR = "\r".join(f" {n}%|{'#' * (n // 10)}| {n}/100 [00:01<00:09]" for n in range(0, 100, 7))
TABLE = """W1104 10:11:12.000000 140323527751488 torch/distributed/elastic/multiprocessing/api.py:851] Sending process 1521 closing signal SIGTERM
E1104 10:11:13.390000 140323527751488 torch/distributed/elastic/multiprocessing/api.py:826] failed (exitcode: 1) local_rank: 0 (pid: 1520) of binary: /opt/venv/bin/python
Traceback (most recent call last):
  File "/opt/venv/bin/torchrun", line 8, in <module>
    sys.exit(main())
  File "/opt/venv/lib/python3.11/site-packages/torch/distributed/launcher/api.py", line 264, in launch_agent
    raise ChildFailedError(
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2025-11-04_10:11:12
  rank      : 0 (local_rank: 0)
  exitcode  : 1 (pid: 1520)
============================================================""".splitlines()  # noqa: E501
LOST = [
    "[rank1]:[E1104 02:07:08.408 ProcessGroupNCCL.cpp:607] [Rank 1] Watchdog caught collective operation timeout: Work",
    "[rank3]: RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.1]",
]  # fmt: skip


def prefixed(prefix: str) -> Form:
    return lambda lines: [prefix + line for line in lines]


def coloured(lines: list[str]) -> list[str]:
    return [line.replace('"/', '"\x1b[35m/').replace('", line', '\x1b[0m", line') for line in lines]


def json_lines(lines: list[str]) -> list[str]:
    return [
        json.dumps({"time": "2026-01-01T00:00:00Z", "level": "error", "rank": 1, "message": line}) for line in lines
    ]


def one_json(lines: list[str]) -> list[str]:
    return [json.dumps({"levelname": "ERROR", "message": "training failed", "exc_info": "\n".join(lines)})]


def quoted(lines: list[str]) -> list[str]:
    return ["What happens:", "```", *lines, "```", "Any idea?"]


def numbered(lines: list[str]) -> list[str]:
    return [f"{number:6d}\t{line}" for number, line in enumerate(lines, start=1200)]


def two_ranks(lines: list[str]) -> list[str]:
    return [text for line in lines for text in (f"[rank0]: {line}", f"[rank1]: {line}")]


def glued(lines: list[str]) -> list[str]:
    """As srun labels the lines of two ranks that write at once, some without an end."""
    shown: list[str] = []
    for at, line in enumerate(lines):
        ranks = [f"0: {line}", f"1: {line}"]
        shown += ["".join(ranks)] if at % 3 == 0 and IS_DIVIDED.match(line) else ranks
    return shown


def in_a_job(lines: list[str]) -> list[str]:
    return [BAR, "INFO: training", *prefixed("[rank0]: ")(lines), *LOST, *TABLE]


def retried(lines: list[str]) -> list[str]:
    """A handled error long before, and one at the end that only follows."""
    handled = [
        "Traceback (most recent call last):",
        '  File "/job/data.py", line 3, in fetch',
        "ConnectionError: try again",
    ]
    return [*handled, *["step 1 loss 0.5"] * 100, *lines, *LOST]


def without_indent(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines]


def windows(lines: list[str]) -> list[str]:
    return [f"{line}\r" for line in lines]


def blocks(lines: list[str]) -> list[list[str]]:
    """The tracebacks of a log, each with what follows it."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("Traceback (most"):
            found.append([])
        found[-1].append(line)
    return found


def boxed(lines: list[str]) -> list[str]:
    """As rich draws a traceback: its frames in a box, the error below."""
    shown: list[str] = []
    for block in blocks(lines):
        last = max((at for at, line in enumerate(block) if FRAME.match(line)), default=-1)
        shown += ["╭──── Traceback (most recent call last) ────╮"] if last >= 0 else []
        for at, line in enumerate(block):
            found = FRAME.match(line)
            if found:
                shown.append(f"│ {found[1]}:{found[2]} in {found[3]} │")
            elif line.startswith("    ") and at == last + 1:
                shown += [f"│ ❱ 1 {line.strip()} │", "╰────────╯"]
            elif line.startswith("    ") and at <= last:
                shown.append(f"│ ❱ 1 {line.strip()} │")
            elif not line.startswith("Traceback (most"):
                shown.append(line)
    return shown


def arrows(lines: list[str]) -> list[str]:
    """As IPython shows a traceback."""
    shown: list[str] = []
    is_code = False
    for line in lines:
        found = FRAME.match(line)
        if found:
            shown += ["", f"File {found[1]}:{found[2]}, in {found[3]}(self, x)"]
        elif is_code and line.startswith("    "):
            shown += [f"----> 12 {line.strip()}", ""]
        elif line.startswith("Traceback (most"):
            shown += ["-" * 75, "Error                   Traceback (most recent call last)"]
        else:
            shown.append(line)
        is_code = found is not None
    return shown


def spawned(lines: list[str]) -> list[str]:
    """As mp.spawn reports what a process raised."""
    outer = ["Traceback (most recent call last):", '  File "/job/launch.py", line 1, in <module>', "    mp.spawn(f)"]
    raised = ["torch.multiprocessing.spawn.ProcessRaisedException: ", ""]
    return [*outer, *raised, "-- Process 1 terminated with the following error:", *lines]


def watched(lines: list[str]) -> list[str]:
    """NCCL's threads report lost peers, and dump the flight recorder."""
    return [
        LOST[0],
        "[rank1]:[E ProcessGroupNCCL.cpp:1664] [PG ID 0 PG GUID 0 Rank 1] Exception (either an error or timeout)",
        "[rank1]:[F321 02:07:08 ProcessGroupNCCL.cpp:1306] [PG 0 Rank 0] Dumped the flight recorder",
        *lines,
        "terminate called after throwing an instance of 'c10::DistBackendError'",
    ]


def between_bars(lines: list[str]) -> list[str]:
    return [f" 4%|#| 4/100 [00:01<00:09]\r 5%|#| 5/100 [00:01<00:09]\r{line}" for line in lines]


FORMS: dict[str, Form] = {
    "plain": lambda lines: lines,
    "rank": prefixed("[rank3]: "),
    "rank twice": prefixed("[rank3]: [rank3]: "),
    "tee": prefixed("[default3]:"),
    "srun": prefixed("3: "),
    "srun and rank": prefixed("3: [rank3]: "),
    "glued by srun": glued,
    "stern": prefixed("train-worker-0 pytorch "),
    "stern with times": prefixed(
        "\x1b[35mtrain-worker-0\x1b[0m \x1b[95mpytorch\x1b[0m 2026-01-05T10:00:00.123456789Z "
    ),
    "ray": prefixed("\x1b[36m(RayTrainWorker pid=4242, ip=10.0.0.7)\x1b[0m "),
    "kubernetes": prefixed("2026-01-05T10:00:00.123456789Z "),
    "logger": prefixed("2026-01-05 10:00:00,123 - trainer - ERROR - "),
    "logger in brackets": prefixed("[2026-01-05 10:00:00,123][root][ERROR] - "),
    "hydra": prefixed("[2026-01-05 10:00:00,123][__main__][ERROR] - [rank3]: "),
    "glog": prefixed("E0105 10:00:00.123456 140323527751488 torch/distributed/elastic/multiprocessing/api.py:826] "),
    "viewer": numbered,
    "github": prefixed("2026-01-05T10:00:00.1234567Z [rank3]: "),
    "coloured": coloured,
    "json lines": json_lines,
    "one json": one_json,
    "quoted": quoted,
    "two ranks": two_ranks,
    "job": in_a_job,
    "retried": retried,
    "without indent": without_indent,
    "windows": windows,
    "mail": prefixed("> "),
    "rich": boxed,
    "ipython": arrows,
    "mp.spawn": spawned,
    "watchdog": watched,
    "between bars": between_bars,
}
