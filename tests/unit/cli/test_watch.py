"""`repro matrix`, `repro watch`, `repro run --shard`, `repro rot`: what a schedule calls."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from repro.catalog.project import Project
from repro.cli import rot as rotting
from repro.cli import watch as commanding
from repro.environments import rot as trying
from repro.environments.build import Environments
from repro.environments.locks import Lock, header_of, split
from repro.environments.rot import Rot, try_lock
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Denied
from repro.search import watch_run
from repro.search.releases import IndexFile
from repro.search.watch_plan import WATCH_FILE, Watched
from repro.store import resolve_float
from repro.store.observations import Store
from tests.unit.cli.calls import Call
from tests.unit.factories import cell, failed, rank
from tests.unit.report.test_write import stored


class TestMatrix:
    """Jobs from the matrix."""

    def test_github(self, call: Call) -> None:
        """One line of JSON that a workflow can take as a matrix."""
        code, out, _ = call("matrix", "--github", "--shards", "5")
        assert code == 0
        assert out.count("\n") == 1
        found = json.loads(out)["include"]
        assert [(job["shard"].partition("@")[0], job["cells"], job["environments"]) for job in found] == [
            ("1/2", 2, "old"),
            ("2/2", 1, "new"),
        ]

    def test_a_shard_is_of_the_plan_that_was_printed(self, held: Project, call: Call) -> None:
        """The store that it was planned by is the catalogue's own, also where the run has another one."""
        shard = json.loads(call("matrix", "--github", "--shards", "2")[1])["include"][1]["shard"]
        assert "@" in shard
        wrong = shard[:-1] + ("0" if shard[-1] != "0" else "1")
        code, _, error = call("run", "--shard", wrong, "--reports", str(held.reports / "elsewhere"))
        assert code == 2
        assert f"the plan here is @{shard.partition('@')[2]}" in error

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1", "1/x"])
    def test_mistakes(self, call: Call, shard: str) -> None:
        code, _, error = call("run", "--shard", shard)
        assert code == 2
        assert "K/N is expected" in error


class TestRunName:
    """Shards of one name count as one run."""

    def test_mistake(self, call: Call) -> None:
        code, _, error = call("run", "--run-name", "a b/c")
        assert code == 2
        assert "--run-name a b/c" in error

    def test_name(self, held: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every observation of the shard has it; here the environment cannot be had, which is stored as well."""

        def refuse(*_: object) -> None:
            raise EnvironmentFailure("no wheel")

        monkeypatch.setattr(Environments, "interpreter", refuse)
        assert call("run", "--shard", "2/2", "--run-name", "ci-7-1")[0] == 3
        found = list(Store(held.reports / "data"))
        assert [(one.run, one.cell.environment.label) for one in found] == [("ci-7-1", "new")]


class TestWatch:
    """A schedule that stopped is seen."""

    def test_never(self, call: Call) -> None:
        code, out, _ = call("watch", "--json")
        assert code == 3
        assert len(json.loads(out)["stale"]) == 3

    def test_age(self, held: Project, call: Call) -> None:
        """Old runs, and runs that could not be told, are no complete run."""
        new = "2999-01-01T00:00:00+00:00"
        stored(held, cell(), failed(0), failed(1), started=new)
        stored(held, cell(environment="new"), rank(0), rank(1), started=new)
        applied = (rank(number, backport_applied=True) for number in (0, 1))
        stored(held, cell(backport="cure"), *applied, started="2020-01-01T00:00:00+00:00")
        code, out, _ = call("watch", "--max-age", "8")
        assert code == 3
        assert "+cure: last run on 2020-01-01" in out
        assert "2 of 3 default cells" in out
        assert call("watch", "--max-age", "100000")[0] == 0

    def test_untold(self, held: Project, call: Call) -> None:
        stored(held, cell(), ranks=(), fault="no wheel", launcher="none")
        assert "could not be run: no wheel" in call("watch")[1]


class TestReleases:
    """What a schedule learns of new releases; the index and the resolver are played."""

    @pytest.fixture
    def floating(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
        content = yaml.safe_load(held.matrix_file.read_text())
        content["floating"] = {"new": {"libraries": ["torch", "lightning"]}}
        held.matrix_file.write_text(yaml.safe_dump(content))
        packages = split("torch==2.2.2\nlightning==2.2.3\n")
        monkeypatch.setattr(watch_run, "resolve", lambda name, made, _: Lock(header_of(name, made), packages))
        monkeypatch.setattr(commanding, "fetch_files", lambda name: self.FILES[name])
        return held

    FILES: ClassVar = {
        name: [
            IndexFile(f"{name}-{version}-py3-none-any.whl", version, "wheel", datetime(2024, month, 1, tzinfo=UTC))
            for version, month in versions.items()
        ]
        for name, versions in {"torch": {"2.2.2": 3}, "lightning": {"2.2.1": 2, "2.2.2": 4, "2.2.3": 5}}.items()
    }

    def test_owed(self, floating: Project, call: Call) -> None:
        """A release that was not run is owed, and the look is stored for the site; the store itself is not touched."""
        code, out, _ = call("watch")
        assert code == 3
        assert "lightning 2.2.3 of 2024-05-01: 0 of 1 records run" in out
        assert "3 new releases, 3 runs owed on them" in out  # nothing was run on what the lock holds, either
        stored_look = Watched.model_validate_json((floating.reports / WATCH_FILE).read_bytes())
        assert "lightning 2.2.3" in {release.name for release in stored_look.floats[0].releases}
        assert not (floating.reports / "data").exists()

    def test_a_part(self, floating: Project, call: Call) -> None:
        """A look at one environment takes its place beside what is known of the others, and keeps the older day."""
        call("watch")
        file = floating.reports / WATCH_FILE
        whole = Watched.model_validate_json(file.read_bytes())
        (one,) = whole.floats
        earlier = Watched(
            date="2020-01-01T00:00:00+00:00",
            floats=(one.model_copy(update={"name": "other"}), one.model_copy(update={"releases": ()})),
        )
        file.write_text(earlier.model_dump_json())
        call("watch", "--floating", "new")
        after = Watched.model_validate_json(file.read_bytes())
        assert after == earlier.model_copy(update={"floats": (earlier.floats[0], one)})

    def test_the_moved_lock_is_read_again(self, floating: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        hashed = "".join(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in ("torch==2.2.2", "lightning==2.2.3"))
        monkeypatch.setattr(resolve_float, "resolve", lambda name, made, _: Lock(header_of(name, made), split(hashed)))
        code, out, error = call("watch", "--run", "--max-minutes", "0", "--write-locks")
        assert (code, error) == (3, "")
        assert "new: lightning 2.2.3, torch 2.2.2, as of " in out
        assert replace(floating).environments.lock("new").versions["lightning"] == "2.2.3"

    def test_json(self, floating: Project, call: Call) -> None:
        answer = json.loads(call("watch", "--json", "--floating", "new")[1])
        assert answer["watched"]["floats"][0]["releases"][0]["owed"] == ["lightning-19492"]
        assert not (floating.reports / WATCH_FILE).exists()  # a part only

    @pytest.mark.usefixtures("floating")
    def test_offline(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commanding, "fetch_files", lambda _: pytest.fail("the index was asked"))
        code, out, _ = call("watch", "--offline", "--json")
        assert (code, json.loads(out)["watched"]) == (3, None)

    def test_an_index_that_cannot_be_read(self, floating: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is said, it is no success, and the rest of the answer is there."""

        def refuse(_: str) -> None:
            raise EnvironmentFailure("https://index cannot be reached")

        assert floating.matrix.floating
        monkeypatch.setattr(commanding, "fetch_files", refuse)
        code, out, _ = call("watch", "--max-age", "100000")
        assert code == 3
        assert "does not resolve" not in out
        assert "https://index cannot be reached" in out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--write",), "--write goes with --run"),
            (("--max-minutes", "5"), "--max-minutes goes with --run"),
            (("--as-of", "2024-13-01"), "a day such as 2026-11-22 is expected"),
            (("--as-of", "2999-01-01"), "a day that is not in the future"),
            (("--offline", "--run"), "--offline asks no index"),
            (("--floating", "nwe"), "no floating environment 'nwe'; did you mean 'new'?"),
            (("lightnig-19492",), "did you mean 'lightning-19492'?"),
        ],
    )
    @pytest.mark.usefixtures("floating")
    def test_mistakes(self, call: Call, arguments: tuple[str, ...], message: str) -> None:
        code, _, error = call("watch", *arguments)
        assert code == 2
        assert message in error


class TestRot:
    """A lock that no longer installs is a state of its own."""

    def test_states(self, held: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every lock is told, the result is stored, and one rotten lock is exit code 3."""

        def tried(name: str, _python: str, _lock: Lock, _matrix: object, *, dry: bool) -> Rot:
            assert dry
            return Rot(
                environment=name, state="rotten" if name == "old" else "installs", reason="yanked" * (name == "old")
            )

        monkeypatch.setattr(rotting, "try_lock", tried)
        code, out, _ = call("rot", "--dry-run")
        assert code == 3
        assert "[1/2] rotten   old: yanked" in out
        assert "1 of 2 locks install; 1 do not" in out
        stored_states = json.loads((held.reports / "rot.json").read_text())
        assert (stored_states["format"], stored_states["dry"]) == (1, True)
        assert call("rot", "--dry-run", "new")[0] == 0

    def test_cause(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """The installer's words are the reason, whichever layer fails."""

        def refuse(*_: object) -> None:
            raise EnvironmentFailure("torch==2.2.2 was not found")

        monkeypatch.setattr(trying, "run_uv", lambda _: "")
        monkeypatch.setattr(trying, "choose_torch", refuse)
        lock, matrix = held.environments.lock("old"), held.matrix
        found = try_lock("old", "3.11", lock, matrix, dry=True)
        assert (found.state, found.reason) == ("rotten", "torch==2.2.2 was not found")

    def test_denied(self, held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A denied release is refused before uv is called, and is no state of a lock."""
        monkeypatch.setattr(trying, "run_uv", lambda _: pytest.fail("uv was called"))
        lock = held.environments.lock("old")
        entry = Denied(
            distribution="torch", version=lock.versions["torch"], reason="a malicious upload", date="2026-04-30"
        )
        denying = held.matrix.model_copy(update={"deny": (entry,)})
        with pytest.raises(EnvironmentFailure, match="is denied: a malicious upload"):
            try_lock("old", "3.11", lock, denying, dry=True)


def test_merge(held: Project, call: Call, tmp_path: Path) -> None:
    """`repro store merge` brings a shard in and writes the reports."""
    stored(held, cell(), failed(0), failed(1))
    shard = tmp_path / "shard"
    (held.reports / "data").rename(shard)
    code, out, _ = call("store", "merge", str(shard), "--json")
    assert (code, json.loads(out)["added"]) == (0, 1)
    assert (held.reports / "matrix.md").is_file()
    assert json.loads(call("store", "merge", str(shard), "--json")[1])["added"] == 0


def test_junit(held: Project, call: Call, tmp_path: Path) -> None:
    """`--junit` writes the file beside the reports."""
    stored(held, cell(), failed(0), failed(1))
    assert call("report", "--junit", str(tmp_path / "j.xml"))[0] == 0
    assert 'tests="3" failures="0" errors="0" skipped="2"' in (tmp_path / "j.xml").read_text()
