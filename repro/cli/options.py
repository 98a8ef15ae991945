"""Arguments and options that several commands have; one name and one meaning for each.

A command may take a group of options as one frozen dataclass: ``@grouped`` turns each of its fields into an option.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

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


Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of failures [default: all].")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="How many times to run each cell.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Run cells again even if stored runs exist.")]
ChosenLauncher = Annotated[
    Launcher,
    typer.Option(
        "--launcher", help="warm: import once and fork the ranks, where possible; torchrun: always use torchrun."
    ),
]
FullDeadline = Annotated[
    bool,
    typer.Option(
        "--full-deadline",
        help="Wait for the deadline of every hang; else a warm run ends once all its ranks stand still.",
    ),
]
KeepWarm = Annotated[
    int | None,
    typer.Option(
        "--keep-warm",
        metavar="MINUTES",
        help="Keep spare warm processes for later commands until so many idle minutes have passed; 0 for none "
        "[default: REPRO_KEEP_WARM, or 0]. `repro envs stop` ends them.",
    ),
]
Reports = Annotated[
    Path | None,
    typer.Option(
        "--reports",
        metavar="DIR",
        help="Folder of the reports and their data [default: reports/; of another catalogue: reports/ inside it].",
    ),
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML to FILE.")]


@dataclass(frozen=True)
class RunOptions:
    """How cells run, and where results go: the options of every command that runs many cells."""

    repeat: Repeat = 1
    fresh: Fresh = False
    launcher: ChosenLauncher = Launcher.WARM
    full_deadline: FullDeadline = False
    keep_warm: KeepWarm = None
    reports: Reports = None
    catalog: Elsewhere = None
    as_json: Json = False


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a dataclass by its fields, so that Typer shows these as options."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        group = groups.get(name)
        if group is None:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        annotations = get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=annotations[item.name]
            )
            for item in fields(group)
        ]

    @wraps(command)
    def flat(**values: Any) -> None:
        made = {
            name: group(**{item.name: values.pop(item.name) for item in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **made)

    vars(flat)["__signature__"] = inspect.Signature(parameters)
    flat.__annotations__ = {item.name: item.annotation for item in parameters}
    del vars(flat)["__wrapped__"]
    return flat
