"""Reads what the ranks of one run left in its folder: events, output and stacks -> facts."""

import json
import re
from pathlib import Path
from typing import Any

from repro.launch.paths import Layout
from repro.model.observation import Imported, Phase, Raised, Rank

TAIL_CHARACTERS = 4000
# A progress bar may have left its line open.
_MEASURED = re.compile(r"(?:^|\])measured ([a-z][a-z0-9_]*) = (.*)$", re.MULTILINE)
_ORACLE = re.compile(r"^oracle passed: (.*)$", re.MULTILINE)


def collect_ranks(folder: Path, world_size: int, layout: Layout, started: float) -> tuple[Rank, ...]:
    """The facts of every rank; ``started`` is the run's start in seconds since the epoch."""
    return tuple(_rank(folder, rank, layout, started) for rank in range(world_size))


def _events(file: Path) -> list[dict[str, Any]]:
    """The events of a journal; a last line that a dying process left unfinished is dropped.

    Characters that UTF-8 has no form for (undecodable file names) are replaced: an observation must be storable.
    """
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "replace"))
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _rank(folder: Path, number: int, layout: Layout, started: float) -> Rank:
    facts: dict[str, Any] = {"rank": number, "gates": []}
    for event in _events(folder / f"rank{number}.jsonl"):
        if "imports" in event:
            facts["imported"] = _imported(event["imports"], layout)
        match event.get("event"):
            case "started":
                facts["started"] = True
            case "gate":
                facts["gates"].append(event["name"])
            case "backport":
                facts["backport_applied"] = True
            case "reached":
                facts["reached"] = True
            case "finished":
                facts["finished"] = True
            case "exception":
                facts["phase"] = Phase(event["phase"])
                facts["chain"] = tuple(_raised(link, layout) for link in event["chain"])
                facts["failed_at"] = round(event["time"] - started, 3)
            case "ended":
                facts["ended"] = True
                facts["exit_code"] = event.get("code")
                facts["signal"] = event.get("signal")
                facts["stopped"] = event["stopped"]
                facts["ended_at"] = round(event["time"] - started, 3)
                facts["seconds"] = event["seconds"]
                facts["peak_bytes"] = event["peak_bytes"]
            case _:
                continue
    output = _read(folder / f"rank{number}.log")
    facts["measured"] = _measurements(output)
    spoken = _ORACLE.findall(output)
    facts["oracle"] = layout.scrub(spoken[-1].strip()) if spoken else None
    facts["tail"] = layout.scrub(output[-TAIL_CHARACTERS:])
    stacks = (layout.stack(_read(folder / f"rank{number}.stacks{dump}")) for dump in (1, 2))
    facts["stacks"] = tuple(stack for stack in stacks if stack)
    facts["gates"] = tuple(sorted(facts["gates"]))
    return Rank(**facts)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def launcher_tail(folder: Path, layout: Layout) -> str:
    """End of what torchrun itself printed."""
    return layout.scrub(_read(folder / "launcher.log")[-TAIL_CHARACTERS:])


def _measurements(output: str) -> dict[str, Any]:
    """``measured NAME = JSON`` lines of a rank's output; a value that is no JSON (NaN is none) stays text."""
    found: dict[str, Any] = {}
    for name, value in _MEASURED.findall(output):
        try:
            found[name] = json.loads(value, parse_constant=str)
        except ValueError:
            found[name] = value
    return found


def _imported(imports: dict[str, dict[str, str]], layout: Layout) -> dict[str, Imported]:
    inside = tuple(root + "/" for root in layout.libraries)
    return {
        name: Imported(version=facts["version"], inside=facts["file"].startswith(inside))
        for name, facts in sorted(imports.items())
    }


def _raised(link: dict[str, Any], layout: Layout) -> Raised:
    frames = (layout.frame(f["file"], f["function"], f["line"], f["code"]) for f in link["frames"])
    return Raised(
        type=link["type"],
        module=link["module"],
        bases=tuple(link["bases"]),
        message=layout.scrub(link["message"])[:4000],
        link=link["link"],
        frames=tuple(frames),
    )
