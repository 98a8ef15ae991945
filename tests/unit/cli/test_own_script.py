"""Searches for a user's own script, with an index and runs that are made up."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.cli import bisect, blame
from repro.environments import build
from repro.environments.locks import Lock, Locked, header_of
from repro.launch.session import Options
from repro.model.cell import Cell, make_cell
from repro.model.matrix import Environment
from repro.model.observation import Observation, Rank
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side
from repro.search import shrink_runs
from repro.search.bisection import SearchRange
from repro.search.confirm import most_runs
from repro.search.log import tried
from repro.search.releases import IndexFile
from repro.store.answers import Tried
from repro.store.observations import Store
from repro.verdict.result import Result, judge_repetitions
from tests.unit.cli.calls import Call
from tests.unit.cli.fake_trials import FakeTrials
from tests.unit.factories import failed, installed, observation, raised, rank

RELEASES = ["2.0.9", "2.1.0", "2.2.0", "2.2.1", "2.2.2", "2.3.0", "2.3.1"]
ERROR = raised("KeyError", "'optimizer_states' of 17")
Ranks = Callable[[str], Sequence[Rank]]


def passes() -> list[Rank]:
    return [rank(0, oracle=None), rank(1, oracle=None)]


def fails(kind: str = "KeyError", message: str = ERROR.message) -> list[Rank]:
    error = raised(kind, message)
    return [failed(0, error, gates=("a-gate",)), failed(1, error)]


def since(first_bad: str) -> Ranks:
    return lambda version: fails() if RELEASES.index(version) >= RELEASES.index(first_bad) else passes()


class ScriptTrials(FakeTrials):
    """``ranks`` says what each release does."""

    ranks: Ranks = staticmethod(since("2.2.1"))
    both: Callable[[Mapping[str, str]], Sequence[Rank]] | None = None
    """Of all packages, in place of ``ranks``."""
    variables: dict[str, str] = {}

    def __init__(self, project: Project, failure: ScriptFailure, *_: object) -> None:
        super().__init__(project)
        self.failure = failure
        own = project.catalog[failure.id]
        assert own.script.is_file()
        type(self).variables = dict(own.variables)

    def look(self, name: str, runs: int, ahead: Iterable[str] = (), *, torchrun: bool = False) -> Sequence[Observation]:
        del ahead
        return [self._observed(name, "torchrun" if torchrun or runs > 1 else "warm") for _ in range(runs)]

    def first_run(self, name: str, label: str) -> Tried:
        return self._tried(name, label, [self._observed(name, "warm")])

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        return self._tried(name, label, [self._observed(name, "torchrun") for _ in range(runs)])

    def _tried(self, name: str, label: str, seen: Sequence[Observation]) -> Tried:
        return tried(label, name, self.failure, judge_repetitions(self.failure, seen), 1.0)

    def _observed(self, name: str, launcher: str) -> Observation:
        versions = self.pins(name)
        both = type(self).both
        ranks = both(versions) if both is not None else type(self).ranks(versions["lightning"])
        store = Store(self.project.reports / "data")
        number = len(list((store.root / self.failure.id).glob("abc*.json"))) if store.root.is_dir() else 0
        made = observation(
            *ranks,
            id=f"abcdef012345-20260101T000000Z-{number:06}",
            cell=make_cell(self.failure, name),
            installed=installed({"lightning": versions["lightning"], "torch": "2.2.2"}),
            launcher=launcher,
        )
        # What a rank says that it imported is what is installed.
        store.add(made)
        return made


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, held: Project) -> type[ScriptTrials]:
    """Neither network nor runs."""

    def fetch(_: str) -> list[IndexFile]:
        return [
            IndexFile(f"lightning-{v}-py3-none-any.whl", v, "wheel", datetime(2024, 4, n + 1, tzinfo=UTC))
            for n, v in enumerate(RELEASES)
        ]

    made = type("World", (ScriptTrials,), {"asked": []})

    def resolve(name: str, environment: Environment, _: object) -> Lock:
        held = {**environment.preferred, **environment.pins}
        return Lock(header_of(name, environment), tuple(Locked(key, v, f"{key}=={v}") for key, v in held.items()))

    monkeypatch.setattr(build, "resolve", resolve)
    for command in (bisect, blame):
        monkeypatch.setattr(command, "fetch_files", fetch)
        monkeypatch.setattr(command, "Trials", made)
    monkeypatch.chdir(held.reports.parent)
    return made


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "train.py"
    file.write_text("import torch\nimport lightning\n")
    return file


def words(script: Path, *more: str) -> list[str]:
    named = ["--package", "lightning", "--good", "2.0.9", "--bad", "2.3.1", "--base", "old"]
    return ["bisect", str(script), *named, *more]


def test_answers_in_one_sentence(call: Call, script: Path) -> None:
    code, out, _ = call(*words(script))
    assert code == 0
    assert "judged by KeyError in save_checkpoint of lightning, on every rank" in out
    assert "lightning 2.2.1 of 2024-04-04 is the first release with which train.py fails; torch is innocent" in out
    assert "advice      cap: lightning<2.2.1" in out
    assert "changelog   https://github.com/Lightning-AI/pytorch-lightning/releases/tag/2.2.1" in out
    assert "lifted: a-gate" in out
    assert "confirmed   2.2.0 in 4 runs, 2.2.1 in" in out


def test_names_a_documented_failure_with_the_same_signature(call: Call, script: Path) -> None:
    _, out, _ = call(*words(script))
    assert "lightning-19492: Sharded weights-only checkpoints cannot be saved" in out


def test_another_failure_is_skipped_and_makes_a_range(call: Call, script: Path, world: type[ScriptTrials]) -> None:
    broken = {"2.2.0", "2.2.1"}
    world.ranks = staticmethod(lambda v: fails("ValueError", "other") if v in broken else since("2.2.0")(v))
    code, out, _ = call(*words(script))
    assert code == 3
    assert "train.py fails with lightning 2.2.2 of 2024-04-05, or since one of 2.2.0, 2.2.1" in out
    assert "skipped     lightning 2.2.1: different: ValueError: other" in out
    assert "cap: lightning<=2.1.0" in out


def test_by_exit_code_another_failure_counts(call: Call, script: Path, world: type[ScriptTrials]) -> None:
    broken = {"2.2.0", "2.2.1"}
    world.ranks = staticmethod(lambda v: fails("ValueError", "other") if v in broken else since("2.2.0")(v))
    code, out, _ = call(*words(script, "--exit"))
    assert code == 0
    assert "lightning 2.2.0 of 2024-04-03 is the first release" in out


def test_finds_a_fix(call: Call, script: Path, world: type[ScriptTrials]) -> None:
    world.ranks = staticmethod(lambda v: passes() if v in {"2.3.0", "2.3.1"} else fails())
    code, out, _ = call(
        "bisect", str(script), "--package", "lightning", "--bad", "2.0.9", "--good", "2.3.1", "--base", "old"
    )
    assert code == 0
    assert "lightning 2.3.0 of 2024-04-06 is the first release with which train.py passes" in out
    assert "advice      upgrade: lightning>=2.3.0" in out


@pytest.mark.parametrize(
    ("ranks", "said"),
    [
        (lambda _: passes(), "the bad end: it does not fail"),
        (lambda _: fails("OSError", "[Errno 28] No space left on device"), "limit of the machine"),
        (lambda _: fails("ModuleNotFoundError", "No module named 'datasets'"), "lacks a package"),
        (lambda _: fails(), "is bad"),
        (lambda v: fails("ValueError", "x") if v == "2.0.9" else fails(), "gave no verdict"),
    ],
)
def test_an_end_that_does_not_show_what_it_must(
    call: Call, script: Path, world: type[ScriptTrials], ranks: Ranks, said: str
) -> None:
    world.ranks = staticmethod(ranks)
    code, _, err = call(*words(script))
    assert code in {2, 3}
    assert said in err
    assert "Traceback" not in err


def test_resumes_where_it_was_broken_off_and_replays(
    call: Call, script: Path, world: type[ScriptTrials], held: Project
) -> None:
    world.interrupt_at = 2
    code, _, err = call(*words(script, "--", "--steps", "2"))
    assert code == 130
    (line,) = [line for line in err.splitlines() if line.startswith("repro: resume with: ")]
    again = line.removeprefix("repro: resume with: ").split()
    assert again[:3] == ["repro", "bisect", str(script)]
    assert again[-3:] == ["--", "--steps", "2"]
    world.interrupt_at = None
    code, out, _ = call(*again[1:])
    assert code == 0
    assert "lightning 2.2.1 of 2024-04-04 is the first release" in out
    count = len(world.asked)
    (log,) = (held.reports / "data" / "searches").rglob("*.jsonl")
    code, out, _ = call("bisect", str(script), "--replay", str(log), "--", "--steps", "2")
    assert (code, len(world.asked)) == (0, count)
    assert "lightning 2.2.1 of 2024-04-04 is the first release" in out


@pytest.mark.parametrize("change", ["script", "arguments", "variables"])
def test_a_log_of_something_else_is_not_resumed(call: Call, script: Path, held: Project, change: str) -> None:
    call(*words(script, "--env", "SEED=1"))
    (log,) = (held.reports / "data" / "searches").rglob("*.jsonl")
    if change == "script":
        script.write_text("import torch\n")
    more = ["--env", "SEED=2" if change == "variables" else "SEED=1", *(["--", "x"] if change == "arguments" else [])]
    code, _, err = call("bisect", str(script), "--resume", str(log), *more)
    assert code == 2
    assert "changed since" in err


def test_variables_reach_the_ranks_and_no_file(
    call: Call, script: Path, world: type[ScriptTrials], held: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    call(*words(script, "--env", "TOKEN", "--env", "SEED=1"))
    assert world.variables == {"TOKEN": "s3cr3t-value", "SEED": "1"}
    assert not [file for file in held.reports.rglob("*") if file.is_file() and b"s3cr3t" in file.read_bytes()]


def test_like_takes_the_signature_from_a_log(call: Call, script: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    frames = '  File "/e/lib/python3.11/site-packages/lightning/pytorch/x.py", line 5, in {}\n    x\n'
    log.write_text(
        "Traceback (most recent call last):\n" + frames.format("save_checkpoint") + f"KeyError: {ERROR.message}\n"
    )
    code, out, _ = call(*words(script, "--like", str(log)))
    assert code == 0
    assert "judged by KeyError in save_checkpoint of lightning, on some ranks" in out
    log.write_text("Traceback (most recent call last):\n" + frames.format("other") + f"KeyError: {ERROR.message}\n")
    code, _, err = call(*words(script, "--like", str(log)))
    assert code == 3
    assert "KeyError in other of lightning, on some ranks" in err


def measures(values: Mapping[str, float], noise: float = 0.0) -> Ranks:
    numbers = iter(range(10_000))

    def ranks(version: str) -> list[Rank]:
        loss = values[version] + noise * (next(numbers) % 5 - 2)
        return [rank(0, oracle=None, measured={"loss": loss}), rank(1, oracle=None)]

    return ranks


LOSS = dict.fromkeys(RELEASES, 2.0) | dict.fromkeys(RELEASES[4:], 2.5)


@pytest.mark.parametrize("noise", [0.0, 0.005, 0.04])
def test_a_number_is_the_judge(
    call: Call, script: Path, world: type[ScriptTrials], held: Project, noise: float
) -> None:
    world.ranks = staticmethod(measures(LOSS, noise))
    code, out, _ = call(*words(script, "--metric", "loss"))
    assert code == 0
    assert "judged by loss: good 2, bad 2.5" in out
    assert "lightning 2.2.2 of 2024-04-05 is the first release with which train.py has loss as at the bad end" in out
    (log,) = (held.reports / "data" / "searches").rglob("*.jsonl")
    code, out, _ = call("bisect", str(script), "--replay", str(log))
    assert code == 0
    assert "lightning 2.2.2 of 2024-04-05" in out


@pytest.mark.parametrize(("noise", "times"), [(0.0, 1), (0.04, 2)])
def test_the_most_runs_of_a_search_by_a_number_are_said(
    call: Call, script: Path, world: type[ScriptTrials], noise: float, times: int
) -> None:
    """Each answer may need several runs: the budget counts them."""
    world.ranks = staticmethod(measures(LOSS, noise))
    _, out, _ = call(*words(script, "--metric", "loss"))
    asked = re.search(r"at most (\d+) runs", out)
    each = re.search(r"(\d+) runs? a step", out)
    assert asked
    assert each
    assert int(each[1]) >= times
    assert int(asked[1]) == int(each[1]) * most_runs(SearchRange(len(RELEASES), Side.GOOD, (True, True)))


def test_a_number_that_cannot_judge_is_exit_code_3(call: Call, script: Path, world: type[ScriptTrials]) -> None:
    world.ranks = staticmethod(measures(LOSS, noise=0.3))
    code, _, err = call(*words(script, "--metric", "loss"))
    assert (code, "does not separate the ends beyond its noise" in err) == (3, True)
    code, _, err = call(*words(script, "--metric", "accuracy"))
    assert (code, "it reports no number accuracy" in err) == (3, True)
    world.ranks = staticmethod(lambda _: fails())
    code, _, err = call(*words(script, "--metric", "loss"))
    assert code == 3
    assert "cannot be judged by loss" in err


def test_a_release_with_a_third_number_is_skipped(call: Call, script: Path, world: type[ScriptTrials]) -> None:
    world.ranks = staticmethod(measures(LOSS | {"2.2.1": 9.0}))
    code, out, _ = call(*words(script, "--metric", "loss"))
    assert code == 3
    assert "skipped     lightning 2.2.1" in out
    assert "far from both ends" in out


def test_json(call: Call, script: Path) -> None:
    code, out, _ = call(*words(script, "--json"))
    assert code == 0
    assert json.loads(out)["after"]["label"] == "2.2.1"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--write"], "--write goes with an id"),
        (["--env", "NOT_SET_ANYWHERE"], "it is not set"),
        (["--like", "log", "--exit"], "--like and --exit"),
        (["--python", "x"], "--python and --base"),
        (["--metric", "Loss"], "NAME@N"),
        (["--metric", "loss", "--exit"], "--metric judges by a number"),
        (["--by-date"], "--package NAME --good V --bad V"),
    ],
)
def test_mistakes_are_one_line(call: Call, script: Path, more: list[str], said: str) -> None:
    code, _, err = call(*words(script, *more))
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_options_of_scripts_do_not_go_with_an_id(call: Call) -> None:
    code, _, err = call("bisect", "lightning-19492", "--package", "lightning", "--ranks", "4")
    assert code == 2
    assert "--ranks goes with a script" in err


def test_a_script_that_is_not_there(call: Call, tmp_path: Path) -> None:
    code, _, err = call(*words(tmp_path / "no.py"))
    assert code == 2
    assert "no such script" in err


class TestBlame:
    @pytest.fixture
    def stacks(self, tmp_path: Path) -> list[str]:
        (tmp_path / "good.txt").write_text("torch==2.2.2\nlightning==2.0.9\nidna==3.6\nsix==1.16.0\n")
        (tmp_path / "bad.txt").write_text("torch==2.2.2\nlightning==2.3.1\nidna==3.10\nsix==1.17.0\n")
        return ["--from", str(tmp_path / "good.txt"), "--to", str(tmp_path / "bad.txt")]

    def test_one_package_and_its_release(
        self, call: Call, script: Path, world: type[ScriptTrials], stacks: list[str]
    ) -> None:
        world.both = staticmethod(lambda held: since("2.2.1")(held["lightning"]))
        code, out, _ = call("blame", str(script), *stacks)
        assert code == 0
        assert "judged by KeyError in save_checkpoint of lightning" in out
        assert "cause       lightning, alone" in out
        assert "six 1.16.0 → 1.17.0: innocent (tested)" in out
        assert "lifted: a-gate" in out
        assert "lightning-19492: Sharded weights-only checkpoints cannot be saved" in out
        assert "release     lightning 2.2.1 of 2024-04-04 is the first release with which train.py fails" in out

    def test_two_packages_together(
        self, call: Call, script: Path, world: type[ScriptTrials], stacks: list[str]
    ) -> None:
        def ranks(held: Mapping[str, str]) -> Sequence[Rank]:
            return since("2.2.1")(held["lightning"]) if held["idna"] == "3.10" else passes()

        world.both = staticmethod(ranks)
        code, out, _ = call("blame", str(script), *stacks)
        assert code == 0
        assert "cause       idna and lightning, together" in out
        assert "release     lightning 2.2.1 of 2024-04-04 is the first release" in out

    def test_the_other_way_round(self, call: Call, script: Path, world: type[ScriptTrials], stacks: list[str]) -> None:
        world.both = staticmethod(lambda held: since("2.2.1")(held["lightning"]))
        code, out, _ = call("blame", str(script), "--from", stacks[3], "--to", stacks[1])
        assert code == 0
        assert "release     lightning 2.2.1 of 2024-04-04 is the first release with which train.py fails" in out

    def test_stacks_that_both_pass(
        self, call: Call, script: Path, world: type[ScriptTrials], stacks: list[str]
    ) -> None:
        world.both = staticmethod(lambda _: passes())
        code, _, err = call("blame", str(script), *stacks)
        assert code == 2
        assert "there is nothing to blame" in err

    @pytest.mark.parametrize("text", ["torch\nlightning>=2\n", ""])
    def test_a_file_without_versions(
        self, call: Call, script: Path, stacks: list[str], tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "good.txt").write_text(text)
        code, _, err = call("blame", str(script), *stacks)
        assert code == 2
        assert len(err.strip().splitlines()) == 1


class TestNewFromRun:
    """A finished search becomes a record that is valid, and whose open questions are real ones."""

    @pytest.fixture
    def log(self, call: Call, script: Path, held: Project) -> Path:
        (script.parent / "rows.txt").write_text("1\n")
        assert call(*words(script))[0] == 0
        (found,) = (held.reports / "data" / "searches").rglob("*.jsonl")
        return found

    def test_writes_a_record(self, call: Call, held: Project, log: Path) -> None:
        code, out, _ = call("new", "lightning-99999", "--from-run", str(log))
        assert code == 0
        for name in ("catalog", "environments", "matrix", "own_matrix"):
            held.__dict__.pop(name, None)
        record = held.catalog["lightning-99999"].failure
        assert record.signature.type == "KeyError"
        assert (record.signature.library, record.signature.function) == ("lightning", "save_checkpoint")
        assert record.affected == ({"lightning": ">=2.2.1"},)
        failing, passing, *_ = held.matrix.runs["lightning-99999"].environments
        assert held.environments.lock(failing).versions["lightning"] == "2.2.1"
        assert held.environments.lock(passing).versions["lightning"] == "2.2.0"
        folder = held.failures / "lightning-99999"
        assert (folder / "rows.txt").read_text() == "1\n"
        text = (folder / "repro.py").read_text()
        assert "import torch\nimport lightning\n" in text
        assert '# dependencies = ["lightning==2.2.1", "torch==' in text
        assert held.catalog.faults["lightning-99999"], "it is a draft: questions remain"
        assert "rows.txt" in out

    def test_the_signature_is_no_question(self, call: Call, held: Project, log: Path) -> None:
        call("new", "lightning-99999", "--from-run", str(log))
        text = (held.failures / "lightning-99999" / "failure.yaml").read_text()
        assert "Which exception" not in text
        assert "How many ranks" not in text

    def test_nothing_is_overwritten(self, call: Call, held: Project, log: Path) -> None:
        call("new", "lightning-99999", "--from-run", str(log))
        before = held.matrix_file.read_text()
        code, _, err = call("new", "lightning-99999", "--from-run", str(log))
        assert code == 2
        assert "nothing was written" in err
        assert held.matrix_file.read_text() == before

    def test_a_search_that_is_not_finished(self, call: Call, held: Project, log: Path) -> None:
        for file in log.parent.glob("*.json"):
            file.unlink()
        code, _, err = call("new", "lightning-99999", "--from-run", str(log))
        assert (code, "--resume" in err) == (3, True)
        assert not (held.failures / "lightning-99999").exists()

    @pytest.mark.parametrize("more", [["--package", "lightning"], ["--bad", "2.2.1"]])
    def test_what_the_run_answers_is_not_given(self, call: Call, log: Path, more: list[str]) -> None:
        assert call("new", "lightning-99999", "--from-run", str(log), *more)[0] == 2

    def test_from_script_needs_a_run(self, call: Call, script: Path) -> None:
        assert call("new", "lightning-99999", "--from-script", str(script))[0] == 2


class TestDraft:
    """A report for a tracker, before there is a record."""

    @pytest.fixture(autouse=True)
    def leaky(self, world: type[ScriptTrials]) -> None:
        """Each run that fails prints the name of a machine and a secret."""
        message = "'optimizer_states' of 17 on 10.1.2.3, token=hf_abcdefghijklmnopqrst"
        world.ranks = staticmethod(
            lambda v: fails("KeyError", message) if RELEASES.index(v) >= RELEASES.index("2.2.1") else passes()
        )

    @pytest.fixture
    def data(self, held: Project) -> Path:
        return held.reports / "data"

    @staticmethod
    def written(call: Call, file: Path, out: Path, tracker: str, *more: str) -> str:
        code, _, err = call("draft", str(file), "--for", tracker, "--static", "--out", str(out), *more)
        assert (code, err) == (0, ""), err
        return (out / "issue.md").read_text()

    @pytest.mark.parametrize("tracker", ["lightning", "accelerate", "transformers", "pytorch"])
    def test_from_a_log_for_each_tracker(
        self, call: Call, script: Path, data: Path, tmp_path: Path, tracker: str
    ) -> None:
        call(*words(script, "--", "--steps", "2"))
        (log,) = data.rglob("*.jsonl")
        body = self.written(call, log, tmp_path / "out", tracker)
        assert "lightning 2.2.1 of 2024-04-04 is the first release with which train.py fails" in body
        assert "import torch\nimport lightning\n" in body
        assert "--nproc-per-node 2 -- train.py --steps 2" in body
        assert "KeyError: 'optimizer_states' of 17" in body
        title = (tmp_path / "out" / "title.txt").read_text().strip()
        assert title == "KeyError in save_checkpoint of lightning since lightning 2.2.1 (not with 2.2.0)"
        notes = (tmp_path / "out" / "NOTES.md").read_text()
        assert "There is no record of this failure" in notes
        assert "lightning-19492" in notes
        assert (tmp_path / "out" / "train.py").is_file()
        for file in (tmp_path / "out").iterdir():
            assert "10.1.2.3" not in file.read_text(), file
            assert "hf_abcdefghijklmnopqrst" not in file.read_text(), file

    def test_the_newest_release_that_fails_is_drafted(
        self, call: Call, script: Path, data: Path, tmp_path: Path
    ) -> None:
        """Maintainers ask for the newest release; the expected behaviour is that of a run that passed."""
        call(*words(script))
        (log,) = data.rglob("*.jsonl")
        body = self.written(call, log, tmp_path / "out", "pytorch")
        assert '--with "lightning==2.3.1"' in body
        assert "On lightning 2.2.0 torch 2.2.2 it ends well" in body
        assert "prints `oracle passed" not in body

    def test_files_beside_and_variables_are_named(self, call: Call, script: Path, data: Path, tmp_path: Path) -> None:
        (script.parent / "rows.txt").write_text("1\n")
        call(*words(script, "--env", "SEED=s3cr3t"))
        (log,) = data.rglob("*.jsonl")
        self.written(call, log, tmp_path / "out", "pytorch")
        notes = (tmp_path / "out" / "NOTES.md").read_text()
        assert "files beside it that the report does not hold: rows.txt" in notes
        assert "variables SEED" in notes
        assert not [file for file in (tmp_path / "out").iterdir() if "s3cr3t" in file.read_text()]

    def test_from_one_run(self, call: Call, script: Path, data: Path, tmp_path: Path) -> None:
        call(*words(script))
        (log,) = data.rglob("*.jsonl")
        for answer in log.parent.glob("*.json"):
            answer.unlink()
        runs = {seen.id: seen for seen in Store(data).of_failure(log.parent.name)}
        bad = next(name for name, seen in runs.items() if not all(rank.exit_code == 0 for rank in seen.ranks))
        body = self.written(call, data / log.parent.name / f"{bad}.json", tmp_path / "out", "lightning")
        assert "fails with lightning 2.3.1 torch 2.2.2" in body
        good = next(name for name, seen in runs.items() if all(rank.exit_code == 0 for rank in seen.ranks))
        code, _, err = call("draft", str(data / log.parent.name / f"{good}.json"), "--for", "lightning", "--static")
        assert (code, "does not show the failure: absent" in err) == (3, True)

    def test_from_an_answer_of_blame(self, call: Call, script: Path, tmp_path: Path, world: type[ScriptTrials]) -> None:
        (tmp_path / "good.txt").write_text("torch==2.2.2\nlightning==2.0.9\nidna==3.6\n")
        (tmp_path / "bad.txt").write_text("torch==2.2.2\nlightning==2.3.1\nidna==3.10\n")
        world.both = staticmethod(lambda held: since("2.2.1")(held["lightning"]))
        code, out, _ = call(
            "blame", str(script), "--from", str(tmp_path / "good.txt"), "--to", str(tmp_path / "bad.txt")
        )
        (line,) = [line for line in out.splitlines() if line.startswith("answer ")]
        assert code == 0
        body = self.written(call, Path(line.split(maxsplit=1)[1]), tmp_path / "out", "lightning")
        assert "lightning turns it: lightning 2.0.9 → 2.3.1" in body
        assert '--with "lightning==2.3.1"' in body

    def test_a_number_and_an_exit_code(
        self, call: Call, script: Path, data: Path, tmp_path: Path, world: type[ScriptTrials]
    ) -> None:
        world.ranks = staticmethod(measures(LOSS))
        call(*words(script, "--metric", "loss"))
        (log,) = data.rglob("*.jsonl")
        body = self.written(call, log, tmp_path / "out", "pytorch")
        assert "loss = 2.5, the mean of" in body
        assert "loss: good 2, bad 2.5" in body
        assert "loss changed since lightning 2.2.2" in (tmp_path / "out" / "title.txt").read_text()

    def test_an_environment_that_cannot_be_asked_is_said(
        self, call: Call, script: Path, held: Project, data: Path, tmp_path: Path
    ) -> None:
        call(*words(script))
        (log,) = data.rglob("*.jsonl")
        held.environments.built.parent.mkdir(parents=True, exist_ok=True)
        held.environments.built.write_text("in the way")
        code, out, _ = call("draft", str(log), "--for", "lightning", "--out", str(tmp_path / "out"))
        assert code == 3
        assert "the versions come from the stored run" in out

    def test_mistakes(self, call: Call, script: Path, data: Path, tmp_path: Path) -> None:
        call(*words(script))
        (log,) = data.rglob("*.jsonl")
        for answer in log.parent.glob("*.json"):
            answer.unlink()
        code, _, err = call("draft", str(log), "--for", "lightning")
        assert (code, "has no answer yet" in err) == (3, True)
        for target, more in ((str(log), ["--env", "old"]), (str(tmp_path / "no.jsonl"), []), (str(script), [])):
            code, _, err = call("draft", target, "--for", "lightning", *more)
            assert (code, len(err.strip().splitlines())) == (2, 1), target


class FakeSession:
    """A text fails on the bad end if it calls ``fail``; without ``needed`` it fails on the good end as well."""

    launchers: list[str] = []
    torchrun_passes = False
    needed = ""
    least_ranks = 1
    """On fewer ranks it passes."""

    def __init__(self, project: Project, _store: object, options: Options, **_: object) -> None:
        self.project, self.options = project, options

    def run(self, cells: Sequence[Cell]) -> list[Result]:
        (cell,) = cells
        own = self.project.catalog[cell.failure]
        text = own.script.read_text()
        bad_end = cell.environment.label.endswith("2.2.1") or cell.environment.label == "old"
        self.launchers.append("warm" if self.options.warm else "torchrun")
        broken = "fail(" in text and (bad_end or self.needed not in text)
        ranks = fails() if broken and not (self.torchrun_passes and not self.options.warm) else passes()
        if cell.world_size < self.least_ranks:
            ranks = passes()
        seen = observation(
            *ranks[: cell.world_size], cell=cell, installed=installed({"lightning": "2.2.1", "torch": "2.2.2"})
        )
        return [judge_repetitions(own.failure, [seen] * self.options.repeat)]


class TestShrink:
    """Candidates are judged by their text: bad where it calls ``fail``, on the bad end only."""

    TEXT = "import torch\nimport lightning\nwidth = 512\n\n\ndef helper():\n    return 1\n\n\nhelper()\nfail(width)\n"

    @pytest.fixture
    def log(self, call: Call, script: Path, held: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
        script.write_text(self.TEXT)
        assert call(*words(script, "--env", "SEED=1"))[0] == 0
        monkeypatch.setattr(shrink_runs, "Session", FakeSession)
        monkeypatch.setattr(shrink_runs, "WarmLauncher", lambda **_: nullcontext())
        for name, value in (("launchers", []), ("torchrun_passes", False), ("needed", ""), ("least_ranks", 1)):
            monkeypatch.setattr(FakeSession, name, value)
        (found,) = (held.reports / "data" / "searches").rglob("*.jsonl")
        return found

    def test_writes_a_smaller_script(self, call: Call, log: Path) -> None:
        code, out, _ = call("shrink", str(log), "--env", "SEED=1")
        assert code == 0
        assert "7 lines before, 1 after (86% less); nothing more can be left out" in out
        assert "2 ranks before, 1 after" in out
        assert Path("train_small.py").read_text() == "fail()\n"
        assert FakeSession.launchers[-2:] == ["torchrun", "torchrun"], "both ends, at the very end"

    def test_ranks_that_the_failure_needs_stay(self, call: Call, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(FakeSession, "least_ranks", 2)
        code, out, _ = call("shrink", str(log), "--env", "SEED=1", "--json")
        assert code == 0
        facts = json.loads(out)
        assert (facts["ranks_before"], facts["ranks_after"], facts["lines_after"]) == (2, 2, 1)

    def test_what_fails_on_the_good_end_too_is_not_kept(
        self, call: Call, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FakeSession, "needed", "width")
        assert call("shrink", str(log), "--env", "SEED=1")[0] == 0
        assert Path("train_small.py").read_text() == "fail(width)\n"

    def test_a_result_that_torchrun_does_not_confirm_is_not_written(
        self, call: Call, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FakeSession, "torchrun_passes", True)
        code, _, err = call("shrink", str(log), "--env", "SEED=1")
        assert (code, "through torchrun" in err) == (3, True)
        assert not Path("train_small.py").exists()

    def test_the_budget_is_kept(self, call: Call, log: Path) -> None:
        code, out, _ = call("shrink", str(log), "--env", "SEED=1", "--runs", "4", "--json")
        assert code == 3
        assert json.loads(out)["complete"] is False
        assert len(FakeSession.launchers) <= 4 + 3

    def test_variables_must_be_given_again(self, call: Call, log: Path) -> None:
        code, _, err = call("shrink", str(log))
        assert (code, "--env SEED" in err) == (2, True)

    def test_nothing_is_overwritten(self, call: Call, log: Path) -> None:
        Path("train_small.py").write_text("mine")
        assert call("shrink", str(log), "--env", "SEED=1")[0] == 2
        assert Path("train_small.py").read_text() == "mine"
