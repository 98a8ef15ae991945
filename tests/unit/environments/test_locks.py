"""Locks: read, written, compared with the matrix."""

from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from repro.environments.locks import Lock, Locked, header_of, is_accelerator, read_lock, split, stale
from repro.environments.resolve import refuse_denied
from repro.model.errors import EnvironmentFailure, RecordError
from repro.model.matrix import Environment
from tests.unit.factories import MATRIX, lock_text, matrix

REQUIREMENTS = """\
accelerate==1.4.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
nvidia-cublas-cu12==12.1.3.1 ; platform_machine == 'x86_64' and sys_platform == 'linux' \\
    --hash=sha256:cc
torch==2.2.2 \\
    --hash=sha256:dd
triton==2.2.0 ; sys_platform == 'linux' \\
    --hash=sha256:ee
Typing_Extensions==4.10.0
"""
ENVIRONMENT = Environment.model_validate(MATRIX["environments"]["old"])


def made() -> Lock:
    return Lock(header_of("old", ENVIRONMENT), split(REQUIREMENTS))


class TestSplit:
    """uv's requirements as packages."""

    def test_packages(self) -> None:
        """Names in their canonical form, versions, and each one's own lines."""
        packages = split(REQUIREMENTS)
        assert [(package.name, package.version) for package in packages] == [
            ("accelerate", "1.4.0"),
            ("nvidia-cublas-cu12", "12.1.3.1"),
            ("torch", "2.2.2"),
            ("triton", "2.2.0"),
            ("typing-extensions", "4.10.0"),
        ]
        assert packages[0].text.splitlines()[1:] == ["    --hash=sha256:aa \\", "    --hash=sha256:bb"]
        assert packages[0].without_hashes == "accelerate==1.4.0"
        assert packages[1].without_hashes.endswith("sys_platform == 'linux'")
        assert packages[4].without_hashes == "Typing_Extensions==4.10.0"

    def test_layers(self) -> None:
        """torch, its accelerator's packages, and the rest: each package is in exactly one."""
        lock = made()
        assert lock.torch is not None
        assert [package.name for package in lock.accelerator] == ["nvidia-cublas-cu12", "triton"]
        assert [package.name for package in lock.libraries] == ["accelerate", "typing-extensions"]

    @pytest.mark.parametrize(
        ("name", "answer"),
        [
            ("nvidia-nccl-cu12", True),
            ("cuda-bindings", True),
            ("triton", True),
            ("pytorch-triton", True),
            ("torch", False),
            ("tritonclient", False),
            ("torchmetrics", False),
            ("nvidia", False),
        ],
    )
    def test_accelerator(self, name: str, answer: bool) -> None:
        """What only serves torch's accelerator builds."""
        assert is_accelerator(name) is answer


class TestRoundTrip:
    """What is written is what is read."""

    def test_file(self, tmp_path: Path) -> None:
        """A resolved lock and the one read back install the same: same packages, same digest, same text."""
        lock = made()
        file = tmp_path / "old.txt"
        file.write_text(lock.text)
        back = read_lock(file)
        assert back.header == lock.header
        assert back.text == lock.text
        assert back.digest == lock.digest
        assert {package.name for package in back.packages} == {package.name for package in lock.packages}
        assert [package.text for package in back.libraries] == [package.text for package in lock.libraries]

    def test_hashes_of_torch(self) -> None:
        """A lock states the hashes of torch's builds on PyPI; they are not part of its digest."""
        text = made().text
        assert "\ntorch==2.2.2 \\\n    --hash=sha256:dd" in text
        assert text.count("--hash") == 5
        bare = Lock(
            (), tuple(Locked(p.name, p.version, p.without_hashes) if p.name == "torch" else p for p in made().packages)
        )
        assert bare.digest == made().digest

    def test_digest_ignores_comments(self, tmp_path: Path) -> None:
        """Comments and the header do not make another environment."""
        file = tmp_path / "old.txt"
        file.write_text("# other header\n\n# note\n" + made().text.split("\n", 6)[6])
        assert read_lock(file).digest == made().digest

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("accelerate==1.4.0", "accelerate==1.4.1"),
            ("sha256:aa", "sha256:ab"),
            ("torch==2.2.2", "torch==2.2.3"),
            ("sys_platform == 'linux'", "sys_platform == 'win32'"),
            ("Typing_Extensions==4.10.0\n", ""),
        ],
    )
    def test_digest_sees_content(self, old: str, new: str) -> None:
        """A version, a hash, a marker or a package more or less makes another environment."""
        other = Lock(made().header, split(REQUIREMENTS.replace(old, new)))
        assert other.digest != made().digest

    def test_digest_of_python(self) -> None:
        """The same pins on another Python are another environment; on the usual one the digest is as it was."""
        header = [line.replace("# python: 3.11", "# python: 3.12") for line in made().header]
        other = Lock(tuple(header), made().packages)
        assert (other.python, made().python) == ("3.12", "3.11")
        assert other.digest != made().digest == Lock((), made().packages).digest

    def test_digest_of_torch_hash(self) -> None:
        """torch's hash is not installed by, so it does not count."""
        other = Lock(made().header, split(REQUIREMENTS.replace("sha256:dd", "sha256:d0")))
        assert other.digest == made().digest

    def test_builders(self, tmp_path: Path) -> None:
        """The builders' lock is one that the code itself would write."""
        pins = MATRIX["environments"]["old"]["pins"]
        file = tmp_path / "old.txt"
        file.write_text(lock_text("old", pins, "2024-03-28"))
        assert read_lock(file).text == file.read_text()


class TestRead:
    """Files that are no lock."""

    def test_missing(self, tmp_path: Path) -> None:
        """The command that writes it is told."""
        with pytest.raises(RecordError, match="No such file or directory; run `repro lock newest`"):
            read_lock(tmp_path / "newest.txt")

    @pytest.mark.parametrize(
        "text", ["<<<<<<< HEAD\ntorch==2\n", "torch\n", "--hash=sha256:aa\n", "    --hash=x\n", "torch==\n", "{}"]
    )
    def test_no_lock(self, tmp_path: Path, text: str) -> None:
        """Merge conflicts, unpinned names and other texts."""
        file = tmp_path / "newest.txt"
        file.write_text(text)
        with pytest.raises(RecordError, match="is no lock"):
            read_lock(file)

    def test_not_utf8(self, tmp_path: Path) -> None:
        """Another encoding."""
        file = tmp_path / "newest.txt"
        file.write_bytes(b"torch==2.0 # \xff\xfe")
        with pytest.raises(RecordError, match="UTF-8"):
            read_lock(file)


class TestStale:
    """A lock fits the matrix or is stale."""

    def lock(self, tmp_path: Path, **changes: Any) -> Lock:
        environment = MATRIX["environments"]["old"] | changes
        file = tmp_path / "old.txt"
        file.write_text(lock_text("old", environment["pins"], environment["cutoff"], environment.get("python", "3.11")))
        return read_lock(file)

    def test_fits(self, tmp_path: Path) -> None:
        """The lock of these pins as of this day."""
        assert stale(self.lock(tmp_path), "old", ENVIRONMENT) is None

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"cutoff": "2024-03-29"}, "cutoff: 2024-03-28"),
            ({"pins": {"torch": "2.2.1", "lightning": "2.2.1"}}, "pins: lightning==2.2.1 torch==2.2.2"),
            ({"pins": {"torch": "2.2.2"}}, "pins: "),
            ({"python": "3.10"}, "python: 3.11"),
        ],
    )
    def test_resolved_from_something_else(self, tmp_path: Path, changes: dict[str, Any], words: str) -> None:
        """Another day, other pins, another Python."""
        assert words in str(stale(self.lock(tmp_path, **changes), "old", ENVIRONMENT))

    def test_other_cutoffs(self, tmp_path: Path) -> None:
        """A day for one distribution counts."""
        changed = ENVIRONMENT.model_copy(update={"cutoffs": {"torch": "2026-01-01"}})
        assert "torch=2026-01-01" in str(stale(self.lock(tmp_path), "old", changed))

    def test_of_another_environment(self, tmp_path: Path) -> None:
        """A lock that was copied from another name."""
        assert "environment: new" in str(stale(self.lock(tmp_path), "new", ENVIRONMENT))

    def test_edited_by_hand(self, tmp_path: Path) -> None:
        """A header that fits over a package that does not."""
        lock = self.lock(tmp_path)
        packages = split(REQUIREMENTS.replace("accelerate", "lightning"))
        assert "holds lightning 1.4.0 where 2.2.1 is pinned" in str(
            stale(Lock(lock.header, packages), "old", ENVIRONMENT)
        )
        assert "holds lightning not at all" in str(stale(Lock(lock.header, split(REQUIREMENTS)), "old", ENVIRONMENT))


class TestDenied:
    """A denied release in a lock is refused, also where it came in as somebody's need."""

    DENY = [
        {"distribution": "Pytorch_Lightning", "version": "2.6.2", "reason": "malicious upload", "date": "2026-04-30"}
    ]

    @pytest.mark.parametrize(
        "line",
        [
            "pytorch-lightning==2.6.2",
            "PyTorch_Lightning==2.6.2.0",
            "pytorch.lightning==2.6.2 ; sys_platform == 'linux'",
        ],
    )
    def test_refused(self, line: str) -> None:
        """In any spelling."""
        lock = Lock((), split(f"torch==2.2.2\n{line}\n"))
        with pytest.raises(EnvironmentFailure, match=r"pytorch-lightning 2\.6\.2.* is denied: malicious upload"):
            refuse_denied(lock, matrix(deny=self.DENY))

    def test_others(self) -> None:
        """Other releases and other names pass."""
        refuse_denied(Lock((), split("pytorch-lightning==2.6.1\nlightning==2.6.2\n")), matrix(deny=self.DENY))


def test_names_are_canonical() -> None:
    """What a lock holds is found by its canonical name."""
    assert all(package.name == canonicalize_name(package.name) for package in made().packages)
