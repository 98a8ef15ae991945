"""All commands by name.  A command's module is imported only when the command is used or its own help is shown."""

import ast
import os
from enum import Enum
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from repro import __version__
from repro.model.errors import Exit, StoppedError

GROUPS = {
    "Your environment": ("doctor", "advise"),
    "Run": ("run", "claims", "ablate"),
    "Search": ("bisect", "blame", "sweep", "shrink"),
    "Catalogue": ("list", "show", "check", "new"),
    "Reports": ("report", "summary", "draft", "export"),
    "Upkeep": ("store", "rejudge", "envs", "lock", "matrix", "watch", "rot", "pack"),
}
"""Group of the help -> commands.  A command is a function or a Typer app in the module of its name."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)


@cache
def summary_of(command: str) -> str:
    """The first paragraph of a command's help, read from its file: importing all 23 of them takes seconds."""
    tree = ast.parse((Path(__file__).parent / f"{command}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in {command, f"{command}_"}:
            return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == "app":
            helps = [keyword.value for keyword in node.value.keywords if keyword.arg == "help"]
            return "".join(str(ast.literal_eval(text)) for text in helps)
    return ""


def command_of(name: str) -> Any:
    """The command of that name; imports its module."""
    module = import_module(f"repro.cli.{name}")
    # ``list_``: a function is not named as a builtin.
    found = next(getattr(module, found) for found in ("app", name, f"{name}_") if hasattr(module, found))
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=_Command)(found)
    return get_command(alone)


_OTHER = object()
"""A value that Typer converts."""


def _sparing(command: Any, parameters: list[Any]) -> list[Any]:
    """The parameters of a command; they take what needs no conversion as it is.

    Typer converts any value but a flag by pydantic: its import takes longer than all that `repro list` does besides.
    """
    for parameter in parameters:
        vars(parameter)["process_value"] = partial(_value_of, command, parameter)
    return parameters


def _value_of(command: Any, parameter: Any, ctx: Any, value: Any) -> Any:
    plain = _plain_value(command, parameter, value)
    if plain is _OTHER:
        return type(parameter).process_value(parameter, ctx, value)
    return parameter.callback(ctx, parameter, plain) if parameter.callback else plain


def _plain_value(command: Any, parameter: Any, value: Any) -> Any:
    """What Typer makes of no value, a default, a text or a path; ``_OTHER`` for the rest, and what it may refuse."""
    several = parameter.multiple or parameter.nargs != 1
    if value is None and not parameter.required:
        return () if several else None
    if isinstance(value, Enum):
        return value
    if several or not isinstance(value, str) or not value.isprintable():
        return _OTHER
    wanted = get_type_hints(command.callback).get(parameter.name)
    if wanted in (str, str | None):
        return value
    is_path = wanted in (Path, Path | None) and (os.access(value, os.R_OK) or not os.access(value, os.F_OK))
    return Path(value) if is_path else _OTHER


class _Command(TyperCommand):
    """A command of its own module."""

    def get_params(self, ctx: Any) -> Any:
        return _sparing(self, super().get_params(ctx))


class _Commands(TyperGroup):
    """Imports a command's module when it is asked for: start-up is part of every run's time.

    Passes Ctrl-C on to ``main``: the library would end the process without a message.
    """

    def get_params(self, ctx: Any) -> Any:
        return _sparing(self, super().get_params(ctx))

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        return command_of(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        widest = max(len(name) for name in COMMANDS)
        for group, names in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(widest), summary_of(name)) for name in names])

    def format_epilog(self, _ctx: Any, formatter: Any) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in Exit])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # For a mistyped name, the nearest of these is suggested.
        self.commands = {name: TyperCommand(name) for name in COMMANDS}
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None


app = typer.Typer(
    name="repro",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"repro {__version__}")
        raise typer.Exit


@app.callback()
def _laboratory(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """A laboratory of known failures of the sharded-training stack."""
