"""How much smaller ``repro shrink`` makes a training script, how long that takes, and whether it slips.

    python -m tests.bench.shrink_script [--only NAME] [--minutes N] [--out FILE]

The script is ``trainers/long_fsdp2.py``, with one planted exception (``planted.py``) after another.  Each is bisected
between the two releases of its boundary, and shrunk.  Then the smaller script is bisected anew: it slipped to another
failure if that finds another boundary or another signature.  What ``--out`` holds already is not run again.
``--wheels`` and ``--parts`` are those of ``own_script.py``.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.own_script import ROOT, TRAINERS, machine, merged, requirements, serving
from tests.bench.planted import EXCEPTIONS, RELEASES, Regression, plan, version
from tests.bench.side_by_side import Part, run_parts

FILE = ROOT / "reports" / "measurements" / "shrink-script.json"
SCRIPT = "long_fsdp2.py"


def bisect(script: str, one: Regression, folder: Path, ranks: int) -> str:
    """The output of a bisection between the two releases of the boundary."""
    words = ["bisect", script, "--package", "trainkit", "--requirements", "requirements.txt", "--ranks", str(ranks)]
    words += ["--good", version(one.first_bad - 1), "--bad", version(one.first_bad)]
    done = _repro([*words, "--reports", f"runs-{Path(script).stem}", "--", one.module], folder)
    return done.stdout + done.stderr


def _repro(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "repro", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _found(out: str) -> tuple[str, str]:
    """The boundary and the signature that a bisection names; without the ranks, which may have become fewer."""
    first = re.search(r"^(\w+ \S+) of \S+ is the first release", out, re.MULTILINE)
    judged = re.search(r"^judged by +(.*?)(?:, on .*)?$", out, re.MULTILINE)
    return (first[1] if first else "", judged[1] if judged else "")


def measure(one: Regression, minutes: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as name:
        folder = Path(name)
        shutil.copy(TRAINERS / SCRIPT, folder / SCRIPT)
        fsdp2 = Regression(one.name, one.kind, "fsdp2_loop", one.first_bad)
        (folder / "requirements.txt").write_text(requirements(fsdp2, None, RELEASES - 1))
        before = _found(bisect(SCRIPT, one, folder, 2))
        logs = sorted(folder.rglob("bisect-*.jsonl"))
        if not logs:
            return {"problem": "the script was not bisected"}
        done = _repro(
            ["shrink", str(logs[0]), "--out", "small.py", "--minutes", str(minutes), "--runs", "2000", "--json"], folder
        )
        if done.returncode not in {0, 3} or not (folder / "small.py").is_file():
            return {"problem": done.stderr.strip()[-300:]}
        facts: dict[str, Any] = json.loads(done.stdout)
        after = _found(bisect("small.py", one, folder, facts["ranks_after"]))
        facts |= {"slipped": after != before, "signature": after[1], "script": (folder / "small.py").read_text()}
        return {key: value for key, value in facts.items() if key not in {"format", "file"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--only", action="append", metavar="NAME", choices=EXCEPTIONS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="everything else comes from this folder of wheels")
    parser.add_argument("--parts", type=Path, metavar="DIR", help="shrink all at once, each on cores of its own")
    parser.add_argument("--index", help=argparse.SUPPRESS)  # of a part: it is served already
    given = parser.parse_args()
    held = {"seed": given.seed, "script": SCRIPT, "results": {}}
    held |= json.loads(given.out.read_text()) if given.out.is_file() else {}
    regressions = plan(given.seed)
    with serving(regressions, given.wheels, given.index):
        if given.parts:
            options = ("--index", os.environ["REPRO_INDEX"], "--seed", str(given.seed), "--minutes", str(given.minutes))
            names = [one.name for one in regressions if one.name in (given.only or EXCEPTIONS)]
            parts = [Part(name, (*options, "--only", name)) for name in names]
            done = run_parts("tests.bench.shrink_script", parts, given.parts)
            held["results"] = merged([held, *done], regressions)
            given.out.write_text(json.dumps(held, indent=1) + "\n")
            return
        for one in regressions:
            wanted = one.name in (given.only or EXCEPTIONS)
            if not wanted or one.name in held["results"]:
                continue
            where = {"machine": machine(), "load_before": round(os.getloadavg()[0], 1)}
            held["results"][one.name] = where | measure(one, given.minutes)
            print(one.name, held["results"][one.name], flush=True)
            given.out.write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()
