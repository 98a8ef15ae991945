"""transformers-recurrentgemma-cache: keys and values have no gradients while the cache is on."""

from repro.model.verdict import Status
from repro.verdict.claims import measurements
from repro.verdict.result import Result

FAILURE = "transformers-recurrentgemma-cache"


def test_failing(failing: Result) -> None:
    """The loss is right; the projections of keys and values have no gradient, others a wrong one."""
    assert failing.status is Status.AS_DOCUMENTED, failing.judgement
    measured = measurements(failing)
    assert [name.split(".")[-2] for name in measured["parameters_without_gradient"]] == ["k_proj", "v_proj"]
    assert measured["loss_error"] < 1e-5
    assert measured["gradient_relative_error"] > 0.1


def test_correct(correct: Result) -> None:
    """With and without the cache the gradients are the same."""
    assert correct.status is Status.AS_DOCUMENTED, correct.judgement
    assert measurements(correct)["parameters_without_gradient"] == []
    assert measurements(correct)["gradient_relative_error"] < 1e-4


def test_backported(backported: Result) -> None:
    """Without torch.no_grad around the cache's update the failing release has right gradients."""
    assert backported.status is Status.AS_DOCUMENTED, backported.judgement
    assert measurements(backported)["parameters_without_gradient"] == []
    assert measurements(backported)["gradient_relative_error"] < 1e-4
