"""Which role of a failure with stages a search moves, and where the others stay.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from repro.model.affected import is_affected
from repro.model.cell import Cell, make_cell
from repro.model.errors import UsageError, unknown
from repro.model.failure import Failure, Lane
from repro.model.matrix import Matrix
from repro.model.specifiers import covers
from repro.model.stages import Roles
from repro.model.version_ranges import VersionRanges


@dataclass(frozen=True)
class Moved:
    """What a search moves: the environment of one role, or that of the whole run."""

    role: str = ""
    """Empty: the environment of all stages."""
    others: Mapping[str, str] = field(default_factory=dict)
    """The environments of the other roles, by name."""

    def cell(self, failure: Failure, environment: str, lane: Lane) -> Cell:
        """The cell in which the moved role has that environment."""
        if not self.role:
            return make_cell(failure, environment, lane=lane)
        return make_cell(failure, environment, lane=lane, roles={**self.others, self.role: environment})

    @property
    def words(self) -> list[str]:
        """The options that ask for it."""
        if not self.role:
            return []
        return [
            "--stage",
            self.role,
            *(word for item in self.others.items() for word in ("--stage-env", "=".join(item))),
        ]

    @property
    def note(self) -> str:
        """``reader, with writer torch-2.6``; empty where the whole run is moved."""
        others = ", ".join(f"{role} {name}" for role, name in self.others.items())
        return f"{self.role}, with {others}" if self.role else ""


def moved_role(failure: Failure, matrix: Matrix, stage: str | None, given: Mapping[str, str]) -> Moved:
    """The role that a search moves: ``--stage``, with the environments of ``--stage-env`` or of an affected pair.

    Raises UsageError for names that are not known, and where it is not clear what to move.
    """
    roles = ", ".join(failure.roles)
    if not failure.stages and (stage or given):
        raise UsageError(f"{failure.id} has no stages: --stage and --stage-env are for records that have")
    if stage is None:
        if failure.depends_on_roles or given:
            raise UsageError(f"{failure.id} has the roles {roles}: only bisect and sweep can move one, with --stage")
        return Moved()
    if stage not in failure.roles:
        raise unknown(f"role of {failure.id}", stage, failure.roles)
    for role, name in given.items():
        if role not in failure.roles:
            raise unknown(f"role of {failure.id}", role, failure.roles)
        if role == stage:
            raise UsageError(f"--stage-env {role}: this role is moved; --env names where it starts")
        if name not in matrix.environments:
            raise unknown("environment", name, matrix.environments)
    held = {**_pair(failure, matrix), **given}
    missing = next((role for role in failure.roles if role != stage and role not in held), None)
    if missing:
        raise UsageError(f"{failure.id}: give the environment of role {missing}: --stage-env {missing}=NAME")
    return Moved(stage, {role: held[role] for role in failure.roles if role != stage})


def start_of(failure: Failure, matrix: Matrix, moved: Moved) -> str | None:
    """The environment that a moved role has in the affected pair; None if there is none, or no role is moved."""
    return _pair(failure, matrix).get(moved.role) if moved.role else None


def _pair(failure: Failure, matrix: Matrix) -> Mapping[str, str]:
    """The first pair of the matrix that is affected, else the first one."""
    runs = matrix.runs.get(failure.id)
    pairs = [pair.environments for pair in runs.pairs] if runs else []
    for pair in pairs:
        pins = {role: matrix.environments[name].versions for role, name in pair.items()}
        if is_affected(failure, pins.get(failure.roles[-1], {}), pins):
            return pair
    return pairs[0] if pairs else {}


def as_moved(failure: Failure, moved: Moved, versions: Roles) -> Failure:
    """The record as it holds for the moved role alone, the others having these versions."""
    if not moved.role:
        return failure
    conditions: dict[str, tuple[VersionRanges, ...]] = {
        stage.role: stage.affected for stage in failure.stages if stage.affected
    }
    conditions[failure.roles[-1]] = failure.affected
    others = all(
        any(covers(releases, versions[role]) for releases in alternatives)
        for role, alternatives in conditions.items()
        if role != moved.role
    )
    own = conditions.get(moved.role, ({},)) if others else ()
    return failure.model_copy(update={"affected": own, "stages": ()})
