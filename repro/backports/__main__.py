"""``python -m repro.backports export lightning-19492 > fix.py``."""

import argparse
import sys
from pathlib import Path

from repro.backports.export import exported
from repro.backports.find import find, known
from repro.model.errors import ReproError


def main() -> int:
    """Print a backport as a self-contained file, or the list of failures with one; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m repro.backports",
        description="Cures of known failures at run time, for users who cannot upgrade.",
        epilog="Example: python -m repro.backports export lightning-19492 > fix.py",
    )
    parser.add_argument("--catalog", type=Path, metavar="DIR", help="folder of another catalogue")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="failures, the releases that have them, and what the cure changes")
    export = commands.add_parser("export", help="print a backport as a file that needs nothing of ours")
    export.add_argument("id", metavar="ID")
    export.add_argument("--backport", metavar="NAME", help="this one [default: the record's first cure]")
    asked = parser.parse_args()
    try:
        if asked.command == "export":
            sys.stdout.write(exported(find(asked.id, asked.backport, asked.catalog)))
            return 0
        for name in known(asked.catalog):
            backport = find(name, None, asked.catalog)
            sys.stdout.write(f"{name}: {backport.affected_text}: {backport.meaning}\n")
    except BrokenPipeError:  # the reader closed the pipe
        sys.stderr.close()
    except ReproError as error:
        sys.stderr.write(f"repro: {error}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
