"""Formats of environments: at least three texts each, and what they state."""

# ruff: noqa: E501 - a case a line reads as a table

import json
from pathlib import Path
from typing import Any

import pytest

from repro.model.errors import UsageError
from tests.unit.doctor.stack.texts import certain, read

BROUGHT = "filelock", "jinja2", "sympy"

HF = "- `transformers` version: 4.48.3\n- Python version: 3.11.9\n- PyTorch version (GPU?): 2.6.0+cu124 (True)\n"
COLLECT = "Collecting environment information...\nPyTorch version: 2.6.0+cu124\nCUDA runtime version: 12.4\n"
UV = """version = 1
requires-python = ">=3.10"
[[package]]
name = "mine"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "torch" }]
[package.dev-dependencies]
dev = [{ name = "transformers" }]
[[package]]
name = "torch"
version = "2.6.0"
dependencies = [{ name = "filelock" }]
[[package]]
name = "filelock"
version = "3"
[[package]]
name = "transformers"
version = "4.49.0"
"""
PDM = """[metadata]
lock_version = "4.5.0"
content_hash = "x"
[[package]]
name = "torch"
version = "2.2.1"
groups = ["default"]
dependencies = ["filelock"]
[[package]]
name = "filelock"
version = "3"
groups = ["default"]
[[package]]
name = "lightning"
version = "2.2.1"
groups = ["train"]
"""
POETRY = """[[package]]
name = "torch"
version = "2.2.1"
optional = false
[package.dependencies]
filelock = "*"
[[package]]
name = "filelock"
version = "3"
[[package]]
name = "accelerate"
version = "1.7.0"
optional = true
[extras]
fast = ["accelerate"]
[metadata]
python-versions = "^3.10"
content-hash = "x"
"""
PYLOCK = """lock-version = "1.0"
[[packages]]
name = "torch"
version = "2.2.2"
marker = "sys_platform == 'darwin'"
[[packages]]
name = "torch"
version = "2.7.1"
marker = "sys_platform != 'darwin'"
[[packages]]
name = "lightning"
version = "2.5.0"
marker = "'train' in extras"
"""
CONDA_LOCK = """version: 1
package:
- {name: python, version: 3.11.8, manager: conda, platform: linux-64}
- {name: pytorch, version: 2.2.1, manager: conda, platform: linux-64}
- {name: pytorch, version: 2.2.0, manager: conda, platform: osx-64}
- {name: lightning, version: 2.2.1, manager: pip, platform: linux-64, category: main}
- {name: transformers, version: 4.49.0, manager: pip, platform: linux-64, category: dev}
"""
PIXI = """version: 6
environments:
  default:
    packages:
      linux-64:
      - conda: https://x/linux-64/pytorch-2.2.1-h_0.conda
  eval:
    packages:
      linux-64:
      - conda: https://x/linux-64/pytorch-2.2.1-h_0.conda
      - pypi: https://x/lightning-2.2.1-py3-none-any.whl
packages:
- conda: https://x/linux-64/pytorch-2.2.1-h_0.conda
- pypi: https://x/lightning-2.2.1-py3-none-any.whl
  name: lightning
  version: 2.2.1
"""
LIST = (
    "Package Version Editable project location\n------- ------- ----------\ntorch 2.2.1\nlightning 2.2.1 /home/x/pl\n"
)
CONDA_LIST = (
    "# packages in environment at /x:\n#\n# Name  Version  Build  Channel\npython 3.11.8 h_0 conda-forge\n"
    "pytorch 2.2.1 py_0 pytorch\n"
)
ISSUE = f"""### Bug
<details><summary>env</summary>

```
{HF}```
</details>
and
```shell
torch==2.6.0+cu124
accelerate==1.3.0
```
"""


def notebook(*sources: object) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources], "nbformat": 4})


def inspect(**versions: str) -> str:
    installed = [{"metadata": {"name": name, "version": version}} for name, version in versions.items()]
    return json.dumps({"installed": installed, "environment": {"python_version": "3.11"}})


CASES: list[tuple[str, str, dict[str, str], bool]] = [
    # transformers-cli env and its kind
    ("env.txt", HF, {"transformers": "4.48.3", "torch": "2.6.0+cu124"}, False),
    ("-.md", f"Hello,\n\n{HF}- Accelerate version: not installed\nThanks", {"transformers": "4.48.3", "torch": "2.6.0+cu124"}, False),
    ("env.txt", "- `transformers` version: 5.0.0\n- PyTorch version (accelerator?): 2.7.1+cu126 (CUDA)\n- Accelerate version: 1.7.0\n",
     {"transformers": "5.0.0", "torch": "2.7.1+cu126", "accelerate": "1.7.0"}, False),
    # accelerate env
    ("env.txt", "- `Accelerate` version: 1.7.0\n- Platform: Linux\n- PyTorch version: 2.6.0+cu124\n", {"accelerate": "1.7.0", "torch": "2.6.0+cu124"}, False),
    ("env.txt", "- `Accelerate` version: 0.23.0\n- PyTorch version (GPU?): 2.0.1 (True)\n- `Accelerate` default config:\n\tNot found\n",
     {"accelerate": "0.23.0", "torch": "2.0.1"}, False),
    ("env.txt", "- `Accelerate` version: 1.8.0.dev0\n- PyTorch version: 2.6.0\n", {"accelerate": "1.8.0.dev0", "torch": "2.6.0"}, False),
    # torch's collect_env
    ("env.txt", COLLECT, {"torch": "2.6.0+cu124"}, False),
    ("env.txt", COLLECT + "[pip3] torch==2.6.0+cu124\n[pip3] pytorch-lightning==2.2.1\n", {"torch": "2.6.0+cu124", "pytorch-lightning": "2.2.1"}, False),
    ("env.txt", "PyTorch version: N/A\n[conda] pytorch 2.2.1 py3.11_0 pytorch\n[conda] lightning 2.2.1 pypi_0 pypi\n", {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    # Lightning's collect_env_details and its form
    ("env.txt", "* CUDA:\n* Packages:\n\t- pytorch_version: 1.13.1\n\t- pytorch-lightning: 1.9.0\n", {"torch": "1.13.1", "pytorch-lightning": "1.9.0"}, False),
    ("env.txt", "#- PyTorch Lightning Version (e.g., 2.5.0): 2.2.1\n#- PyTorch Version (e.g., 2.5): 2.2.1\n#- Python version (e.g., 3.12): 3.11\n", {"torch": "2.2.1", "pytorch-lightning": "2.2.1"}, False),
    ("env.txt", "* Lightning:\n\t- torch: 2.6.0\n* Packages:\n" + "".join(f"\t- {name}: 1.0\n" for name in BROUGHT) + "\t- torch: 2.6.0\n* System:\n\t- python: 3.12.1\n", {"torch": "2.6.0"}, True),
    # pip list, show, inspect
    ("list.txt", LIST, {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("list.txt", "Package Version\n------- -------\n" + "".join(f"{name} 1.0\n" for name in BROUGHT) + "torch 2.6.0\n\n[notice] A new release\n", {"torch": "2.6.0"}, True),
    ("list.json", json.dumps([{"name": "torch", "version": "2.6.0"}]), {"torch": "2.6.0"}, False),
    ("-", "  \n" + json.dumps([{"name": name, "version": "1"} for name in (*BROUGHT, "torch")]), {"torch": "1"}, True),
    ("show.txt", "Name: torch\nVersion: 2.6.0\nSummary: x\n---\nName: accelerate\nVersion: 1.7.0\nEditable project location: /x\n", {"torch": "2.6.0", "accelerate": "1.7.0"}, False),
    ("inspect.json", inspect(torch="2.6.0"), {"torch": "2.6.0"}, False),
    ("inspect.json", inspect(torch="2.6.0", filelock="1", Jinja2="3", sympy="1"), {"torch": "2.6.0"}, True),
    # conda list
    ("list.txt", CONDA_LIST, {"torch": "2.2.1"}, False),
    ("list.txt", CONDA_LIST + "torch 2.6.0 pypi_0 pypi\n", {"torch": "2.6.0"}, False),
    ("list.txt", "  Name  Version  Build  Channel\n────────\n  pytorch 2.2.1 h_0 conda-forge\n", {"torch": "2.2.1"}, False),
    ("list.txt", CONDA_LIST + "".join(f"{name} 1.0 0 x\n" for name in BROUGHT), {"torch": "2.2.1"}, True),
    ("export.txt", "# This file may be used to create an environment using:\n# $ conda create --name <env> --file <this file>\npytorch=2.2.1=py_0\nlightning=2.2.1=pypi_0\n", {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("list.json", json.dumps([{"name": "pytorch", "version": "2.2.1", "channel": "x", "build_string": "y"}]), {"torch": "2.2.1"}, False),
    ("-", "@EXPLICIT\nhttps://x/linux-64/pytorch-2.2.1-py_0.tar.bz2#md5\nhttps://x/noarch/lightning-2.2.1-py_0.conda\n", {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    # conda environments
    ("environment.yml", "dependencies:\n- pytorch=2.2=*cuda*\n- pytorch-lightning=2.2.1\n", {"torch": "2.2"}, False),
    ("-", "name: x\ndependencies:\n  - pytorch==2.2.1\n", {"torch": "2.2.1"}, False),
    ("env.json", json.dumps({"dependencies": ["pytorch=2.2.1=py_0", {"pip": ["lightning==2.2.1"]}]}), {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("environment.yml", "dependencies:\n- pytorch=2.0.1=x\n- pip:\n  - torch\n", {"torch": "2.0.1"}, False),
    # locks
    ("uv.lock", UV, {"torch": "2.6.0"}, True),
    ("uv.lock", UV.replace('[[package]]\nname = "filelock"\nversion = "3"\n', ""), {"torch": "2.6.0"}, False),
    ("-", UV.replace("2.6.0", "2.6.0+cpu"), {"torch": "2.6.0+cpu"}, True),
    ("poetry.lock", POETRY, {"torch": "2.2.1"}, True),
    ("poetry.lock", POETRY.replace("optional = true", "optional = false"), {"torch": "2.2.1", "accelerate": "1.7.0"}, True),
    ("poetry.lock", POETRY.replace('[package.dependencies]\nfilelock = "*"\n', ""), {"torch": "2.2.1"}, False),
    ("pdm.lock", PDM, {"torch": "2.2.1"}, True),
    ("pdm.lock", PDM.replace('"train"', '"default"'), {"torch": "2.2.1", "lightning": "2.2.1"}, True),
    ("pdm.lock", PDM.replace('dependencies = ["filelock"]\n', ""), {"torch": "2.2.1"}, False),
    ("pylock.toml", PYLOCK, {"torch": "2.7.1"}, False),
    ("pylock.gpu.toml", PYLOCK.replace("sys_platform != 'darwin'", "sys_platform == 'linux'"), {"torch": "2.7.1"}, False),
    ("-", PYLOCK, {"torch": "2.7.1"}, False),
    ("Pipfile.lock", json.dumps({"_meta": {}, "default": {"torch": {"version": "==2.2.1"}}, "develop": {"lightning": {"version": "==2.2.1"}}}), {"torch": "2.2.1"}, False),
    ("-", json.dumps({"default": {"torch": {"version": "==2.2.1", "markers": "python_version >= '3.8'"}}}), {"torch": "2.2.1"}, False),
    ("Pipfile.lock", json.dumps({"default": {"transformers": {"git": "https://github.com/huggingface/transformers", "ref": "v4.49.0"}}}), {"transformers": "4.49.0"}, False),
    ("conda-lock.yml", CONDA_LOCK, {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("-", CONDA_LOCK.replace("dev", "main"), {"torch": "2.2.1", "lightning": "2.2.1", "transformers": "4.49.0"}, False),
    ("conda-lock.yml", CONDA_LOCK.replace("pytorch", "torch"), {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("pixi.lock", PIXI, {"torch": "2.2.1"}, False),
    ("pixi.lock", PIXI.replace("eval", "default2").replace("linux-64:", "linux-aarch64:"), {"torch": "2.2.1"}, False),
    ("-", "version: 5\nenvironments:\n  default:\n    packages:\n      linux-64:\n      - conda: u\npackages:\n- {kind: conda, url: u, name: pytorch, version: 2.2.1}\n", {"torch": "2.2.1"}, False),
    # projects
    ("pyproject.toml", '[project]\nname = "x"\ndependencies = ["torch==2.2.1"]\n[project.optional-dependencies]\nt = ["lightning==2.2.1"]\n', {"torch": "2.2.1"}, False),
    ("pyproject.toml", '[dependency-groups]\ndev = ["torch==2.2.1", {include-group = "x"}]\n', {}, False),
    ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.10"\ntorch = "2.2.1"\ntransformers = {version = "==4.49.0", markers = "sys_platform == \'linux\'"}\naccelerate = {version = "1.7.0", optional = true}\n', {"torch": "2.2.1", "transformers": "4.49.0"}, False),
    ("pyproject.toml", '[project]\ndependencies = ["torch==2.2.1", "transformers"]\n[tool.uv.sources]\ntransformers = {git = "https://github.com/huggingface/transformers", tag = "v4.49.0"}\n', {"torch": "2.2.1", "transformers": "4.49.0"}, False),
    ("Pipfile", '[packages]\ntorch = "==2.2.1"\nlightning = "*"\n', {"torch": "2.2.1"}, False),
    ("setup.cfg", "[options]\ninstall_requires =\n  torch==2.2.1; python_version >= '3.9'\n[options.extras_require]\nt = lightning==2.2.1\n", {"torch": "2.2.1"}, False),
    ("-", "[metadata]\nname = x\n[options]\ninstall_requires =\n  torch==2.2.1\n", {"torch": "2.2.1"}, False),
    # Dockerfiles, notebooks, scripts
    ("Dockerfile", "FROM pytorch/pytorch:2.2.1-cuda12.1-cudnn8-runtime\nRUN pip install lightning==2.2.1\n", {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("gpu.dockerfile", "FROM nvcr.io/nvidia/pytorch:24.10-py3\nRUN python -m pip install -U --no-deps 'transformers==4.49.0' && rm -r x\n", {"transformers": "4.49.0"}, False),
    ("Dockerfile", "FROM python:3.11\nRUN pip install torch==2.1.0\nRUN pip install torch==2.4.0\n", {}, False),
    ("Dockerfile", 'FROM python\nRUN ["pip", "install", "torch==2.2.1"]\nRUN conda install -y -c pytorch pytorch-lightning==2.2.1\n', {"torch": "2.2.1", "pytorch-lightning": "2.2.1"}, False),
    ("Dockerfile", "FROM pytorch/pytorch:2.2.1-x\nRUN pip install torch==2.6.0\n", {"torch": "2.6.0"}, False),
    ("a.ipynb", notebook("%pip install torch==2.2.1\n", ["!pip install -q \\\n", "  lightning==2.2.1"]), {"torch": "2.2.1", "lightning": "2.2.1"}, False),
    ("a.ipynb", notebook("%%bash\npip install torch==2.2.1 'transformers>=4'\n"), {"torch": "2.2.1"}, False),
    ("-", notebook("!uv pip install torch==2.2.1 --index-url https://x"), {"torch": "2.2.1"}, False),
    ("a.ipynb", notebook("!pip install torch==2.2.1", "!pip install -U torch"), {}, False),
    ("job.sh", "module load x\npip install torch==2.2.1 # pinned\n", {"torch": "2.2.1"}, False),
    # pastes
    ("-", ISSUE, {"transformers": "4.48.3", "torch": "2.6.0+cu124", "accelerate": "1.3.0"}, False),
    ("issue.md", "```\ntorch==2.2.1\n```\n\n```\ntorch==2.4.0\n```\n", {}, False),
    ("issue.md", "> ```\n> torch==2.2.1\n> ```\nThanks\n", {"torch": "2.2.1"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "versions", "closed"), CASES)
def test_states(tmp_path: Path, name: str, text: str, versions: dict[str, str], closed: bool) -> None:
    """The certain versions of the libraries, and whether the list is that of a whole environment."""
    stack = read(tmp_path, text, "paste" if name == "-" else name)
    assert certain(stack) == versions
    assert stack.closed is closed


@pytest.mark.parametrize(
    ("name", "text", "library", "reason"),
    [
        ("uv.lock", UV, "transformers", "only with the group dev"),
        ("poetry.lock", POETRY, "accelerate", "only with the extra fast"),
        ("pdm.lock", PDM, "lightning", "only with the group train"),
        ("pylock.toml", PYLOCK, "lightning", "only with the extra train"),
        ("pixi.lock", PIXI, "lightning", "only with the environment eval"),
        ("conda-lock.yml", CONDA_LOCK, "transformers", "only with the category dev"),
        ("Dockerfile", "FROM nvcr.io/nvidia/pytorch:24.10-py3\nRUN pip install x\n", "torch", "comes with the base image"),
    ],
)  # fmt: skip
def test_optional(tmp_path: Path, name: str, text: str, library: str, reason: str) -> None:
    """What is not installed by default is said to be so, and is not certain."""
    known = read(tmp_path, text, name).held[library]
    assert known.version is None
    assert reason in known.why


def test_absent(tmp_path: Path) -> None:
    """A report that says that a library is not installed is believed."""
    stack = read(tmp_path, HF + "- Accelerate version: not installed\n", "env.txt")
    assert stack.absent == {"accelerate"}
    assert stack.get("accelerate") is None
    assert stack.get("lightning") is not None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[" * 100_000, "is nested too deeply"),
        ("a.toml", "a = " + "[" * 100_000, "is nested too deeply"),
        ("a.yml", "[" * 100_000, "is nested too deeply"),
        ("b.yml", "dependencies: " + "[" * 200 + "]" * 200, "is nested too deeply"),
        ("a.json", '{"a": ' + "9" * 10_000 + "}", "is no JSON"),
        ("a.json", '{"a": 1}', "is JSON of a kind that is not read"),
        ("a.yml", "- a", "is YAML of a kind that is not read"),
        ("pixi.toml", "[project]", "pixi.lock states the versions"),
        ("x.txt", "torch==1.0\ntorch==2.0\n", "x.txt:1 torch==1.0 and"),
        ("-", "\x00\x01\x02", "is no text"),
    ],
)
def test_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    """One line, whatever the file holds."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, "paste" if name == "-" else name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_bomb(tmp_path: Path) -> None:
    """Aliases that stand for billions of items are not followed."""
    text = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijkl", "bcdefghijklm", strict=True)
    )
    stack = read(tmp_path, text + "dependencies: [pytorch==2.2.1, *m, {pip: [torch==2.2.1, *m]}]\n", "environment.yml")
    assert stack.versions == {"torch": "2.2.1"}


def test_odd_address(tmp_path: Path) -> None:
    """An address that is none does not stop the others."""
    text = "@EXPLICIT\nhttps://[x/y-1-0.conda\nhttps://x/pytorch-2.2.1-py_0.conda\n"
    assert certain(read(tmp_path, text, "spec.txt")) == {"torch": "2.2.1"}
    assert certain(read(tmp_path, "x @ https://[x/y\nhttps://[x\ntorch==2.2.1\n")) == {"torch": "2.2.1"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """Every encoding that editors and shells write, with any line ends."""
    text = "# für alle\r\ntorch==2.2.1\r\nlightning==2.2.1\r\n"
    assert certain(read(tmp_path, text.encode(encoding))) == {"torch": "2.2.1", "lightning": "2.2.1"}


@pytest.mark.parametrize("changes", [{}, {"cells": 3}, {"cells": [3, {"cell_type": "code", "source": [3]}]}])
def test_odd_notebooks(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Values of other types than expected are passed over."""
    with pytest.raises(UsageError):
        read(tmp_path, json.dumps({"cells": [], "nbformat": 4} | changes), "a.ipynb")
