"""The fixtures and hooks of matched pytests, here for the failures of our own catalogue."""

from repro.testing.matched import (
    backported,
    claim,
    correct,
    failing,
    laboratory,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    pytest_pycollect_makeitem,
    result,
    warm,
)

__all__ = [
    "backported",
    "claim",
    "correct",
    "failing",
    "laboratory",
    "pytest_collection_modifyitems",
    "pytest_generate_tests",
    "pytest_pycollect_makeitem",
    "result",
    "warm",
]
