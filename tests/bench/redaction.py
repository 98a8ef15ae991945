"""How many planted secrets the redaction leaves in a text, and how many lines of real logs it changes wrongly.

Secrets are made anew for each seed from the lines of tests/data/redaction/planted.yaml.  A secret leaks if half of it,
or six letters of a longer one, can still be read in the redacted line, decoded or not.
The real lines are those of tests/data/logs, of the inputs of doctor, and of every stored run under reports/data.
tests/data/redaction/private.yaml lists what is private in them: a line is cut wrongly if anything else is replaced.

Sets D to H (set-*.yaml) were each written before the rules had seen them and measured once at that moment.  What these
first trials leaked was noted by hand in first_trials.yaml, since it cannot be measured again; it says how well the
rules do on what nobody showed them, and is no part of the figures.  The rules were fitted to all these lines since.
honest-*.txt are lines of logs in which nothing is private.

    python -m tests.bench.redaction [--seeds N] [--write]

``--write`` stores the figures in reports/measurements/redaction.json.
"""

import argparse
import json
import random
import re
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import yaml

from repro.model.clean import clean
from repro.report.redaction import Redactor
from repro.store.observations import Store

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PLANTED = TESTS / "data" / "redaction" / "planted.yaml"
FIRST_TRIALS = PLANTED.parent / "first_trials.yaml"
SETS = tuple(sorted(PLANTED.parent.glob("set-*.yaml")))
HONEST = tuple(sorted(PLANTED.parent.glob("honest-*.txt")))
PRIVATE = TESTS / "data" / "redaction" / "private.yaml"
FILE = ROOT / "reports" / "measurements" / "redaction.json"

NAMES = (
    "marlow", "ingrid", "takeshi", "oluwaseun", "bhavna", "kowalski", "lindqvist", "zhou", "fatima", "dubois",
    "jmeyer", "svetlana", "hernandez", "aoife", "nakamura", "priya", "tobias", "wanjiru",
)  # fmt: skip
BOXES = (
    "gpu-a100-17", "kestrel", "node0231", "dgx4", "hal9000", "titan-rtx", "r12n03", "cn-b04", "trillium", "hpc-login2",
    "ml-box", "superpod7",
)  # fmt: skip
ALPHABETS = {
    "b62": string.ascii_letters + string.digits,
    "low": string.ascii_lowercase + string.digits,
    "up": string.ascii_uppercase + string.digits,
    "hex": "0123456789abcdef",
    "b64": string.ascii_letters + string.digits + "+/",
    "num": string.digits,
}
_RANDOM = re.compile(r"<(b62|low|up|hex|b64|num):(\d+)>|<(name|box|v4|v6|mac|uuid)>")
_FORM = re.compile(r"(percent|ansi)\((.*?»[^)]*)\)")
_MARKED = re.compile("«(.*?)»")
_MARKS = str.maketrans("", "", "«»")
READABLE = 6


@dataclass(frozen=True)
class Planted:
    """A line of a log with secrets in it."""

    kind: str
    line: str
    hidden: tuple[str, ...]


def plant(seed: int, file: Path = PLANTED) -> Iterator[Planted]:
    """Every planted line of a file, with the secrets of that seed."""
    rng = random.Random(seed)
    for kind, lines in yaml.safe_load(file.read_text(encoding="utf-8")).items():
        for line in lines:
            marked = _RANDOM.sub(lambda found: _made(found, rng), line)
            hidden = tuple(_MARKED.findall(marked))
            yield Planted(kind, _FORM.sub(lambda found: _formed(found, rng), marked).translate(_MARKS), hidden)


def _made(found: re.Match[str], rng: random.Random) -> str:
    if found[1]:
        return "".join(rng.choices(ALPHABETS[found[1]], k=int(found[2])))
    digits = "".join(rng.choices(ALPHABETS["hex"], k=32))
    made: dict[str, Callable[[], str]] = {
        "name": lambda: rng.choice(NAMES),
        "box": lambda: rng.choice(BOXES),
        "v4": lambda: ".".join(str(rng.randint(1, 223)) for _ in range(4)),
        "v6": lambda: "2001:db8:" + ":".join(digits[at : at + 4] for at in range(0, 24, 4)),
        "mac": lambda: ":".join(digits[at : at + 2] for at in range(0, 12, 2)),
        "uuid": lambda: "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])),
    }
    return made[found[3]]()


def _formed(found: re.Match[str], rng: random.Random) -> str:
    text = found[2]
    if found[1] == "percent":
        return quote(text.translate(_MARKS), safe="")
    at = rng.randrange(len(text) // 3, 2 * len(text) // 3)
    return f"{text[:at]}\x1b[1;31m{text[at:]}\x1b[0m"


def leaks(planted: Planted, redact: Callable[[str], str]) -> bool:
    """True if a secret of the line can still be read once the line is redacted."""
    left = redact(planted.line)
    left = f"{clean(left)}\n{unquote(clean(left))}"
    return any(_readable(secret, left) for secret in planted.hidden)


def _readable(secret: str, left: str) -> bool:
    size = min(len(secret), max(READABLE, len(secret) // 2))
    return any(secret[at : at + size] in left for at in range(len(secret) - size + 1))


def real_lines() -> dict[str, list[str]]:
    """The different lines of each source of real texts."""
    logs = [_text(file) for file in sorted((TESTS / "data" / "logs").glob("*.log"))]
    inputs = [_text(file) for file in sorted((TESTS / "data" / "doctor-inputs").rglob("*")) if file.is_file()]
    stored = [text for found in Store(ROOT / "reports" / "data") for text in _shown(found.model_dump(mode="json"))]
    sources = {"tests/data/logs": logs, "tests/data/doctor-inputs": inputs, "reports/data": stored}
    return {name: sorted({line for text in texts for line in text.splitlines()}) for name, texts in sources.items()}


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _shown(stored: dict[str, Any]) -> Iterator[str]:
    """What ranks and the launcher wrote in a stored run."""
    yield stored.get("launcher_tail", "")
    for rank in stored.get("ranks", ()):
        yield from _texts([rank.get(part) for part in ("tail", "error", "stacks", "measured")])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def cut_wrongly(lines: Sequence[str], redact: Callable[[str], str]) -> list[tuple[str, str]]:
    """Lines in which something was replaced that is not private, each with what became of it."""
    private: dict[str, str] = yaml.safe_load(PRIVATE.read_text(encoding="utf-8"))
    found = []
    for line in lines:
        expected = clean(line)
        for text, label in private.items():
            expected = expected.replace(text, label)
        if redact(line) != expected:
            found.append((line, redact(line)))
    return found


def measure(seeds: int) -> dict[str, Any]:
    """The figures: the first seed alone, all seeds together, and the lines of each real source."""
    redact = Redactor()
    sets = [list(plant(seed)) for seed in range(seeds)]
    leaked = [[planted for planted in one if leaks(planted, redact)] for one in sets]
    wrong = {name: (len(lines), cut_wrongly(lines, redact)) for name, lines in real_lines().items()}
    return {
        "format": 1,
        "kinds": len({planted.kind for planted in sets[0]}),
        "planted": len(sets[0]),
        "leaked": len(leaked[0]),
        "seeds": seeds,
        "planted_by_all_seeds": sum(map(len, sets)),
        "leaked_by_all_seeds": sum(map(len, leaked)),
        "leaked_kinds": sorted({planted.kind for one in leaked for planted in one}),
        "sets_fitted": {
            file.stem: {"planted": len(planted), "leaked": sum(leaks(one, redact) for one in planted)}
            for file, planted in ((file, list(plant(0, file))) for file in SETS)
        },
        "honest_lines": {
            file.stem: {"lines": len(lines), "cut_wrongly": len(cut_wrongly(lines, redact))}
            for file, lines in ((file, _text(file).splitlines()) for file in HONEST)
        },
        "real_lines": {name: {"lines": count, "cut_wrongly": len(cut)} for name, (count, cut) in wrong.items()},
    }


def main() -> None:
    """Print the figures with every leak and every wrong cut; store them with --write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help=f"write {FILE.relative_to(ROOT)}")
    chosen = parser.parse_args()
    redact = Redactor()
    for planted in (one for seed in range(chosen.seeds) for one in plant(seed)):
        if leaks(planted, redact):
            sys.stdout.write(f"leak: {planted.kind}: {planted.line!r} -> {redact(planted.line)!r}\n")
    for lines in real_lines().values():
        for line, left in cut_wrongly(lines, redact):
            sys.stdout.write(f"cut: {line!r} -> {left!r}\n")
    text = json.dumps(measure(chosen.seeds), indent=1)
    sys.stdout.write(text + "\n")
    if chosen.write:
        FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
