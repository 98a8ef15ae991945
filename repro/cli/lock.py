"""``repro lock``."""

import typer

from repro.catalog.project import Project
from repro.cli.envs import Names, _chosen
from repro.cli.options import Elsewhere, Json
from repro.environments.resolve import resolve
from repro.files import write_whole, writing
from repro.model.answers.upkeep import LockAnswer, LocksAnswer
from repro.model.errors import EnvironmentFailure, SourceError


def lock(names: Names = None, *, catalog: Elsewhere = None, as_json: Json = False) -> None:
    """Resolve environments and write their locks.

    They are resolved as of their cut-off days in matrix.yaml.

    Example: repro lock newest
    """
    project = Project.here(catalog=catalog)
    written: list[LockAnswer] = []
    failures: list[str] = []
    kinds: set[type[EnvironmentFailure]] = set()
    for name in _chosen(project, names or list(project.own_matrix.environments)):
        try:
            resolved = resolve(name, project.matrix.environments[name], project.matrix)
        except EnvironmentFailure as error:
            failures.append(f"{name}: {error}")
            kinds.add(SourceError if isinstance(error, SourceError) else EnvironmentFailure)
            continue
        file = project.locks / f"{name}.txt"
        with writing(file):
            write_whole(file, resolved.text)
        written.append(LockAnswer(name=name, distributions=len(resolved.packages)))
        if not as_json:
            typer.echo(f"{name}: {len(resolved.packages)} distributions")
    if as_json:
        typer.echo(LocksAnswer(locks=tuple(written), failed=tuple(failures)).model_dump_json(indent=1))
    if failures:
        (kind,) = kinds if len(kinds) == 1 else (EnvironmentFailure,)
        raise kind("\n".join(failures))
