"""Do auditors find what ``doctor --from`` lists?  ``python -m tests.bench.osv_audit [--pip-audit PATH] [--stacks 500]``

Random stacks of real releases; the service on loopback answers the real ``uv audit`` (a call for each stack)
and the real pip-audit (whose findings are by release: a call takes one release of each package).  Conditions on several
packages at once are left out of the ranges, and said so in the records: here doctor judges without them too.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
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


def by_pip_audit(tool: Path, folder: Path, chosen: Sequence[Pins], port: int) -> dict[tuple[str, str], set[str]]:
    """The findings of each release: a call takes one release of each package, as pip-audit wants it."""
    releases: dict[str, list[str]] = {}
    for name, version in sorted({item for pins in chosen for item in pins.items()}):
        releases.setdefault(name, []).append(version)
    found: dict[tuple[str, str], set[str]] = {}
    for at in range(max(map(len, releases.values()))):
        file = folder / f"round{at}.txt"
        file.write_text("".join(f"{name}=={held[at]}\n" for name, held in releases.items() if at < len(held)))
        command = [str(tool), "-s", "osv", "--osv-url", f"http://{HOST}:{port}/v1/query", "--no-deps", "--disable-pip"]
        command += ["--progress-spinner=off", "-f", "json", "--cache-dir", str(folder / "cache"), "-r", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.stdout.strip():
            sys.exit(done.stderr)
        for item in json.loads(done.stdout)["dependencies"]:
            ids = {name for vuln in item["vulns"] for name in (vuln["id"], *vuln["aliases"])}
            found[item["name"], item["version"]] = {name.removeprefix(PREFIX) for name in ids}
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
    """The findings of ``uv audit`` on a lock with these pins."""
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
        listed = []
        for number, pins in enumerate(chosen):
            file = Path(name, f"stack{number}-requirements.txt")
            file.write_text("".join(f"{item}=={version}\n" for item, version in pins.items()), encoding="utf-8")
            listed.append(by_doctor(alone, file))
        answer["listed_by_doctor"] = sum(map(len, listed))
        folder = Path(name, "project")
        folder.mkdir()
        ids = [failure.id for failure in failures]
        found = [by_uv(folder, pins, server.server_port, ids) for pins in chosen]
        answer["uv_audit"] = {"found": sum(map(len, found)), "stacks_that_differ": _differ(found, listed)}
        if args.pip_audit:
            of = by_pip_audit(args.pip_audit, Path(name), chosen, server.server_port)
            found = [set[str]().union(*(of[item] for item in pins.items())) for pins in chosen]
            answer["pip_audit"] = {"found": sum(map(len, found)), "stacks_that_differ": _differ(found, listed)}
    server.shutdown()
    publish(answer, args.output)


def _differ(found: Sequence[set[str]], listed: Sequence[set[str]]) -> int:
    return sum(one != other for one, other in zip(found, listed, strict=True))


if __name__ == "__main__":
    main()
