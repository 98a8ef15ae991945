"""What does ``doctor --log`` find, and at what cost?  ``python -m tests.bench.log_size [--megabytes 100]``

The labelled logs, unrelated logs made from templates, and a log of that size with a failure in its middle, which a
process of its own reads from a pipe: its processor time and its largest memory are those of the whole command.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from repro.catalog.project import Project
from repro.doctor.log.given_log import answer_log, known_of
from repro.doctor.log.log_answer import Answer
from tests.bench.figures import publish
from tests.unit.doctor.log.corpus import large_log, unrelated_logs

LOGS = Path(__file__).parents[1] / "data" / "logs"
READER = """
import resource, runpy, sys
sys.argv = ["repro", "doctor", "--log", "-", "--json"]
try:
    runpy.run_module("repro", run_name="__main__")
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stderr.write(f"\\n{used.ru_utime + used.ru_stime} {used.ru_maxrss}\\n")
"""


def large(megabytes: int) -> dict[str, object]:
    """The cost of a log of that size."""
    error = (LOGS / "02-19492-pl-name.log").read_text(encoding="utf-8")
    reader = subprocess.Popen(
        [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reader.stdin
    size = 0
    for block in large_log(megabytes, error):
        size += reader.stdin.write(block)
    said, noise = reader.communicate()
    cpu, memory = noise.split()[-2:]
    found = json.loads(said)
    found = found.get("log", found)
    return {
        "megabytes": round(size / 1e6, 1),
        "cpu_s": round(float(cpu), 2),
        "peak_memory_mb": round(int(memory) / 1024, 1),
        "found": [item["id"] for item in found["found"]],
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--unrelated", type=int, default=500)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    project = Project.here()
    failures = [entry.failure for entry in project.catalog]
    known = known_of(project, failures)
    labels = json.loads((LOGS / "labels.json").read_text(encoding="utf-8"))
    covered, wrong = 0, []
    for name, (label, _) in sorted(labels.items()):
        answered = answer_log(LOGS / f"{name}.log", known, str)
        first = answered.found[0].id if answered.found else "none"
        covered += label != "none"
        if first != label:
            wrong.append(name)
    false = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "log")
        for text in unrelated_logs(args.unrelated):
            file.write_text(text, encoding="utf-8")
            answered = answer_log(file, known, str)
            if answered.answer in {Answer.KNOWN, Answer.COULD_BE}:
                false.append(answered.found[0].id)
    answer = {
        "format": 1,
        "failures": len(failures),
        "public_threads": len(known.reported),
        "labelled": {"logs": len(labels), "covered": covered, "wrong": wrong},
        "unrelated": {"logs": args.unrelated, "taken_for_a_failure": false},
        "large": [large(max(1, args.megabytes // 10)), large(args.megabytes)],
    }
    publish(answer, args.output)


if __name__ == "__main__":
    main()
