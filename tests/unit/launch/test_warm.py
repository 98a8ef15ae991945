"""What the warm launcher imports ahead and how its ranks end, without torch."""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repro.files import ZYGOTE
from repro.launch.warm import LAZY, LAZY_DISTRIBUTED, imported_modules, lazy_modules


@pytest.mark.parametrize(
    ("imported", "sharded"),
    [
        (("torch", "torch.utils.checkpoint"), False),
        (("torch", "torch.distributed"), True),
        (("torch.distributed.fsdp",), True),
        (("lightning.pytorch",), True),
        (("transformers",), True),
        (("accelerate",), True),
    ],
)
def test_fsdp_is_imported_ahead_only_for_scripts_that_may_shard(imported: tuple[str, ...], sharded: bool) -> None:
    assert lazy_modules(imported) == (LAZY + LAZY_DISTRIBUTED if sharded else LAZY)


def test_imported_modules_are_those_at_the_top_in_order(tmp_path: Path) -> None:
    script = tmp_path / "repro.py"
    script.write_text(
        "from __future__ import annotations\nimport torch.nn as nn\nfrom a.b import c\n\ndef f():\n    import d\n"
    )
    assert imported_modules(script) == ("torch.nn", "a.b")


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
