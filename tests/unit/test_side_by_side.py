"""Parts of a benchmark at once: each writes its own file, on cores of its own, with a cache of its own."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.bench import side_by_side
from tests.bench.side_by_side import CORES, Part, run_parts

PART = """
import json, os, sys
name, out = sys.argv[1], sys.argv[sys.argv.index("--out") + 1]
print("said by", name)
if name == "breaks":
    sys.exit(3)
if name != "silent":
    with open(out, "w") as file:
        json.dump({"name": name, "cores": len(os.sched_getaffinity(0)), "cache": os.environ["REPRO_CACHE"]}, file)
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or (os.cpu_count() or 1) < CORES,
    reason="parts are bound to cores of their own",
)


@pytest.fixture(autouse=True)
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_part.py").write_text(PART)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_results_come_in_the_order_of_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "CORES", 1)  # fewer than any machine has that runs this
    before = os.sched_getaffinity(0)
    found = run_parts("a_part", [Part(name, (name,)) for name in ("one", "two", "three")], tmp_path / "parts")
    assert [one["name"] for one in found] == ["one", "two", "three"]
    assert {one["cores"] for one in found} == {1}
    assert len({one["cache"] for one in found}) == len(found)
    assert os.sched_getaffinity(0) == before
    assert json.loads((tmp_path / "parts" / "two.json").read_text())["name"] == "two"


@pytest.mark.parametrize("name", ["breaks", "silent"])
def test_a_part_without_a_result_is_told(tmp_path: Path, name: str) -> None:
    """With the end of what it said; a part that ends well and writes nothing has no result either."""
    with pytest.raises(SystemExit, match=f"{name}: said by {name}"):
        run_parts("a_part", [Part("one", ("one",)), Part(name, (name,))], tmp_path / "parts")
