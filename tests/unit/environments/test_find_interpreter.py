"""Finding an interpreter that a user names, and hearing only its answer."""

import sys
from pathlib import Path

import pytest

from repro.environments.interpreter import active_interpreter, find_interpreter, probe
from repro.errors import EnvironmentFailure, UsageError
from tests.unit.doctor.stack.venv import environment, install, site_of


def program(file: Path, text: str = "#!/bin/sh\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("place", ["bin/python", "bin/python3", ".venv/bin/python", ".venv/bin/python3", "python3"])
def test_folder(tmp_path: Path, place: str) -> None:
    """An environment's folder, its bin folder, or a project's."""
    file = program(tmp_path / place)
    assert find_interpreter(tmp_path) == file


def test_empty_folder(tmp_path: Path) -> None:
    """A folder without one: one line that says what is expected."""
    with pytest.raises(UsageError, match=r"no interpreter in this folder; bin/python"):
        find_interpreter(tmp_path)


def test_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is looked up on PATH, unless there is such a file here; its links are kept."""
    on_path = program(tmp_path / "there" / "python9")
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.chdir(tmp_path)
    assert find_interpreter(Path("python9")) == on_path
    assert find_interpreter(program(Path("python9"))) == tmp_path / "python9"
    with pytest.raises(UsageError, match="no such file, folder or program on PATH"):
        find_interpreter(Path("python8"))


def test_link(tmp_path: Path) -> None:
    """An environment's interpreter is a link: followed, it would be another environment's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert find_interpreter(tmp_path) == tmp_path / "bin" / "python"


def test_none_active(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an active environment the user is asked; the harness's own interpreter is never meant."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="no environment is active: name one with --python"):
        active_interpreter()


def test_noise(tmp_path: Path) -> None:
    """What start-up files and exit handlers print is no part of the answer."""
    root = environment(tmp_path / "env", torch="2.2.2")
    text = "import atexit\nprint('Welcome {')\natexit.register(print, '} bye')\n"
    (site_of(root) / "sitecustomize.py").write_text(text)
    assert probe(root / "bin" / "python", "x").installed.distributions["torch"] == "2.2.2"


def test_too_old(tmp_path: Path) -> None:
    """A Python before 3.8 is named as such."""
    code = "import sys; sys.version_info = (3, 6, 9); exec(sys.argv[1])"
    old = program(tmp_path / "python", f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$2\"\n")
    with pytest.raises(EnvironmentFailure, match=r"it is Python 3\.6, and 3\.8 or newer is needed"):
        probe(old, "x")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"url": "file:///src", "dir_info": {"editable": true}}', "is an editable install"),
        (
            '{"url": "https://x/t", "vcs_info": {"vcs": "git", "requested_revision": "main"}}',
            "is installed from git (main)",
        ),
        ('{"url": "https://x/t", "vcs_info": {"vcs": "git", "requested_revision": "v4.49.0"}}', None),
        ('{"url": "https://x/t.whl", "archive_info": {}}', None),
        ("[", None),
    ],
)
def test_inexact(tmp_path: Path, content: str, why: str | None) -> None:
    """An editable install or a branch may hold other code than the release of its number; a tag does not."""
    root = environment(tmp_path / "env")
    install(site_of(root), "transformers", "4.49.0")
    (site_of(root) / "transformers-4.49.0.dist-info" / "direct_url.json").write_text(content)
    found = probe(root / "bin" / "python", "x")
    assert found.inexact.get("transformers") == why
    assert found.installed.distributions == {"transformers": "4.49.0"}
