"""The commands that search, with an index and verdicts that are made up."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from repro.catalog.project import Project
from repro.cli import bisect, blame, sweep
from repro.model.affected import is_affected
from repro.model.errors import EnvironmentFailure
from repro.model.verdict import Verdict, side_of
from repro.search.releases import IndexFile
from repro.store.answers import Run, Tried
from repro.store.observations import Store
from tests.unit import factories
from tests.unit.cli.calls import Call
from tests.unit.cli.fake_trials import FakeTrials

FAILURE = factories.FAILURE
RELEASES = ["2.0.9", "2.1.0", "2.2.0", "2.2.1", "2.2.2", "2.3.0", "2.3.1rc1"]


class RecordTrials(FakeTrials):
    """Fails from 2.1.0 to the release that ``last_bad`` names."""

    last_bad = "2.2.1"
    repeated: list[str] = []

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        fact = self._run(name, label)
        self.repeated.append(label)
        assert fact.verdict
        made = [f"{label}-{len(self.repeated)}-{n}" for n in range(runs)]
        seen = [Run(observation=one, verdict=fact.verdict, launcher="torchrun") for one in made]
        return fact.model_copy(update={"runs": tuple(seen), "observations": tuple(made)})

    def first_run(self, name: str, label: str) -> Tried:
        fact = self._run(name, label)
        assert fact.verdict
        run = Run(observation=f"{label}-warm", verdict=fact.verdict, launcher="warm")
        return fact.model_copy(update={"runs": (run,), "observations": (run.observation,)})

    def _run(self, name: str, label: str) -> Tried:
        versions = {"lightning": "2.3.0"} | self.environments[name].pins
        place = RELEASES.index(versions["lightning"])
        bad = 1 <= place <= RELEASES.index(self.last_bad)
        verdict = Verdict.REPRODUCED if bad else Verdict.ABSENT
        return Tried(
            label=label,
            environment=name,
            verdict=verdict,
            side=side_of(verdict),
            reason="because",
            versions=versions,
            affected=is_affected(self.project.catalog[FAILURE].failure, versions),
        )


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, held: Project) -> type[RecordTrials]:
    """Neither network nor runs."""
    day = datetime(2024, 4, 1, tzinfo=UTC)

    def fetch(_: str) -> list[IndexFile]:
        return [IndexFile(f"lightning-{v}-py3-none-any.whl", v, "wheel", day) for v in RELEASES]

    made = type("World", (RecordTrials,), {"asked": [], "repeated": []})
    for command in (bisect, blame, sweep):
        monkeypatch.setattr(command, "fetch_files", fetch, raising=False)
        monkeypatch.setattr(command, "Trials", made)
    del held
    return made


BISECT = ("bisect", FAILURE, "--package", "lightning")


def reporter_only(held: Project, specifiers: str) -> None:
    """Let the record hold one release; no environment pins it."""
    record = held.failures / FAILURE / "failure.yaml"
    record.write_text(record.read_text().replace(">=2.1.0,<2.2.2", specifiers))
    read_again(held)


def read_again(held: Project) -> None:
    """Forget what the project read: a command line reads it once."""
    for name in ("catalog", "environments"):
        held.__dict__.pop(name, None)


class TestBisect:
    def test_prints_range_steps_and_answer(self, call: Call, held: Project) -> None:
        code, out, _ = call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0")
        assert code == 0
        assert "5 points from lightning 2.1.0 to lightning 2.3.0 in old: the first good after the last bad" in out
        assert "at most 12 runs, if each point gives a verdict and all runs agree" in out
        assert "confirmed   2.2.1 in 3 runs, 2.2.2 in 4 runs" in out
        assert "lower end   open: no release before 2.1.0 was run" in out
        assert "last bad    lightning 2.2.1" in out
        assert "first good  lightning 2.2.2" in out
        page = (held.reports / f"{FAILURE}.md").read_text()
        assert "## When was it mended: lightning" in page

    def test_json_is_alone_on_standard_output(self, call: Call) -> None:
        code, out, err = call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0", "--json")
        answer = json.loads(out)
        assert (code, answer["format"], answer["after"]["label"]) == (0, 1, "2.2.2")
        assert "at most" in err

    def test_a_record_that_disagrees_is_in_the_exit_code_and_can_be_written(
        self, call: Call, held: Project, world: type[RecordTrials]
    ) -> None:
        world.last_bad = "2.2.2"
        code, out, _ = call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0", "--write")
        assert code == 1
        assert "record      disagrees" in out
        record = held.failures / FAILURE / "failure.yaml"
        assert ">=2.1.0,<2.3.0" in record.read_text()
        assert f"{record}: affected lightning >=2.1.0,<2.3.0" in out

    def test_an_interruption_prints_the_command_that_goes_on(
        self, call: Call, world: type[RecordTrials], tmp_path: Path
    ) -> None:
        world.interrupt_at = 2
        code, _, err = call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0", "--reports", str(tmp_path / "reports"))
        assert code == 130
        (line,) = [line for line in err.splitlines() if line.startswith("repro: resume with: ")]
        words = line.removeprefix("repro: resume with: ").split()
        assert words[:4] == ["repro", "bisect", FAILURE, "--resume"]
        before = list(world.asked)
        world.interrupt_at = None
        code, out, _ = call(*words[1:])
        assert code == 0
        assert "2 points are known from the log" in out
        assert "first good  lightning 2.2.2" in out
        assert not set(world.asked[2:]) & set(before)

    def test_a_log_is_replayed(self, call: Call, world: type[RecordTrials], held: Project) -> None:
        call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0")
        (log,) = (held.reports / "data" / "searches" / FAILURE).glob("*.jsonl")
        count = len(world.asked)
        (stored,) = log.parent.glob("*.json")
        before = stored.read_bytes()
        code, out, _ = call("bisect", FAILURE, "--replay", str(log))
        assert stored.read_bytes() == before, "what was measured stays"
        assert (code, len(world.asked)) == (0, count)
        assert "first good  lightning 2.2.2" in out

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "give --package NAME"),
            (["--by-date"], "--by-date needs --good DAY and --bad DAY"),
            (["--by-date", "--good", "x", "--bad", "2024-03-01"], "--good x: a day such as"),
            (["--package", "lightning", "--keep", "torch==2"], "--keep goes with --by-date"),
            (["--package", "lightning", "--good", "2.2.3"], "no release lightning 2.2.3; did you mean"),
            (["--package", "lightning", "--good", "2.3.1rc1"], "lightning 2.3.1rc1 is left out: pre-release"),
            (["--package", "lightning", "--env", "odl"], "no environment 'odl'; did you mean 'old'?"),
            (["--resume", "/nowhere.jsonl"], "/nowhere.jsonl: cannot be read"),
        ],
    )
    def test_mistakes_are_one_line(self, call: Call, held: Project, arguments: list[str], words: str) -> None:
        code, out, err = call("bisect", FAILURE, *arguments)
        assert code in {2, 3}
        assert err.startswith("repro: ")
        assert err.count("\n") == 1
        assert words in err
        assert out == ""
        assert not held.reports.exists()

    @pytest.mark.parametrize("part", ["script", "record", "environment"])
    def test_a_log_of_another_script_record_or_environment_is_not_resumed(
        self, call: Call, held: Project, world: type[RecordTrials], part: str
    ) -> None:
        """Its answers would be believed of what never ran."""
        call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0")
        (log,) = (held.reports / "data" / "searches" / FAILURE).glob("*.jsonl")
        count = len(world.asked)
        folder = held.failures / FAILURE
        if part == "script":
            (folder / "repro.py").write_text((folder / "repro.py").read_text() + "\n# changed\n")
        elif part == "record":
            (folder / "failure.yaml").write_text((folder / "failure.yaml").read_text() + "timeout: 7\n")
        else:
            lock = held.locks / "old.txt"
            lock.write_text(lock.read_text().replace("a" * 64, "b" * 64))
        read_again(held)
        code, out, err = call("bisect", FAILURE, "--resume", str(log))
        assert code == 2
        assert err == (f"repro: the {part} changed since {log} was begun: its answers may not hold; search anew\n")
        assert out == ""
        assert len(world.asked) == count

    def test_a_log_of_an_older_version_is_not_resumed(self, call: Call, held: Project) -> None:
        call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0")
        (log,) = (held.reports / "data" / "searches" / FAILURE).glob("*.jsonl")
        question, *rest = log.read_text().splitlines()
        old = {key: value for key, value in json.loads(question).items() if key != "digests"}
        log.write_text("\n".join([json.dumps(old), *rest]) + "\n")
        code, _, err = call("bisect", FAILURE, "--resume", str(log))
        assert (code, "is of an older version and does not name its script" in err) == (2, True)

    def test_an_interruption_before_the_log_prints_the_command(
        self, call: Call, held: Project, world: type[RecordTrials]
    ) -> None:
        reporter_only(held, ">=2.2.0")
        world.interrupt_at = 1
        code, _, err = call(*BISECT, "--env", "new", "--write")
        assert code == 130
        assert f"repro bisect {FAILURE} --package lightning --env new --lane cpu --write" in err

    @pytest.mark.parametrize("specifiers", [">=2.2.0", "==2.2.0"])
    def test_a_record_of_the_reporters_release_alone(
        self, call: Call, held: Project, world: type[RecordTrials], specifiers: str
    ) -> None:
        """Nothing says whether it was ever fixed: the newest release is run, and it is good."""
        reporter_only(held, specifiers)
        code, out, _ = call(*BISECT, "--write")
        assert code == 1
        assert world.asked[:2] == ["2.2.0", "2.3.0"]
        assert "first good  lightning 2.2.2" in out
        record = (held.failures / FAILURE / "failure.yaml").read_text()
        assert ">=2.2.0,<2.2.2" in record
        assert "open_below: {lightning: '2.2.0'}" in record, "nothing older was run"

    def test_a_record_of_the_reporters_release_alone_that_was_never_fixed(
        self, call: Call, held: Project, world: type[RecordTrials]
    ) -> None:
        """The newest release is bad, too: the first bad one is looked for backwards, 2.0.9 only when it is its turn."""
        reporter_only(held, ">=2.2.1")
        world.last_bad = "2.3.0"
        code, out, _ = call(*BISECT, "--write")
        assert code == 1
        assert world.asked[:4] == ["2.2.1", "2.3.0", "2.2.0", "2.1.0"]
        assert "first bad   lightning 2.1.0" in out
        record = (held.failures / FAILURE / "failure.yaml").read_text()
        assert ">=2.1.0" in record
        assert "open_below" not in record

    def test_the_reporters_release_does_not_show_it_here(self, call: Call, held: Project) -> None:
        reporter_only(held, ">=2.2.2")
        code, _, err = call(*BISECT)
        assert code == 2
        assert err == (
            "repro: lightning 2.2.2, the oldest release in the record, does not show the failure; "
            "name a release that shows it with --bad\n"
        )

    def test_a_log_of_another_failure(self, call: Call, held: Project, tmp_path: Path) -> None:
        call(*BISECT, "--bad", "2.1.0", "--good", "2.3.0")
        (log,) = (held.reports / "data" / "searches" / FAILURE).glob("*.jsonl")
        other = tmp_path / "other.jsonl"
        other.write_text(log.read_text().replace(FAILURE, "lightning-1"))
        code, _, err = call("bisect", FAILURE, "--resume", str(other))
        assert (code, "is a search of lightning-1" in err) == (2, True)

    def test_no_network(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        def fetch(_: str) -> list[IndexFile]:
            raise EnvironmentFailure("https://pypi.org/simple/ cannot be reached")

        monkeypatch.setattr(bisect, "fetch_files", fetch)
        code, _, err = call(*BISECT)
        assert (code, err) == (3, "repro: https://pypi.org/simple/ cannot be reached\n")


class TestBlame:
    def test_one_package_differs(self, call: Call) -> None:
        code, out, _ = call("blame", FAILURE, "--from", "old", "--to", "new")
        assert code == 0
        assert "cause       lightning, alone" in out

    def test_json(self, call: Call) -> None:
        code, out, _ = call("blame", FAILURE, "--from", "old", "--to", "new", "--json")
        assert (code, json.loads(out)["causes"]) == (0, [["lightning"]])

    def test_a_misspelt_environment(self, call: Call) -> None:
        code, _, err = call("blame", FAILURE, "--from", "odl", "--to", "new")
        assert (code, err) == (2, "repro: no environment 'odl'; did you mean 'old'?\n")

    def test_the_same_environment(self, call: Call) -> None:
        code, _, err = call("blame", FAILURE, "--from", "old", "--to", "old")
        assert (code, "nothing to blame" in err) == (2, True)


class TestSweep:
    def test_strip_and_page(self, call: Call, held: Project) -> None:
        code, out, _ = call("sweep", FAILURE, "--package", "lightning", "--every", "all", "--no-latest")
        assert code == 0
        assert "✓✗✗✗✓✓" in out.splitlines()
        assert "left out, pre-release" not in out, "it lies after the last release"
        assert "✓✗✗✗✓✓" in (held.reports / f"{FAILURE}.md").read_text()

    def test_minor_and_the_newest_stack(self, call: Call) -> None:
        _, out, _ = call("sweep", FAILURE, "--package", "lightning", "--json")
        answer = json.loads(out)
        assert [fact["label"] for fact in answer["tried"]] == ["2.0.9", "2.1.0", "2.2.2", "2.3.0"]
        assert answer["latest"]["verdict"] == "absent"

    def test_an_interruption_prints_the_command(self, call: Call, world: type[RecordTrials]) -> None:
        world.interrupt_at = 1
        code, _, err = call("sweep", FAILURE, "--package", "lightning", "--since", "2.1.0")
        assert code == 130
        assert f"repro sweep {FAILURE} --package lightning --every minor --lane cpu --since 2.1.0" in err


class TestStore:
    @pytest.fixture
    def observations(self, held: Project) -> list[Any]:
        store = Store(held.reports / "data")
        made = [
            factories.observation(factories.failed(0), factories.failed(1)),
            factories.observation(
                id="abcdef012345-20260102T000000Z-000002", run="later", started="2026-01-02T00:00:00+00:00"
            ),
        ]
        for found in made:
            store.add(found)
            store.record_verdict(found.id, "absent")
        return made

    def test_list(self, call: Call, observations: list[Any]) -> None:
        code, out, _ = call("store", "list")
        assert code == 0
        assert "2 observations: 1 absent, 1 reproduced" in out
        code, out, _ = call("store", "list", FAILURE, "--json")
        assert [found["id"] for found in json.loads(out)["observations"]] == [found.id for found in observations]

    def test_show_by_the_beginning_of_an_id(self, call: Call, observations: list[Any]) -> None:
        code, out, _ = call("store", "show", observations[1].id[:22])
        assert (code, json.loads(out)["id"]) == (0, observations[1].id)
        assert call("store", "show", "abcdef")[0] == 3
        assert call("store", "show", "zzz")[0] == 2

    def test_verify(self, call: Call, held: Project, observations: list[Any]) -> None:
        assert call("store", "verify")[:2] == (0, "2 observations, 0 problems\n")
        file = held.reports / "data" / FAILURE / f"{observations[0].id}.json"
        file.write_text(file.read_text().replace('"format": 2', '"format": 7'))
        code, out, _ = call("store", "verify")
        assert (code, "is of format 7" in out) == (3, True)
        assert json.loads(call("store", "verify", "--json")[1])["observations"] == 2

    def test_prune(self, call: Call, observations: list[Any]) -> None:
        _, out, _ = call("store", "prune", "--dry-run")
        assert out.endswith("1 observations would be removed\n")
        assert json.loads(call("store", "prune", "--json")[1])["removed"] == [observations[0].id]
        assert call("store", "prune")[1] == "0 observations removed\n"

    def test_rejudge(self, call: Call, observations: list[Any]) -> None:
        code, out, _ = call("rejudge")
        assert code == 1
        assert f"{observations[0].id}: absent → reproduced" in out
        assert "2 judged, 1 changed, 0 for the first time; nothing run" in out
        code, out, _ = call("rejudge", "--json")
        assert (code, json.loads(out)["changed"]) == (0, [])


def test_environments_of_searches_are_removed(call: Call, held: Project) -> None:
    """Only they go, and no name is taken for them."""
    built = held.cache / "environments"
    for name in ("derived-py3.11-0123456789ab", "old-py3.11-0123456789ab"):
        (built / name).mkdir(parents=True)
    assert call("envs", "remove", "--derived", "old")[0] == 2
    assert call("envs", "remove", "--derived")[:2] == (0, "1 environments of searches removed\n")
    assert [path.name for path in built.iterdir() if path.is_dir()] == ["old-py3.11-0123456789ab"]
