"""Commands that repeat what a page shows: each must be one that our command line takes."""

import shlex
from pathlib import Path

from repro.report.site.commands import by_hand, questions, repeat
from tests.unit.factories import FAILURE, cell, entry, failure


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


def test_by_hand(tmp_path: Path) -> None:
    expected = f"torchrun --standalone --nproc-per-node 2 repro/failures/{FAILURE}/repro.py"
    assert by_hand(entry(tmp_path)) == expected


def test_questions() -> None:
    assert [text for text, _ in questions(failure(), "old")] == [
        f"repro run {FAILURE}",
        f"repro ablate {FAILURE} --env old",
        "repro report --html",
    ]
