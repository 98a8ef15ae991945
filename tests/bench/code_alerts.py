"""How many alerts does the code of a project spare?  ``python -m tests.bench.code_alerts [--half 0|1] FOLDER...``

For each record and each of some stacks: projects for which the versions list the failure, and what their code says of
it.  An alert is what ``doctor`` puts first, that is what the code names.  ``--half`` takes every second folder in the
order of the digests of their names: records are sharpened by what stands in one half, and measured on the other.
"""

import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path

from repro.catalog.project import Project
from repro.doctor.code.decide import CodeFinding, judge_code
from repro.doctor.code.vocabulary import Vocabulary
from repro.doctor.code.walk import read_project
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.stack.stack import Stack
from repro.model.failure import Failure

STACKS = {
    "2024": {"torch": "2.2.2", "lightning": "2.2.1", "transformers": "4.40.2", "accelerate": "0.30.0"},
    "2025": {"torch": "2.6.0", "lightning": "2.5.2", "transformers": "4.49.0", "accelerate": "1.6.0"},
    "newest": {"torch": "2.13.0", "lightning": "2.6.6", "transformers": "5.23.0", "accelerate": "1.14.0"},
}
Counted = Counter[tuple[str, str, CodeFinding]]
"""Projects by stack, failure and what their code says."""


def half_of(folders: list[Path], half: int) -> list[Path]:
    """Every second folder, in an order that nobody chose."""
    return sorted(folders, key=lambda folder: hashlib.sha256(folder.name.encode()).hexdigest())[half::2]


def count(folder: Path, failures: list[Failure], vocabulary: Vocabulary) -> Counted:
    """What the code of one project says of the failures that each stack lists."""
    facts = read_project(folder, vocabulary).facts
    found: Counted = Counter()
    for name, versions in STACKS.items():
        stack = Stack.of(versions)
        listed = {item.failure.id for item in diagnose(failures, stack) if item.finding is Finding.LISTED}
        reached = judge_code(failures, facts, stack)
        found.update((name, item.failure.id, item.finding) for item in reached if item.failure.id in listed)
    return found


def row(counted: Counted, name: str, ids: set[str], stacks: set[str]) -> dict[str, str | int | float]:
    """One line of the answer."""
    sums = Counter[CodeFinding]()
    for (stack, failure, finding), number in counted.items():
        if failure in ids and stack in stacks:
            sums[finding] += number
    listed = sum(sums.values())
    named = sums[CodeFinding.NAMED]
    return {
        "of": name,
        "listed": listed,
        **{finding.value: sums[finding] for finding in CodeFinding},
        "spared": round(1 - named / listed, 3) if listed else 0,
    }


def main() -> None:
    """Print a line of JSON for each record, each stack, and all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", type=int, choices=[0, 1])
    args = parser.parse_args()
    folders = args.folders if args.half is None else half_of(args.folders, args.half)
    failures = [entry.failure for entry in Project.here().catalog]
    vocabulary = Vocabulary.of(failures)
    counted: Counted = Counter()
    for folder in folders:
        counted += count(folder, failures, vocabulary)
    ids, stacks = {failure.id for failure in failures}, {*STACKS}
    rows = [row(counted, name, {name}, stacks) for name in sorted(ids)]
    rows += [row(counted, name, ids, {name}) for name in STACKS]
    rows += [row(counted, f"all, {len(folders)} projects", ids, stacks)]
    for item in rows:
        if item["listed"]:
            print(json.dumps(item))


if __name__ == "__main__":
    main()
