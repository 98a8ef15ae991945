"""All commands, each a function of few lines."""

from typing import Any

import typer
from typer.core import TyperGroup

from repro.cli import catalogue, doctoring, environments, questions, running, searching, storing
from repro.errors import StoppedError


class _Commands(TyperGroup):
    """Hands Ctrl-C to ``main``: the library below would end the process without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None


app = typer.Typer(
    name="repro",
    cls=_Commands,
    help="A laboratory of known failures of the sharded-training stack.",
    epilog="Exit codes: 0 as documented, 1 something changed, 2 bad usage or record, 3 could not be told.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("list")(catalogue.list_failures)
app.command("show")(catalogue.show)
app.command("check")(catalogue.check)
app.command("run")(running.run)
app.command("claims")(questions.claims)
app.command("ablate")(questions.ablate)
app.command("bisect")(searching.bisect)
app.command("blame")(searching.blame)
app.command("sweep")(searching.sweep)
app.command("doctor")(doctoring.doctor)
app.command("report")(running.report)
app.command("rejudge")(storing.rejudge)
app.add_typer(storing.app, name="store")
app.command("lock")(environments.lock)
app.add_typer(environments.app, name="envs")
