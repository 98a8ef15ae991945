"""Checks the stages of a record, the flags by which its script learns them, and the pairs of the matrix."""

from collections.abc import Iterator, Mapping

from repro.model.affected import is_affected
from repro.model.base import Location
from repro.model.errors import nearest
from repro.model.failure import WORLD_SIZE, Evidence, Failure
from repro.model.matrix import Matrix, Pair
from repro.model.specifiers import ABSENT, PYTHON
from repro.model.stages import FOLDER_FLAG, STAGE_FLAG

Problem = tuple[Location, str, str]
"""Key, problem and remedy."""


def problems_of(failure: Failure) -> Iterator[Problem]:
    """The problems of the stages themselves."""
    names = [stage.name for stage in failure.stages]
    for index, stage in enumerate(failure.stages):
        for name, value in stage.factors.items():
            at = ("stages", index, "factors", name)
            factor = failure.factor(name)
            if factor is None or name == WORLD_SIZE:
                known = [factor.name for factor in failure.factors if factor.name != WORLD_SIZE]
                remedy = "write 'ranks' instead" if name == WORLD_SIZE else nearest(name, known)
                yield at, f"no factor {name!r} that a stage can set", remedy
            elif value not in factor.values:
                yield at, f"no value {value!r}", nearest(value, factor.values)
        for releases in stage.affected:
            named = {name for name, text in releases.items() if name != PYTHON and text != ABSENT}
            for name in sorted(named - set(failure.needs.distributions)):
                problem = f"{name} decides in stage {stage.name}, and needs.distributions does not name it"
                yield ("stages", index, "affected"), problem, f"add {name} there"
    for index, backport in enumerate(failure.backports):
        if backport.stage and backport.stage not in names:
            remedy = nearest(backport.stage, names) if names else "leave it out: the record has no stages"
            yield ("backports", index, "stage"), f"no stage {backport.stage!r}", remedy
    if failure.stages:
        yield from _not_with_stages(failure)


def _not_with_stages(failure: Failure) -> Iterator[Problem]:
    """What a record with stages cannot be about."""
    if failure.kind == "growth":
        yield ("kind",), "a record with stages cannot measure growth yet", "measure it in one job"
    if failure.always_cold and not failure.needs.torchrun:
        problem = "a record with stages cannot be judged by what is printed yet"
        yield ("signature", "kind"), problem, "assert it in the script, or use one job"
    if failure.needs.torchrun:
        problem = "a record with stages cannot be about torchrun itself: each stage is a job of its own"
        yield ("needs", "torchrun"), problem, "leave one of the two out"


def flag_problems(failure: Failure, given: Mapping[str, tuple[int, list[str] | None, str | None]]) -> Iterator[Problem]:
    """The problems of the flags; ``given`` are those of the script, with line, choices and default."""
    if not failure.stages:
        return
    for name in (STAGE_FLAG, FOLDER_FLAG):
        if name not in given:
            remedy = f'parser.add_argument("--{name}", required=True): each stage is a job of its own'
            yield ("stages",), f"repro.py has no flag --{name}", remedy
    names = [stage.name for stage in failure.stages]
    choices = given[STAGE_FLAG][1] if STAGE_FLAG in given else None
    if choices is not None and choices != names:
        yield (
            ("stages",),
            f"--{STAGE_FLAG} takes {', '.join(choices)}; the record says {', '.join(names)}",
            "make them equal",
        )


def evidence_problems(failure: Failure, evidence: Evidence, matrix: Matrix) -> Iterator[Problem]:
    """The problems of the roles of a prediction."""
    for role, name in evidence.roles.items():
        at = ("roles", role)
        if role not in failure.roles:
            remedy = nearest(role, failure.roles) if failure.roles else "leave it out: the record has no stages"
            yield at, f"no role {role!r}", remedy
        elif name not in matrix.environments:
            yield at, f"environment {name!r} is not in matrix.yaml", nearest(name, matrix.environments)


def pair_problems(failure: Failure, matrix: Matrix) -> Iterator[str]:
    """What is wrong with the pairs that the matrix has for a failure, in one line each."""
    runs = matrix.runs.get(failure.id)
    for pair in runs.pairs if runs else ():
        if not failure.stages:
            yield "matrix.yaml has pairs for it, and the record has no stages"
            return
        if set(pair.environments) != set(failure.roles):
            named, roles = ", ".join(pair.environments), ", ".join(failure.roles)
            yield f"a pair of matrix.yaml names {named}; the roles are {roles}"
        for name in pair.environments.values():
            if name not in matrix.environments:
                yield f"a pair of matrix.yaml names environment {name!r}: {nearest(name, matrix.environments)}"


def is_affected_pair(failure: Failure, pair: Pair, matrix: Matrix) -> bool:
    """Whether the pins of a pair's environments have the failure together."""
    pins = {role: matrix.environments[name].versions for role, name in pair.environments.items()}
    return bool(failure.roles) and is_affected(failure, pins.get(failure.roles[-1], {}), pins)
