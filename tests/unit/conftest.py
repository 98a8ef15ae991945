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
    """Commands set handlers of their own; the processes of a later test would inherit that they are ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
