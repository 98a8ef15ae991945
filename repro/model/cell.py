"""A cell: one thing that can be run."""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from repro.model.base import FileName, Strict
from repro.model.errors import UsageError, unknown
from repro.model.failure import UNSET, WORLD_SIZE, Failure, Lane

_ADOPTED = "python:"
_OVERLAID = "overlay:"
_NAME = re.compile(r"(?!\.{1,2}$|python:|overlay:)[^/\\\x00-\x1f\x7f]{1,500}")
"""A name may become part of a path: no separator and no control character."""


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} cannot be the name of an environment")


@dataclass(frozen=True)
class Named:
    """An environment with a lock: one of ``matrix.yaml``, or one that a search defines."""

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True)
class Adopted:
    """An existing interpreter, used as it is."""

    python: str
    """Its path; in a stored observation its Python version, because a record names no machine's folders."""

    @property
    def label(self) -> str:
        return f"{_ADOPTED}{self.python}"


@dataclass(frozen=True)
class Overlaid:
    """A packed environment, laid over an existing interpreter."""

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def label(self) -> str:
        return f"{_OVERLAID}{self.name}"


def _parse(value: object) -> object:
    """Read what ``label`` wrote; anything but text is left to pydantic."""
    if not isinstance(value, str):
        return value
    if value.startswith(_ADOPTED):
        return Adopted(value.removeprefix(_ADOPTED))
    if value.startswith(_OVERLAID):
        return Overlaid(value.removeprefix(_OVERLAID))
    return Named(value)


def _label(environment: "Named | Adopted | Overlaid") -> str:
    return environment.label


CellEnvironment = Annotated[
    Named | Adopted | Overlaid,
    BeforeValidator(_parse),
    PlainSerializer(_label, return_type=str),
    WithJsonSchema({"type": "string", "description": "A name, python:PATH or python:VERSION, or overlay:NAME."}),
]
"""Where a cell runs.  In files it is text: its label."""
Environments = Mapping[str, Named | Adopted | Overlaid | str]
"""By role; text is the name of an environment with a lock."""


class Cell(Strict):
    """Failure x environment x lane x backport x factors, on so many ranks and nodes."""

    failure: FileName
    environment: CellEnvironment
    lane: Lane = Lane.CPU
    backport: str | None = None
    factors: dict[str, str] = Field(default_factory=dict)
    """Only the factors that differ from their defaults."""
    world_size: int = 2
    nodes: int = 1
    """Torchrun agents that the ranks are divided among, all on this host."""
    roles: dict[str, CellEnvironment] = Field(default_factory=dict, exclude_if=operator.not_)
    """The environments of a staged run's roles that are not ``environment``, which is that of its last stage."""
    stage: str = Field(default="", exclude_if=operator.not_)
    """The stage that this is one job of; empty for a whole run."""

    @property
    def label(self) -> str:
        """One line that names the cell, short enough for a table."""
        parts = [self.failure, self.environment.label, *self.roles_label]
        if self.lane is not Lane.CPU:
            parts.append(self.lane)
        if self.backport:
            parts.append(f"+{self.backport}")
        parts += [f"{name}={value}" for name, value in sorted(self.factors.items())]
        if self.nodes > 1:
            parts.append(f"nodes={self.nodes}")
        return " ".join(parts)

    @property
    def roles_label(self) -> list[str]:
        """``["writer=torch-2.6"]``: the environments of the other roles."""
        return [f"{role}={environment.label}" for role, environment in self.roles.items()]

    @property
    def environments(self) -> tuple[Named | Adopted | Overlaid, ...]:
        """All environments that the run needs, that of the last stage first."""
        return tuple(dict.fromkeys((self.environment, *self.roles.values())))

    @property
    def is_default(self) -> bool:
        """Whether no factor is changed: then the record's specifiers say what to expect."""
        return not self.factors


def variables_of(failure: Failure, cell: Cell) -> dict[str, str]:
    """The environment variables that the factors of a cell set for its ranks, before their interpreters start."""
    given = {
        factor.variable: cell.factors.get(factor.name, factor.default) for factor in failure.factors if factor.variable
    }
    return {name: value for name, value in sorted(given.items()) if value != UNSET}


def _ranks(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"{WORLD_SIZE}: a number of ranks is expected, not {value!r}")
    return int(value)


def make_cell(
    failure: Failure,
    environment: Named | Adopted | Overlaid | str,
    *,
    lane: Lane | None = None,
    backport: str | None = None,
    factors: dict[str, str] | None = None,
    nodes: int = 1,
    roles: Environments | None = None,
) -> Cell:
    """A valid cell of that failure; text for ``environment`` is the name of one with a lock.

    ``lane`` is the record's first one where None.  ``factors`` may set the number of ranks as ``world-size``.
    ``roles`` are the environments of a staged run's roles; those left out have ``environment``.

    Raises UsageError for a name or a value that the record does not know, and for ranks that cannot be divided
    among the nodes.
    """
    lane = lane or failure.lane
    if lane not in failure.needs.lanes:
        raise UsageError(f"{failure.id} does not run in lane {lane}; it has {', '.join(failure.needs.lanes)}")
    if backport is not None and failure.backport(backport) is None:
        raise unknown(f"backport of {failure.id}", backport, [known.name for known in failure.backports])
    world_size = failure.needs.world_size
    changed: dict[str, str] = {}
    for name, value in (factors or {}).items():
        if name == WORLD_SIZE:
            world_size = _ranks(value)
            if world_size != failure.needs.world_size:
                changed[name] = value
            continue
        factor = failure.factor(name)
        if factor is None:
            raise unknown(f"factor of {failure.id}", name, [*(f.name for f in failure.factors), WORLD_SIZE])
        if value not in factor.values:
            raise unknown(f"value of factor {name!r}", value, factor.values)
        if value != factor.default:
            changed[name] = value
    _check_nodes(failure, world_size, nodes, failure.launcher(changed).program)
    own, others = _by_role(failure, _place(environment), roles or {})
    return Cell(
        failure=failure.id,
        environment=own,
        lane=lane,
        backport=backport,
        factors=dict(sorted(changed.items())),
        world_size=world_size,
        nodes=nodes,
        roles=others,
    )


def _check_nodes(failure: Failure, world_size: int, nodes: int, program: str) -> None:
    if world_size % nodes:
        raise UsageError(f"{failure.id} has {world_size} ranks: they cannot be divided among {nodes} nodes")
    if nodes > 1 and failure.stages:
        raise UsageError(f"{failure.id} has stages: they run on one node")
    if nodes > 1 and program != "torchrun":
        raise UsageError(f"{failure.id} is started by {program}: only torchrun divides its ranks among nodes")


def _by_role(
    failure: Failure, environment: Named | Adopted | Overlaid, roles: Environments
) -> tuple[Named | Adopted | Overlaid, dict[str, Named | Adopted | Overlaid]]:
    """The environment of the last stage, and those of other roles that differ from it."""
    for role in roles:
        if role not in failure.roles:
            raise unknown(f"role of {failure.id}", role, failure.roles)
    places = {role: _place(value) for role, value in roles.items()}
    own = places.get(failure.roles[-1], environment) if failure.roles else environment
    # A role that is not named has the environment that was given, also where the last one has another.
    named = {role: places.get(role, environment) for role in failure.roles}
    return own, {role: place for role, place in named.items() if place != own}


def _place(environment: Named | Adopted | Overlaid | str) -> Named | Adopted | Overlaid:
    return Named(environment) if isinstance(environment, str) else environment


def stage_cells(failure: Failure, cell: Cell) -> list[Cell]:
    """The jobs of a staged run, in order; each is a cell of its own, in the environment of its role."""
    jobs = []
    for stage in failure.stages:
        changed = {name: value for name, value in cell.factors.items() if name not in stage.factors}
        for name, value in stage.factors.items():
            factor = failure.factor(name)
            if factor is not None and value != factor.default:
                changed[name] = value
        backport = failure.backport(cell.backport) if cell.backport else None
        applied = backport is not None and (backport.stage or failure.stages[-1].name) == stage.name
        jobs.append(
            cell.model_copy(
                update={
                    "environment": cell.roles.get(stage.role, cell.environment),
                    "roles": {},
                    "backport": cell.backport if applied else None,
                    "factors": dict(sorted(changed.items())),
                    "world_size": stage.ranks or cell.world_size,
                    "stage": stage.name,
                }
            )
        )
    return jobs


def most_ranks(failure: Failure, cell: Cell) -> int:
    """The ranks of the run, or of its largest stage."""
    return max([job.world_size for job in stage_cells(failure, cell)] or [cell.world_size])
