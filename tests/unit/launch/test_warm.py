"""How the ranks of the warm launcher end, without torch."""

import ctypes
import signal
import subprocess
import sys

import pytest

from repro.files import ZYGOTE

END = """
import atexit, ctypes, importlib.util, sys
libc = ctypes.CDLL(None)
destructor = ctypes.cast(libc.abort, ctypes.c_void_p)
libc.__cxa_atexit(destructor, None, None)
spec = importlib.util.spec_from_file_location("zygote", sys.argv[1])
zygote = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zygote)
if sys.argv[2] == "skipped":
    zygote.skip_static_destructors()

class Held:
    def __del__(self, write=sys.stdout.write):
        write("destroyed ")

held = Held()
libc.printf(b"said in C ")
atexit.register(print, "hook", end=" ", flush=True)
sys.exit(3)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "on_exit"), reason="needs glibc")
def test_a_rank_ends_as_python_ends_it() -> None:
    """Hooks, objects, output and the exit code are as ever; only what C++ destroys afterwards is left out."""
    ends = {
        how: subprocess.run([sys.executable, "-c", END, ZYGOTE, how], capture_output=True, text=True, check=False)
        for how in ("skipped", "whole")
    }
    assert (ends["skipped"].returncode, ends["whole"].returncode) == (3, -signal.SIGABRT)
    assert {*ends["skipped"].stdout.split()} == {"said", "in", "C", "hook", "destroyed"}
