"""Decides for ``shrink`` if a text is interesting: it shows the signature on the bad end and passes on the good one."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from repro.catalog.catalog import Entry
from repro.catalog.project import Project
from repro.launch.session import Options, Session
from repro.launch.warm import WarmLauncher
from repro.model.cell import make_cell
from repro.model.errors import UndecidedError
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Verdict
from repro.search.shrink import OutOfBudgetError, Reduction
from repro.store.observations import Store
from repro.verdict.result import Result

TORCHRUN_RUNS = 2
"""The number of runs of the result on each end, through torchrun."""
LEAST_SECONDS = 30
TIMES_LONGER = 4
"""A candidate that takes this many times as long as the script is given up."""


@dataclass(frozen=True)
class Budget:
    """The time limit of a reduction."""

    runs: int
    seconds: float


class EndRuns:
    """Runs variants of a script on both ends of a finished search.  A context manager."""

    def __init__(  # noqa: PLR0917 - the parts of one reduction
        self,
        project: Project,
        learned: ScriptFailure,
        folder: Path,
        variables: Mapping[str, str],
        ends: tuple[str, str],
        budget: Budget,
    ) -> None:
        self._project, self._learned, self._folder, self._variables = project, learned, folder, dict(variables)
        self._bad, self._good = ends
        self._budget = budget
        self._began = time.monotonic()
        self._runs = 0
        self._timeout: int | None = None
        """The timeout of a candidate's run; the script's own until it was run once."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="repro-shrink-")))
        self._warm = self._stack.enter_context(WarmLauncher(late=True))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def runs(self) -> int:
        return self._runs

    @property
    def ranks(self) -> int:
        """The number of ranks of candidates."""
        return self._learned.needs.world_size

    def fewer_ranks(self, text: str) -> bool:
        """Use the smallest number of ranks on which a text is still interesting; False if that changes nothing."""
        whole, signature = self._learned, self._learned.signature
        least = signature.ranks + 1 if isinstance(signature.ranks, int) else 1
        for count in range(max(least, 1), self.ranks):
            needs = whole.needs.model_copy(update={"world_size": count})
            self._learned = whole.model_copy(update={"needs": needs})
            kept = False
            try:
                kept = self.interesting(text)
            finally:
                if not kept:
                    self._learned = whole
            if kept:
                return True
        return False

    def interesting(self, text: str) -> bool:
        """True if a text shows the signature on the bad end and passes on the good end; each is run once."""
        if self._runs >= self._budget.runs or time.monotonic() - self._began > self._budget.seconds:
            raise OutOfBudgetError
        shown = self._run(text, self._bad, Options(1, self._timeout))
        if shown is None or shown.verdict is not Verdict.REPRODUCED:
            return False
        if self._timeout is None and self._learned.signature.kind != "hang":
            longest = max(LEAST_SECONDS, int(TIMES_LONGER * shown.newest.seconds))
            self._timeout = min(self._learned.timeout, longest)
        passed = self._run(text, self._good, Options(1, self._timeout))
        return passed is not None and passed.verdict is Verdict.ABSENT

    def confirm(self, text: str) -> None:
        """Run a text on both ends through torchrun; raises UndecidedError if the results are not as expected."""
        for name, wanted in ((self._bad, Verdict.REPRODUCED), (self._good, Verdict.ABSENT)):
            result = self._run(text, name, Options(TORCHRUN_RUNS, warm=False))
            if result is None or result.verdict is not wanted:
                seen = f"{result.verdict}: {result.judgement.reason}" if result else "not run"
                raise UndecidedError(f"{name} is {seen}, where {wanted} was expected through torchrun")

    def _run(self, text: str, environment: str, options: Options) -> Result | None:
        content = hashlib.sha256(text.encode()).hexdigest()
        folder = self._place / f"{content[:16]}-{self._runs}"
        self._runs += options.repeat
        shutil.copytree(self._folder, folder, symlinks=True)
        try:
            (folder / self._learned.script).write_text(text, encoding="utf-8")
            failure = self._learned.model_copy(update={"content": content})
            project = replace(self._project, own=Entry(failure, folder, self._variables))
            session = Session(project, Store(self._place / "data"), options, warm=self._warm)
            results = session.run([make_cell(failure, environment, lane=failure.needs.lanes[0])])
            return results[0] if results else None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def reduce(ends: EndRuns, text: str) -> Reduction:
    """Reduce an interesting text, and its ranks, as far as the budget allows."""
    reduction = Reduction(text, ends.interesting)
    try:
        ends.fewer_ranks(text)
        reduction.run()
        # A smaller script may need fewer ranks, and then less text.
        while reduction.complete and ends.fewer_ranks(reduction.text):
            reduction = Reduction(reduction.text, ends.interesting)
            reduction.run()
    except OutOfBudgetError:
        reduction.complete = False
    return reduction
