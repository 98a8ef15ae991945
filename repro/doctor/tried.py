"""The newest releases on which the matrix runs each failure.  Pure."""

from packaging.version import Version

from repro.model.matrix import Matrix


def newest_tried(matrix: Matrix) -> dict[str, dict[str, str]]:
    """The newest release in the environments of each failure, by failure and distribution."""
    found: dict[str, dict[str, str]] = {}
    for failure, runs in matrix.runs.items():
        newest = found.setdefault(failure, {})
        for name in runs.environments:
            for distribution, version in matrix.environments[name].pins.items():
                if Version(version) > Version(newest.get(distribution, "0")):
                    newest[distribution] = version
    return found
