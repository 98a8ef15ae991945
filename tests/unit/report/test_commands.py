"""Commands that repeat what a page shows: each must be one that our command line takes."""

import shlex
from pathlib import Path

from repro.catalog.catalog import Entry
from repro.files import PACKAGE
from repro.report.commands import by_hand, questions, repeat
from tests.unit.factories import FAILURE, STAGES, cell, entry, failure


def test_one_cell() -> None:
    wanted = cell(lane="cuda", backport="cure", factors={"state-dict-type": "full"})
    assert repeat(wanted) == (
        f"repro run {FAILURE} --env old --lane cuda --backport-named cure --set state-dict-type=full --fresh"
    )


def test_odd_names_are_quoted() -> None:
    assert shlex.split(repeat(cell(environment="a b;c")))[4] == "a b;c"


def test_on_a_machine_without_a_network() -> None:
    wanted = cell(environment="overlay:old", lane="cuda")
    assert repeat(wanted) == f"repro run {FAILURE} --overlay pack --env old --lane cuda --fresh"


def ours() -> Entry:
    """A failure of our own catalogue, by where it lies."""
    return Entry(failure(), PACKAGE / "failures" / FAILURE)


def test_by_hand(tmp_path: Path) -> None:
    """The script is named in its own catalogue, and no folder of this machine above it."""
    assert by_hand(ours()) == f"torchrun --standalone --nproc-per-node 2 repro/failures/{FAILURE}/repro.py"
    private = entry(tmp_path / "my failures")
    assert shlex.split(by_hand(private))[-1] == f"my failures/{FAILURE}/repro.py"


def test_by_hand_in_stages(tmp_path: Path) -> None:
    """A command for each job, since each may run in an environment of its own."""
    script = f"mine/{FAILURE}/repro.py"
    begun = f"torchrun --standalone --nproc-per-node 2 {script}"
    staged = entry(tmp_path / "mine", stages=STAGES)
    names = [stage["name"] for stage in STAGES]
    assert by_hand(staged).splitlines() == [f"{begun} --stage {name} --folder DIR" for name in names]


def test_by_hand_with_another_launcher(tmp_path: Path) -> None:
    """accelerate launch with the file beside the script; plain Python where the script spawns its ranks."""
    accelerate = {"name": "accelerate", "program": "accelerate", "config": "a.yaml"}
    launched = entry(tmp_path / "mine", launchers=[accelerate])
    folder = f"mine/{FAILURE}"
    assert by_hand(launched) == f"accelerate launch --config_file {folder}/a.yaml {folder}/repro.py"
    spawning = entry(tmp_path / "mine" / "b", launchers=[{"name": "python", "program": "python"}])
    assert by_hand(spawning) == f"python b/{FAILURE}/repro.py"


def test_questions(tmp_path: Path) -> None:
    """A failure of another catalogue needs the option that names it."""
    assert [text for text, _ in questions(ours(), "old")] == [
        f"repro run {FAILURE}",
        f"repro ablate {FAILURE} --env old",
        "repro report --html",
    ]
    assert [text for text, _ in questions(entry(tmp_path / "mine"), "old")] == [
        f"repro run {FAILURE} --catalog mine",
        f"repro ablate {FAILURE} --env old --catalog mine",
        "repro report --html --catalog mine",
    ]
    assert repeat(cell(), ("--catalog", "mine")) == f"repro run {FAILURE} --catalog mine --env old --fresh"
