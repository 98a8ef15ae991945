"""Arguments and options that several commands have; one name and one meaning for each."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Elsewhere = Annotated[
    Path | None,
    typer.Option("--catalog", metavar="DIR", help="Folder of another catalogue [default: REPRO_CATALOG, or our own]."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON (format 1) on standard output.")]


class Launcher(StrEnum):
    """What starts the ranks."""

    WARM = "warm"
    TORCHRUN = "torchrun"


Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Failures; all where none is given.")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Run every cell so many times.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run even what is stored already.")]
ChosenLauncher = Annotated[
    Launcher,
    typer.Option(
        "--launcher", help="warm: import once, fork ranks, where that is possible; torchrun: always torchrun."
    ),
]
Reports = Annotated[
    Path | None, typer.Option("--reports", help="Folder of the reports and their data [default: reports/].")
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there too.")]
