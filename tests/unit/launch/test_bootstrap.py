"""The bootstrap, run for real: what it records of a rank, and that nothing of it is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.launch.ranks import STOPPED, Bootstrap, gone, wait_for

Make = Callable[..., Bootstrap]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at the death of a parent is Linux's")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A bootstrap in a folder of its own: ``make(source, rank=..., grace=...)``."""

    def made(source: str, *, rank: int = 0, world_size: int = 1, flags: tuple[str, ...] = (), **job: Any) -> Bootstrap:
        return Bootstrap(tmp_path, source, rank, world_size, flags, job)

    return made


class TestEnds:
    """How a script ends is recorded, and the supervisor ends in the same way."""

    def test_success(self, make: Make) -> None:
        """A script that runs to its end: started, reached, finished, ended with code 0."""
        rank = make("import json\nprint('oracle passed: yes')\n", rank=3)
        assert rank.run() == 0
        assert rank.names == ["started", "reached", "finished", "ended"]
        ended = rank.event("ended")
        assert (ended["code"], ended["stopped"], "signal" in ended) == (0, False, False)
        assert ended["seconds"] >= 0
        assert ended["peak_bytes"] > 1 << 20
        assert rank.log == "oracle passed: yes\n"

    def test_exception(self, make: Make) -> None:
        """An uncaught exception: recorded once, with phase, and the traceback in the rank's output."""
        rank = make("import json\njson.loads('{')\n")
        assert rank.run() == 1
        assert rank.names == ["started", "reached", "exception", "ended"]
        assert rank.event("exception")["phase"] == "run"
        assert rank.event("ended")["code"] == 1
        assert "JSONDecodeError" in rank.log

    @pytest.mark.parametrize(
        ("statement", "code", "recorded"),
        [
            ("sys.exit(2)", 2, True),
            ("sys.exit('a sentence')", 1, True),
            ("sys.exit(0)", 0, False),
            ("sys.exit()", 0, False),
            ("raise SystemExit", 0, False),
            ("os._exit(3)", 3, False),
            ("os._exit(0)", 0, False),
        ],
    )
    def test_exit(self, make: Make, statement: str, code: int, recorded: bool) -> None:
        """An early end is never "finished"; only one with another code than 0 is an exception."""
        rank = make(f"import os, sys\n{statement}\nprint('not reached')\n")
        assert rank.run() == code
        assert rank.names == ["started", "reached", *(["exception"] if recorded else []), "ended"]
        assert rank.event("ended")["code"] == code
        if recorded:
            assert rank.event("exception")["chain"][0]["type"] == "SystemExit"

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
    def test_signal(self, make: Make, number: signal.Signals) -> None:
        """Death by a signal: the number is recorded, nobody asked for it, and the supervisor dies of it too."""
        rank = make(f"import os\nprint('before')\nos.kill(os.getpid(), {int(number)})\n")
        assert rank.run() == -number
        ended = rank.event("ended")
        assert (ended["signal"], ended["stopped"], "code" in ended) == (number, False, False)
        assert rank.names == ["started", "reached", "ended"]
        assert rank.log.startswith("before\n")

    def test_crash_tells_its_stack(self, make: Make) -> None:
        """A crash of native code leaves the Python stack in the output."""
        rank = make("import ctypes\ndef crash():\n    ctypes.string_at(0)\ncrash()\n")
        assert rank.run() == -signal.SIGSEGV
        assert "in crash" in rank.log

    def test_error_at_shutdown(self, make: Make) -> None:
        """A bad code after the script's end is still recorded: finished, and not 0."""
        rank = make("import atexit, os\natexit.register(os._exit, 5)\n")
        assert rank.run() == 5
        assert rank.names == ["started", "reached", "finished", "ended"]
        assert rank.event("ended")["code"] == 5

    def test_exception_is_swallowed(self, make: Make) -> None:
        """What the script handles itself is not recorded."""
        rank = make("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass\n")
        assert rank.run() == 0
        assert "exception" not in rank.names


class TestPhases:
    """An error before the script's own code is told from one in it."""

    @pytest.mark.parametrize(
        "source",
        [
            "import no_such_module_here\nprint(1)\n",
            "from json import no_such_name\n",
            "import json\nx = 1 / 0\nimport os\n",
            "def broken(:\n",
            "import broken_module\n",
        ],
    )
    def test_import(self, make: Make, source: str) -> None:
        """Whatever fails up to the last import at the top, or cannot be compiled, never reached its own code."""
        rank = make(source)
        rank.write("broken_module.py", "raise RuntimeError('at import')\n")
        assert rank.run() == 1
        assert rank.names == ["started", "exception", "ended"]
        assert rank.event("exception")["phase"] == "import"

    def test_without_imports(self, make: Make) -> None:
        """A script without imports reaches its own code at its first line."""
        rank = make("1 / 0\n")
        assert rank.run() == 1
        assert (rank.names[1], rank.event("exception")["phase"]) == ("reached", "run")

    def test_import_inside_a_function(self, make: Make) -> None:
        """An import that fails later fails in the run."""
        rank = make("import os\ndef main():\n    import no_such_module_here\nmain()\n")
        rank.run()
        assert rank.event("exception")["phase"] == "run"

    def test_missing_script(self, make: Make) -> None:
        """A script that is not there is an error of its own, recorded."""
        rank = make("", script="/nonexistent/repro.py")
        assert rank.run() == 1
        assert rank.event("exception")["chain"][0]["type"] == "FileNotFoundError"
        assert rank.event("exception")["phase"] == "import"


class TestException:
    """The exception with its chain and frames, as they are."""

    def chain(self, rank: Bootstrap) -> list[dict[str, Any]]:
        assert rank.run() == 1
        chain: list[dict[str, Any]] = rank.event("exception")["chain"]
        return chain

    def test_frames(self, make: Make) -> None:
        """Frames from the outermost to the innermost, with true file, line, function and source line."""
        source = '"""Doc."""\n\nimport json\n\n\ndef inner():\n    raise KeyError("k")  # here\n\n\ninner()\n'
        rank = make(source)
        (error,) = self.chain(rank)
        frames = [frame for frame in error["frames"] if frame["file"] == str(rank.script)]
        assert [(frame["function"], frame["line"]) for frame in frames] == [("<module>", 10), ("inner", 7)]
        assert frames[1]["code"] == 'raise KeyError("k")  # here'
        assert error["frames"][-1] == frames[1]
        assert (error["type"], error["module"], error["message"]) == ("KeyError", "builtins", "'k'")
        assert error["bases"] == ["LookupError", "Exception", "BaseException"]

    def test_library_frame(self, make: Make) -> None:
        """The frame of a library is innermost where the library raised."""
        rank = make("import library\nlibrary.save()\n")
        library = rank.write("library.py", "def save():\n    raise ValueError('no')\n")
        (error,) = self.chain(rank)
        assert (error["frames"][-1]["file"], error["frames"][-1]["function"]) == (str(library), "save")

    @pytest.mark.parametrize(
        ("raising", "links"),
        [
            ("raise ValueError('b') from error", [None, "cause"]),
            ("raise ValueError('b')", [None, "context"]),
            ("raise ValueError('b') from None", [None]),
        ],
    )
    def test_chain(self, make: Make, raising: str, links: list[str | None]) -> None:
        """The propagated exception first, then its cause or context; a suppressed one is left out."""
        chain = self.chain(make(f"try:\n    {{}}['a']\nexcept KeyError as error:\n    {raising}\n"))
        assert [error["link"] for error in chain] == links
        assert [error["type"] for error in chain] == ["ValueError", "KeyError"][: len(links)]

    def test_endless_chain(self, make: Make) -> None:
        """A chain that comes back to itself ends."""
        source = "a, b = ValueError('a'), KeyError('b')\na.__cause__, b.__cause__ = b, a\nraise a\n"
        assert [error["type"] for error in self.chain(make(source))] == ["ValueError", "KeyError"]

    def test_long_chain(self, make: Make) -> None:
        """A long chain is cut, the propagated exception kept."""
        source = (
            "error = None\nfor number in range(50):\n    new = ValueError(number)\n    new.__cause__ = error\n"
            "    error = new\nraise error\n"
        )
        chain = self.chain(make(source))
        assert chain[0]["message"] == "49"
        assert len(chain) == 8

    def test_deep(self, make: Make) -> None:
        """Of a very deep stack both ends are kept."""
        rank = make("def down(n):\n    return down(n + 1)\ndown(0)\n")
        (error,) = self.chain(rank)
        assert error["type"] == "RecursionError"
        assert len(error["frames"]) == 120
        assert error["frames"][-1]["function"] == "down"
        assert "<module>" in {frame["function"] for frame in error["frames"][:60]}

    @pytest.mark.parametrize(
        "body",
        ["def __str__(self): raise RuntimeError('no words')", "def __str__(self): return 3", "__str__ = None"],
    )
    def test_message_cannot_be_read(self, make: Make, body: str) -> None:
        """An exception whose text cannot be made is recorded all the same."""
        chain = self.chain(make(f"class Odd(Exception):\n    {body}\nraise Odd\n"))
        assert chain[0]["type"] == "Odd"
        assert chain[0]["module"] == "__main__"
        assert chain[0]["message"].startswith("<the message could not be read")

    @pytest.mark.parametrize(
        ("message", "expected"),
        [("'\\udcff'", "\udcff"), ("'ü\\u2028\\x85\\n'", "ü\u2028\x85\n"), ("'x' * 10**6", "x" * 10**6)],
    )
    def test_odd_text(self, make: Make, message: str, expected: str) -> None:
        """Text that is no UTF-8 or has other line ends stays one line of the journal; a very long one is cut."""
        assert self.chain(make(f"raise ValueError({message})\n"))[0]["message"] == expected

    def test_unpicklable(self, make: Make) -> None:
        """An exception that holds a lock and cannot be pickled is recorded."""
        source = (
            "import threading\nclass Held(Exception):\n    def __init__(self):\n"
            "        super().__init__(threading.Lock())\nraise Held\n"
        )
        assert "lock" in self.chain(make(source))[0]["message"]

    def test_exception_group(self, make: Make) -> None:
        """A BaseException of another kind is recorded too."""
        assert self.chain(make("class Mine(BaseException): pass\nraise Mine('x')\n"))[0]["type"] == "Mine"


class TestScript:
    """The script sees what it would see under plain torchrun."""

    def test_argv(self, make: Make) -> None:
        """``sys.argv`` is the script and its flags; its folder leads ``sys.path``; nothing of the harness is there."""
        rank = make(
            "import sys\nprint(sys.argv)\nprint(sys.path[0])\nprint([p for p in sys.path if 'launch' in p])\n",
            flags=("--state-dict-type", "full"),
        )
        rank.run()
        assert rank.log.splitlines() == [
            str([str(rank.script), "--state-dict-type", "full"]),
            str(rank.script.parent),
            "[]",
        ]

    def test_main_module(self, make: Make) -> None:
        """``__main__`` is the script's module: dataclasses, pickles and typing find their names there."""
        source = """\
            from __future__ import annotations
            import pickle, sys
            from dataclasses import dataclass
            from typing import get_type_hints

            @dataclass
            class Point:
                x: int
                other: Point | None = None

            def name() -> str:
                return __name__

            assert name() == "__main__" == Point.__module__
            assert sys.modules["__main__"].Point is Point
            assert pickle.loads(pickle.dumps(Point(3))) == Point(3)
            assert pickle.loads(pickle.dumps(name)) is name
            assert get_type_hints(Point)["x"] is int
            assert __file__ == sys.argv[0]
            assert __builtins__ is not None
            print("good")
            """
        rank = make(source)
        assert rank.run() == 0, rank.log
        assert rank.log == "good\n"

    def test_spawned_workers(self, make: Make) -> None:
        """Worker processes that are started afresh import the script under another name and do not run it again."""
        source = """\
            import multiprocessing

            def work(x):
                return x + 1

            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.map(work, [1, 2]))
            """
        rank = make(source)
        assert rank.run() == 0, rank.log
        assert rank.log == "[2, 3]\n"
        assert rank.names == ["started", "reached", "finished", "ended"]

    @pytest.mark.parametrize("future", [True, False])
    def test_future_annotations(self, make: Make, future: bool) -> None:
        """``from __future__`` holds for the whole script, and only if it is there."""
        head = "from __future__ import annotations\n" if future else ""
        rank = make(f"{head}import os\ndef f(x: int): ...\nprint(repr(f.__annotations__['x']))\n")
        assert rank.run() == 0
        assert rank.log == ("'int'\n" if future else "<class 'int'>\n")

    def test_docstring_and_lines(self, make: Make) -> None:
        """The docstring stays, and lines keep their numbers in both halves."""
        rank = make(
            '# c\n"""Words."""\nimport inspect\n\nhere = inspect.currentframe().f_lineno\nprint(__doc__, here)\n'
        )
        rank.run()
        assert rank.log == "Words. 5\n"

    def test_source_encoding(self, make: Make) -> None:
        """Non-ASCII source is read as Python does."""
        rank = make("import os\nprint('µ ✓')\n")
        assert rank.run() == 0
        assert rank.log == "µ ✓\n"

    def test_standard_input_and_variables(self, make: Make) -> None:
        """The rank's variables reach the script."""
        rank = make("import os\nprint(os.environ['RANK'], os.environ['WORLD_SIZE'])\n", rank=1, world_size=2)
        rank.run()
        assert rank.log == "1 2\n"

    def test_output(self, make: Make) -> None:
        """All output of the rank, of its native code and of its children is in its file, in order, and nowhere else."""
        source = """\
            import os, subprocess, sys
            print("one")
            print("two", file=sys.stderr)
            os.write(1, b"three\\n")
            os.write(2, b"four\\n")
            subprocess.run(["/bin/sh", "-c", "echo five"], check=True)
            sys.stdout.write("six")
            """
        rank = make(source)
        assert rank.run() == 0
        assert rank.log == "one\ntwo\nthree\nfour\nfive\nsix"

    def test_imports_are_recorded(self, make: Make) -> None:
        """Top-level modules that state a version are recorded with their file, at the end and at an exception."""
        rank = make("import versioned, plain, versioned.sub\nimport lazily\nlazily.fail()\n")
        file = rank.write("versioned/__init__.py", "class V(str): pass\n__version__ = V('1.2+cpu')\n")
        rank.write("versioned/sub.py", "__version__ = '9'\n")
        rank.write("plain.py", "x = 1\n")
        rank.write("lazily.py", "def fail():\n    import late\n    raise ValueError\n")
        rank.write("late.py", "__version__ = '3.0'\n")
        rank.run()
        assert rank.event("reached")["imports"]["versioned"] == {"version": "1.2+cpu", "file": str(file)}
        assert not {"plain", "versioned.sub", "late"} & set(rank.event("reached")["imports"])
        assert rank.event("exception")["imports"]["late"]["version"] == "3.0"

    @pytest.mark.parametrize(
        "body",
        [
            "def __getattr__(name): raise RuntimeError(name)",
            "class V:\n    def __str__(self): raise ValueError\n__version__ = V()",
        ],
    )
    def test_odd_version(self, make: Make, body: str) -> None:
        """A module whose version cannot be read does not disturb the run."""
        rank = make("import odd\nprint('ran')\n")
        rank.write("odd.py", body + "\n")
        assert rank.run() == 0
        assert rank.names == ["started", "reached", "finished", "ended"]


class TestBackport:
    """A backport is applied before the script, or the run says why not."""

    def test_applied_first(self, make: Make, tmp_path: Path) -> None:
        """It runs before the script's imports, sees the script's folder, and is recorded by its file's name."""
        rank = make("import library\nprint(library.save())\n", backport=str(tmp_path / "failure" / "backport.py"))
        rank.write("library.py", "def save():\n    return 'broken'\n")
        rank.write("backport.py", "def apply():\n    import library\n    library.save = lambda: 'cured'\n")
        assert rank.run() == 0
        assert rank.log == "cured\n"
        assert rank.names == ["started", "backport", "reached", "finished", "ended"]
        assert rank.event("backport")["file"] == "backport.py"

    @pytest.mark.parametrize(
        "source",
        ["def apply():\n    raise ValueError('no')\n", "raise ValueError('no')\n", "x = 1\n", "def apply(:\n", None],
    )
    def test_fails(self, make: Make, tmp_path: Path, source: str | None) -> None:
        """A backport that raises, cannot be read or is missing: a phase of its own, and the script never runs."""
        rank = make("print('ran')\n", backport=str(tmp_path / "failure" / "backport.py"))
        if source is not None:
            rank.write("backport.py", source)
        assert rank.run() == 1
        assert rank.names == ["started", "exception", "ended"]
        assert rank.event("exception")["phase"] == "backport"
        assert "ran" not in rank.log.splitlines()

    def test_is_a_module(self, make: Make, tmp_path: Path) -> None:
        """Its dataclasses and pickles work: checkpoints may hold what a backport defines."""
        backport = """\
            from __future__ import annotations
            import pickle
            from dataclasses import dataclass

            @dataclass
            class Held:
                x: int

            def apply() -> None:
                assert pickle.loads(pickle.dumps(Held(1))) == Held(1)
            """
        rank = make("print('ran')\n", backport=str(tmp_path / "failure" / "backport.py"))
        rank.write("backport.py", backport)
        assert rank.run() == 0, rank.log


GATES = """\
from typing import NamedTuple, Callable

class Gate(NamedTuple):
    name: str
    module: str
    lift: Callable

def lift(module):
    module.refuse = lambda: "lifted"

def fail(module):
    raise RuntimeError("cannot lift")

def twice(module):
    module.refuse = lambda before=module.refuse: before() + " twice"

GATES = (
    Gate("first", "library.checks", lift),
    Gate("second", "library.checks", twice),
    Gate("other", "other", lift),
    Gate("broken", "other", fail),
)
"""


class TestGates:
    """A gate is lifted right after its module was imported, only if asked, and recorded then."""

    @pytest.fixture
    def gated(self, make: Make, tmp_path: Path) -> Make:
        def made(source: str, *names: str) -> Bootstrap:
            rank = make(source, gates=list(names), gates_file=str(tmp_path / "gates.py"))
            (tmp_path / "gates.py").write_text(GATES, encoding="utf-8")
            rank.write("library/__init__.py", "")
            rank.write("library/checks.py", "def refuse():\n    return 'refused'\n")
            rank.write("library/user.py", "from library.checks import refuse\nanswer = refuse()\n")
            rank.write("other.py", "def refuse():\n    return 'refused'\n")
            return rank

        return made

    def lifted(self, rank: Bootstrap) -> list[str]:
        return [event["name"] for event in rank.events if event["event"] == "gate"]

    def test_before_the_importer(self, gated: Make) -> None:
        """The importer, and modules that take the function by name, see the lifted one."""
        rank = gated("from library.user import answer\nprint(answer)\n", "first")
        assert rank.run() == 0
        assert rank.log == "lifted\n"
        assert self.lifted(rank) == ["first"]

    def test_two_of_one_module(self, gated: Make) -> None:
        """Several gates of one module are lifted in their order."""
        rank = gated("import library.checks\nprint(library.checks.refuse())\n", "first", "second")
        rank.run()
        assert rank.log == "lifted twice\n"
        assert self.lifted(rank) == ["first", "second"]

    def test_not_asked(self, gated: Make) -> None:
        """Only the gates that were asked for are lifted."""
        rank = gated("import other, library.checks\nprint(other.refuse(), library.checks.refuse())\n", "other")
        rank.run()
        assert rank.log == "lifted refused\n"
        assert self.lifted(rank) == ["other"]

    def test_not_imported(self, gated: Make) -> None:
        """A gate whose module is never imported is not reported as lifted."""
        rank = gated("print('ran')\n", "first")
        rank.run()
        assert self.lifted(rank) == []

    def test_imported_late(self, gated: Make) -> None:
        """A module that is imported in the middle of the run is covered."""
        rank = gated("def main():\n    import other\n    print(other.refuse())\nmain()\n", "other")
        rank.run()
        assert rank.log == "lifted\n"
        assert self.lifted(rank) == ["other"]

    def test_looked_for_first(self, gated: Make) -> None:
        """Libraries ask whether a module could be imported before they import it: the gate survives that."""
        source = (
            "import importlib.util\nassert importlib.util.find_spec('library.checks')\n"
            "import library.checks\nprint(library.checks.refuse())\n"
        )
        rank = gated(source, "first")
        rank.run()
        assert rank.log == "lifted\n"
        assert self.lifted(rank) == ["first"]

    def test_missing_module(self, gated: Make) -> None:
        """A gate does not make a missing module exist, nor hide why it cannot be imported."""
        rank = gated("import other\n", "other")
        (rank.script.parent / "other.py").unlink()
        assert rank.run() == 1
        assert rank.event("exception")["chain"][0]["message"] == "No module named 'other'"

    def test_cannot_be_lifted(self, gated: Make) -> None:
        """A gate that does not fit fails the import: the run cannot go on as if it were lifted."""
        rank = gated("import other\nprint('ran')\n", "broken")
        assert rank.run() == 1
        assert rank.event("exception")["phase"] == "import"
        assert self.lifted(rank) == []


SLEEP = "import time\nprint('asleep', flush=True)\ntime.sleep(60)\n"


class TestStops:
    """A rank that is asked to end says so; nothing survives its supervisor."""

    @pytest.mark.parametrize("number", STOPPED)
    def test_forwarded(self, make: Make, number: signal.Signals) -> None:
        """A signal to the supervisor reaches the script, and the end is marked as asked for."""
        rank = make(SLEEP, grace=10.0)
        with rank.start() as process:
            rank.wait_until("reached")
            began = time.monotonic()
            process.send_signal(number)
            process.communicate(timeout=10)
        assert time.monotonic() - began < 5
        assert rank.event("ended")["stopped"] is True

    def test_whole_group(self, make: Make) -> None:
        """torchrun signals the whole group: a script that dies of that at once was asked to all the same."""
        for _ in range(3):
            rank = make(SLEEP)
            rank.journal_file.unlink(missing_ok=True)
            with rank.start() as process:
                rank.wait_until("reached")
                os.killpg(process.pid, signal.SIGTERM)
                process.communicate(timeout=10)
            ended = rank.event("ended")
            assert (ended["signal"], ended["stopped"]) == (signal.SIGTERM, True)

    def test_script_handles_it(self, make: Make) -> None:
        """A script may end in its own way; it was asked to all the same."""
        source = (
            "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
            "print('ready', flush=True)\ntime.sleep(60)\n"
        )
        rank = make(source)
        with rank.start() as process:
            wait_for(lambda: (rank.folder / "rank0.log").exists() and "ready" in rank.log)
            process.terminate()
            process.communicate(timeout=10)
        assert process.returncode == 7
        assert (rank.event("ended")["code"], rank.event("ended")["stopped"]) == (7, True)

    @linux
    def test_supervisor_is_killed(self, make: Make) -> None:
        """The script dies with its supervisor, even by SIGKILL."""
        rank = make(SLEEP)
        with rank.start() as process:
            rank.wait_until("reached")
            process.kill()
            wait_for(lambda: gone(rank.pid))
            process.communicate(timeout=10)
        assert "ended" not in rank.names

    @linux
    def test_launcher_is_killed(self, make: Make) -> None:
        """The supervisor ends its script when the launcher above it has gone, and marks it as asked for."""
        rank = make(SLEEP)
        rank.prepare()
        launcher = subprocess.Popen(
            [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *rank.command],
            env={"PATH": os.environ["PATH"], "RANK": "0", "WORLD_SIZE": "1"},
            stdout=subprocess.DEVNULL,
        )
        with launcher:
            rank.wait_until("reached")
            launcher.kill()
            rank.wait_until("ended")
        assert rank.event("ended") == rank.event("ended") | {"signal": signal.SIGKILL, "stopped": True}
        assert gone(rank.pid)


class TestGrace:
    """A failed rank's end is held back so that the others can speak."""

    def took(self, rank: Bootstrap) -> float:
        """Seconds from the recorded end of the script to the end of the supervisor."""
        rank.run()
        return time.time() - float(rank.event("ended")["time"])

    def test_peer_never_ends(self, make: Make) -> None:
        """The hold ends when the grace has passed."""
        assert 0.5 <= self.took(make("1 / 0\n", world_size=2, grace=0.5)) < 5

    def test_peers_have_ended(self, make: Make) -> None:
        """The hold ends at once when every rank has ended."""
        rank = make("1 / 0\n", world_size=2, grace=15.0)
        (rank.folder / "rank1.jsonl").write_text('{"event": "started"}\n{"event": "ended", "code": 0}\n')
        assert self.took(rank) < 5

    def test_peer_ends_later(self, make: Make) -> None:
        """The hold follows the peer's journal; half a line is not yet an end."""
        rank = make("1 / 0\n", world_size=2, grace=15.0)
        peer = rank.folder / "rank1.jsonl"
        peer.write_text('{"event": "started"}\n{"event": "ended", "co')
        with rank.start() as process:
            rank.wait_until("ended")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            peer.write_text('{"event": "started"}\n{"event": "ended", "code": 0}\n')
            process.communicate(timeout=5)
        assert process.returncode == 1

    def test_success_is_not_held(self, make: Make) -> None:
        """A rank that passed ends at once."""
        assert self.took(make("pass\n", world_size=2, grace=15.0)) < 5

    def test_stop_ends_the_hold(self, make: Make) -> None:
        """The launcher's signal ends the hold; the script had ended by itself before."""
        rank = make("1 / 0\n", world_size=2, grace=15.0)
        with rank.start() as process:
            rank.wait_until("ended")
            process.terminate()
            process.communicate(timeout=5)
        assert process.returncode == 1
        assert rank.event("ended")["stopped"] is False


class TestStacks:
    """The two signals dump the Python stacks to two files."""

    def dump(self, rank: Bootstrap, ready: str) -> tuple[str, str]:
        with rank.start() as process:
            wait_for(lambda: (rank.folder / "rank0.log").exists() and ready in rank.log)
            time.sleep(0.1)
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                os.kill(rank.pid, number)
                time.sleep(0.2)
            process.kill()
            process.communicate(timeout=10)
        first, second = ((rank.folder / f"rank0.stacks{dump}").read_text("utf-8") for dump in (1, 2))
        return first, second

    def test_both(self, make: Make) -> None:
        """A sleeping script is found in the same place twice."""
        rank = make("import time\ndef wait():\n    print('asleep', flush=True)\n    time.sleep(60)\nwait()\n")
        first, second = self.dump(rank, "asleep")
        assert "line 4 in wait" in first
        assert first == second

    def test_at_shutdown(self, make: Make) -> None:
        """A script that hangs after its last line, in a thread that does not end, can be asked as well."""
        source = (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
            "print('end', flush=True)\n"
        )
        first, second = self.dump(make(source), "end")
        assert "threading.py" in first
        assert first
        assert second
