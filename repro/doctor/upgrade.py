"""Judges a change of versions by the records' specifiers alone: what it would cure and bring.  Pure."""

from collections.abc import Iterable, Mapping, Sequence

from packaging.version import Version

from repro.doctor.exposure import Exposure, exposure, may_affect
from repro.doctor.stack.stack import Stack
from repro.model.base import Strict
from repro.model.failure import Failure
from repro.model.version_change import VersionChange


class ProposedChange(VersionChange):
    """One distribution at another version; ``before`` is None if it is not installed or not known."""

    after: str

    @property
    def is_downgrade(self) -> bool:
        return self.before is not None and Version(self.after) < Version(self.before)

    @property
    def text(self) -> str:
        """``torch 2.4.0 → 2.5.0``."""
        return f"{self.distribution} {self.before or '(not pinned)'} → {self.after}"


class Step(Strict):
    """The effect of some changes, by failure."""

    changes: tuple[ProposedChange, ...]
    cured: tuple[str, ...]
    brought: tuple[str, ...]
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    """Failures for which the exposure before or after is not known."""


def step(failures: Iterable[Failure], stack: Stack, versions: Mapping[str, str]) -> Step:
    """The effect of moving to these versions."""
    after = stack.moved(versions)
    found: dict[str, list[str]] = {"cured": [], "brought": [], "kept": [], "unknown": []}
    for failure in failures:
        pair = exposure(failure, stack), exposure(failure, after)
        kinds = {
            (Exposure.AFFECTED, Exposure.CLEAR): "cured",
            (Exposure.CLEAR, Exposure.AFFECTED): "brought",
            (Exposure.AFFECTED, Exposure.AFFECTED): "kept",
        }
        kind = kinds.get(pair)
        if kind is None and (may_affect(failure, stack) or may_affect(failure, after)):
            kind = "unknown"
        if kind:
            found[kind].append(failure.id)
    changes = tuple(
        ProposedChange(distribution=name, before=stack.versions.get(name), after=version)
        for name, version in versions.items()
        if stack.versions.get(name) != version
    )
    return Step(changes=changes, **{kind: tuple(ids) for kind, ids in found.items()})


def steps(failures: Sequence[Failure], stack: Stack, versions: Mapping[str, str]) -> tuple[Step, ...]:
    """One step for each package; if there are several, the whole set comes last."""
    single = [step(failures, stack, {name: version}) for name, version in versions.items()]
    return (*single, step(failures, stack, versions)) if len(single) > 1 else tuple(single)
