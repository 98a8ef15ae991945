"""Texts that describe an environment: what each line states, and what it leaves open."""

import io
import sys
import time
from pathlib import Path

import pytest

from repro.doctor.stack.files import read_stack
from repro.doctor.stack.given import notes_of
from repro.doctor.stack.stack import KnownVersion, Stack
from repro.model.errors import UsageError


def read(tmp_path: Path, text: str, name: str = "requirements.txt") -> Stack:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return read_stack(file)


def sure(tmp_path: Path, text: str, name: str = "requirements.txt") -> dict[str, str]:
    return read(tmp_path, text, name).versions


FREEZE = "filelock==3.16.1\nJinja2==3.1.4\nsympy==1.13.1\ntorch==2.6.0\n"


class TestRequirements:
    """requirements.txt, pip freeze, pip-compile."""

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("torch==2.2.2", {"torch": "2.2.2"}),
            ("torch == 2.2.2  # the last before 2.3", {"torch": "2.2.2"}),
            ("torch===2.2.2", {"torch": "2.2.2"}),
            ("torch==2.6.0+cu124", {"torch": "2.6.0+cu124"}),
            ("PyTorch_Lightning==2.2.1", {"pytorch-lightning": "2.2.1"}),
            ("transformers[torch,sentencepiece]==4.49.0", {"transformers": "4.49.0"}),
            ("torch>=2.2,==2.2.2", {"torch": "2.2.2"}),
            ("torch==2.2.2 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb", {"torch": "2.2.2"}),
            ("torch==2.2.2 --hash=sha256:aa", {"torch": "2.2.2"}),
            ("torch==2.2.2 ; sys_platform != 'win32'", {"torch": "2.2.2"}),
            ("torch==2.2.2 ; python_version >= '3.8'", {"torch": "2.2.2"}),
            ("torch==1.0 ; sys_platform == 'none'", {}),
            ("torch @ https://download.pytorch.org/whl/cpu/torch-2.2.2%2Bcpu-cp311-cp311-linux_x86_64.whl",
             {"torch": "2.2.2+cpu"}),
            ("https://example.org/torch-2.2.2-cp311-cp311-linux_x86_64.whl#sha256=aa", {"torch": "2.2.2"}),
            ("./wheels/torch-2.2.2-cp311-cp311-linux_x86_64.whl", {"torch": "2.2.2"}),
            ("--index-url https://example.org/simple\n--extra-index-url=x\n-f wheels\n--pre\n\ntorch==2.2.2",
             {"torch": "2.2.2"}),
            ("# torch==1.0\n   # torch==1.1 \\\ntorch==2.2.2", {"torch": "2.2.2"}),
            ("torch==2.2.*", {}),
            ("torch", {}),
            ("torch>=2.2,<2.4", {}),
            ("torch~=2.2.1", {}),
            ("torch @ git+https://github.com/pytorch/pytorch@v2.2.2", {"torch": "2.2.2"}),
            ("torch @ git+https://github.com/pytorch/pytorch@main", {}),
            ("-e git+https://example.org/torch.git@main#egg=torch", {}),
        ],
    )  # fmt: skip
    def test_line(self, tmp_path: Path, line: str, expected: dict[str, str]) -> None:
        """A version is taken only where exactly one is stated."""
        assert sure(tmp_path, line + "\n") == expected

    @pytest.mark.parametrize(
        ("text", "held"),
        [
            ("torch>=2.2,<2.4", KnownVersion(specifiers="<2.4,>=2.2", why="is not pinned (<2.4,>=2.2)")),
            ("torch", KnownVersion(why="is not pinned")),
            ("torch==2.2.*", KnownVersion(specifiers="==2.2.*", why="is not pinned (==2.2.*)")),
            ("torch @ git+https://x/pytorch", KnownVersion(why="is installed from git (its default branch)")),
            ("-e git+https://x/torch.git#egg=torch", KnownVersion(why="is installed from git (its default branch)")),
            (
                "torch==2.2.2; python_version<'3.9'\ntorch==2.6.0; python_version>='3.9'",
                KnownVersion(("2.2.2", "2.6.0"), why="is one of 2.2.2, 2.6.0"),
            ),
            (
                "torch==2.2.2; python_version<'3.9'\ntorch>=2.6; python_version>='3.9'",
                KnownVersion(any_of=("==2.2.2", ">=2.6"), why="is not pinned (==2.2.2 or >=2.6)"),
            ),
            ("torch>=2.2\ntorch<2.4", KnownVersion(specifiers="<2.4,>=2.2", why="is not pinned (<2.4,>=2.2)")),
        ],
    )
    def test_not_pinned(self, tmp_path: Path, text: str, held: KnownVersion) -> None:
        """What is known without a version, and the reason in words."""
        assert read(tmp_path, text).held == {"torch": held}

    @pytest.mark.parametrize(
        ("text", "closed"),
        [
            ("torch==2.2.2\nlightning==2.2.1", False),
            ("numpy==1.26.4", False),
            (FREEZE, True),
            (FREEZE + "-e /home/someone/project\n", True),
            (FREEZE.replace("sympy==1.13.1", "sympy"), False),
            (FREEZE.replace("sympy==1.13.1\n", ""), False),
            (FREEZE + "-r https://example.org/more.txt\n", False),
            (FREEZE + "# Editable Git install with no remote (zoo==1.0)\n-e /home/someone/zoo\n", True),
            ("".join(reversed(FREEZE.splitlines(keepends=True))), False),
            ("numpy", False),
            ("lightning==2.2.1", False),
            ("transformers[torch]==4.49.0", False),
            ("numpy==1.26.4\n-e .", False),
        ],
    )
    def test_closed(self, tmp_path: Path, text: str, closed: bool) -> None:
        """Only a list that names what torch alone brings, as pip writes it, says what is not installed."""
        assert read(tmp_path, text).closed is closed

    def test_includes(self, tmp_path: Path) -> None:
        """-r takes lines, -c only bounds; paths are relative to the file; a circle ends."""
        (tmp_path / "more").mkdir()
        (tmp_path / "more" / "base.txt").write_text("torch\n-r ../requirements.txt\n-c limits.txt\n")
        (tmp_path / "more" / "limits.txt").write_text("torch==2.2.2\ntransformers<5\nnumpy==1.26.4\n")
        stack = read(tmp_path, "--requirement=more/base.txt\nlightning==2.2.1\n")
        assert stack.versions == {"torch": "2.2.2", "lightning": "2.2.1"}
        assert stack.held["transformers"].may_be_absent
        assert stack.held["transformers"].specifiers == "<5"
        whole = read(tmp_path, FREEZE.replace("2.6.0", "2.2.2") + "-cmore/limits.txt\n")
        assert whole.closed
        assert "transformers" not in whole.held

    def test_not_understood(self, tmp_path: Path) -> None:
        """A line that names no library is counted, one that names it is quoted; neither stops the others."""
        stack = read(tmp_path, "torch==2.2.2\nThis is prose.\npip install lightning too\nnumpy==1.2.x.y\n-r none.txt\n")
        assert stack.versions == {"torch": "2.2.2"}
        assert stack.skipped == 1
        assert stack.notes[0].partition(":3: ")[2] == "not understood: pip install lightning too"
        assert "none.txt: cannot be read" in stack.notes[1]
        assert notes_of(stack)[-1].startswith("note: 1 line not understood")

    def test_endless_includes(self, tmp_path: Path) -> None:
        """A file that includes itself, and more files than anyone has, end."""
        for number in range(150):
            (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt\n-r {number}.txt\n")
        stack = read(tmp_path, "torch==2.2.2\n-r 0.txt\n")
        assert stack.versions == {"torch": "2.2.2"}
        assert any("more than 100 files are included" in note for note in stack.notes)

    def test_encodings(self, tmp_path: Path) -> None:
        """PowerShell writes UTF-16, editors write marks."""
        file = tmp_path / "freeze.txt"
        for encoding in ("utf-16", "utf-8-sig", "utf-8"):
            file.write_text("torch==2.2.2\n", encoding=encoding)
            assert read_stack(file).versions == {"torch": "2.2.2"}

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """``pip freeze | repro doctor --from -``."""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("torch==2.2.2\n".encode("utf-16"))))
        assert read_stack(Path("-")).versions == {"torch": "2.2.2"}


class TestLocks:
    """uv.lock, poetry.lock, pylock.toml."""

    def test_uv(self, tmp_path: Path) -> None:
        """Versions with local parts; the project itself may have none; forks leave a version open."""
        text = """
version = 1
requires-python = ">=3.11"
[[package]]
name = "mine"
source = { editable = "." }
dependencies = [{ name = "torch" }, { name = "numpy" }]
[[package]]
name = "Torch"
version = "2.6.0+cu124"
[[package]]
name = "numpy"
version = "1.26.4"
[[package]]
name = "numpy"
version = "2.2.0"
"""
        stack = read(tmp_path, text, "uv.lock")
        assert stack.versions == {"torch": "2.6.0+cu124"}
        assert stack.held["numpy"] == KnownVersion(("1.26.4", "2.2.0"), why="is one of 1.26.4, 2.2.0")
        assert "mine" not in stack.held
        assert (stack.closed, stack.python) == (False, None)

    def test_poetry(self, tmp_path: Path) -> None:
        """poetry's form."""
        text = (
            '[[package]]\nname = "torch"\nversion = "2.2.2"\noptional = false\n[metadata]\npython-versions = "^3.10"\n'
        )
        stack = read(tmp_path, text, "poetry.lock")
        assert (stack.versions, stack.python) == ({"torch": "2.2.2"}, None)

    @pytest.mark.parametrize(
        ("name", "head", "package", "tail"),
        [
            ("pylock.toml", 'lock-version = "1.0"\nrequires-python = ">=3.9"\n', "[[packages]]\nmarker = {}\n", ""),
            ("poetry.lock", "", "[[package]]\nmarkers = {}\n", '[metadata]\npython-versions = "^3.9"\n'),
            ("uv.lock", 'version = 1\nrequires-python = ">=3.9"\n', "[[package]]\nresolution-markers = [{}]\n", ""),
        ],
    )
    def test_range_of_pythons(self, tmp_path: Path, name: str, head: str, package: str, tail: str) -> None:
        """A lock for several Pythons holds what it holds for each: the oldest alone decides nothing."""
        text = head
        for version, marker in (("2.2.2", "python_full_version < '3.12'"), ("2.6.0", "python_full_version >= '3.12'")):
            text += package.format(f'"{marker}"') + f'name = "torch"\nversion = "{version}"\n'
        stack = read(tmp_path, text + tail, name)
        assert stack.held["torch"].versions == ("2.2.2", "2.6.0")

    def test_time_is_linear(self, tmp_path: Path) -> None:
        """A long list takes seconds: combining every name with every other took minutes for 6,000."""

        def seconds(names: int) -> float:
            text = "".join(f"package-{number}=={number}.0\n" for number in range(names))
            began = time.process_time()
            assert len(read(tmp_path, text, "requirements.txt").held) == names
            return time.process_time() - began

        seconds(10)
        assert seconds(1_200) < 7 * seconds(300) + 0.2  # four times as many

    def test_pylock(self, tmp_path: Path) -> None:
        """The standard's form."""
        text = 'lock-version = "1.0"\n[[packages]]\nname = "torch"\nversion = "2.2.2"\n'
        assert sure(tmp_path, text, "pylock.toml") == {"torch": "2.2.2"}


class TestConda:
    """environment.yml."""

    @pytest.mark.parametrize(
        ("item", "expected"),
        [
            ("pytorch==2.2.2", {"torch": "2.2.2"}),
            ("pytorch=2.2.2=py3.11_cuda12.1_cudnn8.9.2_0", {"torch": "2.2.2"}),
            ("pytorch 2.2.2 py3.11_cpu_0", {"torch": "2.2.2"}),
            ("conda-forge::lightning=2.2.1=pyhd8ed1ab_0", {"lightning": "2.2.1"}),
            ("pytorch::pytorch[version='==2.2.2']", {"torch": "2.2.2"}),
            ("pytorch-cpu==2.2.2", {"torch": "2.2.2"}),
            ("pytorch=2.2", {}),
            ("pytorch", {}),
            ("pytorch>=2.2,<2.4", {}),
            ("pytorch=2.2|2.3", {}),
        ],
    )
    def test_item(self, tmp_path: Path, item: str, expected: dict[str, str]) -> None:
        """conda's = is a series, == and = with a build are versions."""
        assert sure(tmp_path, f'dependencies:\n  - "{item}"\n', "environment.yml") == expected

    @pytest.mark.parametrize(
        ("item", "specifiers"),
        [
            ("pytorch=2.2", "==2.2.*"),
            ("pytorch=2.2.*", "==2.2.*"),
            ("pytorch 2.2.*", "==2.2.*"),
            ("pytorch>=2.2,<2.4", "<2.4,>=2.2"),
            ("pytorch=2.2|2.3", ""),
            ("pytorch", ""),
        ],
    )
    def test_ranges(self, tmp_path: Path, item: str, specifiers: str) -> None:
        """What is known without a version."""
        stack = read(tmp_path, f'dependencies:\n  - "{item}"\n', "environment.yaml")
        assert stack.held["torch"].specifiers == specifiers

    def test_whole(self, tmp_path: Path) -> None:
        """An export: Python, libraries of the system, and pip's part."""
        text = (
            "name: x\nchannels: [pytorch]\ndependencies:\n  - python=3.11.8=h955ad1f_0\n  - libblas=3.9.0=20_x\n"
            "  - ca-certificates=2024.2.2\n"
            "  - pytorch=2.2.2=py3.11_cpu_0\n  - pip:\n    - lightning==2.2.1\n    - transformers==4.40.2\n"
        )
        stack = read(tmp_path, text, "environment.yml")
        assert stack.versions == {"torch": "2.2.2", "lightning": "2.2.1", "transformers": "4.40.2"}
        assert (stack.closed, stack.python) == (True, "3.11")

    def test_includes(self, tmp_path: Path) -> None:
        """pip's part may include a requirements file."""
        (tmp_path / "more.txt").write_text("torch==2.2.2\n")
        assert sure(tmp_path, "dependencies:\n  - pip:\n    - -r more.txt\n", "environment.yml") == {"torch": "2.2.2"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("requirements.txt", "I am prose.\n", "nothing in it is understood; what is read: requirements.txt"),
        ("requirements.txt", " \n", "requirements.txt: is empty"),
        ("setup.py", "import setuptools", "setup.py: a setup.py is a program, and nothing is run; give `pip freeze`"),
        ("x.whl", "PK\x03\x04", "a zip archive or a wheel is not read"),
        ("uv.lock", "x = 1", "no [[package]] in it"),
        ("uv.lock", "x = ", "uv.lock: "),
        ("environment.yml", "name: x", "no dependencies in it"),
        ("environment.yml", "a: [", "environment.yml: "),
        ("environment.yml", "dependencies: ['>=2']", "nothing in it is understood"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, text: str, message: str) -> None:
    """One line with the file, the line and what was expected."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    """What is missing or is no text."""
    (tmp_path / "x.txt").write_bytes(b"\x01\x02\xff")
    for name, message in (("none.txt", "cannot be read: No such file"), ("x.txt", "is no text in UTF-8")):
        with pytest.raises(UsageError, match=message):
            read_stack(tmp_path / name)
