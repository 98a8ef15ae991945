"""The commands that repeat what a page shows.  Pure."""

import shlex
from collections.abc import Sequence

from repro.catalog.catalog import Entry
from repro.model.cell import Adopted, Cell, Overlaid, make_cell, stage_cells
from repro.model.failure import WORLD_SIZE, Lane
from repro.model.rank_launcher import by_hand as launched_by_hand
from repro.model.stages import FOLDER_FLAG, STAGE_FLAG

PACK = "pack"
"""The folder that `repro pack` wrote."""


def repeat(cell: Cell, catalog_option: Sequence[str] = ()) -> str:
    """The command that runs one cell again."""
    words = ["repro", "run", cell.failure, *catalog_option]
    if isinstance(cell.environment, Overlaid):
        words += ["--overlay", PACK]
    if isinstance(cell.environment, Adopted):
        words += ["--python", "PATH"]
    else:
        words += ["--env", cell.environment.name]
    for role, environment in cell.roles.items():
        words += ["--stage-env", f"{role}={environment.label}"]
    if cell.lane is not Lane.CPU:
        words += ["--lane", cell.lane]
    if cell.backport:
        words += ["--backport-named", cell.backport]
    for name, value in cell.factors.items():
        words += ["--set", f"{name}={value}"]
    if cell.nodes > 1:
        words += ["--nodes", str(cell.nodes)]
    return shlex.join([*words, "--fresh"])


def by_hand(entry: Entry) -> str:
    """The commands that run the reproduction without this harness, in the reader's own environment."""
    failure = entry.failure
    script = f"{entry.shown_folder}/{entry.script.name}"

    def words(cell: Cell) -> tuple[str, ...]:
        launcher = failure.launcher(cell.factors)
        return launched_by_hand(launcher, cell.world_size, f"{entry.shown_folder}/{launcher.config}")

    cell = make_cell(failure, "any")
    if not failure.stages:
        return shlex.join([*words(cell), script])
    # One command for each stage: each may be given in an environment of its own.
    return "\n".join(
        shlex.join([*words(job), script, f"--{STAGE_FLAG}", job.stage, f"--{FOLDER_FLAG}", "DIR"])
        for job in stage_cells(failure, cell)
    )


def questions(entry: Entry, ablated: str | None) -> list[tuple[str, str]]:
    """Further commands for a failure, each with what it produces."""
    failure, option = entry.failure, entry.catalog_option
    found = [(shlex.join(["repro", "run", failure.id, *option]), "the evidence table")]
    if failure.claims:
        found.append((shlex.join(["repro", "claims", failure.id, *option]), "the claims and the tables"))
    if ablated and any(factor.name != WORLD_SIZE for factor in failure.factors):
        found.append((shlex.join(["repro", "ablate", failure.id, "--env", ablated, *option]), "the ablation"))
    return [*found, (shlex.join(["repro", "report", "--html", *option]), "these pages, from what is stored")]
