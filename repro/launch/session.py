"""Runs many cells: builds environments ahead, shares the cores among ranks, and stores each finished run."""

import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from repro.catalog.catalog import Catalog
from repro.catalog.project import Project
from repro.environments.interpreter import Interpreter, probe
from repro.environments.resolve import refuse_denied
from repro.launch.cores import usable_cores
from repro.launch.devices import Devices
from repro.launch.folders import sweep
from repro.launch.guard import STILL_SECONDS, Limits
from repro.launch.hardware import cuda_stack, hardware
from repro.launch.run_cell import Launch, not_run, run_cell, torchrun
from repro.launch.slots import RANKS, Slots
from repro.launch.stages import Interpreters, jobs_of
from repro.launch.warm import SpareFamilies, WarmLauncher, sort_key
from repro.model.affected import inapplicable
from repro.model.cell import Adopted, Cell, CellEnvironment, Named, Overlaid, most_ranks
from repro.model.deadline import deadline_of
from repro.model.errors import EnvironmentFailure, NoPythonError
from repro.model.failure import Failure, Lane
from repro.model.observation import Installed, Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.store.recipe import key_of_roles, launcher_key, recipe_of
from repro.verdict.judge import died_at_shutdown, judge
from repro.verdict.rare import is_settled
from repro.verdict.result import DISAGREEMENT, Result, judge_repetitions


class Listener(Protocol):
    """Receives the progress of a session, from several threads."""

    def progress(self, text: str) -> None:
        """A slow step, such as a build, has begun."""

    def started(self, cell: Cell) -> None:
        """The ranks of a cell start now."""

    def finished(self, result: Result) -> None:
        """A cell has its verdict."""

    def skipped(self, cell: Cell, reason: str) -> None:
        """A cell does not apply to its environment."""


class Silent:
    """A listener that ignores everything."""

    def progress(self, text: str) -> None: ...

    def started(self, cell: Cell) -> None: ...

    def finished(self, result: Result) -> None: ...

    def skipped(self, cell: Cell, reason: str) -> None: ...


@dataclass(frozen=True)
class Options:
    """How the cells of a session run."""

    repeat: int = 1
    timeout: int | None = None
    """The time limit of each run in seconds; None for the record's."""
    warm: bool = True
    """True if runs may use the warm launcher."""
    fresh: bool = True
    """True to run even if an observation with the same key is stored."""
    confirm: bool = False
    """True to give every cell a run through torchrun: one of its repetitions, or one more if ``repeat`` is 1.

    A stored run through torchrun with the same recipe counts as the additional one, even if ``fresh`` is set.  Several
    repetitions always include a new run through torchrun.  Without ``warm``, every run goes through torchrun.
    """
    full_deadline: bool = False
    """True to give every run its full time; False to end warm runs of documented hangs when all ranks stand still."""
    keep_warm: int = 0
    """The idle minutes of the spares that the command takes and orders; 0 for none.  The caller gives them to it."""


@dataclass
class Session:
    """The runs of one command; their observations share the name of the run."""

    project: Project
    store: Store
    options: Options = field(default_factory=Options)
    listener: Listener = field(default_factory=Silent)
    stop: threading.Event = field(default_factory=threading.Event)
    provide: Callable[[str], Interpreter] | None = None
    """Returns the interpreter of a named environment; None to let the project build it."""
    overlaid: Callable[[Overlaid], Interpreter] | None = None
    """Lays a packed environment over an interpreter."""
    warm: WarmLauncher | None = None
    """A shared warm launcher; None if the session has its own."""
    spares: SpareFamilies | None = None
    """Where its own warm launcher looks for families that were made before."""
    earlier: Store | None = None
    """A further store whose runs count like those of ``store``; it is never written."""
    cold: Launch = torchrun
    """Starts the ranks of a run that is not warm."""
    hosts: int = 1
    """The machines that the ranks of a run are divided among."""
    id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}")

    def run(self, cells: Sequence[Cell]) -> list[Result]:
        """Run the cells and return their results in the same order, without cells that do not apply.

        On KeyboardInterrupt all ranks are ended before it is raised again; finished cells are stored.
        """
        sweep()
        slots = Slots.here(self.project.cache)
        with (
            nullcontext(self.warm)
            if self.warm
            else WarmLauncher(report=self.listener.progress, spares=self.spares) as warm,
            ThreadPoolExecutor(1, "build") as builder,
            # One more than can run, to import the libraries of the next environment meanwhile.
            ThreadPoolExecutor(max(1, min(len(cells), slots.limit + 1)), "run") as runner,
        ):
            launcher = warm if self.options.warm else None
            interpreters = self._build_ahead(builder, cells)
            order = order_of_runs(cells, self.project.catalog)
            futures = {index: runner.submit(self._cell, cells[index], interpreters, slots, launcher) for index in order}
            pending = [futures[index] for index in range(len(cells))]
            try:
                done, _ = wait(pending, return_when=FIRST_EXCEPTION)
                failed = next((future for future in done if future.exception()), None)
                if failed:
                    self._abandon([*pending, *interpreters.values()])
                    failed.result()
            except BaseException:
                self._abandon([*pending, *interpreters.values()])
                raise
            return [result for result in (future.result() for future in pending) if result is not None]

    def _abandon(self, futures: Iterable[Future[Result | None] | Future[Interpreter]]) -> None:
        self.stop.set()
        for future in futures:
            future.cancel()

    def _build_ahead(
        self, builder: ThreadPoolExecutor, cells: Sequence[Cell]
    ) -> dict[CellEnvironment, Future[Interpreter]]:
        """A future for each environment, built in the order in which the cells need them."""
        wanted = dict.fromkeys(environment for cell in cells for environment in cell.environments)
        return {environment: builder.submit(self._interpreter, environment) for environment in wanted}

    def _interpreter(self, environment: CellEnvironment) -> Interpreter:
        found = self._provided(environment)
        refuse_denied(found.installed.distributions, self.project.matrix)
        return found

    def _provided(self, environment: CellEnvironment) -> Interpreter:
        if isinstance(environment, Adopted):
            return probe(Path(environment.python), environment.label)
        if isinstance(environment, Overlaid):
            if self.overlaid is None:
                raise EnvironmentFailure(f"{environment.label}: no pack was given; name it with --overlay")
            return self.overlaid(environment)
        if self.provide is not None:
            return self.provide(environment.name)
        return self.project.environments.interpreter(environment.name, self.listener.progress)

    def _cell(
        self,
        cell: Cell,
        built: Mapping[CellEnvironment, Future[Interpreter]],
        slots: Slots,
        warm: WarmLauncher | None,
    ) -> Result | None:
        entry = self.project.catalog[cell.failure]
        try:
            roles = {role: built[environment].result() for role, environment in cell.roles.items()}
            interpreter = Interpreters(built[cell.environment].result(), roles)
        except NoPythonError as error:
            self.listener.skipped(cell, str(error))
            return None
        except EnvironmentFailure as error:
            return self.conclude(cell, [self._fault(cell, str(error))])
        for held in (interpreter.own, *roles.values()):
            reason = inapplicable(entry.failure, held.installed.distributions)
            if reason:
                self.listener.skipped(cell, reason)
                return None
        observations = self._confirming(cell, interpreter) if self.options.fresh else self._stored(cell, interpreter)
        reused = len(observations)
        wanted = self.options.repeat + (reused if self.options.fresh else 0)
        rate = entry.failure.rate
        next_run = self._next_rare_run if rate else self._next_run
        most = rate.most_runs + wanted if rate else max(wanted, reused) + self.options.confirm
        while len(observations) < most and (through := next_run(entry.failure, observations, wanted)) is not None:
            observation = self._settled(cell, interpreter, slots, None if through == "torchrun" else warm)
            if observation is None or self.stop.is_set():
                return None
            self.keep(observation)
            observations.append(observation)
        return self.conclude(cell, observations, reused)

    def _next_run(self, _failure: Failure, observations: Sequence[Observation], wanted: int) -> str | None:
        """The launcher of the next run; None if there are enough."""
        is_confirmed = any(observation.is_cold for observation in observations)
        if len(observations) >= wanted and (is_confirmed or not self._confirms):
            return None
        confirming = self._confirms and not is_confirmed and len(observations) >= max(1, wanted - 1)
        return "torchrun" if confirming else "warm"

    def _next_rare_run(self, failure: Failure, observations: Sequence[Observation], wanted: int) -> str | None:
        """The same for a failure that shows in some runs only: it runs until it shows, or until its rate is excluded.

        What is published rests on torchrun: where the failure shows, it must show through torchrun too.
        """
        assert failure.rate is not None  # noqa: S101 - else it is not rare
        verdicts = [judge(failure, observation).verdict for observation in observations]
        torchrun = [verdict for verdict, observation in zip(verdicts, observations, strict=True) if observation.is_cold]
        if observations and observations[-1].launcher == "none":
            return None
        settled = is_settled(failure.rate, verdicts, wanted)
        if not self._confirms:
            return None if settled else "warm"
        if not settled:
            last = len(observations) >= max(wanted, failure.rate.clean_runs) - 1
            return "torchrun" if last and not torchrun else "warm"
        shown = Verdict.REPRODUCED in verdicts
        confirmed = is_settled(failure.rate, torchrun, 1) if shown else bool(torchrun)
        return None if confirmed else "torchrun"

    def _settled(
        self, cell: Cell, interpreter: Interpreters, slots: Slots, launcher: WarmLauncher | None
    ) -> Observation | None:
        """Run a cell; once more where it ended by something else than what it is about."""
        observation = self._observed(cell, interpreter, slots, launcher)
        # Both are rare and not about the failure: the run is stored as a run of its own, and the cell runs again.
        if observation and died_at_shutdown(observation):
            self.keep(observation.model_copy(update={"run": f"{self.id}-shutdown"}))
            observation = self._observed(cell, interpreter, slots, launcher)
        if observation and self._ended_too_early(observation):
            self.keep(observation.model_copy(update={"run": f"{self.id}-still"}))
            observation = self._observed(cell, interpreter, slots, launcher, full_deadline=True)
        return observation

    def _ended_too_early(self, observation: Observation) -> bool:
        """True if a run was ended for a standstill that is not the documented one."""
        failure = self.project.catalog[observation.cell.failure].failure
        return observation.stood_still is not None and judge(failure, observation).verdict is not Verdict.REPRODUCED

    def _observed(
        self,
        cell: Cell,
        interpreter: Interpreters,
        slots: Slots,
        warm: WarmLauncher | None,
        *,
        full_deadline: bool = False,
    ) -> Observation | None:
        """Run a cell when cores and devices are free; None if the session is stopped before."""
        entry = self.project.catalog[cell.failure]
        try:
            if warm:
                for job in jobs_of(entry.failure, cell, interpreter):
                    warm.prepare(job.cell, entry, job.interpreter, self.stop, self._first_devices(job.cell))
            # Devices first, since a cell that waits for devices must not block cores.
            with self._devices(cell) as devices, slots.take(self._cores_for(cell, slots), self.stop) as give_back:
                if self.stop.is_set():
                    return None
                stack = cuda_stack(interpreter.own) if cell.lane is Lane.CUDA else None
                self.listener.started(cell)
                return run_cell(
                    cell,
                    entry,
                    interpreter.own,
                    run=self.id,
                    limits=self._limits(cell, interpreter, give_back, full_deadline=full_deadline),
                    launch=warm.run if warm else self.cold,
                    devices=devices,
                    stack=stack,
                    roles=interpreter.roles,
                    hosts=self.hosts,
                )
        except EnvironmentFailure as error:
            recipe = recipe_of(cell, entry, interpreter.key, self.options.timeout)
            return not_run(cell, self.id, recipe, str(error))

    def _limits(
        self, cell: Cell, interpreter: Interpreters, give_back: Callable[[], None], *, full_deadline: bool
    ) -> Limits:
        record = self.project.catalog[cell.failure].failure
        failure = record.seen_in(cell.lane, cell.factors, interpreter.installed.versions)
        waits = full_deadline or self.options.full_deadline or failure.signature.kind != "hang"
        return Limits(
            timeout=self._timeout(cell),
            stop=self.stop,
            still=None if waits else STILL_SECONDS,
            idle=give_back,
        )

    def _timeout(self, cell: Cell) -> int:
        """The time limit of a run of this cell on this machine, in seconds."""
        failure = self.project.catalog[cell.failure].failure
        return self.options.timeout or deadline_of(failure, cell, usable_cores() * self.hosts)

    @contextmanager
    def _devices(self, cell: Cell) -> Iterator[tuple[str, ...]]:
        """In the CUDA lane, hold one device for each rank for this run alone."""
        if cell.lane is Lane.CPU:
            yield ()
            return
        with self._all_devices.take(self._ranks_of(cell), self.stop) as taken:
            yield taken

    def _first_devices(self, cell: Cell) -> tuple[str, ...]:
        """The devices that a cell gets if all are free."""
        return () if cell.lane is Lane.CPU else self._all_devices.names[: cell.world_size]

    @cached_property
    def _all_devices(self) -> Devices:
        """The devices of this machine; the driver is asked once for each session."""
        return Devices.here(self.project.cache / "devices")

    def _confirming(self, cell: Cell, interpreter: Interpreters) -> list[Observation]:
        """The newest stored run through torchrun that confirms a new warm run; empty if the repetitions include one."""
        if not self.options.confirm or not self.options.warm or self.options.repeat > 1:
            return []
        return [found for found in self._repeated(cell, interpreter) if found.is_cold][-1:]

    def _stored(self, cell: Cell, interpreter: Interpreters) -> list[Observation]:
        """The stored observations that replace new runs of this cell."""
        found = self._repeated(cell, interpreter)
        if self.project.catalog[cell.failure].failure.rate:
            return found
        confirming = [observation for observation in found if observation.is_cold][-1:]
        if not self._confirms or any(kept in confirming for kept in found[-self.options.repeat :]):
            return found[-self.options.repeat :]
        # One of the repetitions is through torchrun; if none is stored, its place stays open.
        others = max(1, self.options.repeat - 1)
        return [*found[-others:], *confirming]

    def _repeated(self, cell: Cell, interpreter: Interpreters) -> list[Observation]:
        """Stored observations that a run here would repeat: same recipe, interpreter, hardware and timeout.

        There are none for an existing interpreter, whose libraries may be changed in place without new versions.
        """
        entry = self.project.catalog[cell.failure]
        if interpreter.adopted:
            return []
        recipe = recipe_of(cell, entry, interpreter.key, self.options.timeout)
        timeout = self._timeout(cell)
        return [
            observation
            for store in (self.earlier, self.store)
            if store is not None
            for observation in store.of_recipe(cell.failure, recipe)
            if observation.installed is not None
            and observation.installed.python == interpreter.installed.python
            and observation.hardware.of_class == hardware().of_class
            and observation.hosts == self.hosts
            and (self.options.warm or observation.is_cold)
            and observation.launcher_key == launcher_key(observation.launcher)
            and all(part.launcher_key == launcher_key(part.launcher) for part in observation.earlier)
            # Each stage has a deadline of its own.
            and (observation.timeout == timeout or bool(observation.stage))
            and (observation.stood_still is None or not self.options.full_deadline)
            and judge(entry.failure, observation).verdict is not Verdict.UNRUNNABLE
            and not died_at_shutdown(observation)
        ]

    @property
    def _confirms(self) -> bool:
        """True if each cell needs a run through torchrun in addition to warm ones."""
        return self.options.warm and (self.options.confirm or self.options.repeat > 1)

    def unrunnable(self, cell: Cell, reason: str) -> Result:
        """The result of a cell of which nothing is known, for this reason; it is stored."""
        return self.conclude(cell, [self._fault(cell, reason)])

    def _fault(self, cell: Cell, reason: str) -> Observation:
        """Store that a cell was not run because its environment cannot be built or used."""
        entry = self.project.catalog[cell.failure]
        # A generated environment may not resolve; without a lock, its name replaces the digest.
        environment = cell.environment
        key = key_of_roles(self._key(environment), {role: self._key(held) for role, held in cell.roles.items()})
        observation = not_run(cell, self.id, recipe_of(cell, entry, key, self.options.timeout), reason)
        if isinstance(environment, Named):
            self.keep(observation)
        return observation

    def _key(self, environment: CellEnvironment) -> str:
        locked = isinstance(environment, Named) and environment.name not in self.project.derived
        return self.project.environments.lock(environment.label).digest if locked else environment.label

    def _ranks_of(self, cell: Cell) -> int:
        """The ranks that run at once: those of the largest stage."""
        return most_ranks(self.project.catalog[cell.failure].failure, cell)

    def _cores_for(self, cell: Cell, slots: Slots) -> int:
        """The slots of a run: one a rank; ranks share the cores where there are fewer, unless the user set a limit."""
        ranks = self._ranks_of(cell)
        return ranks if RANKS in os.environ else min(ranks, slots.limit)

    def keep(self, observation: Observation) -> None:
        """Store an observation together with its verdict by today's rules."""
        self.store.add(_unplaced(observation))
        failure = self.project.catalog[observation.cell.failure].failure
        self.store.record_verdict(observation.id, judge(failure, observation).verdict)

    def conclude(self, cell: Cell, observations: Sequence[Observation], reused: int = 0) -> Result:
        """The result of a cell that has run; the listener is notified."""
        result = judge_repetitions(self.project.catalog[cell.failure].failure, observations, reused, asked=cell)
        if result.judgement.reason.startswith(DISAGREEMENT):
            self.listener.progress(f"{cell.label}: {result.judgement.reason}; please report it with this script")
        self.listener.finished(result)
        return result


def order_of_runs(cells: Sequence[Cell], catalog: Catalog) -> list[int]:
    """The places of cells in the order of their runs: by environment, and in it by the imports that they share."""
    places = {environment: place for place, environment in enumerate(dict.fromkeys(cell.environment for cell in cells))}

    def key(index: int) -> tuple[object, ...]:
        cell = cells[index]
        return (places[cell.environment], *sort_key(cell, catalog[cell.failure]))

    return sorted(range(len(cells)), key=key)


def _unplaced(observation: Observation) -> Observation:
    """The observation without the paths of adopted interpreters: a stored record names no machine's folders."""
    cell = observation.cell
    own = _by_version(cell.environment, observation.installed)
    roles = {role: _by_version(held, observation.roles.get(role)) for role, held in cell.roles.items()}
    if own == cell.environment and roles == cell.roles:
        return observation
    installed = observation.installed
    named = {
        role: held.model_copy(update={"name": roles[role].label}) if role in roles else held
        for role, held in observation.roles.items()
    }
    return observation.model_copy(
        update={
            "cell": cell.model_copy(update={"environment": own, "roles": roles}),
            "installed": installed.model_copy(update={"name": own.label}) if installed else None,
            "roles": named,
        }
    )


def _by_version(environment: CellEnvironment, installed: Installed | None) -> CellEnvironment:
    """An adopted interpreter by its Python version; every other environment as it is."""
    if not isinstance(environment, Adopted):
        return environment
    return Adopted(installed.python if installed else "unknown")
