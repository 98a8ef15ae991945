"""What determines a run."""

import json
from pathlib import Path

from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.store.recipe import recipe_of
from repro.verdict.claims import cells_of
from tests.unit.factories import cell, entry

KNOWN = Path(__file__).parents[2] / "data" / "recipes.json"
"""The recipes of the cells of November 2026, made before records could hold more signatures and variables."""


def test_known_recipes() -> None:
    """Stored runs stay those of their cells: a recipe changes only with a script, a backport, a lock or the bootstrap.

    After such a change, run the cells again and put the new recipes here.
    """
    project = Project.here()
    cells = default_cells(project.matrix, project.catalog)
    cells += [cell for entry in project.catalog for cell in cells_of(entry.failure)]
    found = {
        f"{cell.label} {cell.lane} {cell.world_size}": recipe_of(
            cell, project.catalog[cell.failure], project.environments.lock(cell.environment.label).digest
        )[:16]
        for cell in cells
    }
    known: dict[str, str] = json.loads(KNOWN.read_text(encoding="utf-8"))
    assert len(known) == 500
    assert {label: found.get(label) for label in known} == known


def test_variables(tmp_path: Path) -> None:
    """A variable that a cell sets is part of its recipe, also where it is the default; one that is left out is not."""
    plain = entry(tmp_path / "a", factors=[])
    left_out = entry(tmp_path / "b", factors=[factor("unset", "1")])
    set_by_default = entry(tmp_path / "c", factors=[factor("1", "unset")])
    recipes = [recipe_of(cell(), held, "lock") for held in (plain, left_out, set_by_default)]
    assert recipes[0] == recipes[1] != recipes[2]


def test_launchers(tmp_path: Path) -> None:
    """The launcher, its arguments and its file are part of a recipe; torchrun is not named."""
    accelerate: dict[str, object] = {"name": "accelerate", "program": "accelerate", "config": "accelerate.yaml"}
    given: tuple[list[dict[str, object]], ...] = (
        [],
        [{"name": "torchrun", "program": "torchrun"}],
        [accelerate],
        [{**accelerate, "arguments": ["--debug"]}],
        [{"name": "python", "program": "python"}],
    )
    held = [entry(tmp_path / str(number), launchers=launchers) for number, launchers in enumerate(given)]
    plain, named, *others = [recipe_of(cell(), one, "lock") for one in held]
    assert plain == named
    (held[2].folder / "accelerate.yaml").write_text("num_processes: 2")
    assert len({plain, *others, recipe_of(cell(), held[2], "lock")}) == 5


def factor(*values: str) -> dict[str, object]:
    return {"name": "debug", "variable": "TORCH_DISTRIBUTED_DEBUG", "values": values, "meaning": "a test"}
