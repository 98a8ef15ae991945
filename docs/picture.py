"""Draws docs/terminal.svg: a real run of `repro run lightning-19492`, as a terminal of 112 columns shows it.

python docs/picture.py    # builds the environments of that failure if they are missing, and runs them
"""

import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from rich.console import Console

from repro.cli.app import command_of

ARGUMENTS = ["lightning-19492", "--env", "lightning-2.2.1-torch-2.2", "--env", "lightning-2.2.2-torch-2.2"]
WIDTH = 112


def main() -> None:
    """Run the command in this process on a console that records, and export what it recorded."""
    out = Console(record=True, width=WIDTH, highlight=False)
    command = command_of("run")
    with tempfile.TemporaryDirectory() as reports, patch("repro.cli.run.console", lambda **_: out):
        out.print(f"[dim]$[/] repro run {' '.join(ARGUMENTS)}")
        code = command.main([*ARGUMENTS, "--reports", reports], standalone_mode=False)
    out.save_svg(str(Path(__file__).parent / "terminal.svg"), title="repro")
    sys.exit(code)


if __name__ == "__main__":
    main()
