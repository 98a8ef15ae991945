"""The content of the first page: counts, changes, and the map of failures and environments.  Runs nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from packaging.version import Version

from repro.model.cell import Adopted, Cell, Named, Overlaid
from repro.model.failure import Failure, Lane
from repro.model.matrix import Matrix
from repro.model.verdict import Status
from repro.report.lanes import torch_of
from repro.report.rows import Lookup, Row, row_of
from repro.report.upstream import UpstreamComparison
from repro.report.view import FailureView
from repro.store.answers import Turned
from repro.store.recipe import environment_key, recipe_of
from repro.verdict import claims
from repro.verdict.history import Coverage, History, HistoryPoint, News, Turn, commands, coverage, news, turns
from repro.verdict.result import Result

Item = TypeVar("Item")

CHANGED = frozenset({Status.RELAPSED, Status.CURED, Status.DRIFTED})


class State(StrEnum):
    """What is known about a cell."""

    JUDGED = "judged"
    UNKNOWN = "could not be judged"
    OUTDATED = "run with other sources only"
    NEVER = "never run"
    INAPPLICABLE = "does not apply"


@dataclass(frozen=True, slots=True)
class TileRow:
    """What the map shows of a row; the pages about all failures have tens of thousands."""

    cell: Cell
    verdict: str | None
    status: str | None
    date: str
    shared_cores: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A cell of the map."""

    row: Row | TileRow
    state: State
    in_matrix: bool
    """True for a default cell; other cells belong to a claim, or show the other lane."""
    asked: bool
    """True if the matrix or a claim needs it; False if it only shows the other lane."""
    why: str = ""
    """Why there is no verdict."""
    result: Result | None = None
    """The runs; the first page is made without them."""
    command: str = ""
    """The command of the newest run."""

    @property
    def cell(self) -> Cell:
        return self.row.cell

    @property
    def unexpected(self) -> bool:
        return self.row.status in CHANGED

    @property
    def run(self) -> bool:
        return self.row.verdict is not None


@dataclass(frozen=True, slots=True)
class TilePair:
    """A cell in both lanes; None for a lane that the failure does not have."""

    cpu: Tile | None
    cuda: Tile | None


@dataclass(frozen=True)
class HeatRow:
    """A failure in the map."""

    failure: Failure
    places: Mapping[str, tuple[TilePair, ...]]
    """By environment: the failure as it is first, then with each backport."""

    @property
    def pairs(self) -> tuple[TilePair, ...]:
        return tuple(pair for pairs in self.places.values() for pair in pairs)

    @property
    def tiles(self) -> tuple[Tile, ...]:
        return tuple(tile for pair in self.pairs for tile in (pair.cpu, pair.cuda) if tile)

    @property
    def without_runs(self) -> "HeatRow":
        """The row without the runs of its tiles, which take memory."""
        places = {
            name: tuple(TilePair(_without_runs(pair.cpu), _without_runs(pair.cuda)) for pair in pairs)
            for name, pairs in self.places.items()
        }
        return replace(self, places=places)


def _without_runs(tile: Tile | None) -> Tile | None:
    if tile is None:
        return None
    row = tile.row
    return replace(tile, result=None, row=TileRow(row.cell, row.verdict, row.status, row.date, row.shared_cores))


@dataclass(frozen=True)
class FailureSummary:
    """What the pages about all failures need of one; small, since there may be thousands."""

    row: HeatRow
    """Without runs."""
    upstream: UpstreamComparison
    turned: tuple[Turned, ...]
    """What new releases changed, if today's rules still see it."""
    oldest: str | None
    """The date of the oldest run of the default cells."""
    gates: frozenset[str]
    """The gates that were lifted in these runs."""
    ran: Mapping[str, Mapping[str, str]]
    """The commands that ran each default cell, with the date of the oldest observation; by the cell's label."""
    last: tuple[Turn, ...]
    """The last change of verdict of each cell."""
    news: tuple[tuple[News, Turn], ...]
    newest: str | None
    """The date of the newest stored run."""

    @property
    def failure(self) -> Failure:
        return self.row.failure


@dataclass(frozen=True)
class ChangeGroup:
    """Changes of verdict that have one cause."""

    cause: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Attention:
    """Default cells that need attention for one reason."""

    what: str
    """Their status, or that they could not be judged."""
    reason: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Overview:
    """The first page."""

    environments: tuple[str, ...]
    """The columns of the map: the environments of most failures first, then in the order of the matrix."""
    failures: tuple[FailureSummary, ...]
    counts: Mapping[State, int]
    """The number of default cells in each state."""
    changed: int
    """The number of judged default cells that are not as documented."""
    cuda: tuple[int, int]
    """The number of cells of the CUDA lane that were run, and of all."""
    cuda_missing: Mapping[str, tuple[Tile, ...]]
    """The cells of the CUDA lane that were not run, by reason."""
    runs: tuple[Coverage, ...]
    """The commands that ran default cells, the newest first."""
    complete: str | None
    """The start of the oldest command whose run counts today: since then every cell was run, by one command or by the
    shards of a schedule.  None if some default cell has no run with today's sources."""
    since: str | None
    """The start of the period for which changes are counted: the last complete run, else the newest run."""
    changes: tuple[ChangeGroup, ...]
    attention: tuple[Attention, ...]
    """The cells that are not as documented, then those that could not be judged."""
    news: tuple[tuple[News, Turn], ...]
    """Every relapse and cure in the store."""
    newest: str | None
    """The date of the newest stored run."""


def summary(view: FailureView, row: HeatRow, known: Mapping[str, History]) -> FailureSummary:
    """What all pages need of a failure; ``known`` are its histories by cell label."""
    speaks = row.failure.distributions
    ours = dict.fromkeys(tile.cell.label for tile in row.tiles if not isinstance(tile.cell.environment, Adopted))
    told = [known[label] for label in ours if label in known]
    defaults = {tile.cell.label for tile in row.tiles if tile.in_matrix}
    run = [held for held in view.rows if held.verdict]
    return FailureSummary(
        row=row.without_runs,
        upstream=view.upstream,
        turned=tuple(answer for answer in view.answers if isinstance(answer, Turned) and answer.holds),
        oldest=min((held.date for held in run), default=None),
        gates=frozenset(gate for held in view.rows for gate in held.gates),
        ran={label: commands(known[label]) for label in sorted(defaults & set(known))},
        last=tuple(_small(found[-1]) for history in told if (found := turns(history, speaks))),
        news=tuple(
            (kind, _small(turn)) for history in told if history.cell.is_default for kind, turn in news(history, speaks)
        ),
        newest=max((history.points[-1].date for history in known.values()), default=None),
    )


def _small(turn: Turn) -> Turn:
    """A turn without what is installed, from which it was computed."""

    def small(point: HistoryPoint | None) -> HistoryPoint | None:
        if point is None:
            return None
        newest = point.result.newest.model_copy(update={"installed": None, "roles": {}})
        return replace(point, result=replace(point.result, observations=(newest,), shown=None))

    after = small(turn.after)
    return turn if after is None else replace(turn, before=small(turn.before), after=after)


def overview(failures: Sequence[FailureSummary], matrix: Matrix) -> Overview:
    """The first page, from what is known of each failure."""
    tiles = [tile for found in failures for tile in found.row.tiles]
    defaults = [tile for tile in tiles if tile.in_matrix]
    cuda = [tile for tile in tiles if tile.cell.lane is Lane.CUDA and tile.state is not State.INAPPLICABLE]
    applying = [tile.cell for tile in defaults if tile.state is not State.INAPPLICABLE]
    runs = coverage(applying, {label: ran for found in failures for label, ran in found.ran.items()})
    complete = completed(defaults, runs)
    since = complete or (runs[0].date if runs else None)
    recent = [turn for found in failures for turn in found.last if since and turn.after.date >= since]
    used = Counter(name for found in failures for name in found.row.places)
    named = [name for name in matrix.environments if name in used]
    named += sorted(set(used) - set(named))
    return Overview(
        environments=tuple(sorted(named, key=lambda name: -used[name])),
        failures=tuple(failures),
        counts=Counter(tile.state for tile in defaults),
        changed=sum(tile.unexpected for tile in defaults),
        cuda=(sum(tile.run for tile in cuda), len(cuda)),
        cuda_missing=missing(cuda),
        runs=tuple(runs),
        complete=complete,
        since=since,
        changes=grouped(recent),
        attention=attention(defaults),
        news=tuple(item for found in failures for item in found.news),
        newest=max((found.newest for found in failures if found.newest), default=None),
    )


def completed(tiles: Sequence[Tile], runs: Sequence[Coverage]) -> str | None:
    """The start of the oldest command whose runs decide these cells; None if a cell was not run."""
    applying = [tile for tile in tiles if tile.state is not State.INAPPLICABLE]
    began = {run.run: run.date for run in runs}
    # A search may have run a cell under another name of its environment; such a command is not among the runs.
    rests = [began.get(tile.command, tile.row.date) for tile in applying if tile.run]
    return min(rests) if rests and len(rests) == len(applying) else None


def grouped(found: Sequence[Turn]) -> tuple[ChangeGroup, ...]:
    """Changes of verdict grouped by cause, the largest group first."""
    return tuple(ChangeGroup(cause, held) for cause, held in _largest_first(found, lambda turn: turn.cause).items())


def missing(tiles: Iterable[Tile]) -> Mapping[str, tuple[Tile, ...]]:
    """The cells that were not run, by reason; the reason of most cells first."""
    return _largest_first((tile for tile in tiles if not tile.run), lambda tile: tile.why or tile.state)


def _largest_first(items: Iterable[Item], name: Callable[[Item], str]) -> dict[str, tuple[Item, ...]]:
    """Items by name, the largest group first."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(name(item), []).append(item)
    return {key: tuple(groups[key]) for key in sorted(groups, key=lambda key: (-len(groups[key]), key))}


def attention(tiles: Sequence[Tile]) -> tuple[Attention, ...]:
    """The cells that are not as documented, by status, and those that could not be judged, by reason."""
    groups: dict[tuple[str, str], list[Tile]] = {}
    for tile in tiles:
        if tile.unexpected:
            groups.setdefault((str(tile.row.status), ""), []).append(tile)
        elif tile.state is State.UNKNOWN:
            groups.setdefault((str(tile.state), tile.why), []).append(tile)
    order = [*(str(status) for status in Status), str(State.UNKNOWN)]
    made = [Attention(what, reason, tuple(held)) for (what, reason), held in groups.items()]
    return tuple(sorted(made, key=lambda group: (order.index(group.what), -len(group.tiles), group.reason)))


def tile_of(
    cell: Cell,
    lookup: Lookup,
    known: Mapping[str, History],
    torches: Collection[str],
    *,
    in_matrix: bool,
    asked: bool,
) -> Tile:
    """What is known about a cell; a CUDA cell may have been run on another machine's interpreter."""
    result = lookup.result(cell) or (laid_over(cell, lookup, known) if cell.lane is Lane.CUDA else None)
    if result is not None:
        return _judged(result, lookup, in_matrix=in_matrix, asked=asked)
    row = lookup.row(cell)
    why = lookup.applies_not(cell)
    if why:
        return Tile(row, State.INAPPLICABLE, in_matrix, asked, why)
    state = State.OUTDATED if cell.label in known else State.NEVER
    return Tile(row, state, in_matrix, asked, torch_not_had(cell, lookup, torches) or row.not_run or "")


def laid_over(cell: Cell, lookup: Lookup, known: Mapping[str, History]) -> Result | None:
    """The newest run of a cell on a packed environment with today's sources.

    A pack contains no torch.  If torch decides who is affected, the run counts only if its torch is the cell's.
    """
    if not isinstance(cell.environment, Named):
        return None
    twin = cell.model_copy(update={"environment": Overlaid(cell.environment.name)})
    result = _of_today(known[twin.label], lookup) if twin.label in known else None
    wanted = _torch_that_decides(cell, lookup)
    return result if result is None or wanted in (None, torch_of(result.newest)) else None


def torch_not_had(cell: Cell, lookup: Lookup, had: Collection[str]) -> str | None:
    """Why a cell of the CUDA lane was not run, if no machine with devices had its torch; None if that is not why."""
    wanted = _torch_that_decides(cell, lookup) if cell.lane is Lane.CUDA else None
    if wanted is None:
        return None
    if not had or wanted in had:
        return None
    return f"needs torch {wanted}; the machines with devices had {', '.join(sorted(had, key=Version))} only"


def _torch_that_decides(cell: Cell, lookup: Lookup) -> str | None:
    """The torch of a cell's environment, if torch decides who is affected by the failure."""
    if "torch" not in lookup.catalog[cell.failure].failure.judged_by:
        return None
    locked = lookup.lock(cell.environment.label).versions.get("torch")
    return Version(locked).public if locked else None


def _of_today(history: History, lookup: Lookup) -> Result | None:
    """The newest point of a cell without a lock of ours, if it was run with today's sources."""
    result = history.points[-1].result
    installed = result.newest.installed
    if installed is None:
        return None
    today = recipe_of(result.cell, lookup.catalog[result.cell.failure], environment_key(installed, result.newest.roles))
    return result if today == result.newest.recipe else None


def adopted(failure: Failure, lookup: Lookup, known: Mapping[str, History]) -> list[TilePair]:
    """The runs on adopted interpreters, such as that of a machine with GPUs, each with its other lane."""
    tiles: dict[str, dict[Lane, Tile]] = {}
    for history in known.values():
        cell = history.cell
        if cell.failure != failure.id or not isinstance(cell.environment, Adopted) or not cell.is_default:
            continue
        result = _of_today(history, lookup)
        if result is not None:
            place = cell.model_copy(update={"lane": Lane.CPU}).label
            tiles.setdefault(place, {})[cell.lane] = _judged(result, lookup, in_matrix=False, asked=True)
    return [TilePair(*(_beside(found, lane, failure) for lane in Lane)) for _, found in sorted(tiles.items())]


def _beside(found: Mapping[Lane, Tile], lane: Lane, failure: Failure) -> Tile | None:
    if lane in found or lane not in failure.needs.lanes:
        return found.get(lane)
    cell = next(iter(found.values())).cell.model_copy(update={"lane": lane})
    return Tile(Row(cell=cell, not_run="not run"), State.NEVER, in_matrix=False, asked=False)


def _judged(result: Result, lookup: Lookup, *, in_matrix: bool, asked: bool) -> Tile:
    row = row_of(result, lookup.catalog[result.cell.failure].failure.concerns)
    unknown = result.status is Status.UNKNOWN
    return Tile(
        row,
        State.UNKNOWN if unknown else State.JUDGED,
        in_matrix,
        asked,
        row.reason if unknown else "",
        result,
        result.newest.run,
    )


def heat_row(
    failure: Failure,
    defaults: Sequence[Cell],
    lookup: Lookup,
    known: Mapping[str, History],
    torches: Collection[str],
) -> HeatRow:
    """A failure in the map.

    ``defaults`` are its default cells, ``known`` its histories by cell label, ``torches`` those that the machines with
    devices had.
    """
    own = {cell.label: cell for cell in defaults}
    asked = [cell for cell in claims.cells_of(failure) if cell.is_default and not cell.backport]
    wanted = {cell.label: cell for cell in [*own.values(), *asked]}
    places: dict[str, list[TilePair]] = {}
    seen: set[str] = set()
    for cell in wanted.values():
        lanes = {lane: cell.model_copy(update={"lane": lane}) for lane in Lane}
        if lanes[Lane.CPU].label in seen:
            continue
        seen.add(lanes[Lane.CPU].label)
        found = {
            lane: tile_of(twin, lookup, known, torches, in_matrix=twin.label in own, asked=twin.label in wanted)
            for lane, twin in lanes.items()
            if lane in failure.needs.lanes
        }
        places.setdefault(cell.environment.label, []).append(TilePair(found.get(Lane.CPU), found.get(Lane.CUDA)))
    for pair in adopted(failure, lookup, known):
        places.setdefault(_tile(pair).cell.environment.label, []).append(pair)
    for pairs in places.values():
        pairs.sort(key=lambda pair: _backport(pair) or "")
    return HeatRow(failure, {name: tuple(pairs) for name, pairs in places.items()})


def _tile(pair: TilePair) -> Tile:
    tile = pair.cpu or pair.cuda
    assert tile is not None  # noqa: S101 - every failure has a lane
    return tile


def _backport(pair: TilePair) -> str | None:
    return _tile(pair).cell.backport
