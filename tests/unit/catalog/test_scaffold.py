"""A new failure: parsed from the start, complete but for the answers, and nothing is overwritten."""

import ast
import dataclasses
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog import yaml_reader
from repro.catalog.catalog import load
from repro.catalog.check_failure import EntryCheck
from repro.catalog.project import Project
from repro.catalog.scaffold import NewFailure, Places, asked, environments_for, with_runs, write, written
from repro.model.errors import RecordError, UsageError
from repro.model.failure import Failure
from repro.model.matrix import Matrix
from repro.model.rank_launcher import ColdLauncher
from tests.unit.factories import FAILURE, MATRIX, matrix

LAUNCHERS: list[tuple[ColdLauncher, ...]] = [
    ("accelerate",),
    ("python",),
    ("python", "torchrun"),
    ("torchrun", "accelerate"),
    ("accelerate", "python"),
]
URL = "https://github.com/Lightning-AI/pytorch-lightning/issues/12345"
NEW = NewFailure("lightning-12345", URL, "lightning")
ENTRY = "x-1:\n  # question: where?\n  environments: [old]\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    file = tmp_path / "matrix.yaml"
    file.write_text(yaml.safe_dump(MATRIX, sort_keys=False), encoding="utf-8")
    return Places(tmp_path / "failures" / NEW.id, file, tmp_path / "tests")


def assert_imports(tree: ast.Module) -> None:
    """Every name that a written file imports from us is there."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("repro"):
            module = import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names), node.module


class TestAsked:
    """What the command line may say."""

    @pytest.mark.parametrize(
        ("failure_id", "package", "expected"),
        [("lightning-1", None, "lightning"), ("pytorch-1", None, "torch"), ("x-1", "torch", "torch")],
    )
    def test_package(self, failure_id: str, package: str | None, expected: str) -> None:
        """The distribution is the project of the id, but torch is called otherwise."""
        assert asked(failure_id, URL, package, kind=None, bad=None, good=None).package == expected

    @pytest.mark.parametrize(
        ("failure_id", "upstream", "bad", "good", "words"),
        [
            ("Lightning_1", URL, None, None, "is no id"),
            ("x-1", "19492", None, None, "the address of the upstream issue is expected"),
            ("x-1", URL, "two", None, "--bad 'two' is no version"),
            ("x-1", URL, "2.2.2", "2.2.1", "--bad 2.2.2 must be older than --good 2.2.1"),
        ],
    )
    def test_mistakes(self, failure_id: str, upstream: str, bad: str | None, good: str | None, words: str) -> None:
        """Each in one line."""
        with pytest.raises(UsageError, match=words):
            asked(failure_id, upstream, None, kind=None, bad=bad, good=good)

    @pytest.mark.parametrize(
        ("stages", "kind", "words"),
        [
            (["write=writer"], None, "names one job"),
            (["write", "read"], None, "NAME=ROLE is expected"),
            (["write=Writer", "read=reader"], None, "NAME=ROLE is expected"),
            (["write=writer", "write=reader"], None, "--stage write is given twice"),
            (["write=writer", "read=reader"], "growth", "does not go with --kind growth"),
        ],
    )
    def test_stages(self, stages: list[str], kind: str | None, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            asked("x-1", None, None, kind=kind, bad=None, good=None, stages=stages)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([], ()),
            (["torchrun"], ()),
            (["accelerate"], ("accelerate",)),
            (["python", "torchrun"], ("python", "torchrun")),
        ],
    )
    def test_launchers(self, given: list[str], expected: tuple[str, ...]) -> None:
        """That torchrun alone starts the ranks needs no word."""
        assert asked("x-1", None, None, kind=None, bad=None, good=None, launchers=given).launchers == expected

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["python", "python"], "--launcher python is given twice"),
            (["mpirun"], "--launcher 'mpirun': one of torchrun, accelerate, python is expected"),
        ],
    )
    def test_launcher_mistakes(self, given: list[str], words: str) -> None:
        with pytest.raises(UsageError, match=words):
            asked("x-1", None, None, kind=None, bad=None, good=None, launchers=given)

    def test_issue(self) -> None:
        """GitHub's addresses become short; others stay."""
        assert NEW.issue == "Lightning-AI/pytorch-lightning#12345"
        assert NewFailure("x-1", "https://bugs.example.org/7", "x").issue == "https://bugs.example.org/7"
        assert asked("x-1", None, None, kind=None, bad=None, good=None).issue is None


class TestWritten:
    """The files of a new failure."""

    @pytest.mark.parametrize("kind", [None, "crash", "silent", "data-loss", "hang", "growth", "warning"])
    @pytest.mark.parametrize(("bad", "good"), [(None, None), ("2.2.1", None), ("2.2.1", "2.2.2")])
    def test_complete_but_for_answers(
        self, places: Places, kind: str | None, bad: str | None, good: str | None
    ) -> None:
        """Every kind is a valid record, and every fault is an open question."""
        new = NewFailure(NEW.id, URL, "lightning", kind, bad, good)
        files = written(new, matrix(), places)
        write(files)
        held = yaml_reader.read_yaml(Matrix, places.matrix_file)
        catalog = load(places.folder.parent)
        assert list(catalog.drafts) == [NEW.id]
        entry = catalog[NEW.id]
        faults = list(EntryCheck(entry, held, places.tests).faults())
        assert {fault.problem.partition(":")[0] for fault in faults} <= {
            "not answered",
            "ANSWER stands for what is not written",
        }
        assert len(faults) > 20
        for file, text in files.items():
            if file.suffix == ".py":
                assert_imports(ast.parse(text))

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            (None, "hang, growth or warning"),
            (None, '{python: "<3.12"}, {flash-attn: absent}'),
            (None, "an environment takes it from `sources`"),
            (None, "or [cuda], which is not run in lane cpu"),
            (None, "Where there are fewer cores, ranks share them"),
            (None, "variable: TORCH_DISTRIBUTED_DEBUG"),
            (None, "program: python"),
            ("crash", '"all but 0"'),
            ("crash", "kind: import"),
            ("crash", "rate: {runs: 20, at_least: 8}"),
            ("crash", "signatures: [{releases:"),
            ("growth", "growth: {quantity: objects"),
            ("warning", "kind: output"),
        ],
    )
    def test_asks_for_what_a_record_can_say(self, places: Places, kind: str | None, words: str) -> None:
        new = NewFailure(NEW.id, URL, "lightning", kind, "2.2.1", "2.2.2")
        assert words in written(new, matrix(), places)[places.folder / "failure.yaml"]

    @pytest.mark.parametrize("kind", [None, "crash", "silent", "hang"])
    def test_stages(self, places: Places, kind: str | None) -> None:
        """Jobs in their roles: in the record, the flags of the script and the pairs of the matrix, with questions."""
        stages = {"write": "writer", "read": "reader", "again": "reader"}
        new = NewFailure(NEW.id, URL, "lightning", kind, "2.2.1", "2.2.2", stages=stages)
        files = written(new, matrix(), places)
        write(files)
        entry = load(places.folder.parent)[NEW.id]
        assert [(stage.name, stage.role) for stage in entry.failure.stages] == list(stages.items())
        faults = list(EntryCheck(entry, yaml_reader.read_yaml(Matrix, places.matrix_file), places.tests).faults())
        assert {fault.problem.partition(":")[0] for fault in faults} <= {
            "not answered",
            "ANSWER stands for what is not written",
        }
        assert any("stages: not answered: What does each job do?" in str(fault) for fault in faults)
        assert "{writer: NAME, reader: NAME}" in files[places.matrix_file]
        assert 'choices=["write", "read", "again"]' in files[places.folder / "repro.py"]

    @pytest.mark.parametrize("kind", [None, "silent", "hang", "growth"])
    @pytest.mark.parametrize("stages", [{}, {"write": "writer", "read": "reader"}])
    @pytest.mark.parametrize("programs", LAUNCHERS)
    def test_launchers(
        self, places: Places, kind: str | None, stages: dict[str, str], programs: tuple[ColdLauncher, ...]
    ) -> None:
        """Other launchers: a valid record with their questions, in whatever order they are named."""
        stages = {} if kind == "growth" else stages
        new = NewFailure(NEW.id, URL, "lightning", kind, "2.2.1", "2.2.2", stages=stages, launchers=programs)
        files = written(new, matrix(), places)
        write(files)
        failure = load(places.folder.parent)[NEW.id].failure
        assert [launcher.program for launcher in failure.launchers] == list(programs)
        assert bool(failure.factor("launcher")) == (len(programs) > 1)
        told = self.told(places)
        assert any("launchers: not answered: " in fault or "factors.0: not answered: " in fault for fault in told)
        assert ("accelerate" in failure.distributions) == ("accelerate" in programs)
        assert ((places.folder / "accelerate.yaml") in files) == ("accelerate" in programs)

    def test_accelerate_launch(self, places: Places) -> None:
        """Its configuration lies beside the script, with a question, and the script makes an Accelerator."""
        write(written(dataclasses.replace(NEW, launchers=("accelerate",)), matrix(), places))
        script = (places.folder / "repro.py").read_text()
        assert "    accelerate launch --config_file accelerate.yaml repro.py\n" in script
        assert "    accelerator = Accelerator()\n" in script
        assert "torch.distributed" not in script
        assert '"accelerate"]' in script
        told = self.told(places)
        assert any("accelerate.yaml:4: distributed_type: not answered: What does the user" in fault for fault in told)
        assert any("launchers: not answered: Does torchrun show it too?" in fault for fault in told)
        assert any("launchers: not answered: Does the user give `accelerate launch` options" in fault for fault in told)

    def test_spawned_ranks(self, places: Places) -> None:
        """The script spawns its ranks, which meet in a file; the function of a rank judges."""
        write(written(dataclasses.replace(NEW, kind="silent", launchers=("python",)), matrix(), places))
        script = (places.folder / "repro.py").read_text()
        functions = {node.name: node for node in ast.parse(script).body if isinstance(node, ast.FunctionDef)}
        assert list(functions) == ["work", "main"]
        assert "    python repro.py\n" in script
        assert "mp.spawn(work, " in ast.unparse(functions["main"])
        assert "oracle passed: " in ast.unparse(functions["work"])
        assert "RANK" not in ast.unparse(functions["main"]).replace("RANKS", "")
        assert load(places.folder.parent)[NEW.id].failure.signature.function == "work"
        assert any("launchers: not answered: Who spawns the ranks" in fault for fault in self.told(places))

    @pytest.mark.parametrize("program", ["torchrun", "accelerate"])
    def test_spawned_or_started(self, places: Places, program: ColdLauncher) -> None:
        """A script of two launchers is a rank where one started it; the factor is a question."""
        write(written(dataclasses.replace(NEW, launchers=("python", program)), matrix(), places))
        script = (places.folder / "repro.py").read_text()
        assert 'if "RANK" in os.environ:' in script
        assert "    python repro.py\n" in script
        told = self.told(places)
        assert any("factors.0: not answered: Which of the launchers show it" in fault for fault in told)
        assert not any("Does torchrun show it too?" in fault for fault in told)

    def told(self, places: Places) -> list[str]:
        """What `repro check` says of the new failure: open questions, and nothing else."""
        entry = load(places.folder.parent)[NEW.id]
        held = yaml_reader.read_yaml(Matrix, places.matrix_file)
        faults = list(EntryCheck(entry, held, places.tests).faults())
        assert {fault.problem.partition(":")[0] for fault in faults} <= {
            "not answered",
            "ANSWER stands for what is not written",
        }
        return [str(fault) for fault in faults]

    def test_what_is_known_is_not_asked(self, places: Places) -> None:
        """Kind and releases that were given stand in the record, and their questions are gone."""
        text = written(NewFailure(NEW.id, URL, "lightning", "silent", "2.2.1", "2.2.2"), matrix(), places)
        record = text[places.folder / "failure.yaml"]
        failure = yaml_reader.parse(Failure, record, Path("failure.yaml"))
        assert failure.affected == ({"lightning": ">=2.2.1,<2.2.2"},)
        assert (failure.kind, failure.fixed_in) == ("silent", {"lightning": "2.2.2"})
        assert "does it hang?" not in record
        assert "first with the fix" not in record

    @pytest.mark.parametrize("there", ["failures/lightning-12345/backport.py", "tests/test_lightning_12345.py"])
    def test_never_overwrites(self, places: Places, tmp_path: Path, there: str) -> None:
        """A file that is there stops all of it."""
        file = tmp_path / there
        file.parent.mkdir(parents=True)
        file.write_text("mine")
        with pytest.raises(UsageError, match=f"{file.name} is there already; nothing was written"):
            written(NEW, matrix(), places)

    def test_no_upstream(self, places: Places) -> None:
        """Without an address the issue is a question of the record."""
        text = written(NewFailure(NEW.id, None, "lightning", "hang", "2.2.1"), matrix(), places)
        record = text[places.folder / "failure.yaml"]
        assert yaml_reader.parse(Failure, record, Path("failure.yaml")).upstream.issues == ()
        assert "# question: Which issue reports it?" in record
        assert "None\n" not in text[places.folder / "repro.py"]
        assert not any("None" in line for line in record.splitlines())

    @pytest.mark.parametrize("option", ["bad", "good"])
    def test_denied_release(self, places: Places, option: str) -> None:
        """A release of the deny list is refused in one line, and nothing is written."""
        deny = [{"distribution": "lightning", "version": "2.6.2", "reason": "stole credentials", "date": "2026-04-30"}]
        changes: dict[str, Any] = {option: "2.6.2"}
        new = dataclasses.replace(NEW, **changes)
        with pytest.raises(UsageError, match=rf"^--{option} 2.6.2: lightning 2.6.2 is denied: stole credentials$"):
            written(new, matrix(deny=deny), places)

    def test_runs_already(self, places: Places) -> None:
        """So does an entry of the matrix."""
        with pytest.raises(UsageError, match="already"):
            written(NewFailure(FAILURE, URL, "lightning"), matrix(), places)

    def test_keeps_a_conftest(self, places: Places, tmp_path: Path) -> None:
        """Shared fixtures are written once."""
        assert tmp_path / "tests" / "conftest.py" in written(NEW, matrix(), places)
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "conftest.py").write_text("")
        assert tmp_path / "tests" / "conftest.py" not in written(NEW, matrix(), places)

    def test_no_matrix_file(self, places: Places) -> None:
        """A catalogue elsewhere begins with a matrix of its own."""
        places.matrix_file.unlink()
        text = written(NEW, matrix(), places)[places.matrix_file]
        held = yaml_reader.parse(Matrix, text, places.matrix_file)
        assert (held.environments, list(held.runs)) == ({}, [NEW.id])


class TestEnvironments:
    """Where a new failure runs to begin with."""

    @pytest.mark.parametrize(
        ("package", "bad", "good", "failing", "expected"),
        [
            ("lightning", None, None, None, ["old", "new"]),
            ("lightning", "2.2.1", "2.2.2", "old", ["old", "new"]),
            ("lightning", "2.2.2", None, "new", ["new", "old"]),
            ("lightning", None, "2.2.2", "old", ["old", "new"]),
            ("lightning", "2.5", "2.6", None, ["new"]),
            ("deepspeed", "0.1", None, None, ["new"]),
        ],
    )
    def test_chosen(
        self, package: str, bad: str | None, good: str | None, failing: str | None, expected: list[str]
    ) -> None:
        """One that the given releases make a failing one, one that they do not, the newest; never a guess."""
        proposed = environments_for(NewFailure("x-1", URL, package, None, bad, good), matrix())
        assert (proposed.failing, list(proposed.environments)) == (failing, expected)

    @pytest.mark.parametrize(
        ("package", "bad", "good", "failing", "correct"),
        [
            ("torch", "2.2.2", None, "torch-2.2", "newest"),
            ("torch", "2.2.2", "2.6.0", "torch-2.2", "torch-2.6"),
            ("torch", "2.5.0", "2.10", "torch-2.6", "torch-2.13"),
            ("torch", "2.7.0", "2.10", None, "torch-2.13"),
            ("accelerate", "1.4.0", "1.14", "transformers-4.49.0-torch-2.6", "newest"),
            ("torch", "2.15.0", None, "newest", "torch-2.13"),
            ("lightning", "2.2.1", "2.2.2", "lightning-2.2.1-torch-2.2", "lightning-2.2.2-torch-2.2"),
            ("transformers", "4.49.0", "4.50.0", "transformers-4.49.0-torch-2.6", "transformers-4.50.0-torch-2.6"),
        ],
    )
    def test_of_the_right_library(
        self, package: str, bad: str, good: str | None, failing: str | None, correct: str
    ) -> None:
        """In our own matrix: a failure of torch is looked for with torch alone, and the given release comes first."""
        new = NewFailure("x-1", URL, package, None, bad, good)
        proposed = environments_for(new, Project.here().matrix)
        assert proposed.failing == failing
        assert correct in proposed.environments

    def test_of_its_launcher(self) -> None:
        """A failure of accelerate launch needs an environment that has accelerate."""
        held = Project.here().matrix
        new = NewFailure("x-1", URL, "torch", launchers=("accelerate",))
        proposed = environments_for(new, held).environments
        assert proposed
        assert all("accelerate" in held.environments[name].pins for name in proposed)
        alone = environments_for(dataclasses.replace(new, launchers=()), held).environments
        assert not all("accelerate" in held.environments[name].pins for name in alone)

    def test_none(self) -> None:
        """A matrix without environments."""
        with pytest.raises(UsageError, match="no environment"):
            environments_for(NEW, matrix(environments={}, runs={}))


class TestWithRuns:
    """matrix.yaml is extended in place."""

    BEFORE = "# head\nformat: 1\nenvironments:\n  old: {cutoff: '2024-03-28', pins: {torch: '2.2.2'}, why: w}  # note\n"

    def extended(self, text: str) -> str:
        return with_runs(text, ENTRY, Path("matrix.yaml"))

    @pytest.mark.parametrize("margin", ["  ", "    "])
    def test_block(self, margin: str) -> None:
        """After the last entry, with its margin; comments stay, wherever they are."""
        runs = f"runs:\n{margin}a-1:\n{margin}  environments: [old]  # here\n"
        tail = "\n# the end\n"
        added = "".join(f"{margin}{line}\n" for line in ENTRY.splitlines())
        assert self.extended(self.BEFORE + runs + tail) == self.BEFORE + runs + added + tail

    def test_keys_after_runs(self) -> None:
        """Other keys may follow."""
        environments = self.BEFORE.partition("format: 1\n")[2]
        text = self.extended(f"format: 1\nruns:\n  a-1: {{environments: [old]}}\n{environments}")
        assert text.index("x-1:") < text.index("environments:\n")

    def test_empty(self) -> None:
        """The first entry of a new matrix."""
        text = self.extended(self.BEFORE + "runs: {}\n")
        assert text == self.BEFORE + "runs:\n  x-1:\n    # question: where?\n    environments: [old]\n"

    def test_no_newline_at_the_end(self) -> None:
        """A file that ends without a line's end."""
        assert self.extended(self.BEFORE + "runs:\n  a-1: {environments: [old]}").endswith(
            "[old]}\n  x-1:\n    # question: where?\n    environments: [old]\n"
        )

    @pytest.mark.parametrize("runs", ["runs: {a-1: {environments: [old]}}\n", "runs:\n", ""])
    def test_by_hand(self, runs: str) -> None:
        """What cannot be extended without touching the rest is told, with what to write."""
        with pytest.raises(RecordError, match="by hand:\nx-1:"):
            self.extended(self.BEFORE + runs)
