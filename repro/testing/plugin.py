"""A pytest plugin for users' projects: lists known failures of the environment, and marks tests that wait for a fix.

``pytest --repro-doctor`` lists the documented failures of the environment at the end; ``--repro-run`` runs them.
``@pytest.mark.known_failure("lightning-19492")`` expects a test to fail while the installed releases have that
failure, by the specifiers of its record.  As soon as they do not, the test is red.

pytest imports this module at every start, so it imports nothing heavy; without torch it reports nothing.
"""

from __future__ import annotations  # older releases of pytest lack some of these names

import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest

MARK = "known_failure"
_GONE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("repro", "known failures of torch, lightning, transformers, accelerate")
    group.addoption(
        "--repro-doctor", action="store_true", help="End with the documented failures that this environment has."
    )
    group.addoption("--repro-run", action="store_true", help="The same, and run the reproduction of each failure here.")
    group.addoption(
        "--repro-catalog",
        type=Path,
        metavar="DIR",
        help="Folder of another catalogue [default: REPRO_CATALOG, or repro's own].",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(id, raises=None): expected to fail while the installed releases have this documented failure; "
        "red once they do not.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Turn the marks into strict xfails; raises UsageError for an unknown id."""
    marked = [(item, mark) for item in items for mark in item.iter_markers(MARK)]
    if not marked:
        return
    from repro.model.errors import ReproError  # noqa: PLC0415 - only where something is marked
    from repro.testing.installed import ThisEnvironment  # noqa: PLC0415

    try:
        own = ThisEnvironment.here(config.getoption("repro_catalog"))
        for item, mark in marked:
            if len(mark.args) != 1 or not isinstance(mark.args[0], str):
                raise pytest.UsageError(f"{item.nodeid}: {MARK} takes the id of one failure")
            known = own.known(mark.args[0])
            if known.expected:
                raises = mark.kwargs.get("raises")
                item.add_marker(pytest.mark.xfail(reason=known.text, raises=raises, strict=True))
            elif known.gone:
                item.stash[_GONE] = known.text
    except ReproError as error:
        raise pytest.UsageError(f"{MARK}: {error}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a marked test once the fix is installed, even if it passes, since the mark is no longer needed."""
    yield
    if _GONE in item.stash:
        pytest.fail(item.stash[_GONE], pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One section with the failures of this environment."""
    run: bool = config.getoption("repro_run")
    if not (run or config.getoption("repro_doctor")) or importlib.util.find_spec("torch") is None:
        return
    from repro.model.errors import ReproError  # noqa: PLC0415 - only where it is asked for
    from repro.testing.installed import ThisEnvironment  # noqa: PLC0415

    try:
        title, lines = ThisEnvironment.here(config.getoption("repro_catalog")).report(run=run)
    except ReproError as error:
        title, lines = "repro doctor", [f"repro: {error}"]
    if lines:
        terminalreporter.section(title, sep="=", yellow=True, bold=True)
    for line in lines:
        terminalreporter.line(line)
