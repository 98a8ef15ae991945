"""Starts the bootstrap for real, as torchrun would, with this interpreter and no torch."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repro.files import BOOTSTRAP
from tests.unit.factories import journal

PATIENCE = 20.0


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something holds; fails the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for has ended too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@dataclass
class Bootstrap:
    """One rank's bootstrap in ``folder``, running ``source``."""

    folder: Path
    source: str
    rank: int = 0
    world_size: int = 1
    flags: tuple[str, ...] = ()
    job: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def script(self) -> Path:
        return self.folder / "failure" / "repro.py"

    def write(self, name: str, source: str) -> Path:
        """A file beside the script."""
        file = self.folder / "failure" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(textwrap.dedent(source), encoding="utf-8")
        return file

    def prepare(self) -> None:
        """Write the script and the job's file."""
        self.write("repro.py", self.source)
        job: dict[str, Any] = {
            "folder": str(self.folder),
            "script": str(self.script),
            "gates": [],
            "gates_file": None,
            "backport": None,
            "grace": 0.0,
        }
        (self.folder / "job.json").write_text(json.dumps(job | self.job), encoding="utf-8")

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(BOOTSTRAP), str(self.folder / "job.json"), *self.flags]

    def start(self) -> subprocess.Popen[bytes]:
        self.prepare()
        variables = {"RANK": str(self.rank), "WORLD_SIZE": str(self.world_size), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            self.command,
            env={"PATH": os.environ["PATH"]} | variables,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self) -> int:
        """Run it to its end; returns its exit code.  Its own output must be empty."""
        with self.start() as process:
            output, _ = process.communicate(timeout=PATIENCE)
        assert output == b""
        return process.returncode

    @property
    def journal_file(self) -> Path:
        return self.folder / f"rank{self.rank}.jsonl"

    @property
    def events(self) -> list[dict[str, Any]]:
        return journal(self.journal_file)

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def event(self, name: str) -> dict[str, Any]:
        (found,) = [event for event in self.events if event["event"] == name]
        return found

    @property
    def log(self) -> str:
        return (self.folder / f"rank{self.rank}.log").read_text(encoding="utf-8")

    def wait_until(self, name: str) -> None:
        """Wait for an event of the running rank."""
        wait_for(lambda: self.journal_file.exists() and f'"event": "{name}"' in self.journal_file.read_text("utf-8"))

    @property
    def pid(self) -> int:
        """The process of the script itself."""
        return int(self.event("started")["pid"])


STOPPED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
