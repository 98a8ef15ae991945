"""All commands by name; the module of a command is imported when the command is used or its help is shown."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from repro.errors import StoppedError

GROUPS = {
    "Your environment": ("doctor", "advise"),
    "Run": ("run", "claims", "ablate"),
    "Search": ("bisect", "blame", "sweep"),
    "Catalog": ("list", "show", "check", "new"),
    "Reports": ("report", "summary", "draft"),
    "Upkeep": ("store", "rejudge", "envs", "lock", "matrix", "watch", "rot", "pack"),
}
"""What a user wants -> commands; a command is the function, or the Typer app, of its name in the module of its name."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)


class _Commands(TyperGroup):
    """Imports a command's module when it is asked for: start-up is part of every run's time.

    Hands Ctrl-C to ``main``: the library below would end the process without a word.
    """

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"repro.cli.{cmd_name}")
        # ``list_``: a function is not named as a builtin.
        found = next(getattr(module, name) for name in ("app", cmd_name, f"{cmd_name}_") if hasattr(module, name))
        if isinstance(found, typer.Typer):
            return get_command(found)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(cmd_name)(found)
        return get_command(alone)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # The nearest name to a mistyped one is looked for among these.
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
    epilog="Exit codes: 0 as documented, 1 something changed, 2 bad usage or record, 3 could not be told.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _laboratory() -> None:
    """A laboratory of known failures of the sharded-training stack."""
