"""Whether a stack has a failure, by the record alone."""

import pytest

from repro.doctor.exposure import Exposure, exposure, may_affect
from repro.doctor.stack.stack import KnownVersion, Stack
from tests.unit.doctor.known import OLD


class TestExposure:
    """Affected, clear, or not known."""

    @pytest.mark.parametrize(
        ("versions", "expected"),
        [
            ({"lightning": "2.2.1"}, Exposure.AFFECTED),
            ({"lightning": "2.2.2"}, Exposure.CLEAR),
            ({}, Exposure.CLEAR),
            ({"lightning": "2.0.9"}, Exposure.UNKNOWN),
        ],
    )
    def test_versions(self, versions: dict[str, str], expected: Exposure) -> None:
        """Below all that the record speaks of, nothing is known."""
        assert exposure(OLD, Stack.of(versions)) is expected

    def test_range(self) -> None:
        """A range that lies on both sides is not known, and may be affected."""
        stack = Stack({"lightning": KnownVersion(specifiers=">=2.2")})
        assert exposure(OLD, stack) is Exposure.UNKNOWN
        assert may_affect(OLD, stack)
        assert may_affect(OLD, Stack.of({"lightning": "2.0.9"}))
        assert not may_affect(OLD, Stack.of({"lightning": "2.2.2"}))
