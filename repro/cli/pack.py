"""``repro pack``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from repro.catalog.project import Project
from repro.cli.options import Elsewhere, Json
from repro.doctor.stack.files import read_stack
from repro.environments.pack.manifest import WHEELS
from repro.environments.pack.write import PackTarget, write_pack
from repro.files import PACKAGE
from repro.model.answers.upkeep import PackAnswer
from repro.model.errors import UsageError, unknown

MEBIBYTE = 1 << 20


def pack(
    *,
    env: Annotated[list[str], typer.Option("--env", metavar="NAME", help="An environment of matrix.yaml.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.")],
    python: Annotated[
        str, typer.Option("--python", metavar="X.Y", help="Python of the other machine.")
    ] = f"{sys.version_info.major}.{sys.version_info.minor}",
    platform: Annotated[
        str, typer.Option("--platform", metavar="TAG", help="Newest platform tag of its wheels.")
    ] = "manylinux_2_28_x86_64",
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", metavar="FILE", help="What its interpreter holds, as `pip freeze` says; that is not packed."
        ),
    ] = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Pack the tests of failures too, with pytest: `go.py pytest -m gpu …`.")
    ] = False,
    catalog: Elsewhere = None,
    as_json: Json = False,
) -> None:
    """Pack environments for a machine without a network.

    The pack holds wheels of all that differs from the interpreter found there, but for torch and what torch stands
    on, which stay.  A development version is built here, and refused where its wheel does not fit there.

    There: `python3 DIR/go.py run --overlay DIR`, with any options of `repro run`; with --tests also
    `python3 DIR/go.py pytest -m gpu --overlay DIR --reports DIR`, with any options of pytest.  A catalogue
    of your own is not packed: carry its folder too, and name it with --catalog there as here.

    Example: repro pack --env newest --python 3.12 --platform manylinux_2_28_x86_64 --out pack
    """
    project = Project.here(catalog=catalog)
    for name in env:
        if name not in project.matrix.environments:
            raise unknown("environment", name, project.matrix.environments)
    major, _, minor = python.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise UsageError(f"--python {python}: a release line such as 3.12 is expected")
    target = PackTarget(python, platform, _versions_of_base(base) if base else {})
    names = list(dict.fromkeys(env))
    written = write_pack(project.environments, names, target, out, package=PACKAGE, tests=tests, notify=_say)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if as_json:
        answer = PackAnswer(environments=tuple(written.environments), wheels=len(written.wheels), bytes=size)
        typer.echo(answer.model_dump_json(indent=1))
    else:
        count = len(list((out / WHEELS).glob("*.whl")))
        typer.echo(f"{out}: {len(written.environments)} environments, {count} wheels, {size / MEBIBYTE:.1f} MiB")


def _versions_of_base(file: Path) -> dict[str, str]:
    stack = read_stack(file)
    unknown = len(stack.held.keys() - stack.versions.keys())
    if unknown:
        _say(
            f"{file}: {unknown} distributions have no version there and are packed too;"
            " `pip list --format=freeze` states all versions"
        )
    return stack.versions


def _say(text: str) -> None:
    typer.echo(text, err=True)
