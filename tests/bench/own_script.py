"""How well ``repro bisect`` and ``blame`` answer for scripts without a record, beside a shell loop, in the same run.

Thirty regressions (``planted.py``: 10 exceptions, 15 silent numbers, 5 interactions of two packages) lie in made-up
releases of libraries that three real trainers call: torch's FSDP2 alone, Lightning's Trainer, transformers' Trainer.
The releases are served on the loopback device; everything else comes from the index that is used anyway, or with
``--wheels`` from a folder.

    python -m tests.bench.own_script [--seed N] [--most-seconds N] [--only NAME] [--way WAY] [--out FILE]

A regression that ``--out`` holds already is not run again: the benchmark can be broken off and gone on with.
``--most-seconds`` begins no further regression after that time.  On a machine of many cores ``--parts DIR`` asks of
all at once, each on two cores of its own with an empty cache, and keeps in DIR what is done.

The shell loop is what one would write by hand: for each release a fresh environment by uv, torchrun, the exit code, and
half the releases left.  For a silent number it compares the printed number with the middle of one run of each end;
of an interaction it puts back one package at a time, and bisects each one that cures.

An answer is *right* if it names exactly the release (both, of an interaction) where the regression begins,
*inconclusive* if the command says that it does not know (exit code 3), else *wrong*.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from repro.catalog.project import cache_root
from repro.model.errors import Exit
from repro.search.index import index_address
from repro.store.observations import Store
from tests.bench.planted import RELEASES, Regression, plan, published, version
from tests.bench.side_by_side import Part, run_parts
from tests.unit.search.local_index import LocalIndex, WithWheels, served

ROOT = Path(__file__).parents[2]
FILE = ROOT / "reports" / "measurements" / "own-script.json"
TRAINERS = Path(__file__).with_name("trainers")
PORT = 18765
"""Always the same: uv remembers what it downloaded by the address of the index."""
STACKS = {
    "fsdp2_loop": {"torch": "2.13.0", "numpy": "2.2.3"},
    "lightning_fit": {"torch": "2.13.0", "numpy": "2.2.3", "lightning": "2.5.2"},
    "trainer_train": {"torch": "2.13.0", "numpy": "2.2.3", "transformers": "4.53.3", "accelerate": "1.9.0"},
}
WAYS = ("repro", "shell_loop")
AGAIN = "repro_again"
"""The command line once more, when every environment is built: asked only with ``--way``."""
RANKS = 2
RUN_SECONDS = 180
"""Limit of a run of the command line; it says then that it does not know."""
LOOP_SECONDS = 900
"""Limit of a run of the loop: after it the run counts as one that fails, as it would after ``timeout``."""


@dataclass(frozen=True)
class Figures:
    """What one way of asking came to."""

    outcome: str
    """right, wrong or inconclusive."""
    said: str
    seconds: float
    runs: int
    """Times that torchrun or the warm launcher started ranks, or environments that the loop made."""
    environments: int
    """Environments that were built for it."""
    own_bytes: int
    """Bytes of these that no other file shares: those of uv's cache are linked, not copied."""


def requirements(one: Regression, train: int | None, data: int, innocent: int | None = None) -> str:
    pins = {**STACKS[one.trainer], "datakit": version(data)}
    pins |= {} if train is None else {"trainkit": version(train)}
    pins |= {} if innocent is None else dict.fromkeys(("logkit", "pathkit"), version(innocent))
    return "".join(f"{name}=={held}\n" for name, held in pins.items())


def own_bytes(folders: Sequence[Path]) -> int:
    """Bytes of files with one name only, and of the folders themselves."""
    total = 0
    for folder in folders:
        for place, _, files in os.walk(folder):
            total += os.stat(place).st_blocks * 512  # noqa: PTH116
            for name in files:
                facts = os.lstat(os.path.join(place, name))  # noqa: PTH118
                total += facts.st_blocks * 512 if facts.st_nlink == 1 else 0
    return total


def built() -> set[Path]:
    folder = cache_root() / "environments"
    return {path for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else set()


def repro(one: Regression, folder: Path) -> Figures:
    """Ask the command line."""
    script = folder / f"{one.trainer}.py"
    shutil.copy(TRAINERS / script.name, script)
    before, began = built(), time.monotonic()
    if one.kind == "interaction":
        (folder / "good.txt").write_text(requirements(one, 0, 0, 0))
        (folder / "bad.txt").write_text(requirements(one, RELEASES - 1, RELEASES - 1, RELEASES - 1))
        words = ["blame", script.name, "--from", "good.txt", "--to", "bad.txt"]
    else:
        (folder / "requirements.txt").write_text(requirements(one, None, RELEASES - 1))
        words = ["bisect", script.name, "--package", "trainkit", "--requirements", "requirements.txt"]
        words += ["--good", version(0), "--bad", version(RELEASES - 1)]
        words += ["--metric", "loss"] if one.kind == "number" else []
    done = subprocess.run(
        [sys.executable, "-m", "repro", *words, "--timeout", str(RUN_SECONDS), "--", one.module],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    new = sorted(built() - before)
    runs = len(list(Store(folder / "repro-runs" / "data")))
    said = _said(one, done.stdout) or (done.stderr.strip().splitlines() or ["nothing"])[-1]
    right = {name: version(number) for name, number in _begins(one).items()}
    if done.returncode in {Exit.OK, Exit.CHANGED} and said == _as_text(right):
        outcome = "right"
    elif done.returncode == Exit.UNKNOWN:
        outcome = "inconclusive"
    else:
        outcome = "wrong"
    return Figures(outcome, said[:300], round(seconds, 1), runs, len(new), own_bytes(new))


def _begins(one: Regression) -> dict[str, int]:
    data = {} if one.first_bad_data is None else {"datakit": one.first_bad_data}
    return {**data, "trainkit": one.first_bad}


def _as_text(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {held}" for name, held in sorted(found.items()))


def _said(one: Regression, out: str) -> str:
    """What the output names, in the form of the right answer."""
    first = re.compile(r"^(?:release\s+)?(\w+) (\S+) of \S+ is the first release with which ", re.MULTILINE)
    if one.kind == "interaction" and "cause       datakit and trainkit, together" not in out:
        return next((line for line in out.splitlines() if line.startswith("cause")), "")
    return _as_text(dict(first.findall(out)))


class ShellLoop:
    """Fresh environments, torchrun, exit codes."""

    def __init__(self, one: Regression, folder: Path, torch: str) -> None:
        self._one, self._folder, self._torch = one, folder, torch
        self.runs = 0
        self.bytes = 0

    def ask(self, train: int, data: int, innocent: int) -> float | None:
        """Run the script once in a fresh environment: its number (0 if it prints none), None if it fails."""
        self.runs += 1
        place = self._folder / f"venv{self.runs}"
        text = requirements(self._one, train, data, innocent)
        given = self._folder / "given.txt"
        given.write_text(text.replace(f"torch=={STACKS[self._one.trainer]['torch']}\n", f"torch=={self._torch}\n"))
        uv, python = find_uv_bin(), str(place / "bin" / "python")
        subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", "3.11", str(place)], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", python, "--requirement", str(given)]
        subprocess.run([*install, "--index-url", os.environ["REPRO_INDEX"]], check=True)
        command = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
        try:
            done = subprocess.run(
                [*command, str(TRAINERS / f"{self._one.trainer}.py"), self._one.module],
                capture_output=True,
                text=True,
                check=False,
                timeout=LOOP_SECONDS,
                env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            )
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.bytes += own_bytes([place])
            shutil.rmtree(place)
        found = re.findall(r"measured loss = (\S+)", done.stdout)
        return None if done.returncode else float(found[-1]) if found else 0.0

    def bisect(self, package: str) -> str:
        """The first bad release of a package, the others as at the bad end."""
        last = RELEASES - 1

        def at(number: int) -> float | None:
            return self.ask(number if package == "trainkit" else last, number if package == "datakit" else last, last)

        low, high = 0, last
        good, bad = at(low), at(high)
        if self._one.kind == "number" and (good is None or bad is None or good == bad):
            return "nothing"

        def is_bad(value: float | None) -> bool:
            if self._one.kind != "number" or good is None or bad is None:
                return value is None
            return value is None or abs(value - bad) < abs(value - good)

        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_bad(at(middle)) else (middle, high)
        return version(high)

    def blame(self) -> dict[str, str]:
        """The packages that cure alone when they are put back, each with its first bad release."""
        last = RELEASES - 1
        tried = {"trainkit": (0, last, last), "datakit": (last, 0, last), "logkit": (last, last, 0)}
        cures = [name for name, held in tried.items() if self.ask(*held) is not None]
        return {name: self.bisect(name) for name in cures if name != "logkit"}


def shell_loop(one: Regression, folder: Path, torch: str) -> Figures:
    loop, began = ShellLoop(one, folder, torch), time.monotonic()
    found = loop.blame() if one.kind == "interaction" else {"trainkit": loop.bisect("trainkit")}
    said = _as_text(found)
    right = said == _as_text({name: version(number) for name, number in _begins(one).items()})
    seconds = round(time.monotonic() - began, 1)
    return Figures("right" if right else "wrong", said, seconds, loop.runs, loop.runs, loop.bytes)


def torch_of(folder: Path) -> str:
    """The build of torch that the runs of the command line had: the loop takes the same."""
    for run in Store(folder / "repro-runs" / "data"):
        if run.installed:
            return run.installed.distributions["torch"]
    return STACKS["fsdp2_loop"]["torch"]


def ask(one: Regression, way: str, result: dict[str, Any]) -> None:
    """Ask in one way, and keep its figures in ``result``."""
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as name:
        if way != "shell_loop":
            result[way] = asdict(repro(one, Path(name)))
            result["torch"] = torch_of(Path(name))
        else:
            result[way] = asdict(shell_loop(one, Path(name), result.get("torch", STACKS[one.trainer]["torch"])))
    result[way] |= {"load_before": load, "machine": machine()}
    print(f"{one.name} ({one.kind}, {one.trainer}): {way} {result[way]}", flush=True)


def totals(results: dict[str, Any]) -> dict[str, Any]:
    """The sums over what was asked in each way, and over what was asked in both."""
    both = [held for held in results.values() if set(WAYS) <= set(held)]
    found: dict[str, Any] = {}
    for way in WAYS:
        held = [result[way] for result in results.values() if way in result]
        found[way] = {
            "asked": len(held),
            **{name: sum(one["outcome"] == name for one in held) for name in ("right", "wrong", "inconclusive")},
            "seconds": round(sum(one["seconds"] for one in held), 1),
            "environments": sum(one["environments"] for one in held),
            "own_bytes": sum(one["own_bytes"] for one in held),
            "seconds_of_those_asked_in_both": round(sum(one[way]["seconds"] for one in both), 1),
        }
    warm = [
        held[way]["seconds"]
        for held in results.values()
        for way in ("repro", AGAIN)
        if way in held and not held[way]["environments"]
    ]
    found["repro"]["longest_seconds_with_every_environment_built"] = max(warm, default=None)
    return found


def ran(results: dict[str, Any]) -> dict[str, Any]:
    """Which of the 30 were asked, and in which ways."""
    ways = {name: set(WAYS) & set(held) for name, held in results.items()}
    return {
        "in_both_ways": sum(len(held) > 1 for held in ways.values()),
        "repro_alone": [name for name, held in ways.items() if held == {"repro"}],
        "shell_loop_alone": [name for name, held in ways.items() if held == {"shell_loop"}],
    }


def machine() -> str:
    """The machine, and the cores of it that a part may use."""
    return f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"


def write(file: Path, held: dict[str, Any]) -> None:
    """Write figures with their sums."""
    content = held | {"totals": totals(held["results"]), "ran": ran(held["results"])}
    file.write_text(json.dumps(content, indent=1) + "\n")


def merged(parts: Sequence[dict[str, Any]], regressions: Sequence[Regression]) -> dict[str, Any]:
    """The results of all parts, in the order of the plan; of what two parts hold, the later one's counts."""
    found: dict[str, Any] = {one.name: {} for one in regressions}
    for part in parts:
        for name, held in part["results"].items():
            found[name] |= held
    return {name: held for name, held in found.items() if held}


def _longest_first(part: tuple[Regression, str]) -> int:
    return ("interaction", "number", "exception").index(part[0].kind)


@contextmanager
def serving(regressions: tuple[Regression, ...], wheels: Path | None, address: str | None) -> Iterator[None]:
    """Serve the made-up releases, unless they are served already; the command line and uv ask there."""
    if address:
        os.environ["REPRO_INDEX"] = address
        yield
        return
    releases = published(regressions)
    index = WithWheels(releases, folder=wheels) if wheels else LocalIndex(releases)
    with served(index, port=PORT, elsewhere="" if wheels else index_address().rstrip("/")):
        os.environ["REPRO_INDEX"] = index.address
        yield


def asked(
    regressions: Sequence[Regression], ways: Sequence[str], only: Sequence[str] | None
) -> list[tuple[Regression, str]]:
    """Each regression in each way; the ways of one regression follow one another, on a machine of the same load."""
    return [(one, way) for one in regressions if not only or one.name in only for way in ways]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--most-seconds", type=float, default=float("inf"))
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--way", action="append", choices=(*WAYS, AGAIN), help="ask in this way alone, of the two")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="everything else comes from this folder of wheels")
    parser.add_argument("--parts", type=Path, metavar="DIR", help="ask of all at once, each on cores of its own")
    parser.add_argument("--index", help=argparse.SUPPRESS)  # of a part: it is served already
    given = parser.parse_args()
    regressions = plan(given.seed)
    if unknown := {*(given.only or ())} - {one.name for one in regressions}:
        parser.error(f"--only: no regression is named {', '.join(sorted(unknown))}")
    held = json.loads(given.out.read_text()) if given.out.is_file() else {"seed": given.seed, "results": {}}
    if held["seed"] != given.seed:
        parser.error(f"{given.out} holds figures of seed {held['seed']}")
    began = time.monotonic()
    with serving(regressions, given.wheels, given.index):
        if given.parts:
            options = ("--index", os.environ["REPRO_INDEX"], "--seed", str(given.seed))
            parts = [
                Part(f"{one.name}-{way}", (*options, "--only", one.name, "--way", way))
                for one, way in sorted(asked(regressions, given.way or WAYS, given.only), key=_longest_first)
            ]
            done = run_parts("tests.bench.own_script", parts, given.parts)
            held["results"] = merged([held, *done], regressions)
            write(given.out, held)
            return
        for one, way in asked(regressions, given.way or WAYS, given.only):
            begins = {name: version(number) for name, number in _begins(one).items()}
            facts = {"kind": one.kind, "trainer": one.trainer, "begins": begins}
            result = held["results"].setdefault(one.name, facts)
            if way in result:
                continue
            if time.monotonic() - began > given.most_seconds:
                break
            ask(one, way, result)
            write(given.out, held)
    print(json.dumps(totals(held["results"]), indent=1))


if __name__ == "__main__":
    main()
