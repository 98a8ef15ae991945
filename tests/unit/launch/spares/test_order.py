"""An order says all that starts the same family in another process."""

from pathlib import Path

from repro.launch.job import rank_variables
from repro.launch.spares.order import Order, command_of, described, order_of, start_of
from repro.model.failure import Lane
from repro.store.recipe import environment_key
from tests.unit.launch.spares.kept import built, start_in


def test_there_and_back(tmp_path: Path) -> None:
    """As text, as it is handed to the process."""
    start = start_in(built(tmp_path / "env"), world_size=4, gates=("a",), modules=tmp_path, variables=(("DEBUG", "1"),))
    imports = [(("torch", None), ("torch", "nn"))]
    order = order_of(start, imports, tmp_path, 5, 60.0)
    assert Order.model_validate_json(order.model_dump_json()) == order
    again = start_of(order)
    assert again.key == start.key
    assert environment_key(again.interpreter.installed) == environment_key(start.interpreter.installed)
    assert again.interpreter.prefix == start.interpreter.prefix
    held, same = (rank_variables(Lane.CPU, tmp_path, found.interpreter) for found in (start, again))
    assert held == same
    assert list(order.imports) == imports


def test_people_can_tell_it(tmp_path: Path) -> None:
    """In a list of processes."""
    order = order_of(start_in(built(tmp_path / "env")), (), tmp_path, 5, 60.0)
    assert "old, 2 ranks" in command_of(order)
    assert described("new", 1) == "new, 1 rank"
