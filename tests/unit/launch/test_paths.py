"""Paths that mean the same on every machine."""

import pytest

from repro.launch.paths import Layout
from repro.model.observation import Origin

LAYOUT = Layout(
    script="/project/repro/failures/x-1/repro.py",
    harness="/project/repro/launch",
    failure="/project/repro/failures/x-1",
    libraries=("/home/me/.cache/envs/old/lib/python3.11/site-packages", "/home/me/.local/lib/python3.11/site-packages"),
    stdlib=("/opt/py/lib/python3.11",),
    folder="/run/repro-abc",
    prefix="/home/me/.cache/envs/old",
    home="/home/me",
)


@pytest.mark.parametrize(
    ("file", "origin", "path"),
    [
        ("/project/repro/failures/x-1/repro.py", Origin.SCRIPT, "repro.py"),
        (f"{LAYOUT.libraries[0]}/lightning/fsdp.py", Origin.LIBRARY, "lightning/fsdp.py"),
        (f"{LAYOUT.libraries[1]}/torch/x.py", Origin.LIBRARY, "torch/x.py"),
        ("/opt/py/lib/python3.11/json/decoder.py", Origin.STDLIB, "json/decoder.py"),
        ("/project/repro/launch/bootstrap.py", Origin.HARNESS, "bootstrap.py"),
        ("/project/repro/failures/x-1/backport.py", Origin.HARNESS, "backport.py"),
        ("<string>", Origin.OTHER, "<string>"),
        ("<frozen importlib._bootstrap>", Origin.OTHER, "<frozen importlib._bootstrap>"),
        ("/home/me/project/x.py", Origin.OTHER, "~/project/x.py"),
        ("/project/repro/launch_other/x.py", Origin.OTHER, "<harness>_other/x.py"),
        ("/run/repro-abc/generated.py", Origin.OTHER, "<run>/generated.py"),
    ],
)
def test_locate(file: str, origin: Origin, path: str) -> None:
    """Whose file it is, and its path relative to its owner."""
    assert LAYOUT.locate(file) == (origin, path)


def test_library_inside_the_stdlib() -> None:
    """Site-packages lie inside the standard library's folder on many systems: they are libraries all the same."""
    layout = Layout(**{**LAYOUT.__dict__, "libraries": ("/opt/py/lib/python3.11/site-packages",)})
    assert layout.locate("/opt/py/lib/python3.11/site-packages/torch/x.py") == (Origin.LIBRARY, "torch/x.py")


def test_scrub() -> None:
    """No folder of the machine survives in a text, however it is wrapped."""
    text = (
        "open('/run/repro-abc/checkpoint-1/x') /home/me/.cache/envs/old/bin/python "
        f"{LAYOUT.libraries[0]}/torch /opt/py/lib/python3.11/os.py /home/me/.netrc {LAYOUT.script} {LAYOUT.failure}"
    )
    scrubbed = LAYOUT.scrub(text)
    assert scrubbed == (
        "open('<run>/checkpoint-1/x') <environment>/bin/python "
        "<environment>/torch <python>/os.py ~/.netrc repro.py <failure>"
    )


def test_scrub_a_path_that_was_cut() -> None:
    """Lightning prints the first characters of a command, which may end within the name of the failure's folder."""
    catalog = LAYOUT.failure.rpartition("/")[0]
    assert LAYOUT.scrub(f"srun python {LAYOUT.failure[:-3]} ...") == (
        f"srun python <catalog>/{LAYOUT.failure[len(catalog) + 1 : -3]} ..."
    )


def test_scrub_keeps_roots() -> None:
    """A home of ``/`` does not turn every slash into a tilde."""
    layout = Layout(**{**LAYOUT.__dict__, "home": "/", "prefix": ""})
    assert layout.scrub("/etc/hosts") == "/etc/hosts"
    at_root = Layout(**{**LAYOUT.__dict__, "script": "/x-1/repro.py", "failure": "/x-1"})
    assert at_root.scrub("https://example.org/a") == "https://example.org/a"


ONE = f"""\
Current thread 0x00007f1 (most recent call first):
  File "/opt/py/lib/python3.11/threading.py", line 320 in wait
  File "{LAYOUT.libraries[0]}/torch/distributed/c10d.py", line 99 in all_gather
  File "/project/repro/failures/x-1/repro.py", line 12 in main
  File "/project/repro/failures/x-1/repro.py", line 20 in <module>
"""


class TestStack:
    """The main thread's stack of a faulthandler dump."""

    def test_one_thread(self) -> None:
        """The innermost frame is last, each with its owner."""
        stack = LAYOUT.stack(ONE)
        assert [(frame.function, frame.line, frame.origin) for frame in stack] == [
            ("<module>", 20, Origin.SCRIPT),
            ("main", 12, Origin.SCRIPT),
            ("all_gather", 99, Origin.LIBRARY),
            ("wait", 320, Origin.STDLIB),
        ]
        assert stack[2].package == "torch"

    def test_several_threads(self) -> None:
        """Other threads come first in a dump and are passed over."""
        other = 'Thread 0x00007f2 (most recent call first):\n  File "/x/pin.py", line 1 in run\n\n'
        assert LAYOUT.stack(other * 3 + ONE) == LAYOUT.stack(ONE)
        assert LAYOUT.stack(other + ONE.replace("Current thread", "Thread")) == LAYOUT.stack(ONE)

    @pytest.mark.parametrize("dump", ["", "garbage\n", "Current thread 0x1 (most recent call first):\n", "Thread 0x1"])
    def test_empty(self, dump: str) -> None:
        """No frames: an empty stack, which is no evidence of anything."""
        assert LAYOUT.stack(dump) == ()

    def test_odd_names(self) -> None:
        """Lambdas, comprehensions and files with spaces are read."""
        text = (
            'Thread 0x1 (most recent call first):\n  File "/a b/c.py", line 3 in <lambda>\n'
            '  File "<string>", line 1 in <module>\n'
        )
        assert [(frame.file, frame.function) for frame in LAYOUT.stack(text)] == [
            ("<string>", "<module>"),
            ("/a b/c.py", "<lambda>"),
        ]
