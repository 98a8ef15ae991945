"""Answers of ``envs``, ``lock``, ``store``, ``rejudge`` and ``pack``."""

from repro.model.answers.base import Answer
from repro.model.base import Strict
from repro.model.cell import Cell


class EnvironmentAnswer(Strict):
    """One environment of ``matrix.yaml`` on this machine."""

    name: str
    python: str
    pins: dict[str, str]
    sources: dict[str, str] = {}
    """Its development versions, without the folders of this machine."""
    state: str
    """``missing``, ``missing: <why it cannot be built here>``, ``built``, or ``broken: <why>``."""
    torch: str
    """The installed version of torch with the label of its build; empty if it is not built."""
    torch_source: str
    """The index or folder that torch came from; empty if the build did not record it."""
    bytes: int
    own_bytes: int
    """Bytes of the files that neither another environment nor uv's cache shares."""
    added_bytes: int
    """Bytes of the files that no environment listed before this one has."""


class EnvironmentsAnswer(Answer):
    """``repro envs list --json``."""

    environments: tuple[EnvironmentAnswer, ...]
    bytes_together: int
    """Shared files are counted once."""


class SparesAnswer(Answer):
    """``repro envs stop --json``."""

    ended: tuple[str, ...]
    """The spares that it ended: their environments and ranks."""


class LockAnswer(Strict):
    """A lock that was written."""

    name: str
    """Of its environment."""
    distributions: int


class LocksAnswer(Answer):
    """``repro lock --json``."""

    locks: tuple[LockAnswer, ...]
    failed: tuple[str, ...]
    """The environments that do not resolve, each with the reason."""


class ListedObservation(Strict):
    """One stored observation, with the verdict of the current rules."""

    id: str
    cell: Cell
    started: str
    seconds: float
    launcher: str
    verdict: str


class ObservationsAnswer(Answer):
    """``repro store list --json``."""

    observations: tuple[ListedObservation, ...]


class VerifyAnswer(Answer):
    """``repro store verify --json``."""

    observations: int
    problems: tuple[str, ...]


class MergeAnswer(Answer):
    """``repro store merge --json``."""

    added: int
    known: int
    answers: int


class PruneAnswer(Answer):
    """``repro store prune --json``."""

    dry_run: bool
    removed: tuple[str, ...]


class RejudgedObservation(Strict):
    """An observation whose verdict changed."""

    id: str
    before: str
    after: str
    reason: str


class RejudgeAnswer(Answer):
    """``repro rejudge --json``."""

    judged: int
    changed: tuple[RejudgedObservation, ...]
    searches: tuple[str, ...]
    """Searches whose evidence changed."""


class PackAnswer(Answer):
    """``repro pack --json``."""

    environments: tuple[str, ...]
    wheels: int
    bytes: int
