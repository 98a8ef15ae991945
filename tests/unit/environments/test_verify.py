"""A built environment is compared with the RECORD of each distribution."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from repro.environments import verify
from repro.environments.interpreter import FileState
from repro.environments.locks import Lock, Locked
from repro.environments.place import BuildRecord, EnvironmentFolder
from repro.environments.verify import Damage, examine, find_damage, records_digest, state_of_files
from tests.unit.environments.installed import distribution, install

LOCK = Lock((), (Locked("torch", "2.2.2", "torch==2.2.2"),))


def described(place: EnvironmentFolder, lock: Lock, *, thorough: bool = False) -> str | None:
    found = find_damage(place, lock, thorough=thorough)
    return str(found) if found else None


class TestDamage:
    """A built environment that lost, changed or gained something is damaged."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> EnvironmentFolder:
        install(tmp_path / "env")
        return EnvironmentFolder("old", tmp_path / "env")

    def site(self, place: EnvironmentFolder) -> Path:
        return place.site

    def test_whole(self, place: EnvironmentFolder) -> None:
        """Nothing is wrong with a whole one."""
        assert described(place, LOCK) is None

    def test_lost_file(self, place: EnvironmentFolder) -> None:
        """A file that its distribution lists is gone."""
        (self.site(place) / "torch" / "__init__.py").unlink()
        assert described(place, LOCK) == "__init__.py is gone"

    def test_changed_size(self, place: EnvironmentFolder) -> None:
        """A file of another size, say emptied by a full disk."""
        (self.site(place) / "torch" / "__init__.py").write_text("")
        assert described(place, LOCK) == "__init__.py has 0 bytes where 6 were installed"

    def test_state(self, place: EnvironmentFolder) -> None:
        """It changes with a file's time or place alone, and stays with another link to the file."""
        file = self.site(place) / "torch" / "__init__.py"
        before = examine(place, LOCK)
        assert isinstance(before, FileState)
        (place.folder.parent / "link").hardlink_to(file)
        for found in (examine(place, LOCK), state_of_files(place.site)):
            assert isinstance(found, FileState)
            assert found.digest == before.digest
            assert found.seen > before.seen
        os.utime(file, (1, 1))
        assert state_of_files(place.site).digest != before.digest  # type: ignore[union-attr]
        file.write_text("")
        assert state_of_files(place.site) is None
        assert isinstance(examine(place, LOCK), Damage)

    def test_no_interpreter(self, place: EnvironmentFolder) -> None:
        """Its interpreter is gone; a link whose target is gone is gone too."""
        place.python.unlink()
        assert described(place, LOCK) == "its interpreter is gone"
        place.python.symlink_to("/nonexistent/python")
        assert described(place, LOCK) == "its interpreter is gone"

    def test_empty(self, tmp_path: Path) -> None:
        """No distributions at all."""
        place = EnvironmentFolder("old", tmp_path / "none")
        place.python.parent.mkdir(parents=True)
        place.python.write_text("")
        assert described(place, LOCK) == "torch 2.2.2 is gone"

    def test_a_whole_distribution_is_gone(self, place: EnvironmentFolder) -> None:
        """A distribution that left no trace is missed by its lock; one for other machines is not."""
        more = Locked("numpy", "1.26.4", "numpy==1.26.4")
        elsewhere = Locked("colorama", "0.4.6", "colorama==0.4.6 ; sys_platform == 'win32'")
        assert described(place, Lock((), (*LOCK.packages, more))) == "numpy 1.26.4 is gone"
        assert described(place, Lock((), (*LOCK.packages, elsewhere))) is None

    def test_another_build_of_torch(self, place: EnvironmentFolder) -> None:
        """The machine chooses torch's build: its local version is no damage, another release is."""
        info = self.site(place) / "torch-2.2.2.dist-info"
        shutil.rmtree(info)
        distribution(self.site(place), "torch-2.2.2+cpu", {"torch/__init__.py": "x = 1\n"})
        assert described(place, LOCK) is None
        (self.site(place) / "torch-2.2.2+cpu.dist-info").rename(info.with_name("torch-2.3.0.dist-info"))
        assert described(place, LOCK) == "torch 2.2.2 is gone"

    def test_more_files(self, place: EnvironmentFolder) -> None:
        """Bytecode that Python adds is no damage."""
        (self.site(place) / "torch" / "__pycache__").mkdir()
        (self.site(place) / "torch" / "__pycache__" / "x.pyc").write_text("x")
        assert described(place, LOCK) is None

    @pytest.mark.parametrize(
        "row",
        [
            "torch/__init__.py,sha256=x,six\n",
            "torch/__init__.py\n",
            '"torch/__init__.py,sha256=x,6\n',
            "\x00,sha256=x,6\n",
        ],
    )
    def test_damaged_list(self, place: EnvironmentFolder, row: str) -> None:
        """A damaged list of files is damage, and never breaks the command."""
        (self.site(place) / "torch-2.2.2.dist-info" / "RECORD").write_text(row)
        assert described(place, LOCK)

    def test_changed_content(self, place: EnvironmentFolder) -> None:
        """A file of the same size and another content, as an edit in place leaves it."""
        (self.site(place) / "torch" / "__init__.py").write_text("x = 2\n")
        found = find_damage(place, LOCK, thorough=True)
        assert found is not None
        assert (found.text, found.distribution) == ("__init__.py was changed after it was installed", "torch")

    def test_shared_files_are_read_once(
        self, place: EnvironmentFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another environment is linked to the same files; a change in place is seen in both."""
        other = EnvironmentFolder("other", tmp_path / "other")
        shutil.copytree(place.folder, other.folder, copy_function=os.link, symlinks=True)
        read: list[str] = []
        digest = hashlib.file_digest

        def reading(file: Any, name: str) -> object:
            read.append(file.name)
            return digest(file, name)

        monkeypatch.setattr(hashlib, "file_digest", reading)
        assert find_damage(place, LOCK, thorough=True) is None
        assert read
        before = len(read)
        assert find_damage(other, LOCK, thorough=True) is None
        assert len(read) == before
        file = self.site(place) / "torch" / "__init__.py"
        file.write_text("x = 2\n")
        os.utime(file, ns=(1, 1))
        for one in (place, other):
            assert described(one, LOCK, thorough=True) == "__init__.py was changed after it was installed"

    def test_sample(self, place: EnvironmentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        """A use compares a sample, and every ``.pth`` file."""
        distribution(self.site(place), "hook-1.0", {"hook.pth": "import hook\n"})
        lock = Lock((), (*LOCK.packages, Locked("hook", "1.0", "hook==1.0")))
        monkeypatch.setattr(verify, "SAMPLE", 0)
        (self.site(place) / "torch" / "__init__.py").write_text("x = 2\n")
        assert described(place, lock) is None
        (self.site(place) / "hook.pth").write_text("import evil\n")
        assert described(place, lock) == "hook.pth was changed after it was installed"

    def test_large_file(self, place: EnvironmentFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        """A large library that was changed in place: always found on build, and at a use if it is in the sample."""
        large = {"torch/__init__.py": "x = 1\n", "torch/lib/libtorch.so": "\0" * (9 << 20)}
        distribution(self.site(place), "torch-2.2.2", large)
        with (self.site(place) / "torch" / "lib" / "libtorch.so").open("r+b") as file:
            file.seek(5 << 20)
            file.write(b"evil")
        assert described(place, LOCK, thorough=True) == "libtorch.so was changed after it was installed"
        monkeypatch.setattr(verify, "SAMPLED_BYTES", 9 << 20)
        assert described(place, LOCK) == "libtorch.so was changed after it was installed"
        monkeypatch.setattr(verify, "SAMPLED_BYTES", 0)
        assert described(place, LOCK) is None

    @pytest.mark.parametrize("content", ["", "torch/__init__.py,,\n", "torch-2.2.2.dist-info/RECORD,,\n"])
    def test_emptied_list(self, place: EnvironmentFolder, content: str) -> None:
        """A list of files that was emptied no longer speaks for its distribution."""
        (self.site(place) / "torch-2.2.2.dist-info" / "RECORD").write_text(content)
        assert described(place, LOCK) == "the list of the files of torch-2.2.2 is incomplete"

    def test_lost_list(self, place: EnvironmentFolder) -> None:
        (self.site(place) / "torch-2.2.2.dist-info" / "RECORD").unlink()
        assert described(place, LOCK) == "a list of installed files is damaged"

    def test_changed_list(self, place: EnvironmentFolder) -> None:
        """A file that was changed together with its list: the build recorded the lists."""
        site = self.site(place)
        place.finish("digest", BuildRecord(records=records_digest(site)))
        assert described(place, LOCK) is None
        distribution(site, "torch-2.2.2", {"torch/__init__.py": "x = 3\n"})
        assert described(place, LOCK) == "a list of installed files was changed"

    @pytest.mark.parametrize(
        "name", ["evil.pth", "sitecustomize.py", "usercustomize.py", "evil.so", "evil/__init__.py"]
    )
    def test_extra_code(self, place: EnvironmentFolder, name: str) -> None:
        """Code that no distribution installed, and that Python would run at its start or import."""
        file = self.site(place) / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("import os\n")
        assert described(place, LOCK) == f"{name.partition('/')[0]} is there and belongs to no distribution"

    def test_harmless_leftovers(self, place: EnvironmentFolder) -> None:
        """Folders without code, which some distributions leave, and what is no code."""
        (self.site(place) / "PyYAML.libs").mkdir()
        (self.site(place) / "notes.txt").write_text("x")
        assert described(place, LOCK) is None

    def test_extra_distribution(self, place: EnvironmentFolder) -> None:
        """A distribution that the lock does not know."""
        distribution(self.site(place), "evil-1.0", {"evil/__init__.py": ""})
        assert described(place, LOCK) == "evil is installed and not in its lock"
