"""Blame on real ranks and environments, where the answer is built in: ``tests/catalogs/blame``, a test of the tool."""

from pathlib import Path

import pytest

from repro.catalog.project import Project, cache_root
from repro.launch.session import Options
from repro.model.verdict import Verdict
from repro.search.lead import lead_blame
from repro.search.start import vector_of
from repro.search.trials import Trials
from repro.store.answers import Blamed, Role

pytestmark = pytest.mark.whole
"""Two minutes of processor time each; CI searches on real releases with a user's own script."""
CATALOG = Path(__file__).parents[1] / "catalogs" / "blame"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The catalogue of known answers; its observations are shared by the tests of this module."""
    return Project(
        failures=CATALOG,
        matrix_file=CATALOG / "matrix.yaml",
        locks=CATALOG / "locks",
        reports=tmp_path_factory.mktemp("reports"),
        cache=cache_root(),
    )


def blamed(project: Project, failure_id: str, start: str, end: str) -> Blamed:
    failure = project.catalog[failure_id].failure
    with Trials(project, failure, Options(fresh=False)) as trials:
        first, last = vector_of(project, start), vector_of(project, end)
        return lead_blame(trials, failure, first, last, notify=lambda _: None)


def parts(answer: Blamed) -> dict[str, Role]:
    return {change.distribution: change.part for change in answer.changes}


def test_two_moved_and_one_is_guilty(project: Project) -> None:
    """idna alone is enough, whatever packaging is; and from bad to good as well as from good to bad."""
    answer = blamed(project, "tool-alone", "new", "old")
    assert answer.causes == (("idna",),)
    assert parts(answer) == {"idna": Role.GUILTY, "packaging": Role.INNOCENT, "six": Role.INNOCENT}
    assert (answer.start.verdict, answer.end.verdict) == (Verdict.REPRODUCED, Verdict.ABSENT)


def test_two_together(project: Project) -> None:
    """Neither packaging nor idna alone is enough: each was tried."""
    answer = blamed(project, "tool-together", "old", "new")
    assert answer.causes == (("idna", "packaging"),)
    assert parts(answer) == {"idna": Role.GUILTY, "packaging": Role.GUILTY, "six": Role.INNOCENT}
    alone = {fact.label: fact.verdict for fact in answer.tried if " + " not in fact.label}
    assert alone["idna 3.6 → 3.10"] is Verdict.ABSENT
    assert alone["packaging 23.2 → 24.2"] is Verdict.ABSENT
    assert all(fact.observations for fact in answer.all_tried)
