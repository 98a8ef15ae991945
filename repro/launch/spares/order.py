"""What a command orders from the process that makes and keeps one spare."""

import sys
from collections.abc import Sequence
from pathlib import Path

from repro.environments.interpreter import Interpreter
from repro.files import PACKAGE
from repro.launch.first_imports import Import
from repro.launch.spares.place import LABEL
from repro.launch.warm import Start
from repro.model.base import Strict
from repro.model.failure import Lane
from repro.model.observation import Installed

ORDER_BYTES = 1 << 20


class Order(Strict):
    """One spare."""

    cache: str
    """The folder whose spares it joins."""
    leader: int
    """A descriptor of the process that leads the user's login session."""
    idle_seconds: float
    """How long it is kept if no command takes it."""
    executable: str
    environment: str
    python: str
    implementation: str
    lock: str | None
    libraries: tuple[str, ...]
    stdlib: tuple[str, ...]
    prefix: str
    world_size: int
    gates: tuple[str, ...]
    modules: str | None
    variables: tuple[tuple[str, str], ...]
    imports: tuple[tuple[tuple[str, str | None], ...], ...]
    """The imports of the runs that were forked so far: the spare grows a branch for each."""


def order_of(
    start: Start, imports: Sequence[tuple[Import, ...]], cache: Path, leader: int, idle_seconds: float
) -> Order:
    """The order for a spare of the kind that ``start`` begins."""
    interpreter = start.interpreter
    installed = interpreter.installed
    return Order(
        cache=str(cache),
        leader=leader,
        idle_seconds=idle_seconds,
        executable=str(interpreter.executable),
        environment=installed.name,
        python=installed.python,
        implementation=installed.implementation,
        lock=installed.lock,
        libraries=interpreter.libraries,
        stdlib=interpreter.stdlib,
        prefix=interpreter.prefix,
        world_size=start.world_size,
        gates=start.gates,
        modules=None if start.modules is None else str(start.modules),
        variables=start.variables,
        imports=tuple(imports),
    )


def start_of(order: Order) -> Start:
    """How its family is started; the state of the interpreter's files is still to be looked up."""
    installed = Installed(
        name=order.environment,
        python=order.python,
        implementation=order.implementation,
        distributions={},
        lock=order.lock,
    )
    interpreter = Interpreter(
        executable=Path(order.executable),
        installed=installed,
        libraries=order.libraries,
        stdlib=order.stdlib,
        prefix=order.prefix,
        adopted=False,
    )
    modules = None if order.modules is None else Path(order.modules)
    return Start(Lane.CPU, interpreter, order.world_size, order.gates, modules, (), order.variables)


_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop()); from repro.launch.spares.holder import main; main()"


def command_of(order: Order) -> tuple[str, ...]:
    """The command line of the process that makes and keeps a spare; it reads its order from standard input."""
    return (sys.executable, "-c", _PROGRAM, LABEL, described(order.environment, order.world_size), str(PACKAGE.parent))


def described(environment: str, world_size: int) -> str:
    """A spare in words."""
    return f"{environment}, {world_size} {'rank' if world_size == 1 else 'ranks'}"
