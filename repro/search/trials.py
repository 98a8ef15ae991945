"""A source of verdicts that runs generated environments one by one, and prepares the next ones meanwhile."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Self

from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter
from repro.environments.locks import Lock as EnvironmentLock
from repro.environments.requirements import stated_requirements
from repro.launch.session import Listener, Options, Session, Silent
from repro.launch.slurm.batches import SlurmOptions
from repro.launch.slurm.spread import Spread
from repro.launch.spares.client import CommandSpares, keep_warm
from repro.model.affected import inapplicable
from repro.model.cell import Cell
from repro.model.errors import EnvironmentFailure
from repro.model.failure import Failure, Lane
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.model.verdict import Side
from repro.search.companions import Requires
from repro.search.log import tried
from repro.search.roles import Moved
from repro.store.answers import Tried
from repro.store.observations import Store
from repro.verdict.result import Result

BUILDERS = 2
"""The number of builders; a search looks two points ahead."""


class Trials:
    """Runs the default cell of one failure in any environment.  A context manager."""

    def __init__(
        self,
        project: Project,
        failure: Failure,
        options: Options,
        listener: Listener | None = None,
        lane: Lane = Lane.CPU,
        *,
        moved: Moved | None = None,
        slurm: SlurmOptions | None = None,
    ) -> None:
        """``slurm`` sends each run to a cluster; environments are still resolved and built here."""
        self._definitions: dict[str, Environment] = dict(project.derived)
        self.project = project.deriving(self._definitions)
        self.failure = failure
        self._lane = lane
        self._moved = moved or Moved()
        self._listener = listener or Silent()
        self._slurm = slurm
        self._builders = ThreadPoolExecutor(BUILDERS, "ahead")
        self._builds: dict[str, Future[Interpreter]] = {}
        self._guard = Lock()
        self._options = options
        self._store = Store(project.reports / "data")
        self._repeated: Counter[str] = Counter()
        """The number of runs of each environment by ``repeat``."""
        self._stack = ExitStack()
        self._spares: CommandSpares | None = None

    def __enter__(self) -> Self:
        self._stack.callback(self._builders.shutdown, wait=True, cancel_futures=True)
        kept = keep_warm(self.project.cache, self._options.keep_warm, self._listener.progress)
        self._spares = self._stack.enter_context(kept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, problem, trace)

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Register environments by name."""
        self._definitions.update(definitions)

    def prefetch(self, names: Iterable[str]) -> None:
        """Resolve and build environments in the background."""
        for name in names:
            self._build(name)

    def lock(self, name: str) -> EnvironmentLock:
        """The lock of an environment; raises EnvironmentFailure if it does not resolve."""
        return self.project.environments.lock(name)

    def requirements(self, name: str) -> Requires:
        """The requirements of each release in an environment; raises EnvironmentFailure if it cannot be built."""
        return stated_requirements(self._build(name).result().libraries)

    def _build(self, name: str) -> Future[Interpreter]:
        with self._guard:
            if name not in self._builds:
                self._builds[name] = self._builders.submit(
                    self.project.environments.interpreter, name, self._listener.progress
                )
            return self._builds[name]

    def _drop_waiting(self, name: str) -> None:
        """Cancel builds that have not begun, so that the build that is needed now does not wait for them."""
        with self._guard:
            for other in [held for held in self._builds if held != name]:
                if self._builds[other].cancel():
                    del self._builds[other]

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Run the failure in an environment, and prepare the others meanwhile."""
        return self._run(name, label, self._options, ahead)

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Run the failure through torchrun until there are this many runs; stored runs count unless ``fresh``."""
        # Fresh runs are not looked up in the store, so only the missing ones must be made.
        wanted = max(1, runs - self._repeated[name]) if self._options.fresh else runs
        self._repeated[name] += wanted
        return self._run(name, label, replace(self._options, repeat=wanted, warm=False), (), torchrun=True)

    def look(self, name: str, runs: int, ahead: Iterable[str] = (), *, torchrun: bool = False) -> Sequence[Observation]:
        """Run the failure this many times and return the observations; of several, at least one is through torchrun."""
        self._drop_waiting(name)
        self._build(name)
        self.prefetch(ahead)
        options = replace(self._options, repeat=max(runs, self._options.repeat))
        results = self._results(name, replace(options, warm=False) if torchrun else options)
        return results[0].observations if results else ()

    def _cell(self, name: str) -> Cell:
        return self._moved.cell(self.failure, name, self._lane)

    def _results(self, name: str, options: Options) -> list[Result]:
        """The result of the failure in an environment; empty if it does not apply."""

        def built(name: str) -> Interpreter:
            return self._build(name).result()

        cells = [self._cell(name)]
        if self._slurm is None:
            return Session(self.project, self._store, options, self._listener, provide=built, spares=self._spares).run(
                cells
            )
        return Spread(self.project, self._store, options, self._listener, self._slurm, provide=built).run(cells)

    def _run(self, name: str, label: str, options: Options, ahead: Iterable[str], *, torchrun: bool = False) -> Tried:
        began = time.monotonic()
        self._drop_waiting(name)
        self._build(name)
        self.prefetch(ahead)
        results = self._results(name, options)
        seconds = round(time.monotonic() - began, 1)
        if results:
            return tried(label, name, self.failure, results[0], seconds, torchrun=torchrun, role=self._moved.role)
        reason = "does not apply"
        try:
            held = self._build(name).result().installed.distributions
            reason = inapplicable(self.failure, held) or reason
        except EnvironmentFailure as error:
            reason = str(error)
        return Tried(label=label, environment=name, verdict=None, side=Side.SKIP, reason=reason, seconds=seconds)
