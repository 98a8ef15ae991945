"""Options of pytest for tests that run cells: their interpreter, and the folder of their observations.

It imports little, because pytest imports it at every start.  The top ``conftest.py`` names it in ``pytest_plugins``.
"""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("cells", "where tests run their cells")
    group.addoption(
        "--overlay",
        dest="repro_overlay",
        type=Path,
        metavar="DIR",
        help="Run on the environments of this pack, laid over --python [default: the interpreter that runs pytest].",
    )
    group.addoption(
        "--python",
        dest="repro_python",
        type=Path,
        metavar="PATH",
        help="Run on this interpreter; without --overlay, as it is, in place of every environment.",
    )
    group.addoption(
        "--reports",
        dest="repro_reports",
        type=Path,
        metavar="DIR",
        help="Store the observations in DIR/data, for `repro store merge` [default: a temporary folder].",
    )
    group.addoption(
        "--stored",
        dest="repro_stored",
        type=Path,
        metavar="DIR",
        help="Use runs of the same recipe that are stored in DIR/data in place of new ones; nothing is written there.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a damaged pack or a missing interpreter before anything is collected."""
    if config.getoption("repro_overlay") is None and config.getoption("repro_python") is None:
        return
    from repro.model.errors import ReproError  # noqa: PLC0415 - only where it is asked for
    from repro.testing.matched import venue_of  # noqa: PLC0415

    try:
        venue_of(config).check()
    except ReproError as error:
        raise pytest.UsageError(str(error)) from None
