"""What a change of versions would cure and bring, from the records' specifiers alone.  Pure."""

from collections.abc import Iterable, Mapping, Sequence

from packaging.version import Version

from repro.doctor.exposure import Exposure, exposure, may_affect
from repro.doctor.stack.stack import Stack
from repro.model.base import Strict
from repro.model.failure import Failure
from repro.model.version_change import VersionChange


class ProposedChange(VersionChange):
    """One distribution at another version; ``before`` is None where it is not installed or not known."""

    after: str

    @property
    def is_downgrade(self) -> bool:
        return self.before is not None and Version(self.after) < Version(self.before)

    @property
    def text(self) -> str:
        """``torch 2.4.0 → 2.5.0``."""
        return f"{self.distribution} {self.before or '(not pinned)'} → {self.after}"


class Step(Strict):
    """What some changes would do, by failure."""

    changes: tuple[ProposedChange, ...]
    cured: tuple[str, ...]
    brought: tuple[str, ...]
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    """Affected before or maybe after, and one of the two is not known."""


def step(failures: Iterable[Failure], stack: Stack, versions: Mapping[str, str]) -> Step:
    """What moving to these versions would do."""
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
    """One step a package, and the whole set last where there are several."""
    single = [step(failures, stack, {name: version}) for name, version in versions.items()]
    return (*single, step(failures, stack, versions)) if len(single) > 1 else tuple(single)
