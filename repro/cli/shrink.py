"""``repro shrink``."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from repro.catalog.project import Project
from repro.cli.options import Json
from repro.cli.script_options import variables_of
from repro.files import read_text_file, writing
from repro.model.answers.written_files import ShrinkAnswer
from repro.model.errors import Exit, UndecidedError, UsageError, exit_of
from repro.model.verdict import Side
from repro.report.console import console
from repro.search.log import environments_of
from repro.search.seen import read_finished
from repro.search.shrink import lines_of
from repro.search.shrink_runs import Budget, EndRuns, reduce
from repro.verdict.learn import describe


def shrink(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="The log of a finished `repro bisect SCRIPT`.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write it [default: SCRIPT_small.py here].")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="KEY", help="KEY or KEY=VALUE: the variables that the search was given."),
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, help="Stop after this time.")] = 10,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Stop after so many runs.")] = 1000,
    as_json: Json = False,
) -> None:
    """Make a script smaller that still fails in the same way.

    It removes statements with those that cannot stay without them, puts functions that are called once where they are
    called, removes arguments, names and annotations, and tries None, smaller numbers, fewer ranks and float32.  A
    change is kept if the script still shows the signature of the search on the same ranks with the bad neighbour of the
    answer, and still passes with the good one.  (With fewer ranks, a signature of every rank must be on every rank that
    is left.)  The result is run again on both through torchrun.  Comments are lost.

    Exit code 3 if the time or the runs were used up before the script was minimal, or if torchrun does not confirm it.

    Example: repro shrink repro-runs/data/searches/ID/bisect-transformers-20261125T120000Z.jsonl
    """
    began = time.monotonic()
    journal, answer, folder = read_finished(log)
    learned = journal.question.script
    assert learned is not None  # noqa: S101 - as read
    variables = variables_of(env)
    if set(variables) != set(learned.variables):
        raise UsageError(f"the search was given --env {', '.join(learned.variables) or 'nothing'}: give the same")
    target = out or Path(f"{Path(learned.script).stem}_small.py")
    if target.exists():
        raise UsageError(f"{target} is there already; name another file with --out")
    bad, good = (answer.before, answer.after) if answer.older is Side.BAD else (answer.after, answer.before)
    project = Project.here().deriving(environments_of(journal.question.points))
    screen = console(error=as_json)
    screen.print(
        Text(f"keeps {describe(learned.signature)}, with {answer.package} {bad.label}; passes with {good.label}")
    )
    text = read_text_file(folder / learned.script)
    budget = Budget(runs, 60 * minutes)
    with EndRuns(project, learned, folder, variables, (bad.environment, good.environment), budget) as ends:
        if not ends.interesting(text):
            raise UndecidedError("the script as it is does not show what the search says: bisect again")
        reduction = reduce(ends, text)
        ends.confirm(reduction.text)
        made, ranks = ends.runs, ends.ranks
    with writing(target, UsageError):
        target.write_text(reduction.text, encoding="utf-8")
    before, after = lines_of(text), lines_of(reduction.text)
    seconds = round(time.monotonic() - began)
    if as_json:
        shrunk = ShrinkAnswer(
            file=str(target),
            lines_before=before,
            lines_after=after,
            runs=made,
            ranks_before=learned.needs.world_size,
            ranks_after=ranks,
            seconds=seconds,
            complete=reduction.complete,
        )
        typer.echo(shrunk.model_dump_json(indent=1))
    else:
        end = "nothing more can be left out" if reduction.complete else "time or runs ended: it may become smaller"
        screen.print(Text(f"{before} lines before, {after} after ({1 - after / max(before, 1):.0%} less); {end}"))
        if ranks < learned.needs.world_size:
            screen.print(Text(f"{learned.needs.world_size} ranks before, {ranks} after"))
        screen.print(Text(f"{made} runs, {seconds} s; confirmed through torchrun on both ends; {target}"))
    code: Exit = exit_of(unknown=not reduction.complete)
    raise typer.Exit(code)
