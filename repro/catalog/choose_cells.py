"""The cells that a command line asks for."""

from collections.abc import Collection

from repro.catalog.default_cells import NotApplicable, all_cells, default_cells
from repro.catalog.project import Project
from repro.catalog.shards import shards
from repro.errors import UsageError, unknown
from repro.model.cell import OVERLAID, Cell, is_named, make_cell
from repro.model.failure import Lane


def of_shard(project: Project, cells: list[Cell], shard: str | None) -> list[Cell]:
    """The cells of one shard of the default ones, as ``2/6``; all where it is None.  Raises UsageError."""
    if shard is None:
        return cells
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard}: K/N is expected, such as 2/6")
    groups = shards(default_cells(project.matrix, project.catalog), int(count))
    return [cell for cell in cells if cell in groups[int(number) - 1]] if int(number) <= len(groups) else []


def choose_cells(
    project: Project,
    ids: list[str],
    *,
    environments: list[str],
    lane: Lane,
    backport: str | None,
    factors: dict[str, str],
    packed: Collection[str] | None = None,
    nodes: int = 1,
) -> list[Cell]:
    """The cells that a command line asks for: the default ones where it names nothing else.

    ``packed`` are the names of an overlay's environments: then all cells are of these.  Raises UsageError for any
    name that is not known.
    """
    catalog, matrix = project.catalog, project.matrix
    for name in environments:
        if packed is not None and name not in packed:
            raise unknown("packed environment", name, packed)
        if is_named(name) and name not in matrix.environments:
            raise unknown("environment", name, matrix.environments)
    chosen = [catalog[failure_id].failure.id for failure_id in ids] or list(matrix.runs)
    nowhere = [failure_id for failure_id in chosen if failure_id not in matrix.runs]
    if nowhere and not environments:
        raise UsageError(f"matrix.yaml runs {nowhere[0]} nowhere; name an environment with --env")
    # Who names no failure gets those that the lane can run.
    chosen = [name for name in chosen if ids or lane in catalog[name].failure.needs.lanes]
    if not environments and backport is None and not factors:
        cells = [
            make_cell(catalog[cell.failure].failure, cell.environment, lane=lane, backport=cell.backport, nodes=nodes)
            for cell in default_cells(matrix, catalog)
            if cell.failure in chosen
        ]
    else:
        cells = [
            make_cell(
                catalog[failure_id].failure, environment, lane=lane, backport=backport, factors=factors, nodes=nodes
            )
            for failure_id in chosen
            for environment in environments or matrix.runs[failure_id].environments
        ]
    if packed is None:
        return cells
    return [
        cell.model_copy(update={"environment": f"{OVERLAID}{cell.environment}"})
        for cell in cells
        if cell.environment in packed
    ]


def cells_everywhere(project: Project, ids: list[str], lane: Lane) -> tuple[list[Cell], list[NotApplicable]]:
    """The failures on all environments of the matrix, and what does not apply.

    Raises UsageError for an unknown id, RecordError for a lock that does not fit.
    """
    failures = [project.catalog[failure_id].failure for failure_id in ids or project.catalog.entries]
    versions = {name: project.environments.lock(name).versions for name in project.matrix.environments}
    return all_cells(failures, versions, lane)
