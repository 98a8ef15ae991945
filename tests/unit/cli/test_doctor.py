"""``repro doctor`` on environments that are made for it: real interpreters, a small torch of ours, nothing written."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.doctor.doctor_answer import DoctorAnswer
from repro.doctor.log.log_answer import LogAnswer
from tests.unit.cli.calls import Call
from tests.unit.doctor.stack.venv import SOURCES, environment, photograph, site_of
from tests.unit.environments.pack.test_overlay import digest, pack, wheel
from tests.unit.factories import FAILURE, write_failure
from tests.unit.launch.test_run_cell import SCRIPT

AFFECTED = {"torch": "2.2.2+cpu", "lightning": "2.2.1"}


def with_script(project: Project, script: str = SCRIPT) -> None:
    (project.failures / FAILURE / "repro.py").write_text(script)


def answer(call: Call, *arguments: str) -> tuple[int, DoctorAnswer]:
    code, out, _ = call("doctor", "--json", *arguments)
    return code, DoctorAnswer.model_validate_json(out)


def finding(call: Call, *arguments: str) -> tuple[int, str, str]:
    code, examined = answer(call, *arguments)
    (found,) = [item for item in examined.failures if item.id == FAILURE]
    return code, found.finding, found.why


def python_of(version: str) -> str:
    """An interpreter of that version on this machine, pyenv's included; skips the test where there is none."""
    places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for place in (str(path) for path in places if path):
        done = subprocess.run([place, "-c", "import venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return place
    pytest.skip(f"no Python {version} on this machine")


class TestInterpreters:
    """An existing environment, run for real."""

    def test_suffers(self, call: Call, held: Project, tmp_path: Path) -> None:
        """It is run there and seen: exit code 1; and no file of the environment changed."""
        with_script(held)
        root = environment(tmp_path / "env", **AFFECTED)
        before = photograph(root)
        code, out, _ = call("doctor", "--python", str(root / "bin" / "python"))
        assert code == 1
        assert "suffers" in out
        assert "KeyError: 'optimizer_states'" in out
        assert "lightning 2.2.1\n" in out
        assert photograph(root) == before
        assert not (held.reports / "data").exists()

    @pytest.mark.parametrize("version", ["3.9", "3.13"])
    def test_other_pythons(self, call: Call, held: Project, tmp_path: Path, version: str) -> None:
        """The oldest Python of the bootstrap, and a young one: the same answer."""
        with_script(held)
        root = environment(tmp_path / "env", python_of(version), **AFFECTED)
        before = photograph(root)
        code, examined = answer(call, "--python", str(root))
        assert (examined.python or "").startswith(f"{version}.")
        assert (code, examined.failures[0].finding) == (1, "suffers")
        assert photograph(root) == before

    def test_not_seen(self, call: Call, held: Project, tmp_path: Path) -> None:
        """A run that does not show it: exit code 0, and the verdict as the reason."""
        with_script(held, "import lightning, torch\nprint('oracle passed: yes')\n")
        root = environment(tmp_path / "env", **AFFECTED)
        code, told, why = finding(call, "--python", str(root))
        assert (code, told) == (0, "listed, not seen")
        assert why.startswith("absent: ")

    @pytest.mark.parametrize(
        "broken",
        [
            ("torch/__init__.py", "def broken(:\n", "SyntaxError"),
            ("torch/__init__.py", "raise ImportError('libtorch_cpu.so: cannot open shared object file')\n", "libtorch"),
            ("lightning/__init__.py", "import lightning.nowhere\n", "ModuleNotFoundError"),
        ],
    )
    def test_broken(self, call: Call, held: Project, tmp_path: Path, broken: tuple[str, str, str]) -> None:
        """A library that cannot be imported: could not tell, with its error; exit code 3."""
        file, text, expected = broken
        with_script(held)
        root = environment(tmp_path / "env", **AFFECTED)
        (site_of(root) / file).write_text(text)
        code, told, why = finding(call, "--python", str(root))
        assert (code, told) == (3, "could not tell")
        assert expected in why

    def test_without_torch(self, call: Call, held: Project, tmp_path: Path) -> None:
        """None of the libraries is there: perhaps it is the wrong environment; exit code 3."""
        write_failure(
            held.failures, id="torch-1", affected=[{"torch": ">=2"}], needs={"distributions": {"torch": ">=2"}}
        )
        root = environment(tmp_path / "env")
        code, out, _ = call("doctor", "--python", str(root))
        assert code == 3
        assert "could not tell: none of lightning, torch is installed: is it the right environment?" in out
        assert "lightning-19492, torch-1" in out

    def test_unknown_version(self, call: Call, held: Project, tmp_path: Path) -> None:
        """lightning without readable metadata is not 'not affected'."""
        with_script(held)
        root = environment(tmp_path / "env", torch="2.2.2")
        (site_of(root) / "lightning-2.2.1.dist-info").mkdir()
        assert finding(call, "--python", str(root)) == (
            3, "could not tell", "lightning has no metadata that can be read",
        )  # fmt: skip

    def test_not_run(self, call: Call, held: Project, tmp_path: Path) -> None:
        """What is listed and cannot be run says why: only a GPU shows it, or only conda's records state the version."""
        write_failure(held.failures, id="cuda-1", needs={"lanes": ["cuda"]})
        needed = {"distributions": {"torch": ">=2"}}
        write_failure(held.failures, id="torch-1", affected=[{"torch": ">=2"}], needs=needed)
        root = environment(tmp_path / "env", torch="2.2.2", lightning="2.2.1")
        with_script(held, "import lightning, torch\nprint('oracle passed: yes')\n")
        shutil.rmtree(site_of(root) / "torch-2.2.2.dist-info")
        (root / "conda-meta").mkdir()
        (root / "conda-meta" / "pytorch.json").write_text('{"name": "pytorch", "version": "2.2.2"}')
        code, examined = answer(call, "--python", str(root))
        told = {item.id: item.why for item in examined.failures if item.finding == "listed"}
        assert code == 3
        assert told == {
            "cuda-1": "lightning 2.2.1; not run: it needs a GPU: --lane cuda",
            "torch-1": "torch 2.2.2; not run: needs torch>=2, which is not installed",
        }

    def test_active(self, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The active environment is looked at where none is named: venv's or conda's."""
        root = environment(tmp_path / "env", **AFFECTED)
        for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            for other in ("VIRTUAL_ENV", "CONDA_PREFIX"):
                monkeypatch.delenv(other, raising=False)
            monkeypatch.setenv(variable, str(root))
            code, examined = answer(call, "--static")
            assert (code, examined.source) == (1, str(root / "bin" / "python"))

    def test_no_target(self, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without an active environment a target is asked for; the interpreter that runs repro is never meant."""
        for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            monkeypatch.delenv(variable, raising=False)
        for more in ([], ["--static"]):
            code, out, error = call("doctor", *more)
            assert (code, out) == (2, "")
            assert "no environment is active: name one with --python PATH" in error

    def test_relapse(self, call: Call, held: Project, tmp_path: Path) -> None:
        """What the record does not list is run too, unless that is not wanted."""
        with_script(held)
        root = environment(tmp_path / "env", **{**AFFECTED, "lightning": "2.9.0"})
        module = site_of(root) / "lightning" / "__init__.py"
        module.write_text(module.read_text().replace("2.2.1", "2.9.0"))
        assert finding(call, "--only-listed", "--python", str(root))[:2] == (0, "not affected")
        code, told, why = finding(call, "--python", str(root))
        assert (code, told) == (1, "suffers")
        assert "optimizer_states" in why

    def test_denied(self, call: Call, held: Project, tmp_path: Path) -> None:
        """A malicious release comes first, and nothing of it is imported."""
        deny = "deny:\n- {distribution: lightning, version: '2.6.2', reason: malicious upload, date: '2026-04-30'}\n"
        held.matrix_file.write_text(held.matrix_file.read_text() + deny)
        root = environment(tmp_path / "env", **{**AFFECTED, "lightning": "2.6.2"})
        code, out, _ = call("doctor", "--python", str(root))
        assert code == 1
        assert out.startswith("DO NOT USE: lightning 2.6.2: malicious upload; import nothing there")
        code, examined = answer(call, "--python", str(root))
        assert (code, examined.static, len(examined.denied)) == (1, True, 1)

    def test_static(self, call: Call, tmp_path: Path) -> None:
        """Nothing is run: a script that would fail is not started."""
        root = environment(tmp_path / "env", **AFFECTED)
        before = photograph(root)
        assert finding(call, "--static", "--python", str(root)) == (1, "listed", "lightning 2.2.1")
        assert photograph(root) == before


class TestTexts:
    """Files that describe an environment."""

    FILES: Mapping[str, tuple[str, int, str]] = {
        "requirements.txt": ("torch==2.2.2\nlightning==2.2.1\n", 1, "listed"),
        "fixed.txt": ("torch==2.2.2\nlightning==2.2.2\n", 0, "not affected"),
        "range.txt": ("torch\nlightning>=2\n", 3, "could not tell"),
        "alias.txt": ("torch==2.2.2\npytorch-lightning==2.2.1\n", 1, "listed"),
        "none.txt": ("minio==7.2.20\n", 3, "could not tell"),
        "uv.lock": ('[[package]]\nname = "lightning"\nversion = "2.2.1"\n', 1, "listed"),
        "environment.yml": ("dependencies: [pytorch==2.2.2, lightning==2.2.1]\n", 1, "listed"),
    }

    @pytest.mark.parametrize("name", FILES)
    def test_finding(self, call: Call, tmp_path: Path, name: str) -> None:
        """By the name of the file."""
        text, code, told = self.FILES[name]
        (tmp_path / name).write_text(text)
        assert finding(call, "--from", str(tmp_path / name))[:2] == (code, told)


def test_details(call: Call, tmp_path: Path) -> None:
    """The table is short; a failure that is named is told in full."""
    (tmp_path / "x.txt").write_text("torch==2.2.2\nlightning==2.2.1\n")
    short = call("doctor", "--from", str(tmp_path / "x.txt"))[1]
    assert "A key is missing." not in short
    assert "--details" in short
    for arguments in (["--details"], [FAILURE]):
        out = call("doctor", "--from", str(tmp_path / "x.txt"), *arguments)[1]
        assert "A key is missing." in out
        assert "https://example.org/19492" in out


def test_json(call: Call, tmp_path: Path) -> None:
    """A promised format."""
    (tmp_path / "x.txt").write_text("torch==2.2.2\nlightning==2.2.1\n")
    content = json.loads(call("doctor", "--json", "--from", str(tmp_path / "x.txt"))[1])
    assert (content["format"], content["static"], content["versions"]) == (1, True, {"lightning": "2.2.1"})
    assert set(content["failures"][0]) == {"id", "title", "kind", "finding", "why", "note", "cures", "upstream"}


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["lightnig-19492"], "no failure 'lightnig-19492'; did you mean", 2),
        (["--from", "none.txt"], "none.txt: cannot be read: No such file", 2),
        (["--from", "a", "--python", "b"], "--from and --python exclude one another", 2),
        (["--python", "none"], "none: no such file, folder or program on PATH", 2),
        (["--python", "no/python"], "no such interpreter", 3),
    ],
)
def test_mistakes(call: Call, arguments: list[str], message: str, code: int) -> None:
    """One line each."""
    ended, _, error = call("doctor", *arguments)
    assert ended == code
    assert message in error
    assert error.count("\n") == 1


class TestOverlay:
    """A packed environment over an interpreter that has none of the libraries."""

    @pytest.fixture
    def packed(self, tmp_path: Path) -> Path:
        folder = tmp_path / "pack"
        wheels = []
        for name, version in (("torch", "2.2.2"), ("lightning", "2.2.1")):
            made = wheel(folder, name, version)
            file = folder / "wheels" / made.file
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
                record = "".join(f"{member},,\n" for member in SOURCES[name])
                archive.writestr(f"{name}-{version}.dist-info/RECORD", record)
                for member, text in SOURCES[name].items():
                    archive.writestr(member, text)
            wheels.append(made.model_copy(update={"sha256": digest(file)}))
        pack(folder, *wheels)
        return folder

    @pytest.mark.usefixtures("held")
    def test_versions_of_the_pack_are_judged(self, call: Call, packed: Path) -> None:
        code, why, _ = finding(call, "--overlay", str(packed), "--python", sys.executable, "--static")
        assert (code, why) == (1, "listed")

    def test_is_run_over_the_interpreter(self, call: Call, held: Project, packed: Path) -> None:
        """The run sees the libraries of the pack: it is no longer refused for a library that is missing."""
        with_script(held)
        code, found, why = finding(call, "--overlay", str(packed), "--python", sys.executable)
        assert (code, found) == (1, "suffers"), why

    def test_wrong_use(self, call: Call, packed: Path, tmp_path: Path) -> None:
        file = tmp_path / "requirements.txt"
        file.write_text("torch==2.2.2\n")
        assert call("doctor", "--overlay", str(packed), "--from", str(file))[0] == 2
        assert call("doctor", "--env", "old", "--from", str(file))[0] == 2
        code, _, err = call("doctor", "--overlay", str(packed), "--env", "odl")
        assert (code, "did you mean 'old'" in err) == (2, True)


class TestLog:
    """A log in place of an environment: nothing is run."""

    ERROR = (
        "Traceback (most recent call last):\n"
        '  File "site-packages/lightning/pytorch/strategies/fsdp.py", line 5, in save_checkpoint\n'
        "KeyError: 'optimizer_states'\n"
    )
    SEEN: tuple[Mapping[str, object], ...] = (
        {
            "name": "save",
            "error": ["KeyError"],
            "message": "optimizer",
            "frames": [{"library": "lightning", "function": "save_.*"}],
        },
    )

    def test_known(self, held: Project, call: Call, tmp_path: Path) -> None:
        """A known failure is exit code 1, in words and in JSON; versions of --from count."""
        shutil.rmtree(held.failures / FAILURE)
        write_failure(held.failures, seen_as=list(self.SEEN))
        log = tmp_path / "train.log"
        log.write_text(self.ERROR)
        code, out, _ = call("doctor", "--log", str(log))
        assert (code, "known: lightning-19492" in out) == (1, True)
        code, out, _ = call("doctor", "--log", str(log), "--json")
        assert LogAnswer.model_validate_json(out).found[0].pattern == "save"
        newer = tmp_path / "requirements.txt"
        newer.write_text("lightning==2.6.0\n")
        code, out, _ = call("doctor", "--log", str(log), "--from", str(newer))
        assert (code, "could be: lightning-19492" in out) == (3, True)

    def test_nothing_known(self, held: Project, call: Call, tmp_path: Path) -> None:
        """An error that nothing knows: 0; a file that is missing: one line and 2."""
        assert held.catalog.entries
        log = tmp_path / "train.log"
        log.write_text("ValueError: odd\n")
        code, out, _ = call("doctor", "--log", str(log))
        assert (code, "new" in out) == (0, True)
        project = tmp_path / "project"
        project.mkdir()
        (project / "train.py").write_text("print('nothing of it')\n", encoding="utf-8")
        code, out, _ = call("doctor", "--log", str(log), "--code", str(project), "--json")
        answer = json.loads(out)
        assert (answer["log"]["lines"], answer["code"]["files"]) == (len(log.read_text().splitlines()), 1)
        code, out, _ = call("doctor", "--log", str(log), "--sarif", str(tmp_path / "x"))
        assert code == 2
        code, _, err = call("doctor", "--log", str(tmp_path / "missing"))
        assert (code, len(err.splitlines())) == (2, 1)


NAMED = "ModelCheckpoint(save_weights_only=True)\n"
OTHER = "ModelCheckpoint(save_weights_only=False)\n"


@pytest.mark.usefixtures("held")
class TestCode:
    """``--code``: versions and code together, JSON, SARIF, exit codes."""

    @pytest.fixture
    def code(self, tmp_path: Path) -> Path:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "train.py").write_text(NAMED)
        return folder

    @pytest.fixture
    def pins(self, tmp_path: Path) -> Path:
        file = tmp_path / "requirements.txt"
        file.write_text("torch==2.2.2\nlightning==2.2.1\n")
        return file

    def test_listed_and_named(self, call: Call, code: Path, pins: Path) -> None:
        status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
        assert status == 1
        assert "listed, named" in out
        assert "train.py:1 save_weights_only=true" in out
        assert "only a run shows" in out

    def test_listed_and_not_named(self, call: Call, code: Path, pins: Path) -> None:
        """Never "not affected": one line, exit code 0."""
        (code / "train.py").write_text(OTHER)
        status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
        assert status == 0
        assert "listed for these versions, not named in the code, though a library" in out
        assert FAILURE in out
        assert "not affected" not in out

    def test_other_versions(self, call: Call, code: Path, pins: Path) -> None:
        pins.write_text("torch==2.2.2\nlightning==2.2.2\n")
        status, out, _ = call("doctor", "--from", str(pins), "--code", str(code))
        assert (status, "not affected by these versions" in out) == (0, True)

    def test_code_alone(self, call: Call, code: Path) -> None:
        status, out, _ = call("doctor", "--code", str(code))
        assert (status, "named: 1" in out) == (1, True)

    @pytest.mark.parametrize("alone", [True, False])
    def test_json_and_sarif(
        self,
        call: Call,
        code: Path,
        pins: Path,
        tmp_path: Path,
        *,
        alone: bool,
    ) -> None:
        options = [] if alone else ["--from", str(pins)]
        sarif = tmp_path / "out" / "a.sarif"
        status, out, _ = call("doctor", *options, "--code", str(code), "--json", "--sarif", str(sarif))
        answer = DoctorAnswer.model_validate_json(out)
        assert answer.code is not None
        (found,) = answer.code.failures
        assert (status, found.finding, found.places[0].line, answer.code.files) == (1, "named", 1, 1)
        assert bool(answer.failures) is not alone
        (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
        assert result["ruleId"] == FAILURE

    def test_sarif_of_versions_alone(self, call: Call, pins: Path, tmp_path: Path) -> None:
        sarif = tmp_path / "a.sarif"
        assert call("doctor", "--from", str(pins), "--sarif", str(sarif))[0] == 1
        (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("requirements.txt")

    def test_no_such_folder(self, call: Call, tmp_path: Path) -> None:
        status, _, err = call("doctor", "--code", str(tmp_path / "x"))
        assert (status, "no such file or folder" in err) == (2, True)

    def test_names_of_files_are_printed_without_control_characters(self, call: Call, code: Path) -> None:
        (code / "a\x1b[2Jb\u202e.py").write_text(NAMED)
        (code / "train.py").unlink()
        _, out, _ = call("doctor", "--code", str(code))
        assert "a\ufffd[2Jb\ufffd.py:1" in out
