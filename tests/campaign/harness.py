"""A harness to interrupt: runs a few cells in a session, as the command line does, and says what it has stored.

python -m tests.campaign.harness FOLDER ENVIRONMENT LAUNCHER
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from repro.cli import run_command

if TYPE_CHECKING:
    from repro.model.cell import Cell
    from repro.verdict.result import Result

SOURCES = (
    "oracle()",
    "time.sleep(1)\noracle()",
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
)


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
    from repro.store.observations import Store  # noqa: PLC0415
    from tests.campaign.campaign import short_waits  # noqa: PLC0415
    from tests.campaign.scenarios import HEAD, LIGHTNING  # noqa: PLC0415
    from tests.unit.factories import cell, project, write_failure  # noqa: PLC0415
    from tests.unit.launch.fake import environment  # noqa: PLC0415

    place, under_test = Path(sys.argv[1]), Path(sys.argv[2])
    made = project(place / "project", failures=False)
    cells = []
    for number, source in enumerate(SOURCES * 2):
        script = HEAD.format(faulty=0, notes=str(place / "notes")) + source
        write_failure(made.failures, script=script, id=f"pytorch-{number}")
        cells.append(cell(failure=f"pytorch-{number}", environment="old"))
    interpreter = environment(under_test, lightning=LIGHTNING)
    with short_waits():
        options = Options(warm=sys.argv[3] == "warm")
        session = Session(made, Store(place / "reports"), options, _Reports(), provide=lambda _: interpreter)
        session.run(cells)


if __name__ == "__main__":
    run_command(main)
