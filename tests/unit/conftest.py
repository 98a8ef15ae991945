"""What every unit test needs: properties without a deadline, and signals as they were."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# On a loaded machine an example is slow without being wrong.
settings.register_profile("repro", deadline=None)
settings.load_profile("repro")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Commands set handlers of their own; the processes of a later test would inherit that they are ignored.

    A session of tests that a script starts in the background ignores SIGINT itself: within a test it is heard.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
