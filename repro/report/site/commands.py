"""The commands that repeat what a page shows.  Pure."""

import shlex

from repro.catalog.catalog import Entry
from repro.model.cell import Adopted, Cell, Overlaid
from repro.model.failure import WORLD_SIZE, Failure, Lane

PACK = "pack"
"""The folder that `repro pack` wrote."""


def repeat(cell: Cell) -> str:
    """The command that runs one cell again."""
    words = ["repro", "run", cell.failure]
    if isinstance(cell.environment, Overlaid):
        words += ["--overlay", PACK]
    if isinstance(cell.environment, Adopted):
        words += ["--python", "PATH"]
    else:
        words += ["--env", cell.environment.name]
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
    """The commands that run the reproduction without this harness, in an environment of the reader's own."""
    failure = entry.failure
    words = ["torchrun", "--standalone", "--nproc-per-node", str(failure.needs.world_size)]
    return shlex.join([*words, f"repro/failures/{failure.id}/{entry.script.name}"])


def questions(failure: Failure, ablated: str | None) -> list[tuple[str, str]]:
    """Further commands for a failure, each with the question that it answers."""
    found = [(f"repro run {failure.id}", "the evidence table")]
    if failure.claims:
        found.append((f"repro claims {failure.id}", "the claims and the tables"))
    if ablated and any(factor.name != WORLD_SIZE for factor in failure.factors):
        found.append((shlex.join(["repro", "ablate", failure.id, "--env", ablated]), "the ablation"))
    return [*found, ("repro report --html", "these pages, from what is stored")]
