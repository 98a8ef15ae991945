"""What an existing interpreter holds, and what it only seems to hold."""

import json
from pathlib import Path

import pytest

from repro.doctor.stack.interpreter import stack_of_interpreter
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.environments.interpreter import distributions_of, probe
from tests.unit.doctor.stack.venv import TORCH, environment, install, site_of

WATCHED = ("lightning", "torch", "transformers")


def stack(root: Path) -> Stack:
    return stack_of_interpreter(distributions_of(root / "bin" / "python", WATCHED))


def test_whole(tmp_path: Path) -> None:
    """Distributions in canonical names; what is missing is not installed."""
    found = stack(environment(tmp_path / "env", torch="2.2.2+cpu", Pytorch_Lightning="2.2.1"))
    assert found.versions == {"torch": "2.2.2+cpu", "pytorch-lightning": "2.2.1"}
    assert found.get("lightning") is None
    assert found.python


def test_no_metadata(tmp_path: Path) -> None:
    """Half installed, metadata without a version, or files alone: never taken for absent."""
    root = environment(tmp_path / "env")
    site = site_of(root)
    (site / "torch-2.2.2.dist-info").mkdir()
    (site / "lightning-2.2.1.dist-info").mkdir()
    (site / "lightning-2.2.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lightning\n")
    (site / "transformers").mkdir()
    (site / "transformers" / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    (site / "~orch-2.0.0.dist-info").mkdir()
    found = stack(root)
    assert found.held == {
        "lightning": KnownVersion(why="has no metadata that can be read"),
        "torch": KnownVersion(why="has no metadata that can be read"),
        "transformers": KnownVersion(why="can be imported, and no distribution states its version"),
    }


def test_two_versions(tmp_path: Path) -> None:
    """An upgrade that was broken off leaves two statements: neither is believed."""
    root = environment(tmp_path / "env", torch="2.2.2")
    install(site_of(root), "torch", "2.6.0")
    assert set(stack(root).held["torch"].why.split()) >= {"2.2.2", "2.6.0"}


def test_empty_folder(tmp_path: Path) -> None:
    """What an uninstallation left is no distribution."""
    root = environment(tmp_path / "env")
    (site_of(root) / "torch" / "__pycache__").mkdir(parents=True)
    assert stack(root).get("torch") is None


def test_conda(tmp_path: Path) -> None:
    """In conda's prefix, its records state the version of what has no metadata of its own."""
    root = environment(tmp_path / "env", lightning="2.2.1")
    for name, text in TORCH.items():
        (site_of(root) / name).parent.mkdir(parents=True, exist_ok=True)
        (site_of(root) / name).write_text(text)
    (root / "conda-meta").mkdir()
    (root / "conda-meta" / "history").write_text("")
    for name, version in (("pytorch", "2.2.2"), ("lightning", "9.9"), ("broken", None)):
        (root / "conda-meta" / f"{name}.json").write_text(json.dumps({"name": name, "version": version}))
    (root / "conda-meta" / "bad.json").write_text("{")
    assert stack(root).versions == {"lightning": "2.2.1", "torch": "2.2.2"}


@pytest.mark.parametrize("variable", ["PYTHONUSERBASE", "PYTHONNOUSERSITE"])
def test_user_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A venv that sees the system's packages also sees the user's, unless the user said otherwise."""
    root = environment(tmp_path / "env")
    version = next(iter(root.glob("lib/python3*"))).name
    config = root / "pyvenv.cfg"
    config.write_text(
        config.read_text().replace("include-system-site-packages = false", "include-system-site-packages = true")
    )
    base = tmp_path / "base"
    install(base / "lib" / version / "site-packages", "torch", "2.2.2", TORCH)
    monkeypatch.setenv("PYTHONUSERBASE", str(base))
    if variable == "PYTHONNOUSERSITE":
        monkeypatch.setenv(variable, "1")
    held = probe(root / "bin" / "python", "x")
    assert (held.user_base, held.installed.distributions.get("torch")) == (
        (str(base), "2.2.2") if variable == "PYTHONUSERBASE" else (None, None)
    )
