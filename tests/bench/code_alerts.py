"""How many alerts does the code of a project spare?  ``python -m tests.bench.code_alerts FOLDER...``

For each folder and each of some stacks: failures that the versions list, and those of them that the code names.
"""

import sys
from pathlib import Path

from repro.catalog.project import Project
from repro.doctor.code.decide import CodeFinding
from repro.doctor.code.examine import examine_code
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.stack.stack import Stack

STACKS = {
    "2024": {"torch": "2.2.2", "lightning": "2.2.1", "transformers": "4.40.2", "accelerate": "0.30.0"},
    "2025": {"torch": "2.6.0", "lightning": "2.5.2", "transformers": "4.49.0", "accelerate": "1.6.0"},
    "newest": {"torch": "2.13.0", "lightning": "2.6.6", "transformers": "5.23.0", "accelerate": "1.14.0"},
}


def main() -> None:
    """Print a row for each folder and stack, and the sums."""
    failures = [entry.failure for entry in Project.here().catalog]
    sums = [0, 0, 0]
    for folder in map(Path, sys.argv[1:]):
        codes = {item.failure.id: item.finding for item in examine_code(folder, failures).reached}
        for name, versions in STACKS.items():
            found = diagnose(failures, Stack.of(versions))
            listed = [codes[item.failure.id] for item in found if item.finding is Finding.LISTED]
            named, unknown = listed.count(CodeFinding.NAMED), listed.count(CodeFinding.UNKNOWN)
            print(f"{folder.name:40} {name:8} listed {len(listed):2}  named {named:2}  could not tell {unknown:2}")
            sums = [sums[0] + len(listed), sums[1] + named, sums[2] + unknown]
    print(f"in all: listed {sums[0]}, named {sums[1]}, could not tell {sums[2]}")


if __name__ == "__main__":
    main()
