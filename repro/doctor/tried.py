"""The newest releases that failures are run on.  Pure."""

from packaging.version import Version

from repro.model.matrix import Matrix


def newest_tried(matrix: Matrix) -> dict[str, dict[str, str]]:
    """By failure and distribution: the newest release among the environments that the matrix runs it on."""
    found: dict[str, dict[str, str]] = {}
    for failure, runs in matrix.runs.items():
        newest = found.setdefault(failure, {})
        for name in runs.environments:
            for distribution, version in matrix.environments[name].pins.items():
                if Version(version) > Version(newest.get(distribution, "0")):
                    newest[distribution] = version
    return found
