"""Finding an interpreter that a user names, and asking it what it holds."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from repro.environments import interpreter as module
from repro.environments.interpreter import (
    active_interpreter,
    clean_environment,
    distributions_of,
    find_interpreter,
    probe,
    remembered,
)
from repro.model.errors import EnvironmentFailure, UsageError
from tests.unit.doctor.stack.venv import environment, install, site_of


def script(tmp_path: Path, text: str, mode: int = 0o755) -> Path:
    file = tmp_path / "python"
    file.write_text(text)
    file.chmod(mode)
    return file


class TestThis:
    """The interpreter of these tests."""

    def test_facts(self) -> None:
        """Version, distributions in canonical names, modules, folders; adopted without a lock."""
        found = probe(Path(sys.executable), "python:here")
        assert found.installed.python == sys.version.split()[0]
        assert found.installed.name == "python:here"
        assert found.installed.distributions["pytest"] == pytest.__version__
        assert "pytest" in found.installed.modules["pytest"]
        assert "yaml" in found.installed.modules["pyyaml"]
        assert sysconfig.get_path("purelib") in found.libraries
        assert sysconfig.get_path("stdlib") in found.stdlib
        assert (found.prefix, found.adopted, found.installed.lock) == (sys.prefix, True, None)

    def test_built(self) -> None:
        """With a lock it is ours."""
        found = probe(Path(sys.executable), "old", lock="abc")
        assert (found.adopted, found.installed.lock) == (False, "abc")

    def test_nothing_of_ours_gets_in(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Neither PYTHONPATH nor the current folder nor a start-up file changes the answer."""
        (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')\n")
        (tmp_path / "fake-1.0.dist-info").mkdir()
        (tmp_path / "fake-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
        monkeypatch.chdir(tmp_path)
        assert "fake" not in probe(Path(sys.executable), "x").installed.distributions

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        """An adopted interpreter's folders stay as they are: no bytecode of ours."""
        environment = tmp_path / "env"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        (site,) = environment.glob("lib/python3*/site-packages")
        (site / "hooked.py").write_text("")
        (site / "hook.pth").write_text("import hooked\n")
        before = sorted(environment.rglob("*"))
        found = probe(environment / "bin" / "python", "x")
        assert found.installed.distributions == {}
        assert found.prefix == str(environment)
        assert sorted(environment.rglob("*")) == before

    def test_broken_distribution(self, tmp_path: Path) -> None:
        """Leftovers of an interrupted installation are passed over."""
        environment = tmp_path / "env"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        (site,) = environment.glob("lib/python3*/site-packages")
        for name, metadata in {
            "empty-1.dist-info": None,
            "nameless-1.dist-info": "Metadata-Version: 2.1\nVersion: 1.0\n",
            "versionless-1.dist-info": "Metadata-Version: 2.1\nName: versionless\n",
            "Good_One-1.dist-info": "Metadata-Version: 2.1\nName: Good_One\nVersion: 1.0+cpu\n",
        }.items():
            (site / name).mkdir()
            if metadata is not None:
                (site / name / "METADATA").write_text(metadata)
        (site / "Good_One-1.dist-info" / "RECORD").write_text("good/__init__.py,,\nsingle.py,,\n../../bin/x,,\n")
        found = probe(environment / "bin" / "python", "x").installed
        assert found.distributions == {"good-one": "1.0+cpu"}
        assert found.modules == {"good-one": ("good", "single")}


class TestWrong:
    """What is no interpreter is an environment failure of one line that names it."""

    def failure(self, executable: Path) -> str:
        with pytest.raises(EnvironmentFailure) as caught:
            probe(executable, "x")
        message = str(caught.value)
        assert message.startswith(str(executable))
        assert "\n" not in message
        return message

    def test_missing(self, tmp_path: Path) -> None:
        """No such file."""
        assert "no such interpreter" in self.failure(tmp_path / "none")

    def test_not_executable(self, tmp_path: Path) -> None:
        """A file without the permission."""
        assert "not executable" in self.failure(script(tmp_path, "x", 0o644))

    def test_folder(self, tmp_path: Path) -> None:
        """A folder."""
        assert "not executable" in self.failure(tmp_path)

    @pytest.mark.parametrize(
        "text",
        [
            "no program at all",
            "#!/bin/sh\necho rubbish\n",
            "#!/bin/sh\n",
            "#!/bin/sh\necho 3\n",
            "#!/bin/sh\necho '{}'\n",
            "#!/bin/sh\necho '[1]'\n",
            "#!/bin/sh\nprintf '\\377\\376'\n",
        ],
    )
    def test_rubbish(self, tmp_path: Path, text: str) -> None:
        """Programs that answer something else, or nothing."""
        assert "cannot be read" in self.failure(script(tmp_path, text))

    def test_fails(self, tmp_path: Path) -> None:
        """A program that fails is quoted with its last line, or its code."""
        assert "does not run: last" in self.failure(
            script(tmp_path, "#!/bin/sh\necho first >&2\necho last >&2\nexit 1\n")
        )
        assert "exit code 3" in self.failure(script(tmp_path, "#!/bin/sh\nexit 3\n"))

    def test_does_not_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that does not end in time."""
        monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
        assert "no answer within" in self.failure(script(tmp_path, "#!/bin/sh\nexec sleep 30\n"))


def test_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would let another environment's modules in are left out, others stay."""
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "UV_PYTHON"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LANG", "C")
    cleaned = clean_environment()
    assert not [name for name in cleaned if name.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA", "PIP_", "UV_"))]
    assert cleaned["LANG"] == "C"


class TestRemembered:
    def test_asks_again_only_after_a_change(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        libraries, memory = tmp_path / "site-packages", tmp_path / "answer.txt"
        libraries.mkdir()
        asked: list[str | None] = []
        answer = module._asked

        def ask(executable: Path, lock: str | None, *_: object) -> str:
            asked.append(lock)
            return answer(executable, lock)

        monkeypatch.setattr(module, "_asked", ask)
        first = remembered(Path(sys.executable), "torch-2.2", "digest", libraries, memory)
        assert remembered(Path(sys.executable), "torch-2.2", "digest", libraries, memory) == first
        assert asked == ["digest"]
        (libraries / "lib-1.0.dist-info").mkdir()
        os.utime(libraries, ns=(1, 1))
        assert remembered(Path(sys.executable), "torch-2.2", "digest", libraries, memory) == first
        assert len(asked) == 2

    @pytest.mark.parametrize("damage", ["", "x", "{}", "no JSON", "half"])
    def test_a_damaged_memory_is_no_answer(self, tmp_path: Path, damage: str) -> None:
        libraries, memory = tmp_path / "site-packages", tmp_path / "answer.txt"
        libraries.mkdir()
        first = remembered(Path(sys.executable), "torch-2.2", "digest", libraries, memory)
        stamp, answer = memory.read_text().split("\n", 1)
        memory.write_text({"no JSON": f"{stamp}\nx", "half": f"{stamp}\n{answer[:40]}"}.get(damage, damage))
        assert remembered(Path(sys.executable), "torch-2.2", "digest", libraries, memory) == first
        assert not first.adopted


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


class TestForms:
    """Metadata is read from folders; what is no such folder is left to importlib.metadata."""

    def found(self, place: Path) -> dict[str, str]:
        return dict(probe(place / "bin/python", "python:here").installed.distributions)

    def test_egg_info(self, tmp_path: Path) -> None:
        """A folder of setuptools and a file of distutils state a name and a version, too."""
        place = environment(tmp_path / "v", torch="2.2.2")
        text = "Metadata-Version: 1.1\nName: {}\nVersion: 1.0\n"
        (site_of(place) / "Old_One-1.0.egg-info").mkdir()
        (site_of(place) / "Old_One-1.0.egg-info" / "PKG-INFO").write_text(text.format("Old_One"))
        (site_of(place) / "older-1.0-py3.11.egg-info").write_text(text.format("older"))
        assert self.found(place) == {"torch": "2.2.2", "old-one": "1.0", "older": "1.0"}

    def test_archive(self, tmp_path: Path) -> None:
        """A zip file on the path holds distributions as a folder does."""
        place = environment(tmp_path / "v", torch="2.2.2")
        with zipfile.ZipFile(tmp_path / "held.zip", "w") as archive:
            archive.writestr("zipped-3.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 3.0\n")
        (site_of(place) / "more.pth").write_text(f"{tmp_path / 'held.zip'}\n")
        assert self.found(place) == {"torch": "2.2.2", "zipped": "3.0"}

    def test_the_same_as_importlib_metadata(self) -> None:
        """All distributions of this environment, in the same versions."""
        held = probe(Path(sys.executable), "python:here").installed.distributions
        stated = {canonicalize_name(item.metadata["Name"]): item.version for item in distributions()}
        assert {name: held[name] for name in stated if name in held} == stated


def test_distributions(tmp_path: Path) -> None:
    """The versions alone are those that the whole answer has."""
    root = environment(tmp_path / "env", torch="2.2.2", Pytorch_Lightning="2.2.1")
    assert distributions_of(root / "bin" / "python", ("torch",)) == probe(root / "bin" / "python", "x").found
    assert distributions_of(root / "bin" / "python").distributions == {"pytorch-lightning": "2.2.1", "torch": "2.2.2"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("distributions", {"torch": 2.2}),
        ("distributions", {"torch": None}),
        ("distributions", ["torch"]),
        ("python", 3.11),
        ("prefix", None),
        ("inexact", {"torch": ["x"]}),
        ("unreadable", [1]),
    ],
)
def test_odd_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object) -> None:
    """An interpreter that answers anything but texts: one line that names it."""
    answer = {"python": "3.11.7", "prefix": "/x", "distributions": {}, "unreadable": {}, "inexact": {}} | {key: value}
    monkeypatch.setattr(module, "ask", lambda *_: json.dumps(answer))
    with pytest.raises(EnvironmentFailure, match=rf"^{tmp_path}/python: its answer cannot be read: "):
        distributions_of(tmp_path / "python")
