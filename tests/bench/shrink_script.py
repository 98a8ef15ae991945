"""How much smaller ``repro shrink`` makes a training script, how long that takes, and whether it slips.

    python -m tests.bench.shrink_script [--only NAME] [--minutes N] [--out FILE]

The script is ``trainers/long_fsdp2.py``, with one planted exception (``planted.py``) after another.  Each is bisected
between the two releases of its boundary, and shrunk.  Then the smaller script is bisected anew: it slipped to another
failure if that finds another boundary or another signature.  What ``--out`` holds already is not run again.
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
from pathlib import Path
from typing import Any

from repro.search.index import index_address
from tests.bench.own_script import ROOT, TRAINERS, requirements
from tests.bench.planted import EXCEPTIONS, RELEASES, Regression, plan, published, version
from tests.unit.search.local_index import LocalIndex, served

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
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    held = json.loads(given.out.read_text()) if given.out.is_file() else {"seed": given.seed, "results": {}}
    regressions = plan(given.seed)
    with served(LocalIndex(published(regressions)), elsewhere=index_address().rstrip("/")) as index:
        os.environ["REPRO_INDEX"] = index.address
        for one in regressions:
            wanted = one.name in (given.only or EXCEPTIONS)
            if not wanted or one.name in held["results"]:
                continue
            held["results"][one.name] = {"load_before": round(os.getloadavg()[0], 1), **measure(one, given.minutes)}
            held |= {"script": SCRIPT, "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"}
            print(one.name, held["results"][one.name], flush=True)
            given.out.write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()
