"""uv's refusals become one line; uv itself is called as asked."""

import stat
from pathlib import Path

import pytest

from repro.environments import uv
from repro.environments.uv import one_line, run_uv
from repro.errors import EnvironmentFailure

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
            ("", "uv failed and said nothing", ""),
            ("\n \n", "uv failed and said nothing", ""),
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
        """No foreign environment, no colour, and none of the dropped variables; others stay."""
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
        with pytest.raises(EnvironmentFailure, match="uv cannot be started"):
            run_uv([])
