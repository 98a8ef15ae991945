"""A harness to interrupt: runs a few cells in a session, as the command line does, and says what it has stored.

python -m tests.campaign.harness FOLDER ENVIRONMENT LAUNCHER [FULL]

With FULL, the store takes that many observations; then every write of it fails as on a full disk, in the middle.
"""

import itertools
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from repro.cli import run_command

if TYPE_CHECKING:
    from repro.model.cell import Cell
    from repro.verdict.result import Result

FULL_BYTES = 300
"""How large a file can become on the full disk: less than an observation."""
TIMEOUT = 4
PASSING = (
    "oracle()",
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(2)\noracle()",
    """
if os.fork() == 0:
    os.setsid()
    note()
    os.chdir('/')
    os.closerange(0, 64)
    os.execve('/bin/sleep', ['sleep', '600'], {})
oracle()
""",
    "time.sleep(1)\noracle()",
)
ENDLESS = (
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\ntime.sleep(600)",
    "os.kill(os.getpid(), signal.SIGSTOP) if faulty else None\noracle()",
)
SOURCES = (*PASSING, *ENDLESS, *PASSING)
"""What the ranks of each cell do."""


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file of this process grows beyond a few bytes; the kernel itself refuses, as for a quota."""
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES, held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)


class _Reports:
    """Says which observations are stored, at once."""

    def progress(self, text: str) -> None: ...

    def started(self, cell: "Cell") -> None: ...

    def finished(self, result: "Result") -> None:
        for observation in result.observations:
            sys.stdout.write(f"stored {observation.id}\n")
            sys.stdout.flush()

    def skipped(self, cell: "Cell", reason: str) -> None: ...


def main() -> None:
    # As in the command line: signals are handled before the slow imports.
    from repro.launch.session import Options, Session  # noqa: PLC0415
    from repro.model.observation import Observation  # noqa: PLC0415
    from repro.store.observations import Store  # noqa: PLC0415
    from tests.campaign.campaign import short_waits  # noqa: PLC0415
    from tests.campaign.scenarios import HEAD, LIGHTNING  # noqa: PLC0415
    from tests.unit.factories import cell, project, write_failure  # noqa: PLC0415
    from tests.unit.launch.fake import environment  # noqa: PLC0415

    written = itertools.count()
    room = int(sys.argv[4]) if len(sys.argv) > 4 else None

    class Bounded(Store):
        def add(self, observation: Observation) -> Path:
            if room is None or next(written) < room:
                return super().add(observation)
            with _full_disk():
                return super().add(observation)

    place, under_test = Path(sys.argv[1]), Path(sys.argv[2])
    made = project(place / "project", failures=False)
    cells = []
    for number, source in enumerate(SOURCES):
        script = HEAD.format(faulty=0, notes=str(place / "notes")) + source
        write_failure(made.failures, script=script, id=f"pytorch-{number}")
        cells.append(cell(failure=f"pytorch-{number}", environment="old"))
    interpreter = environment(under_test, lightning=LIGHTNING)
    with short_waits():
        options = Options(warm=sys.argv[3] == "warm", timeout=TIMEOUT)
        session = Session(made, Bounded(place / "reports"), options, _Reports(), provide=lambda _: interpreter)
        session.run(cells)


if __name__ == "__main__":
    run_command(main)
