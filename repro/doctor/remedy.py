"""Searches for versions that install and show no failure: resolved with uv, run in a fresh environment."""

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.catalog.project import Project
from repro.doctor.advice import RefusedProposal, Remedy, RemedySearchResult, VerifyingRun
from repro.doctor.diagnosis import cause_of
from repro.doctor.exposure import Exposure, exposure
from repro.doctor.proposals import Axis, Proposal, is_free, open_failures, proposals
from repro.doctor.stack.stack import ALIASES, Stack
from repro.doctor.upgrade import ProposedChange, step
from repro.environments.locks import Lock, is_accelerator
from repro.launch.session import Listener, Options, Session, Silent
from repro.model.cell import make_cell
from repro.model.errors import EnvironmentFailure
from repro.model.failure import Failure, Lane
from repro.model.matrix import Environment, Matrix
from repro.model.verdict import Verdict
from repro.model.version import parsed_version
from repro.search.environments import vector
from repro.search.releases import Fetch, Releases
from repro.store.observations import Store

Notify = Callable[[str], None]
MOST_TRIES = 12
"""The number of proposals that are tried before the search gives up."""
_NOT_FOUND = re.compile(r"Because (\S+) was not found in the package registry")
_NOT_BUILT = re.compile(r"[Ff]ailed to (?:download and )?build `?([A-Za-z0-9][A-Za-z0-9._-]*)")
_INSTALLERS = {"pip", "wheel", "uv"}


def releases_of_distribution(matrix: Matrix, distribution: str, python: str, fetch: Fetch) -> Releases:
    """The releases that may be proposed, without denied or yanked ones and those without a file for this Python."""

    def refuse(version: str) -> str | None:
        denied = matrix.denied(distribution, version)
        return f"denied: {denied.reason}" if denied else None

    return Releases(distribution, python, refuse, fetch=fetch)


@dataclass
class RemedySearch:
    """Searches for versions without the relevant failures."""

    project: Project
    stack: Stack
    python: str
    """``3.11``"""
    today: str
    fetch: Fetch
    """Fetches the releases from the index."""
    local: Iterable[str] = ()
    """Installed distributions that no index may have."""
    verify: bool = True
    notify: Notify = lambda _: None
    listener: Listener = field(default_factory=Silent)

    def __post_init__(self) -> None:
        self._left_out = dict.fromkeys(self.local, "was installed from an address")
        self._definitions: dict[str, Environment] = {}
        self._deriving = self.project.deriving(self._definitions)

    def answer(self, care: Sequence[Failure], others: Sequence[Failure]) -> RemedySearchResult:
        """The smallest set of changes that cures all of ``care`` and brings none of ``others``.

        Raises EnvironmentFailure if the index cannot be asked.
        """
        axes = self._axes(care)
        closed_to = open_failures(care, self.stack, axes)
        wanted = [failure for failure in care if failure not in closed_to]
        sought = RemedySearchResult(care=tuple(f.id for f in care), open=tuple(f.id for f in closed_to))
        if not wanted:
            return sought.model_copy(update={"why_none": "no release is free of them"})
        guarded = self._guarded(others, wanted, axes)
        refused: list[RefusedProposal] = []
        found = None
        why_none = ""
        for proposal in proposals(wanted, guarded, self.stack, axes):
            if len(refused) == MOST_TRIES:
                why_none = f"gave up after {MOST_TRIES} sets of versions"
                break
            changes = self._changes(proposal)
            self.notify(f"trying {format_changes(changes)}")
            try:
                found = self._tried(proposal, changes, [*wanted, *others], wanted)
            except EnvironmentFailure as error:
                found, why = None, f"does not install: {error}"
                unbuilt = _NOT_BUILT.search(str(error))
                if unbuilt and canonicalize_name(unbuilt[1]) not in proposal.versions:
                    # It would fail again with every other set, after minutes each time.
                    why_none = f"{unbuilt[1]} cannot be built here: leave it out, or install what its build needs"
                    refused.append(RefusedProposal(changes=changes, why=why))
                    break
            else:
                why = _failing(found)
            if found and not why:
                break
            refused.append(RefusedProposal(changes=changes, why=why))
            self.notify(f"refused: {why}")
            found = None
        if found is None and not why_none:
            why_none = self._why_none(wanted, guarded, axes, refused)
        left_out = tuple(f"{name}: {why}" for name, why in sorted(self._left_out.items()) if name in self.stack.held)
        update = {"found": found, "refused": tuple(refused), "left_out": left_out, "why_none": why_none}
        return sought.model_copy(update=update)

    def _guarded(self, others: Sequence[Failure], wanted: Sequence[Failure], axes: Sequence[Axis]) -> Sequence[Failure]:
        """The failures that a remedy must not bring: those that are not known to be there now.

        If no versions are free of all these, only those that are known to be absent: a failure of which nothing is
        known now may be there already.
        """
        unseen = [other for other in others if exposure(other, self.stack) is not Exposure.AFFECTED]
        if next(proposals(wanted, unseen, self.stack, axes), None) is not None:
            return unseen
        return [other for other in unseen if is_free(other, self.stack)]

    def _axes(self, care: Sequence[Failure]) -> list[Axis]:
        judged = {name for failure in care for name in failure.judged_by}
        names = sorted(
            name for name in judged | {ALIASES[n] for n in judged if n in ALIASES} if name in self.stack.held
        )
        return [
            Axis(
                name,
                self.stack.versions.get(name),
                tuple(
                    item.version
                    for item in releases_of_distribution(self.project.matrix, name, self.python, self.fetch)
                ),
                self.stack.held[name].specifiers,
            )
            for name in names
        ]

    def _why_none(
        self,
        wanted: Sequence[Failure],
        guarded: Sequence[Failure],
        axes: Sequence[Axis],
        refused: Sequence[RefusedProposal],
    ) -> str:
        if refused:
            return "no set of versions that the records allow could be installed and shown to be free of them"
        freed = next(proposals(wanted, [], self.stack, axes), None)
        if freed is None:
            return "each alone can be cured by other versions, all together cannot"
        moved = self.stack.moved(freed.versions)
        brought = ", ".join(other.id for other in guarded if exposure(other, moved) is Exposure.AFFECTED)
        nearest = format_changes(self._changes(freed))
        return f"every set that cures them brings others; the nearest, {nearest}, brings {brought}"

    def _changes(self, proposal: Proposal) -> tuple[ProposedChange, ...]:
        held = self.stack.versions
        return tuple(
            ProposedChange(distribution=name, before=held.get(name), after=version)
            for name, version in proposal.versions.items()
        )

    def _tried(
        self,
        proposal: Proposal,
        changes: tuple[ProposedChange, ...],
        reported: Sequence[Failure],
        wanted: Sequence[Failure],
    ) -> Remedy:
        """Resolve a proposal, build it and run it; raises EnvironmentFailure."""
        name = f"advised: {format_changes(changes)}"
        lock = self._resolved(name, proposal, reported)
        versions = vector(name, self._definitions[name], lock).versions
        held = self.stack.versions
        carried = tuple(
            ProposedChange(distribution=other, before=held[other], after=version)
            for other, version in versions.items()
            if other in held and other not in proposal.versions and _public(held[other]) != _public(version)
        )
        return Remedy(
            changes=changes,
            distance=proposal.distance,
            carried=carried,
            ran=self._run(name, wanted) if self.verify else (),
            step=step(reported, self.stack, dict(proposal.versions)),
        )

    def _resolved(self, name: str, proposal: Proposal, reported: Sequence[Failure]) -> Lock:
        spoken_of = {other for failure in reported for other in failure.distributions}
        while True:
            self._definitions[name] = self._definition(name, proposal, spoken_of)
            try:
                return self._deriving.environments.lock(name)
            except EnvironmentFailure as error:
                unknown = _NOT_FOUND.search(str(error))
                if unknown is None or unknown[1] in self._left_out:
                    raise
                self._left_out[unknown[1]] = "the package index does not have it"

    def _definition(self, name: str, proposal: Proposal, spoken_of: set[str]) -> Environment:
        """The whole environment: moved and relevant distributions pinned, others at their versions if possible."""
        versions = {other: _public(version) for other, version in self.stack.versions.items()}
        pins = {other: version for other, version in versions.items() if other in spoken_of and version}
        pins |= dict(proposal.versions)
        others = {
            other: held
            for other, held in self.stack.held.items()
            if other not in {*pins, *self._left_out, *_INSTALLERS}
            and not is_accelerator(other)
            and not held.may_be_absent
        }
        return Environment(
            python=self.python,
            cutoff=self.today,
            pins=pins,
            floating=tuple(f"{other}{held.specifiers}" for other, held in sorted(others.items())),
            preferred={other: version for other in others if (version := versions.get(other))},
            why=name,
        )

    def _run(self, name: str, wanted: Sequence[Failure]) -> tuple[VerifyingRun, ...]:
        cells = [make_cell(failure, name) for failure in wanted if Lane.CPU in failure.needs.lanes]
        with tempfile.TemporaryDirectory() as folder:
            session = Session(self._deriving, Store(Path(folder)), Options(), self.listener)
            return tuple(
                VerifyingRun(failure=result.cell.failure, verdict=result.verdict, why=cause_of(result))
                for result in session.run(cells)
            )


def format_changes(changes: Iterable[ProposedChange]) -> str:
    """``lightning 2.2.1 → 2.2.2, torch 2.2.2 → 2.4.0``."""
    return ", ".join(change.text for change in changes)


def _public(version: str) -> str | None:
    """The version without its local part, which indexes do not list."""
    parsed = parsed_version(version)
    return parsed.public if parsed else None


def _failing(found: Remedy) -> str:
    """Why a set that was run is refused: a failure was still seen.  An unknown result is no reason."""
    bad = {Verdict.REPRODUCED, Verdict.DIFFERENT, Verdict.FLAKY}
    seen = [item.failure for item in found.ran if item.verdict in bad]
    return f"still fails there: {', '.join(seen)}" if seen else ""
