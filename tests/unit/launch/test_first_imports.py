"""Which imports are certain to come first in a run."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repro.launch.first_imports import LATE_IMPORTS, Import, first_imports, late_imports


def written(folder: Path, text: str, name: str = "repro.py") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("script", "imports"),
    [
        (
            '"""Text."""\nfrom __future__ import annotations\nimport torch.nn as nn\n',
            [("torch", None), ("torch.nn", None)],
        ),
        ("from a.b import c, d as e\n", [("a", None), ("a.b", None), ("a.b", "c"), ("a.b", "d")]),
        ("import a\nimport a.b.c, a.b.d\n", [("a", None), ("a.b.c", None), ("a.b.d", None)]),
        ("import gc, weakref\nfrom a import b\nimport a\n", [("a", None), ("a", "b")]),
        ("import json, os\nimport torch\nimport lightning\n", [("torch", None), ("lightning", None)]),
        ("import torch\n\ndef f():\n    import d\n", [("torch", None)]),
        # What is not an import of other modules is left to the run, with all that follows.
        ("import os\nos.environ['A'] = '1'\nimport torch\n", []),
        ("import torch\nV = torch.__version__\nimport lightning\n", [("torch", None)]),
        ("import torch\nif V:\n    import a\nimport b\n", [("torch", None)]),
        ("import torch\ntry:\n    import a\nexcept ImportError:\n    pass\n", [("torch", None)]),
        ("from a import *\nimport b\n", []),
        ("from . import a\nimport b\n", []),
        # A module of the standard library that others may look for is imported in its place.
        ("import multiprocessing\nimport torch\n", [("multiprocessing", None), ("torch", None)]),
    ],
)
def test_of_a_script(tmp_path: Path, script: str, imports: list[Import]) -> None:
    assert first_imports(written(tmp_path, script)) == tuple(imports)


@pytest.mark.parametrize(
    ("backport", "imports"),
    [
        ('def apply() -> None:\n    """Text."""\n    import a\n    a.b = 1\n    import c\n', [("a", None)]),
        ("import a\n\ndef other(x=1): ...\n\ndef apply():\n    import b\n", [("a", None), ("b", None)]),
        ("import a\nN = a.N\n\ndef apply():\n    import b\n", [("a", None)]),
        ("import a\n\n@a.mark\ndef apply():\n    import b\n", [("a", None)]),
        ("import a\n\ndef apply(x=a.N):\n    import b\n", [("a", None)]),
    ],
)
def test_a_backport_comes_before_the_script(tmp_path: Path, backport: str, imports: list[Import]) -> None:
    """What the script imports is not made ahead: the backport changes modules in between."""
    script = written(tmp_path, "import torch\n")
    assert first_imports(script, written(tmp_path, backport, "backport.py")) == tuple(imports)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    script = written(tmp_path, "import a\n")
    assert first_imports(script) == (("a", None),)
    written(tmp_path, "import b\n")
    os.utime(script, ns=(1, 1))
    assert first_imports(script) == (("b", None),)


def test_many_threads_may_ask_at_once(tmp_path: Path) -> None:
    """On CPython 3.11 two threads in ``ast.parse`` break one another."""
    deep = "x = " + "+".join(["(1" for _ in range(60)]) + ")" * 60 + "\n"
    scripts = [written(tmp_path, f"import a{number}\n{deep * 50}", f"{number}.py") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(first_imports, scripts))
    assert found == [((f"a{number}", None),) for number in range(40)]


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        first_imports(written(tmp_path, "def x(:\n"))


@pytest.mark.parametrize(
    ("script", "late"),
    [
        ("import torch\nmodel = torch.nn.Linear(2, 2)\nmodel.weight.data = 0\n", LATE_IMPORTS),
        ("import torch.optim\n", LATE_IMPORTS),
        ("import json\n", ()),  # nothing of torch
        ("import torch\nmodel = torch.compile(model)\n", ()),
        ("import torch\nos.environ['TORCH_LOGS'] = 'all'\n", ()),
        ("import torch\ndef main():\n    from torch.utils import checkpoint\n", ()),  # it may be one that came early
        ("import torch\nif 1:\n    import json\n", ()),
        ("import torch\ntorch.utils.checkpoint.checkpoint = None\n", ()),  # the late import would bind this one
        ("import torch\nfrom torch import nn as layers\ndef main():\n    del layers.Linear\n", ()),
        ("import torch\nsetattr(torch, 'zeros', None)\n", ()),
        ("import torch\nwith mock.patch('torch.zeros'): ...\n", ()),
        ("import torch\nwith patch.object(torch, 'zeros'): ...\n", ()),
        ("import torch\nimportlib.import_module('torch.utils')\n", ()),
        ("import torch\ntorch.__dict__['zeros'] = None\n", ()),
    ],
)
def test_late_imports(tmp_path: Path, script: str, late: tuple[str, ...]) -> None:
    """Those of torch, unless it could matter to the script that they came early."""
    file = written(tmp_path, script)
    assert late_imports(first_imports(file), file) == late
