"""What ranks left in a folder becomes facts, whatever state it is in."""

import json
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from repro.files import LAUNCHER
from repro.launch.collect import TAIL_CHARACTERS, collect_ranks, launcher_tail
from repro.launch.paths import Layout
from repro.model.observation import Observation, Origin, Phase, Rank
from tests.unit.factories import observation
from tests.unit.launch.ranks import Bootstrap


def layout(folder: Path) -> Layout:
    failure = folder / "failure"
    return Layout(
        script=str(failure / "repro.py"),
        harness=str(LAUNCHER),
        failure=str(failure),
        libraries=(str(folder / "site-packages"),),
        stdlib=(sysconfig.get_path("stdlib"),),
        folder=str(folder),
        prefix=sys.prefix,
        home="/home/me",
    )


def collect(folder: Path, started: float = 0.0, world_size: int = 1) -> Rank:
    return collect_ranks(folder, world_size, layout(folder), started)[0]


def write(folder: Path, *events: dict[str, Any] | str) -> None:
    lines = [event if isinstance(event, str) else json.dumps({"time": 12.5, **event}) + "\n" for event in events]
    (folder / "rank0.jsonl").write_text("".join(lines), encoding="utf-8")


STARTED: dict[str, Any] = {"event": "started", "pid": 1}
REACHED: dict[str, Any] = {"event": "reached", "imports": {}}
ENDED: dict[str, Any] = {"event": "ended", "code": 0, "seconds": 1.5, "peak_bytes": 10, "stopped": False}
LINK: dict[str, Any] = {
    "type": "KeyError", "module": "builtins", "bases": ["LookupError"], "message": "'k'", "link": None, "frames": [],
}  # fmt: skip
EXCEPTION: dict[str, Any] = {"event": "exception", "phase": "run", "chain": [LINK], "imports": {}}


class TestReal:
    """What the bootstrap really wrote."""

    def test_exception(self, tmp_path: Path) -> None:
        """Every fact of a failing rank, with paths that name no machine."""
        (tmp_path / "site-packages").mkdir()
        (tmp_path / "site-packages" / "library.py").write_text("__version__ = '1.0'\ndef save(file):\n    open(file)\n")
        source = f"import sys\nsys.path.append({str(tmp_path / 'site-packages')!r})\nimport library\n"
        source += "print('measured size = [1, 2]')\nlibrary.save(__file__ + 'x')\n"
        bootstrap = Bootstrap(tmp_path, source)
        bootstrap.run()
        rank = collect(tmp_path, started=bootstrap.event("started")["time"] - 1)
        assert (rank.started, rank.reached, rank.finished, rank.ended) == (True, True, False, True)
        assert (rank.exit_code, rank.signal, rank.phase, rank.oracle) == (1, None, Phase.RUN, None)
        assert rank.failed_at is not None
        assert 1 <= rank.failed_at < 20
        assert rank.measured == {"size": [1, 2]}
        assert rank.imported["library"].inside
        error = rank.error
        assert error is not None
        assert error.message == "[Errno 2] No such file or directory: '<run>/failure/repro.pyx'"
        assert [frame.origin for frame in error.frames][-2:] == [Origin.SCRIPT, Origin.LIBRARY]
        assert error.frames[0].origin is Origin.HARNESS
        assert error.innermost_library_frame == error.frames[-1]
        assert str(tmp_path) not in rank.model_dump_json()

    def test_two_ranks(self, tmp_path: Path) -> None:
        """Each rank has its own facts; one that left nothing has never started."""
        Bootstrap(tmp_path, "print('oracle passed: mine')\n", rank=1).run()
        first, second, third = collect_ranks(tmp_path, 3, layout(tmp_path), 0.0)
        assert (first.started, first.oracle) == (False, None)
        assert (second.finished, second.oracle, second.rank) == (True, "mine", 1)
        assert third == Rank(rank=2)


class TestDamaged:
    """What a dying process leaves."""

    def test_nothing(self, tmp_path: Path) -> None:
        """No files at all."""
        assert collect(tmp_path) == Rank(rank=0)

    def test_half_a_line(self, tmp_path: Path) -> None:
        """An unfinished last line is dropped, what came before counts."""
        text = json.dumps({"time": 1, **ENDED})
        for cut in range(len(text)):
            write(tmp_path, STARTED, REACHED, text[:cut])
            rank = collect(tmp_path)
            assert (rank.started, rank.reached, rank.ended, rank.exit_code) == (True, True, False, None), cut

    @pytest.mark.parametrize(
        "line", ["\n", "null\n", "[]\n", "3\n", '"x"\n', "\x00\n", '{"event": "later", "new": 1}\n', "{}\n"]
    )
    def test_odd_lines(self, tmp_path: Path, line: str) -> None:
        """Lines that are no event of ours are passed over."""
        write(tmp_path, STARTED, line, ENDED)
        rank = collect(tmp_path)
        assert (rank.started, rank.ended, rank.reached) == (True, True, False)

    def test_not_utf8(self, tmp_path: Path) -> None:
        """Bytes of native code in the output are replaced, and the rest is read."""
        (tmp_path / "rank0.log").write_bytes(b"\xff\xfe\noracle passed: \xe9t\xe9\n")
        assert collect(tmp_path).oracle == "�t�"

    def test_storable(self, tmp_path: Path) -> None:
        """Characters that UTF-8 has no form for are replaced: the observation can be written and read."""
        link = {
            **LINK,
            "message": "\udcff",
            "frames": [{"file": "/x/\udc80.py", "function": "f", "line": 1, "code": "\ud800"}],
        }
        write(tmp_path, STARTED, REACHED, {**EXCEPTION, "chain": [link]}, ENDED)
        seen = observation(collect(tmp_path))
        assert Observation.model_validate_json(seen.model_dump_json()) == seen

    def test_line_separators(self, tmp_path: Path) -> None:
        """Unicode's other line ends do not cut an event."""
        write(tmp_path, STARTED, {**EXCEPTION, "chain": [{**LINK, "message": "a\u2028b\x85c\x0bd"}]})
        error = collect(tmp_path).error
        assert error is not None
        assert error.message == "a\u2028b\x85c\x0bd"


class TestEvents:
    """Each event becomes its fact."""

    def test_signal(self, tmp_path: Path) -> None:
        """A rank that died by a signal has no exit code."""
        write(tmp_path, STARTED, {**{k: v for k, v in ENDED.items() if k != "code"}, "signal": 9, "stopped": True})
        rank = collect(tmp_path)
        assert (rank.exit_code, rank.signal, rank.stopped) == (None, 9, True)

    def test_gates_and_backport(self, tmp_path: Path) -> None:
        """Gates are told in a fixed order; a backport as applied."""
        write(
            tmp_path,
            STARTED,
            {"event": "gate", "name": "b"},
            {"event": "gate", "name": "a"},
            {"event": "backport", "file": "x"},
        )
        rank = collect(tmp_path)
        assert (rank.gates, rank.backport_applied) == (("a", "b"), True)

    def test_imports(self, tmp_path: Path) -> None:
        """Inside is what lies below the environment's library folders, and not in one with a longer name."""
        inside = tmp_path / "site-packages"
        files = {
            "good": f"{inside}/good/__init__.py",
            "near": f"{inside}-other/near.py",
            "mine": "/home/me/src/mine.py",
        }
        write(tmp_path, {**REACHED, "imports": {name: {"version": "1", "file": file} for name, file in files.items()}})
        assert {name: found.inside for name, found in collect(tmp_path).imported.items()} == {
            "good": True, "near": False, "mine": False,
        }  # fmt: skip

    def test_last_imports_count(self, tmp_path: Path) -> None:
        """What was imported later is known from the last event."""
        late = {"late": {"version": "2", "file": "/x"}}
        write(tmp_path, REACHED, {"event": "finished", "imports": late})
        assert set(collect(tmp_path).imported) == {"late"}

    def test_long_message(self, tmp_path: Path) -> None:
        """A very long message is cut."""
        write(tmp_path, {**EXCEPTION, "chain": [{**LINK, "message": "x" * 10_000}]})
        error = collect(tmp_path).error
        assert error is not None
        assert len(error.message) == 4000
        assert len(error.line) == 300


class TestOutput:
    """What the script said."""

    def log(self, folder: Path, text: str) -> Rank:
        (folder / "rank0.log").write_text(text, encoding="utf-8")
        return collect(folder)

    @pytest.mark.parametrize(
        ("text", "oracle"),
        [
            ("oracle passed: all equal\n", "all equal"),
            ("noise\noracle passed: first\noracle passed: last \nnoise", "last"),
            ("the oracle passed: no\n", None),
            ("oracle passed\n", None),
            ("oracle passed: \n", ""),
            ("Oracle passed: no\n", None),
            ("", None),
        ],
    )
    def test_oracle(self, tmp_path: Path, text: str, oracle: str | None) -> None:
        """The oracle's words stand at the start of a line; the last ones count."""
        assert self.log(tmp_path, text).oracle == oracle

    def test_measured(self, tmp_path: Path) -> None:
        """Names and JSON values; what is no JSON stays text; the last of a name counts; others are no measurement."""
        text = (
            'measured files = ["a", "b"]\nmeasured drift = 1.5e-7\nmeasured loss = 1\nmeasured loss = 2\n'
            "measured odd = not json\nmeasured nan = [NaN, -Infinity]\nmeasured Big = 1\n"
            " measured indented = 1\nmeasured = 3\nmeasured none = null\n"
        )
        assert self.log(tmp_path, text).measured == {
            "files": ["a", "b"], "drift": 1.5e-7, "loss": 2, "odd": "not json", "nan": ["NaN", "-Infinity"],
            "none": None,
        }  # fmt: skip

    def test_tail(self, tmp_path: Path) -> None:
        """The end of the output, without this machine's folders; the measurements are read from all of it."""
        rank = self.log(tmp_path, f"measured x = 1\n{'y' * 9000}\n/home/me/secret {tmp_path}/file\n")
        assert len(rank.tail) <= TAIL_CHARACTERS
        assert rank.tail.endswith("~/secret <run>/file\n")
        assert rank.measured == {"x": 1}
        assert not rank.series

    def test_tail_is_part(self, tmp_path: Path) -> None:
        """That something is missing is kept, since what is not there may be there then."""
        for text, is_part in (("word", False), ("word " * 799, False), ("word " * 801, True), ("word\n" * 9000, True)):
            (tmp_path / "rank0.log").write_text(text)
            assert collect(tmp_path).tail_is_part is is_part

    def test_warnings(self, tmp_path: Path) -> None:
        """Category, first line and place of each, wherever in the line it stands and however long the output is."""
        site, script = tmp_path / "site-packages", layout(tmp_path).script
        text = (
            f"{site}/torch/optim/x.py:156: UserWarning: The epoch at {tmp_path}/site-packages is deprecated.\n"
            "  warnings.warn(EPOCH)\n"
            f" 50%|## | 1/2 WARNING:py.warnings:{script}:12: FutureWarning: \n"
            f"{site}/torch/optim/x.py:156: UserWarning: The epoch at {tmp_path}/site-packages is deprecated.\n"
            "<string>:1: MyWarning: mine\n"
            f"{site}/torch/x.py:3: ValueError: no warning\n" + "noise\n" * 4000
        )
        found = self.log(tmp_path, text).warnings
        assert [(item.category, item.package, item.line) for item in found] == [
            ("UserWarning", "torch", 156),
            ("FutureWarning", "script", 12),
            ("MyWarning", "", 1),
        ]
        assert found[0].message == "The epoch at <run>/site-packages is deprecated."
        assert str(tmp_path) not in "".join(item.model_dump_json() for item in found)

    def test_many_warnings(self, tmp_path: Path) -> None:
        """A limit holds, and says that it was met; without warnings nothing more is stored than before."""
        made = self.log(tmp_path, "".join(f"<x>:{number}: UserWarning: m\n" for number in range(101)))
        assert (len(made.warnings), made.more_warnings) == (100, True)
        dumped = self.log(tmp_path, "nothing").model_dump(mode="json")
        assert not {"warnings", "more_warnings", "tail_is_part"} & dumped.keys()

    def test_a_name_that_is_measured_again_is_a_series(self, tmp_path: Path) -> None:
        text = (
            'measured loss = 3\nmeasured once = 1\nmeasured loss = "odd"\nmeasured loss = 1.5\nmeasured on = true\n' * 2
        )
        rank = self.log(tmp_path, text.replace("measured once = 1\n", "", 1))
        assert rank.series == {"loss": (3.0, 1.5, 3.0, 1.5)}
        assert rank.measured["loss"] == 1.5

    def test_launcher(self, tmp_path: Path) -> None:
        """Likewise of the launcher; nothing where it left nothing."""
        assert launcher_tail(tmp_path, layout(tmp_path)) == ""
        (tmp_path / "launcher.log").write_text(f"{tmp_path}/job.json failed")
        assert launcher_tail(tmp_path, layout(tmp_path)) == "<run>/job.json failed"

    def test_stacks(self, tmp_path: Path) -> None:
        """One stack for each dump that holds frames."""
        text = 'Thread 0x1 (most recent call first):\n  File "/x.py", line 3 in wait\n'
        (tmp_path / "rank0.stacks1").write_text(text)
        (tmp_path / "rank0.stacks2").write_text("")
        assert [stack[0].function for stack in collect(tmp_path).stacks] == ["wait"]
