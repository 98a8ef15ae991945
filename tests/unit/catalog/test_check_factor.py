"""The checks of factors that are environment variables."""

from pathlib import Path

import pytest

from repro.catalog import check_factor as module
from repro.catalog.check_factor import problems_of
from repro.launch import job
from repro.launch.warm import torchrun_variables
from repro.model.failure import Lane
from tests.unit.factories import failure, interpreter


def factor(name: str, variable: str) -> dict[str, object]:
    return {"name": name, "variable": variable, "values": ["unset", "1"], "meaning": "a test"}


@pytest.mark.parametrize("variable", ["PATH", "RANK", "HOME", "PYTHONPATH", "LD_PRELOAD", "TORCHELASTIC_RUN_ID"])
def test_kept(variable: str) -> None:
    """A variable of the harness, of a launcher, or one that changes what runs is refused, with its key."""
    ((at, problem, remedy),) = problems_of(failure(factors=[factor("a", variable)]))
    assert at == ("factors", 0, "variable")
    assert variable in problem
    assert "docs/records.md" in remedy


def test_free() -> None:
    """Any other variable is allowed, once."""
    assert list(problems_of(failure(factors=[factor("a", "TORCH_DISTRIBUTED_DEBUG")]))) == []
    ((at, problem, _),) = problems_of(failure(factors=[factor("a", "X_Y"), factor("b", "X_Y")]))
    assert (at, problem) == (("factors", 1, "variable"), "X_Y is set by another factor too")


def test_lists_are_those_of_the_launcher(tmp_path: Path) -> None:
    """The lists hold what the launcher passes on and sets."""
    assert module.PASSED_ON == job.PASSED_ON
    ours = set(job.rank_variables(Lane.CUDA, tmp_path, interpreter(adopted=True, user_base="/u"), ["0"]))
    assert ours - set(job.PASSED_ON) - set(job.PASSED_ON_CUDA) <= set(module.SET)
    given = {name for name in torchrun_variables(0, 2, 1) if not name.startswith("TORCHELASTIC_")}
    assert given <= set(module.OF_LAUNCHERS)


@pytest.mark.parametrize("name", [*job.PASSED_ON, *job.PASSED_ON_CUDA, *job.PREFIXES_CUDA, *module.SET])
def test_documented(name: str) -> None:
    """The page of the records names each variable that ranks see."""
    text = (Path(__file__).parents[3] / "docs" / "records.md").read_text(encoding="utf-8")
    assert f"`{name}" in text
