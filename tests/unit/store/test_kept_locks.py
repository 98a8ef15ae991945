"""Locks beside the observations: found by digest, checked before anything is installed from them."""

from pathlib import Path

import pytest

from repro.environments.locks import Lock, header_of, split
from repro.files import write_whole
from repro.model.errors import StoreError, UsageError
from repro.model.matrix import Environment
from repro.store import upkeep
from repro.store.kept_locks import KeptLocks
from repro.store.merge import merge_stores
from repro.store.observations import Store
from tests.unit.factories import installed, observation

HASH = f"--hash=sha256:{'a' * 64}"
DEFINITION = Environment(
    cutoff="2026-11-22",
    cutoffs={"torch": "2026-07-20"},
    pins={"torch": "2.13.0"},
    floating=("lightning", "accelerate"),
    prereleases=True,
    preferred={"numpy": "2.0.0"},
    why="test",
)


def lock(name: str = "newest as of 2026-11-22", text: str = "") -> Lock:
    held = text or f"torch==2.13.0 \\\n    {HASH}\nlightning==2.6.6 ; python_version < '4' \\\n    {HASH}\n"
    return Lock(header_of(name, DEFINITION), split(held))


@pytest.fixture
def kept(tmp_path: Path) -> KeptLocks:
    return KeptLocks(tmp_path / "data")


def test_found_by_digest_with_its_definition(kept: KeptLocks) -> None:
    """Everything that a build needs is read back from the file alone."""
    kept.put(lock())
    found = kept.get(lock().digest[:12])
    assert found.lock.text == lock().text
    assert (found.name, found.environment.model_dump(exclude={"why", "floating"})) == (
        "newest as of 2026-11-22",
        DEFINITION.model_dump(exclude={"why", "floating"}),
    )
    assert set(found.environment.floating) == set(DEFINITION.floating)


def test_the_first_one_of_a_digest_stays(kept: KeptLocks) -> None:
    """On a later day with nothing new the same lock has another header: it is the same environment."""
    kept.put(lock())
    kept.put(lock("newest as of 2026-11-23"))
    assert [item.name for item in kept] == ["newest as of 2026-11-22"]


@pytest.mark.parametrize("digest", ["", "0" * 12, "deadbeef"])
def test_unknown(kept: KeptLocks, digest: str) -> None:
    kept.put(lock())
    with pytest.raises(UsageError, match="no kept lock"):
        kept.get(digest)


@pytest.mark.parametrize(
    "text",
    [
        "lightning==2.6.6\n",
        f"lightning @ https://evil.example/x.whl \\\n    {HASH}\n",
        f"lightning==2.6.6 \\\n    {HASH}\n    --index-url=https://evil.example/\n",
        f"lightning==2.6.6 ; os_name == 'x' --index-url https://evil.example \\\n    {HASH}\n",
        f"lightning>=2.6.6 \\\n    {HASH}\n",
    ],
)
def test_lines_that_are_no_pins_with_hashes(kept: KeptLocks, text: str) -> None:
    """A foreign lock can name no other place to install from, and nothing that has no hash."""
    made = Lock(header_of("x", DEFINITION), ())
    try:
        made = Lock(made.header, split(text))
    except (ValueError, StopIteration):
        made = Lock(made.header, ())  # not even a requirement
    file = kept.folder / f"{made.digest}.txt"
    write_whole(file, "\n".join([*made.header, "", text]))
    problems = kept.problems()
    assert len(problems) == 1
    assert f"{file}: is no lock" in problems[0]


def test_another_content(kept: KeptLocks) -> None:
    file = kept.put(lock())
    file.write_text(file.read_text().replace("lightning==2.6.6", "lightning==2.6.7"))
    with pytest.raises(StoreError, match="holds the lock"):
        kept.get(lock().digest)


def test_no_header(kept: KeptLocks) -> None:
    file = kept.put(lock())
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "environment:" not in line))
    assert "does not state environment" in kept.problems()[0]


class TestUpkeep:
    """`store verify`, `merge` and `prune` know the locks."""

    def test_they_are_no_observations(self, kept: KeptLocks) -> None:
        kept.put(lock())
        (kept.folder / "planted.json").write_text("{}")
        assert upkeep.verify(Store(kept.data)) == (0, [])

    def test_a_damaged_one_stops_a_merge(self, kept: KeptLocks, tmp_path: Path) -> None:
        file = kept.put(lock())
        mine = Store(tmp_path / "mine")
        merge_stores(mine, [Store(kept.data)])
        assert [item.lock.digest for item in KeptLocks(mine.root)] == [lock().digest]
        file.write_text("x")
        assert len(upkeep.verify(Store(kept.data))[1]) == 1
        with pytest.raises(StoreError, match="are wrong"):
            merge_stores(Store(tmp_path / "other"), [Store(kept.data)])

    def test_prune_keeps_those_of_stored_runs(self, kept: KeptLocks) -> None:
        used, unused = lock(), lock(text=f"lightning==2.6.5 \\\n    {HASH}\n")
        kept.put(used)
        kept.put(unused)
        Store(kept.data).add(observation(installed=installed(lock=used.digest)))
        upkeep.prune(Store(kept.data), frozenset(), dry=True)
        assert len(kept.files()) == 2
        upkeep.prune(Store(kept.data), frozenset())
        assert [file.stem for file in kept.files()] == [used.digest]
