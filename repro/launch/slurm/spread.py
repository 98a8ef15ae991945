"""Runs cells as Slurm jobs: submits them, follows their events, stores what they observed, and ends them."""

import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from repro.catalog.plan import Weights
from repro.catalog.project import Project
from repro.launch.session import Listener, Options, Session
from repro.launch.slurm.batches import Batch, SlurmOptions, again, batch_of, divide, refuse_elsewhere
from repro.launch.slurm.job_state import JobPhase, JobState, summary, why_lost
from repro.launch.slurm.queue import QueueFullError, SlurmQueue
from repro.launch.slurm.spool import BatchFile, EventReader, HeldLock, NodeEvent, observed, write_batch
from repro.model.cell import Cell, Named
from repro.model.errors import EnvironmentFailure, NoPythonError, StoreError, UsageError
from repro.model.observation import Observation
from repro.store.observations import Store, read_observation
from repro.store.recipe import key_of_roles, recipe_of
from repro.store.seconds import measured_seconds
from repro.verdict.result import Result

POLL_SECONDS = 0.3
"""How often the files of the jobs are looked at."""
STATE_SECONDS = 5.0
"""How often Slurm is asked; its users share one controller."""
SETTLE_SECONDS = 10.0
"""How long files of a job that has ended may need until they are seen here."""
RETRY_SECONDS = 10.0
"""After this time a job that a full queue refused is submitted again."""
CANCEL_SECONDS = 60.0
"""How long cancelled jobs may need to end their ranks."""


@dataclass
class _Sent:
    """A batch on its way: waiting here, in the queue, or running."""

    batch: Batch
    folder: Path
    reader: EventReader
    open: dict[str, Cell]
    """The cells without a result, by label."""
    job: str = ""
    began: list[str] = field(default_factory=list)
    """The labels of the cells that have started."""
    pending: list[NodeEvent] = field(default_factory=list)
    """Finished cells whose observations are not seen here yet."""
    known: set[str] = field(default_factory=set)
    """The ids of its observations that are stored."""
    error: str = ""
    ended: bool = False
    """Its session has ended, by its own word."""
    over: float | None = None
    """When Slurm was first seen to have ended it."""
    state: JobState | None = None


class Spread:
    """Like a session, on the nodes of a cluster."""

    def __init__(
        self,
        project: Project,
        store: Store,
        options: Options,
        listener: Listener,
        slurm: SlurmOptions,
        *,
        run_name: str | None = None,
        provide: Callable[[str], object] | None = None,
    ) -> None:
        """``provide`` builds an environment that is not in the matrix, by name, as ``Session`` has it."""
        self._provide = provide or (lambda name: project.environments.interpreter(name, listener.progress))
        self._project = project
        self._store = store
        self._options = options
        self._listener = listener
        self._slurm = slurm
        self._session = Session(project, store, options, listener)
        self._session.id = run_name or self._session.id
        self._clock: Callable[[], float] = time.monotonic
        self._attempts: Counter[str] = Counter()
        self._reasons: dict[str, list[str]] = {}
        self._results: dict[str, Result | None] = {}
        self._waiting: deque[_Sent] = deque()
        self._active: list[_Sent] = []
        self._folders = 0
        self._noted = ""
        self._lost = False

    @property
    def _spool(self) -> Path:
        return self._project.cache / "slurm" / self._session.id

    def run(self, cells: Sequence[Cell]) -> list[Result]:
        """Run the cells and return their results in the same order, without cells that do not apply.

        On KeyboardInterrupt, and on any error, all jobs are cancelled before it is raised again; what has finished
        is stored.  Raises UsageError for cells and options that cannot be run so, StoreError.
        """
        if not cells:
            return []
        refuse_elsewhere(cells)
        if self._project.own is not None:
            raise UsageError("--on slurm runs failures of a catalogue, not a script of your own")
        queue = SlurmQueue(self._spool / "slurm", f"repro-{self._session.id}", self._slurm)
        distinct = list(self._with_environments({cell.label: cell for cell in cells}.values()))
        for batch in divide(distinct, self._project.catalog, self._slurm, self._weights(distinct)):
            self._enqueue(batch)
        with ThreadPoolExecutor(1, "submit") as submitter:
            try:
                self._lead(queue, submitter)
            except BaseException:
                self._end(queue, submitter)
                raise
        if self._lost:
            self._listener.progress(f"slurm: the files of the lost jobs are in {self._spool}")
        else:
            shutil.rmtree(self._spool, ignore_errors=True)
        found = (self._results.get(cell.label) for cell in cells)
        return [result for result in found if result is not None]

    def _with_environments(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        """The cells whose environments can be built; those that are not in the matrix are built here.

        Nodes share the cache, and may have no network to build with.
        """
        faults: dict[str, EnvironmentFailure | None] = {}
        for cell in cells:
            names = sorted({environment.label for environment in cell.environments} & set(self._project.derived))
            for name in names:
                if name not in faults:
                    faults[name] = self._fault_of(name)
            error = next((fault for name in names if (fault := faults[name])), None)
            if error is None:
                yield cell
            elif isinstance(error, NoPythonError):
                self._results[cell.label] = None
                self._listener.skipped(cell, str(error))
            else:
                self._results[cell.label] = self._session.unrunnable(cell, str(error))

    def _fault_of(self, name: str) -> EnvironmentFailure | None:
        """Why an environment cannot be built here, or None; a build that fails takes long, and is tried once."""
        try:
            self._provide(name)
        except EnvironmentFailure as error:
            return error
        return None

    def _weights(self, cells: Sequence[Cell]) -> Weights:
        named = {environment for cell in cells for environment in cell.environments if isinstance(environment, Named)}
        environments = self._project.environments
        built = frozenset(place.name for place in named if environments.place(place.name).exists)
        return Weights(measured_seconds(self._store, {cell.failure for cell in cells}), built)

    def _enqueue(self, batch: Batch) -> None:
        self._folders += 1
        folder = self._spool / f"batch-{self._folders}"
        options = self._options
        project = self._project
        write_batch(
            folder,
            BatchFile(
                run=self._session.id,
                cells=batch.cells,
                nodes=batch.allocation.nodes,
                catalog=str(project.failures) if project.base is not None else None,
                cache=str(project.cache),
                data=str(self._store.root.resolve()),
                held=self._held(batch),
                repeat=options.repeat,
                timeout=options.timeout,
                warm=options.warm,
                fresh=options.fresh,
                confirm=options.confirm,
                full_deadline=options.full_deadline,
            ),
        )
        self._attempts.update(cell.label for cell in batch.cells)
        self._waiting.append(_Sent(batch, folder, EventReader(folder), {cell.label: cell for cell in batch.cells}))

    def _held(self, batch: Batch) -> dict[str, HeldLock]:
        """The environments of a batch that are not in the matrix."""
        names = {place.label for cell in batch.cells for place in cell.environments} & set(self._project.derived)
        return {
            name: HeldLock(environment=self._project.derived[name], text=self._project.environments.lock(name).text)
            for name in sorted(names)
        }

    def _lead(self, queue: SlurmQueue, submitter: ThreadPoolExecutor) -> None:
        """Submit and follow the jobs until every cell has a result."""
        submission: Future[str] | None = None
        not_before = asked = self._clock()
        while self._waiting or self._active:
            now = self._clock()
            if submission is None and self._waiting and now >= not_before:
                first = self._waiting[0]
                submission = submitter.submit(queue.submit, first.folder, first.batch.allocation)
            if submission is not None and submission.done():
                try:
                    self._waiting[0].job = submission.result()
                    self._active.append(self._waiting.popleft())
                except QueueFullError as error:
                    not_before = now + RETRY_SECONDS
                    self._note(f"slurm: {len(self._waiting)} jobs wait to be submitted: {error}")
                submission = None
            for sent in self._active:
                self._follow(sent)
            if now >= asked and self._active:
                asked = now + STATE_SECONDS
                self._ask(queue)
            for sent in [sent for sent in self._active if self._is_over(sent)]:
                self._active.remove(sent)
                self._conclude(sent, queue)
            time.sleep(POLL_SECONDS)

    def _note(self, text: str) -> None:
        """Report a step, once."""
        if text and text != self._noted:
            self._noted = text
            self._listener.progress(text)

    def _ask(self, queue: SlurmQueue) -> None:
        """Ask Slurm for the states of the jobs."""
        states = queue.states()
        if states is None:
            return
        for sent in self._active:
            sent.state = states.get(sent.job)
            gone = sent.state is None or sent.state.phase is JobPhase.ENDED
            if not gone:
                sent.over = None
            elif sent.over is None:
                sent.over = self._clock()
        jobs = {sent.job: sent.state for sent in self._active if sent.state}
        text = summary(jobs)
        self._note(f"slurm: {text}" if text else "")

    def _follow(self, sent: _Sent) -> None:
        """Take what a node has reported since the last look."""
        for event in sent.reader.new():
            cell = sent.open.get(event.cell)
            if event.event == "progress":
                self._listener.progress(event.text)
            elif event.event == "ended":
                sent.ended, sent.error = True, event.text
            elif cell is None:
                continue
            elif event.event == "started":
                sent.began.append(event.cell)
                self._listener.started(cell)
            elif event.event == "skipped":
                self._results[event.cell] = None
                del sent.open[event.cell]
                self._listener.skipped(cell, event.text)
            else:
                sent.pending.append(event)
        if sent.pending:
            self._take(sent)
        elif sent.ended and sent.over is None:
            sent.over = self._clock()

    def _take(self, sent: _Sent) -> None:
        """Store the observations of finished cells, and judge them here."""
        seen = self._import(sent)
        for event in list(sent.pending):
            cell = sent.open.get(event.cell)
            if cell is None:
                sent.pending.remove(event)
                continue
            found = [seen[name] if name in seen else self._stored(cell, name) for name in event.observations]
            # Another cell's observation decides nothing here.
            runs = [run for run in found if run is not None and self._is_of(cell, run, seen)]
            if runs and len(runs) == len(event.observations):
                sent.pending.remove(event)
                del sent.open[event.cell]
                reused = min(max(0, event.reused), len(runs))
                self._results[event.cell] = self._session.conclude(cell, runs, reused)

    def _import(self, sent: _Sent) -> dict[str, Observation]:
        """Store what a node has observed so far."""
        found = observed(sent.folder, self._session.id)
        seen = {name: one for name, one in found.items() if one.cell in sent.batch.cells}
        for name in sorted(seen.keys() - sent.known):
            self._session.keep(seen[name])
            sent.known.add(name)
        return seen

    def _stored(self, cell: Cell, name: str) -> Observation | None:
        """An earlier observation that a node reused."""
        file = self._store.root / cell.failure / f"{name}.json"
        return read_observation(file) if file.is_file() else None

    def _is_of(self, cell: Cell, run: Observation, seen: Mapping[str, Observation]) -> bool:
        """True if a run decides the cell: this command's, or a stored one of its recipe.

        The points of a search and of a watch have environments of several names and the same content.
        """
        return run.cell == cell if run.id in seen else run.recipe == self._recipe(cell)

    def _recipe(self, cell: Cell) -> str:
        lock = self._project.environments.lock
        roles = {role: lock(place.label).digest for role, place in cell.roles.items()}
        key = key_of_roles(lock(cell.environment.label).digest, roles)
        return recipe_of(cell, self._project.catalog[cell.failure], key, self._options.timeout)

    def _is_over(self, sent: _Sent) -> bool:
        """True if nothing more is expected of a job."""
        if not sent.open:
            return True
        return sent.over is not None and self._clock() >= sent.over + SETTLE_SECONDS

    def _conclude(self, sent: _Sent, queue: SlurmQueue) -> None:
        """Send the cells of a lost job once more, or give them up; nothing to do if all have a result."""
        self._import(sent)
        if not sent.open:
            return
        self._lost = True
        # A job that Slurm lost sight of must not go on beside its second attempt.
        queue.cancel(sent.job)
        reason = "its session failed on the node" if sent.error else why_lost(sent.state)
        if sent.ended and not sent.error:
            reason = "what its node left cannot be read"
        for label in sent.open:
            self._reasons.setdefault(label, []).append(reason)
        follows = again(list(sent.open.values()), sent.began, self._attempts)
        where = f" on {sent.state.nodes}" if sent.state and sent.state.nodes else ""
        count = sum(map(len, follows.sent))
        detail = f" ({sent.error})" if sent.error else ""
        self._listener.progress(
            f"slurm: job {sent.job}{where} left {len(sent.open)} cells without a result: {reason}{detail}; "
            f"{count} sent again"
        )
        for cells in follows.sent:
            self._enqueue(batch_of(cells, self._project.catalog, self._slurm))
        for cell in follows.given_up:
            first, *more = self._reasons[cell.label]
            self._results[cell.label] = self._session.unrunnable(
                cell, f"not run on the cluster: {first}" + "".join(f"; sent again: {text}" for text in more)
            )

    def _end(self, queue: SlurmQueue, submitter: ThreadPoolExecutor) -> None:
        """Cancel all jobs, wait until their ranks are gone, and store what has finished."""
        queue.break_off()
        submitter.shutdown(wait=True, cancel_futures=True)
        queue.cancel()
        deadline = self._clock() + CANCEL_SECONDS
        while self._clock() < deadline:
            states = queue.states()
            if states is not None and all(state.phase is JobPhase.ENDED for state in states.values()):
                break
            time.sleep(POLL_SECONDS)
        for sent in self._active:
            try:
                self._follow(sent)
                self._import(sent)
            except StoreError:
                continue  # the first error is the one that is reported
        shutil.rmtree(self._spool, ignore_errors=True)
