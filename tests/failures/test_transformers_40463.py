"""transformers-40463: the Trainer prints the number of parameters of one rank's shard."""

from repro.model.verdict import Status
from repro.verdict.claims import ExaminedClaim, measurements
from repro.verdict.result import Result

FAILURE = "transformers-40463"


def test_failing(failing: Result) -> None:
    """Half of the parameters, on the one rank that prints, and the weights of all ranks are right."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    assert measurements(failing)["parameters_of_the_model"] == 2 * measurements(failing)["parameters_counted_here"]
    assert all(rank.exit_code == 0 and rank.oracle for rank in failing.newest.ranks)


def test_backported(backported: Result) -> None:
    """The backport counts all shards and leaves training as it is."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement


def test_claim(claim: ExaminedClaim) -> None:
    """The published finding is the one that the evidence computes."""
    assert claim.finding is claim.claim.verdict, [(weighed.cell.label, weighed.why) for weighed in claim.weighed]
