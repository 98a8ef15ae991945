"""Sentinels beside a script: libraries that stand in for the real ones, and real processes."""

import ast
import json
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import FrameType, ModuleType
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from repro.catalog.project import Project
from repro.doctor.code.export_reach import write_reach
from repro.doctor.code.run_time import sentinel_data
from repro.doctor.exposure import Exposure, judge
from repro.doctor.stack.stack import Stack
from repro.reach import sentinels

STATE_DICT = """
from dataclasses import dataclass
import pickle
@dataclass
class StateDictOptions:
    full_state_dict: bool = False
    broadcast_from_rank0: bool = False
def set_model_state_dict(model, model_state_dict, *, options=None):
    "Loads."
    return model_state_dict
def get_optimizer_state_dict(model, optimizers, *, options=None):
    raise KeyError("as the script expects")
"""
LOADS = """
import inspect, os, pickle, sys
assert "torch" not in sys.modules
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
assert str(inspect.signature(set_model_state_dict)) == "(model, model_state_dict, *, options=None)"
assert pickle.loads(pickle.dumps(set_model_state_dict)) is set_model_state_dict
assert set_model_state_dict.__doc__ == "Loads."
for _ in range(3):
    assert set_model_state_dict(1, {2: 3}, options=StateDictOptions(full_state_dict=FULL)) == {2: 3}
assert not any("repro-reach" in path for path in sys.path), sys.path
"""


@dataclass(frozen=True)
class Ended:
    code: int
    err: str
    reports: tuple[dict[str, Any], ...]


Run = Callable[..., Ended]


def library(root: Path, version: str) -> None:
    """A torch that holds what the scripts here call."""
    package = root / "torch" / "distributed" / "checkpoint"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "state_dict.py").write_text(STATE_DICT, encoding="utf-8")
    facts = root / f"torch-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two files that `repro export --reach` writes."""
    return write_reach(tmp_path_factory.mktemp("exported"), [entry.failure for entry in Project.here().catalog])


@pytest.fixture
def run(tmp_path: Path, exported: Path) -> Run:
    """Run a script under the exported sentinels, in an interpreter that sees none of our packages."""

    def started(
        script: str,
        *,
        version: str = "2.6.0",
        before: str = "",
        rank: str = "0",
        own: str = "",
        more: Mapping[str, str] | None = None,
    ) -> Ended:
        site = tmp_path / "site"
        library(site, version)
        for name, text in (more or {}).items():
            (site / "torch" / "distributed" / "checkpoint" / f"{name}.py").write_text(text, encoding="utf-8")
        if own:
            (site / "sitecustomize.py").write_text(own, encoding="utf-8")
        file = tmp_path / "train.py"
        file.write_text(before + textwrap.dedent(script), encoding="utf-8")
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "RANK": rank, "HOME": str(tmp_path)}
        if before:
            environment["PYTHONPATH"] += os.pathsep + str(exported.parent)
            command = [sys.executable, "-s", str(file)]
        else:
            command = [
                sys.executable,
                str(exported),
                "--report",
                str(tmp_path / "seen"),
                "--",
                sys.executable,
                str(file),
            ]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        reports = tuple(json.loads(found.read_text()) for found in sorted(tmp_path.glob("seen.*.json")))
        return Ended(ended.returncode, ended.stderr, reports)

    return started


def test_warns_once_and_counts(run: Run) -> None:
    """Calls with the failing arguments: one warning with the id, three calls in the report."""
    ended = run(LOADS.replace("FULL", "True"))
    assert ended.code == 0, ended.err
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("repro.reach: pytorch-153350: ")
    (report,) = ended.reports
    found = {item["id"]: item for item in report["failures"]}
    assert (found["pytorch-153350"]["reached"], found["pytorch-153350"]["calls"]) == (True, 3)
    assert not found["pytorch-149516"]["reached"]


def test_other_arguments(run: Run) -> None:
    ended = run(LOADS.replace("FULL", "False"))
    assert (ended.code, ended.err) == (0, "")
    assert not any(item["reached"] for item in ended.reports[0]["failures"])


def test_versions_that_are_not_listed(run: Run) -> None:
    """Nothing is wrapped for a failure that the versions do not have."""
    ended = run(LOADS.replace("FULL", "True"), version="2.2.0")
    assert (ended.code, ended.err) == (0, "")


def test_versions_that_cannot_be_compared(run: Run) -> None:
    """A vendor's build is watched, and said to be unknown."""
    ended = run(LOADS.replace("FULL", "True"), version="2.6.0a0+nv24.10")
    assert "could not be compared" in ended.err


def test_other_ranks_are_silent(run: Run) -> None:
    ended = run(LOADS.replace("FULL", "True"), rank="1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.reports[0]["rank"] == "1"


def test_an_import_in_place_of_the_command(run: Run) -> None:
    ended = run(LOADS.replace("FULL", "True"), before="import repro_reach\n")
    assert ended.code == 0, ended.err
    assert "repro.reach: pytorch-153350" in ended.err


def test_exceptions_and_exit_codes_pass(run: Run) -> None:
    script = """
        import sys
        from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict
        try:
            get_optimizer_state_dict(1, 2)
        except KeyError as error:
            assert error.args == ("as the script expects",)
            sys.exit(7)
    """
    assert run(script).code == 7


def test_the_environments_own_sitecustomize_runs(run: Run) -> None:
    script = "import sitecustomize, sys; sys.exit(0 if sitecustomize.OWN and 'torch' not in sys.modules else 1)"
    assert run(script, own="OWN = True\n").code == 0


def test_objects_that_break_when_they_are_looked_at(run: Run) -> None:
    """Arguments are the script's: a sentinel that cannot read them changes nothing."""
    script = """
        from torch.distributed.checkpoint.state_dict import set_model_state_dict
        class Odd:
            def __getattribute__(self, name):
                raise RuntimeError(name)
        assert set_model_state_dict(Odd(), 5, options=Odd()) == 5
    """
    ended = run(script)
    assert (ended.code, ended.err) == (0, "")


WATCHED = {
    "failures": [
        {
            "id": "both",
            "title": "t",
            "affected": [{}],
            "when": {"all_of": [{"symbols": ["torch.a.plain"]}, {"symbols": ["torch.a.other"]}]},
        },
        {
            "id": "asked",
            "title": "t",
            "affected": [{}],
            "when": {"symbols": ["torch.a.asked"], "arguments": {"flag": {"values": ["true"]}, "kind": {}}},
        },
    ]
}
FUNCTIONS = "def plain(a): return a\ndef other(): return 1\ndef asked(a, kind=None, flag=False): return a\n"


@pytest.fixture
def watched() -> tuple[sentinels.Sentinels, ModuleType]:
    """Sentinels on a module of functions."""
    module = ModuleType("torch.a")
    exec(FUNCTIONS, vars(module))  # noqa: S102 - as its import would
    found = sentinels.Sentinels(WATCHED)
    found.look(module)
    return found, module


def counted(found: sentinels.Sentinels) -> dict[str, tuple[int, list[int]]]:
    """Of each failure the calls since it is reached, and the calls of its parts."""
    return {
        item["id"]: (item["calls"], [part["calls"] for part in item["parts"]]) for item in found.report()["failures"]
    }


def test_every_call_is_counted_once(watched: tuple[sentinels.Sentinels, ModuleType]) -> None:
    """Also those that are only added up: the calls of a failure begin with the one that completes it."""
    found, module = watched
    for _ in range(5):
        assert module.plain(2) == 2
    module.asked(1, "x", flag=True)
    module.asked(1, "x", flag=False)
    module.asked(1)
    module.asked(kind=1, a=2)
    module.other()
    module.plain(1)
    module.other()
    assert counted(found) == {"both": (3, [6, 2]), "asked": (4, [1])} == counted(found)


def test_arguments_that_break_when_they_are_hashed(watched: tuple[sentinels.Sentinels, ModuleType]) -> None:
    """The type of an argument is looked up: its metaclass is the script's."""

    class Odd(type):
        def __hash__(cls) -> int:
            raise RuntimeError

    _, module = watched
    for _ in range(3):
        assert module.asked(1) == 1
        value = Odd("x", (), {})()
        assert module.asked(value) is value


def test_options_in_an_object_count_each_time(watched: tuple[sentinels.Sentinels, ModuleType]) -> None:
    """An object of the library that carries what is asked for is read in every call."""

    @dataclass
    class Options:
        kind: str = "x"
        flag: bool = False

    Options.__module__ = "torch.a"
    found, module = watched
    for flag in (False, True, False, True):
        module.asked(1)
        module.asked(Options(flag=flag))
    assert counted(found)["asked"] == (5, [2])


def test_a_function_that_shows_nothing_new_is_let_go(
    watched: tuple[sentinels.Sentinels, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs nothing more; what a later call might have shown is then not fully seen."""
    monkeypatch.setattr(sentinels, "MOST_CALLS", 3)
    found, module = watched
    held = dict(vars(module))
    for _ in range(9):
        module.plain(2)
        module.asked(1)
    assert not any(vars(module)[name] is held[name] for name in ("plain", "asked"))
    assert module.other is held["other"]
    report = found.report()
    assert report["let_go"] == ["torch.a.asked", "torch.a.plain"]
    assert [part["calls"] for item in report["failures"] for part in item["parts"]] == [5, 0, 0]
    assert {item["id"]: item["fully_seen"] for item in report["failures"]} == {"both": True, "asked": False}
    vars(module)["asked"] = "the script's own"
    held["asked"](1)
    assert vars(module)["asked"] == "the script's own"


def test_a_library_that_imports_itself_is_no_use(watched: tuple[sentinels.Sentinels, ModuleType]) -> None:
    """``mp_policy=MixedPrecisionPolicy()`` makes an object when its module is imported; other threads go on."""
    found, module = watched
    with found.import_of_a_library():
        module.plain(1)
        module.asked(1, "x", flag=True)
        with found.import_of_a_library():
            module.other()
        module.other()
        other = Thread(target=module.plain, args=(1,))
        other.start()
        other.join()
    assert counted(found) == {"both": (0, [1, 0]), "asked": (0, [0])}
    module.other()
    assert counted(found)["both"] == (1, [1, 1])


def test_defaults_of_a_library_do_not_reach(run: Run) -> None:
    """The same, by real imports: one module of the library calls another's class while it is imported."""
    script = """
        import torch.distributed.checkpoint.uses
    """
    ended = run(
        script, more={"uses": "from .state_dict import *\nset_model_state_dict(1, 2, options=StateDictOptions(True))"}
    )
    assert (ended.code, ended.err) == (0, "")
    assert not any(item["reached"] for item in ended.reports[0]["failures"])


def instructions(call: Callable[[], object]) -> int:
    """How many instructions of the interpreter a call takes: no load of the machine changes it."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def test_the_cost_of_a_call(watched: tuple[sentinels.Sentinels, ModuleType]) -> None:
    """A call whose arguments do not matter is only counted; the others are read, and no more.

    It was 66, 130 and 300 instructions once; the first two kinds are called hundreds of times in a step of FSDP2.
    """
    _, module = watched
    bare = ModuleType("bare")
    exec(FUNCTIONS, vars(bare))  # noqa: S102
    module.plain(1)
    module.asked(1, "x", flag=True)
    plain = instructions(lambda: module.plain(1)) - instructions(lambda: bare.plain(1))
    other = instructions(lambda: module.asked(1)) - instructions(lambda: bare.asked(1))
    asked = instructions(lambda: module.asked(1, "x", flag=True)) - instructions(lambda: bare.asked(1, "x", flag=True))
    assert 0 < plain <= 45
    assert plain < other <= 90
    assert other < asked <= 400


@pytest.mark.parametrize("arguments", [[], ["--report"], ["--report", "x"], ["--odd", "--", "true"], ["--"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert sentinels.main(arguments) == 2
    assert capsys.readouterr().err.startswith("repro.reach: usage: ")


def test_a_command_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert sentinels.main(["--", "no-such-command-here"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_standard_library_only_and_old_pythons() -> None:
    """The file runs where none of our dependencies is, with Python 3.9."""
    tree = ast.parse(Path(sentinels.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_specifiers_as_packaging_reads_them() -> None:
    """For plain releases the comparison is that of PEP 440."""
    draw = random.Random(3)
    for _ in range(3000):
        version = ".".join(str(draw.randint(0, 4)) for _ in range(draw.randint(1, 3)))
        bound = ".".join(str(draw.randint(0, 4)) for _ in range(draw.randint(2, 3)))
        operator = draw.choice(["==", "!=", "<=", ">=", "<", ">", "~="])
        text = f"{operator}{bound}{draw.choice(['', '.*']) if operator in {'==', '!='} else ''},!=9"
        held = sentinels._release(version)
        assert held
        assert sentinels._holds(text, held) == SpecifierSet(text).contains(Version(version)), (text, version)


def test_every_record_is_watched() -> None:
    """Our own records: each is there that one environment can have, and no part of one is lost."""
    failures = [entry.failure for entry in Project.here().catalog]
    data = sentinel_data(failures)
    assert [item["id"] for item in data["failures"]] == [
        failure.id for failure in failures if failure.reach and not failure.depends_on_roles
    ]
    for item in data["failures"]:
        watched = sentinels.ReachedFailure(item, "listed")
        assert watched.leaves
        assert watched.state() is not True


TORCHES = ("1.13.1", "2.1.0", "2.2.2", "2.6.0", "2.11.0", "2.13.0", "2.15.0", "9.9.0")
LIBRARIES: tuple[dict[str, str], ...] = (
    {},
    {"lightning": "2.2.1", "transformers": "4.40.2", "accelerate": "0.30.1", "safetensors": "0.4.3"},
    {"pytorch-lightning": "2.5.4", "transformers": "4.53.3", "accelerate": "1.9.0", "safetensors": "0.6.2"},
    {"lightning": "2.6.6", "transformers": "5.23.0", "accelerate": "1.15.0", "safetensors": "0.8.0"},
    {"lightning": "1.0.0", "transformers": "1.0.0", "accelerate": "0.1.0", "safetensors": "0.1.0"},
)


@pytest.mark.parametrize("torch", TORCHES)
@pytest.mark.parametrize("libraries", LIBRARIES)
def test_versions_as_doctor_judges_them(monkeypatch: pytest.MonkeyPatch, torch: str, libraries: dict[str, str]) -> None:
    """A release that nobody tried is never called not listed."""
    held = {"torch": torch, **libraries}
    python = "3.12" if torch > "2.11" else "3.9"
    monkeypatch.setattr(sentinels, "_installed", {**held, "python": python}.get)
    failures = [entry.failure for entry in Project.here().catalog]
    judged = {failure.id: judge(failure, Stack.of(held, python)).exposure for failure in failures}
    found = {
        record["id"]: sentinels.exposure(record["affected"], record["never_tried"])
        for record in sentinel_data(failures)["failures"]
    }
    words = {Exposure.AFFECTED: "listed", Exposure.UNKNOWN: "not known", Exposure.CLEAR: "not listed"}
    assert found == {name: words[judged[name]] for name in found}


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        ({"pytest": ">=1", "python": ">=3"}, "listed"),
        ({"pytest": ">=1", "python": "<3"}, "not listed"),
        ({"pytest": ">=1", "no-such-distribution": "absent"}, "listed"),
        ({"pytest": "absent"}, "not listed"),
    ],
)
def test_python_and_absence(releases: dict[str, str], expected: str) -> None:
    """The job's own interpreter knows both."""
    assert sentinels.exposure([releases]) == expected
