"""Checks from stored runs whether a signature also matches fixed releases.  Nothing is run."""

from collections.abc import Iterator

from packaging.version import Version

from repro.catalog.catalog import RECORD, Entry
from repro.model.errors import Fault
from repro.model.failure import Failure
from repro.model.observation import Observation
from repro.model.verdict import Verdict
from repro.store.observations import Store
from repro.verdict.judge import judge, seen_in
from repro.verdict.signature import shows


def stored_faults(entry: Entry, store: Store) -> Iterator[Fault]:
    """At most one fault: the first stored run of a fixed release that matches the record's signature."""
    for observation in store.of_failure(entry.failure.id):
        fixed = fixed_release(entry.failure, observation)
        if fixed and observation.cell.is_default and is_matched(entry.failure, observation):
            problem = f"matches stored run {observation.id} of {fixed}, which the record says is fixed"
            remedy = "make the message more specific, or correct fixed_in"
            yield Fault(entry.folder / RECORD, 0, "signature", problem, remedy)
            return


def fixed_release(failure: Failure, observation: Observation) -> str | None:
    """``torch 2.6.0`` if the run had a release with the fix, by the record; else None."""
    held = observation.installed.distributions if observation.installed else {}
    for name, version in failure.fixed_in.items():
        if name in held and Version(held[name]) >= Version(version):
            return f"{name} {held[name]}"
    return None


def is_matched(failure: Failure, observation: Observation) -> bool:
    """True if any rank ended with the record's signature for that run."""
    signature = seen_in(failure, observation).signature
    if signature.kind == "hang" or signature.is_printed:
        return judge(failure, observation).verdict is Verdict.REPRODUCED
    return any(shows(error, signature) for rank in observation.ranks for error in rank.chain[:1])
