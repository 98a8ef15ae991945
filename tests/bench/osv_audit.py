"""Do auditors find what ``doctor --from`` lists?  ``python -m tests.bench.osv_audit [--pip-audit PATH] [--stacks 500]``

Random stacks of real releases; one service on loopback answers the real ``uv audit`` (a call for each stack, some at
once) and the real pip-audit (one process that runs its command for each stack).  Conditions on several packages at
once are left out of the ranges, and said so in the records: here doctor judges without them too.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from repro.catalog.project import Project
from repro.doctor.diagnosis import Finding, diagnose
from repro.doctor.osv.record import PREFIX, osv_record
from repro.doctor.osv.service import HOST, service
from repro.doctor.stack.given import stack_from
from repro.model.failure import Failure
from tests.bench.figures import publish

RELEASES = Path(__file__).parents[1] / "data" / "releases.json"
CALLS_AT_ONCE = 2
MANY_AUDITS = """
import json, sys
from pip_audit._cli import audit
options, files = json.load(sys.stdin)
for file in files:
    sys.argv = ["pip-audit", *options, "-r", file, "-o", file.removesuffix(".txt") + ".json"]
    try:
        audit()
    except SystemExit as end:
        if end.code not in (None, 0, 1):
            raise
"""
"""Runs pip-audit's own command for each file, since its start takes longer than its work."""
Pins = dict[str, str]


def stacks(number: int) -> list[Pins]:
    """Random stacks, without pre-releases, of which doctor cannot tell near a bound."""
    held = json.loads(RELEASES.read_text(encoding="utf-8"))
    releases = {name: [item for item in items if not Version(item).is_prerelease] for name, items in held.items()}
    draw = random.Random(19)
    found = []
    for _ in range(number):
        names = draw.sample(sorted(releases), draw.randint(1, len(releases)))
        found.append({name: draw.choice(releases[name]) for name in names})
    return found


def by_doctor(failures: Sequence[Failure], file: Path) -> set[str]:
    """What ``doctor --from`` lists."""
    return {
        item.failure.id
        for item in diagnose(failures, stack_from(None, file, failures)[1])
        if item.finding is Finding.LISTED
    }


def by_pip_audit(tool: Path, files: Sequence[Path], port: int) -> list[set[str]]:
    """The findings of pip-audit on each of these requirements."""
    options = ["-s", "osv", "--osv-url", f"http://{HOST}:{port}/v1/query", "--no-deps", "--disable-pip"]
    options += ["--progress-spinner=off", "-f", "json", "--cache-dir", str(files[0].parent / "cache")]
    asked = json.dumps([options, [str(file) for file in files]])
    command: list[str | Path] = [tool.with_name("python"), "-c", MANY_AUDITS]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    found = []
    for file in files:
        items = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["dependencies"]
        ids = {name for item in items for vuln in item["vulns"] for name in (vuln["id"], *vuln["aliases"])}
        found.append({name.removeprefix(PREFIX) for name in ids})
    return found


def lock_of(pins: Pins) -> Iterator[str]:
    """A ``uv.lock`` with these pins."""
    yield 'version = 1\nrevision = 1\nrequires-python = ">=3.11"\n'
    for name, version in sorted(pins.items()):
        digest = "0" * 64
        sdist = f'{{ url = "https://example.org/{name}.tar.gz", hash = "sha256:{digest}" }}'
        yield f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        yield f'source = {{ registry = "https://pypi.org/simple" }}\nsdist = {sdist}\n'
    names = ", ".join(f'{{ name = "{name}" }}' for name in sorted(pins))
    yield f'[[package]]\nname = "x"\nversion = "0"\nsource = {{ virtual = "." }}\ndependencies = [{names}]\n'
    yield f"[package.metadata]\nrequires-dist = [{names}]\n"


def by_uv(folder: Path, pins: Pins, port: int, ids: Sequence[str]) -> set[str]:
    """The findings of ``uv audit`` on a lock with these pins, in a folder of its own."""
    folder.mkdir()
    wanted = json.dumps(sorted(pins))
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = {wanted}\n'
    )
    (folder / "uv.lock").write_text("".join(lock_of(pins)))
    uv = Path(sys.executable).with_name("uv")
    command: list[str | Path] = [uv, "audit", "--frozen", "--service-url", f"http://{HOST}:{port}", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = {word.strip(":,()[]") for word in done.stdout.split()}
    if done.returncode not in {0, 1}:
        sys.exit(done.stderr)
    return {name for name in ids if PREFIX + name in said}


def main() -> None:
    """Compare, print, and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pip-audit", type=Path)
    parser.add_argument("--stacks", type=int, default=500)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    failures = [entry.failure for entry in Project.here().catalog]
    alone = [
        failure.model_copy(update={"affected": tuple(item for item in failure.affected if len(item) == 1)})
        for failure in failures
        if any(len(item) == 1 for item in failure.affected)
    ]
    server = service([osv_record(failure, datetime.now(UTC)) for failure in failures], 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer: dict[str, object] = {"format": 1, "stacks": args.stacks, "records": len(failures), "alone": len(alone)}
    with tempfile.TemporaryDirectory() as name:
        chosen = stacks(args.stacks)
        answer["pins"] = sum(map(len, chosen))
        answer["releases"] = len({item for pins in chosen for item in pins.items()})
        files = [Path(name, f"stack{number}-requirements.txt") for number in range(len(chosen))]
        for file, pins in zip(files, chosen, strict=True):
            file.write_text("".join(f"{item}=={version}\n" for item, version in pins.items()), encoding="utf-8")
        began = time.monotonic()
        listed = [by_doctor(alone, file) for file in files]
        answer["doctor"] = {"listed": sum(map(len, listed)), "seconds": _since(began)}
        ids = [failure.id for failure in failures]
        began = time.monotonic()
        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            folders = [Path(name, f"project{number}") for number in range(len(chosen))]
            found = list(pool.map(lambda folder, pins: by_uv(folder, pins, server.server_port, ids), folders, chosen))
        answer["uv_audit"] = _compared(found, listed, began)
        if args.pip_audit:
            began = time.monotonic()
            found = by_pip_audit(args.pip_audit, files, server.server_port)
            answer["pip_audit"] = _compared(found, listed, began)
    server.shutdown()
    publish(answer, args.output)


def _compared(found: Sequence[set[str]], listed: Sequence[set[str]], began: float) -> dict[str, object]:
    differ = [number for number, (one, other) in enumerate(zip(found, listed, strict=True)) if one != other]
    return {"found": sum(map(len, found)), "stacks_that_differ": differ, "seconds": _since(began)}


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    main()
