"""``repro report``."""

import json

from repro.catalog.project import Project
from tests.unit.cli.calls import Call
from tests.unit.factories import FAILURE


def test_report(held: Project, call: Call) -> None:
    """From an empty store: every cell not run, 0, JSON that parses."""
    code, out, _ = call("report", "--json")
    assert code == 0
    assert {row["not_run"] is not None for row in json.loads(out)["rows"]} == {True}
    assert (held.reports / "matrix.md").is_file()


def test_damaged_store(held: Project, call: Call) -> None:
    """A damaged observation is named; its exit code is that of what cannot be told."""
    code, _, _ = call("report")
    assert code == 0
    data = held.reports / "data" / FAILURE
    data.mkdir(parents=True)
    from repro.model.cell import Cell  # noqa: PLC0415
    from repro.store.recipe import recipe_of  # noqa: PLC0415

    recipe = recipe_of(
        Cell(failure=FAILURE, environment="old"), held.catalog[FAILURE], held.environments.lock("old").digest
    )
    (data / f"{recipe[:12]}-x.json").write_text("{")
    code, _, err = call("report")
    assert code == 3
    assert "remove or restore the file" in err
