"""uv's refusals become one line; uv itself is called as asked."""

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from repro.environments import uv
from repro.environments.uv import one_line, run_uv, uv_environment
from repro.model.errors import EnvironmentFailure

BOXED = """\
Using Python 3.11.7 environment at: .venv
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of lightning==9.9 and you require
      lightning==9.9, we can conclude that your requirements are unsatisfiable.

      hint: Pre-releases are available for `lightning` in the requested range
"""
PLAIN = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of packaging==1.2 and you require packaging==1.2, we can conclude that they fail.

hint: Packages were unavailable because index lookups were disabled and no additional package locations were provided
"""
NETWORK = """\
Resolved 40 packages in 1.20s
error: Failed to fetch: `https://pypi.org/simple/torch/`
  Caused by: Request failed after 3 retries
  Caused by: dns error: failed to lookup address information
"""
HASH = """\
  × Failed to download `lightning==2.2.1`
  ╰─▶ Hash mismatch for `lightning==2.2.1`

      Expected:
        sha256:aaaa

      Computed:
        sha256:bbbb
"""


class TestOneLine:
    """The cause without the drawing."""

    @pytest.mark.parametrize(
        ("stderr", "start", "inside"),
        [
            (BOXED, "No solution found", "no version of lightning==9.9 and you require lightning==9.9"),
            (PLAIN, "No solution found", "no version of packaging==1.2"),
            (NETWORK, "Failed to fetch", "dns error"),
            (HASH, "Failed to download `lightning==2.2.1`", "Hash mismatch"),
            ("error: No interpreter found for Python 3.99 in managed installations\n", "No interpreter found", "3.99"),
            ("warning: x is old\nerror: y\n", "x is old y", "y"),
            ("", "uv failed without a message", ""),
            ("\n \n", "uv failed without a message", ""),
        ],
    )
    def test_cause(self, stderr: str, start: str, inside: str) -> None:
        """One line that starts with the problem and holds the cause."""
        line = one_line(stderr)
        assert line.startswith(start)
        assert inside in line
        assert "\n" not in line
        assert not set("×╰─▶│├") & set(line)
        assert "hint" not in line

    def test_long(self) -> None:
        """A long explanation is cut."""
        line = one_line("error: " + "x" * 5000)
        assert len(line) == 400
        assert line.endswith("...")


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(uv, "find_uv_bin", lambda: str(program))


class TestRun:
    """uv as a subprocess."""

    def test_output(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its standard output, given its standard input and arguments."""
        fake(tmp_path, monkeypatch, 'cat; echo "$@"; echo noise >&2')
        assert run_uv(["pip", "compile"], stdin="torch\n") == "torch\npip compile\n"

    def test_variables(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No foreign environment, no colour, and none of the dropped variables; uv's cache stays."""
        for name in ("VIRTUAL_ENV", "UV_TORCH_BACKEND", "UV_CACHE_DIR"):
            monkeypatch.setenv(name, "set")
        fake(tmp_path, monkeypatch, 'echo "$VIRTUAL_ENV/$UV_TORCH_BACKEND/$UV_CACHE_DIR/$NO_COLOR"')
        assert run_uv([], drop=["UV_TORCH_BACKEND"]) == "//set/1\n"

    def test_failure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its refusal is an environment failure of one line."""
        fake(tmp_path, monkeypatch, "echo 'error: no such release' >&2; exit 2")
        with pytest.raises(EnvironmentFailure, match=r"^no such release$"):
            run_uv([])

    def test_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """uv that cannot be started is one too."""
        monkeypatch.setattr(uv, "find_uv_bin", lambda: str(tmp_path / "none"))
        with pytest.raises(EnvironmentFailure, match="none: cannot be started: No such file"):
            run_uv([])


class TestIsolation:
    """Nothing but our own documented settings says where distributions come from."""

    FOREIGN = (
        "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_CONFIG_FILE", "UV_CONSTRAINT",
        "UV_OVERRIDE", "UV_PYTHON", "UV_EXCLUDE_NEWER", "UV_INSECURE_HOST", "UV_PRERELEASE", "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PYTHONPATH", "VIRTUAL_ENV",
    )  # fmt: skip

    @pytest.mark.parametrize("name", FOREIGN)
    def test_dropped(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """Each of them could bring another distribution in."""
        monkeypatch.delenv(uv.INDEX, raising=False)
        monkeypatch.setenv(name, "planted")
        assert "planted" not in uv_environment().values()

    @pytest.mark.parametrize("name", ["UV_FIND_LINKS", "UV_TORCH_BACKEND", "UV_CACHE_DIR", "PIP_CERT", "HTTPS_PROXY"])
    def test_kept(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """Documented settings, and those of the machine."""
        monkeypatch.setenv(name, "kept")
        assert uv_environment()[name] == "kept"

    def test_index(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Our own setting names the index."""
        monkeypatch.setenv(uv.INDEX, "https://index.example/simple")
        found = uv_environment()
        assert found["UV_DEFAULT_INDEX"] == found["PIP_INDEX_URL"] == "https://index.example/simple"

    def test_settings_of_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The real uv, in a folder that plants its settings and its variables: it sees none of them."""
        (tmp_path / "planted").mkdir()
        for name, head in (("uv.toml", ""), ("pyproject.toml", "[tool.uv]\n")):
            (tmp_path / name).write_text(f'{head}find-links = ["{tmp_path}/planted"]\n')
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("UV_FIND_LINKS", raising=False)
        monkeypatch.setenv("UV_INDEX", f"file://{tmp_path}/planted")
        (tmp_path / "empty.txt").write_text("")
        answer = run_uv(
            ["pip", "compile", "--offline", "--no-header", "--emit-find-links", "--emit-index-url", "empty.txt"]
        )
        assert "planted" not in answer


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends a child with its parent on Linux only")
def test_ends_with_the_harness(tmp_path: Path) -> None:
    """After a SIGKILL of the harness uv does not install on."""
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    code = f"from repro.environments import uv; uv.find_uv_bin = lambda: {str(program)!r}; uv.run_uv([])"
    harness = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    harness.kill()
    harness.wait()
    child.wait(timeout=5)
    assert not child.is_running()


DETACHING = """#!{python}
import os, subprocess, sys, time
code = "import os, time; open({pid!r}, 'w').write(str(os.getpid())); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, cwd="/", env={{}},
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not (os.path.exists({pid!r}) and os.path.getsize({pid!r})):
    time.sleep(0.02)
{end}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="detached processes are found on Linux only")
@pytest.mark.parametrize(
    ("end", "stop"),
    [("sys.exit(2)", None), ("time.sleep(60)", signal.SIGKILL), ("time.sleep(60)", signal.SIGINT)],
    ids=["the build fails", "the harness is killed", "ctrl-c"],
)
def test_detached_builds_end(tmp_path: Path, end: str, stop: int | None) -> None:
    """What a build started in a session of its own ends with it, whether uv fails or the harness is ended."""
    program, pid = tmp_path / "uv", tmp_path / "pid"
    program.write_text(DETACHING.format(python=sys.executable, pid=str(pid), end=end))
    program.chmod(0o755)
    code = f"from repro.environments import uv; uv.find_uv_bin = lambda: {str(program)!r}; uv.run_uv([])"
    harness = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not pid.is_file() or not pid.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = psutil.Process(int(pid.read_text())) if psutil.pid_exists(int(pid.read_text())) else None
    if stop is not None:
        harness.send_signal(stop)
    harness.wait(timeout=20)
    if child is not None:
        child.wait(timeout=uv.GRACE_SECONDS + 5)
        assert not child.is_running()


def test_no_credentials() -> None:
    """An address in an error carries no password."""
    assert one_line("error: Failed to fetch: https://user:secret@index.example/simple/x/") == (
        "Failed to fetch: https://index.example/simple/x/"
    )
