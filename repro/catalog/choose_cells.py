"""Chooses the cells that a command line requests."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from repro.catalog.default_cells import NotApplicable, all_cells, default_cells
from repro.catalog.project import Project
from repro.catalog.shards import cells_of_shard
from repro.model.cell import Adopted, Cell, Environments, Named, Overlaid, make_cell
from repro.model.errors import UsageError, unknown
from repro.model.failure import Lane

_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,59}")


@dataclass(frozen=True)
class CellRequest:
    """The requested cells; by default those of the matrix."""

    ids: Sequence[str] = ()
    environments: Sequence[str] = ()
    """Names of environments in the matrix or the pack."""
    pythons: Sequence[Path] = ()
    """Interpreters to adopt; with a pack, the one interpreter that it is laid over."""
    everywhere: bool = False
    """True for all environments of the matrix that apply."""
    lane: Lane = Lane.CPU
    backport: str | None = None
    factors: Mapping[str, str] = field(default_factory=dict)
    nodes: int = 1
    packed: Collection[str] | None = None
    """The names of the environments in a pack; None without a pack."""
    shard: str | None = None
    """``K/N`` or ``K/N@DIGEST``: only this part of the default cells."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """The measured seconds of cells by label, by which ``K/N@DIGEST`` divides them."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Environments of roles of a record with stages; the others have that of ``environments``."""


@dataclass(frozen=True)
class Selection:
    """The cells to run, and the failures that do not apply to an environment."""

    cells: list[Cell]
    left_out: list[NotApplicable] = field(default_factory=list)


def choose_cells(project: Project, request: CellRequest) -> Selection:
    """The cells of a request.

    Raises UsageError for unknown names and contradicting options, RecordError for a lock that does not fit.
    """
    if request.everywhere:
        allowed = {"ids", "lane", "everywhere", "measured"}
        if any(
            getattr(request, item.name) != _default(item.name) for item in fields(request) if item.name not in allowed
        ):
            raise UsageError("--all-environments goes with ids, --lane and --repeat: it names all the rest itself")
        return _everywhere(project, request)
    if request.packed is not None and len(request.pythons) > 1:
        raise UsageError("--overlay: one --python is expected, the interpreter that it is laid over")
    return Selection(_of_shard(project, _chosen(project, request), request), _of_other_lanes(project, request))


def parse_factors(settings: Sequence[str]) -> dict[str, str]:
    """``["state-dict-type=full"]`` as a mapping; raises UsageError."""
    return _assignments("--set", "FACTOR=VALUE", settings)


def parse_roles(settings: Sequence[str]) -> dict[str, str]:
    """``["writer=torch-2.6"]`` as a mapping; raises UsageError."""
    roles = _assignments("--stage-env", "ROLE=NAME", settings)
    if "" in roles.values():
        raise UsageError("--stage-env: a name is expected after =, such as writer=torch-2.6")
    return roles


def _assignments(option: str, form: str, settings: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping; a name may be repeated with the same value only."""
    found: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not (name and equals):
            raise UsageError(f"{option} {setting}: {form} is expected")
        if found.setdefault(name, value) != value:
            raise UsageError(f"{option} {setting}: {name} is set to {found[name]} already")
    return found


def check_run_name(name: str | None) -> str | None:
    """The name of a run, which becomes part of file names, if it is valid; else raises UsageError."""
    if name is not None and not _RUN_NAME.fullmatch(name):
        raise UsageError(f"--run-name {name}: letters, digits, dots and dashes are expected, 60 at most")
    return name


def _default(name: str) -> object:
    return getattr(_NOTHING, name)


_NOTHING = CellRequest()


def _everywhere(project: Project, request: CellRequest) -> Selection:
    failures = [project.catalog[failure_id].failure for failure_id in request.ids or project.catalog.entries]
    versions = {name: project.environments.lock(name).versions for name in project.matrix.environments}
    return Selection(*all_cells(failures, versions, request.lane))


def _chosen(project: Project, request: CellRequest) -> list[Cell]:
    places = _environments(project, request)
    if request.roles and not places:
        raise UsageError("--stage-env names the environment of one role: --env names that of the others")
    catalog, matrix = project.catalog, project.matrix
    chosen = [catalog[failure_id].failure.id for failure_id in request.ids]
    chosen = chosen or [name for name in matrix.runs if name not in catalog.faults]
    nowhere = [failure_id for failure_id in chosen if failure_id not in matrix.runs]
    if nowhere and not places:
        raise UsageError(f"matrix.yaml runs {nowhere[0]} nowhere; name an environment with --env")
    # Without ids, only the failures that run in the lane.
    chosen = [name for name in chosen if request.ids or request.lane in catalog[name].failure.needs.lanes]
    asked: list[tuple[str, Named | Adopted | Overlaid, str | None, Environments]] = []
    if not places and request.backport is None and not request.factors:
        asked = [(cell.failure, cell.environment, cell.backport, cell.roles) for cell in _defaults(project, chosen)]
    elif places:
        asked = [(failure_id, place, request.backport, request.roles) for failure_id in chosen for place in places]
    else:
        asked = [
            (cell.failure, cell.environment, request.backport, cell.roles)
            for cell in _defaults(project, chosen)
            if cell.backport is None
        ]
    cells = [
        make_cell(
            catalog[failure_id].failure,
            environment,
            lane=request.lane,
            backport=backport,
            factors=dict(request.factors),
            nodes=request.nodes,
            roles=roles,
        )
        for failure_id, environment, backport, roles in asked
    ]
    return cells if request.packed is None else _overlaid(cells, request.packed)


def _defaults(project: Project, chosen: Sequence[str]) -> list[Cell]:
    return default_cells(project.matrix, project.catalog, chosen)


def _of_other_lanes(project: Project, request: CellRequest) -> list[NotApplicable]:
    """The default cells of failures that were not named and do not run in the lane."""
    if request.ids or request.environments or request.pythons:
        return []
    return [
        NotApplicable(cell.failure, cell.environment.label, f"runs in lane {cell.lane} only")
        for cell in default_cells(project.matrix, project.catalog)
        if request.lane not in project.catalog[cell.failure].failure.needs.lanes
    ]


def _environments(project: Project, request: CellRequest) -> list[Named | Adopted | Overlaid]:
    """The requested environments; raises UsageError for an unknown one."""
    for name in (*request.environments, *request.roles.values()):
        if request.packed is not None and name not in request.packed:
            raise unknown("packed environment", name, request.packed)
        if name not in project.matrix.environments and name not in project.derived:
            raise unknown("environment", name, project.matrix.environments)
    named: list[Named | Adopted | Overlaid] = [Named(name) for name in request.environments]
    adopted = [] if request.packed is not None else [Adopted(str(path.absolute())) for path in request.pythons]
    return [*named, *adopted]


def _overlaid(cells: Sequence[Cell], packed: Collection[str]) -> list[Cell]:
    """The cells whose environments are in the pack, as cells of the pack."""
    return [
        cell.model_copy(update={"environment": Overlaid(cell.environment.name)})
        for cell in cells
        if isinstance(cell.environment, Named) and cell.environment.name in packed
    ]


def _of_shard(project: Project, cells: list[Cell], request: CellRequest) -> list[Cell]:
    """The default cells of the requested shard; all cells without one.  Raises UsageError."""
    if request.shard is None:
        return cells
    defaults = default_cells(project.matrix, project.catalog, lane=Lane.CPU)
    chosen = cells_of_shard(request.shard, defaults, request.measured, project.catalog)
    return [cell for cell in cells if cell in chosen]
