"""``repro lock``."""

import typer

from repro.catalog.project import Project
from repro.cli.envs import Names, _chosen
from repro.cli.options import Elsewhere
from repro.environments.resolve import resolve
from repro.errors import EnvironmentFailure
from repro.files import write_whole


def lock(names: Names = None, *, catalog: Elsewhere = None) -> None:
    """Resolve environments and write their locks.

    They are resolved as of their cut-off days in matrix.yaml.

    Example: repro lock newest
    """
    project = Project.here(catalog=catalog)
    failures: list[str] = []
    for name in _chosen(project, names or list(project.own_matrix.environments)):
        try:
            resolved = resolve(name, project.matrix.environments[name], project.matrix)
        except EnvironmentFailure as error:
            failures.append(f"{name}: {error}")
            continue
        write_whole(project.locks / f"{name}.txt", resolved.text)
        typer.echo(f"{name}: {len(resolved.packages)} distributions")
    if failures:
        raise EnvironmentFailure("\n".join(failures))
