"""The jobs of a staged run: which interpreter and flags each has, and the folder that they share."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repro.environments.interpreter import Interpreter
from repro.model.cell import Cell, stage_cells
from repro.model.failure import Failure
from repro.model.observation import Installed
from repro.model.stages import FOLDER_FLAG, STAGE_FLAG
from repro.store.recipe import environment_key

SHARED = "shared"
"""The folder of all stages, in the run's own."""


@dataclass(frozen=True)
class Interpreters:
    """Where a run takes place: the interpreter of its last stage, or of its only job, and those of other roles."""

    own: Interpreter
    roles: Mapping[str, Interpreter]

    @property
    def installed(self) -> Installed:
        """What the last stage finds."""
        return self.own.installed

    @property
    def installed_by_role(self) -> dict[str, Installed]:
        """What the other roles find."""
        return {role: interpreter.installed for role, interpreter in self.roles.items()}

    @property
    def key(self) -> str:
        """What decides what all stages find installed."""
        return environment_key(self.installed, self.installed_by_role)

    @property
    def adopted(self) -> bool:
        """True if one of them is used as it is: it may be changed in place."""
        return any(interpreter.adopted for interpreter in (self.own, *self.roles.values()))


@dataclass(frozen=True)
class StageJob:
    """One job of a run: the whole run where the record has no stages."""

    cell: Cell
    interpreter: Interpreter
    timeout: int | None = None
    """Its own deadline, before ranks share cores; None for the record's."""

    def flags(self, folder: Path) -> tuple[str, ...]:
        """What tells the script its stage and the shared folder; nothing in a run without stages."""
        if not self.cell.stage:
            return ()
        return (f"--{STAGE_FLAG}", self.cell.stage, f"--{FOLDER_FLAG}", str(folder / SHARED))


def jobs_of(failure: Failure, cell: Cell, interpreters: Interpreters) -> list[StageJob]:
    """The jobs of a run, in order."""
    if not failure.stages:
        return [StageJob(cell, interpreters.own)]
    return [
        StageJob(job, interpreters.roles.get(stage.role, interpreters.own), stage.timeout)
        for stage, job in zip(failure.stages, stage_cells(failure, cell), strict=True)
    ]


def keep_shared(folder: Path) -> None:
    """Make a run's folder ready for its next stage: of the one before only the shared folder is left."""
    for left in folder.iterdir():
        if left.name == SHARED:
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()
