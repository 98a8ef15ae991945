"""``repro doctor``, ``advise`` and ``pack`` on the inputs of tests/data/doctor-inputs: each gives its right answer.

An input is a folder: the files, or a ``make.sh`` that makes an environment; and ``expected.json`` with the command,
its exit code, the findings that are right, and texts that the output must have.
"""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from repro import cli
from repro.catalog.project import Project
from repro.environments.build import Environments
from repro.environments.locks import Lock, Locked
from repro.environments.pack.manifest import Pack
from repro.search.releases import IndexFile

DATA = Path(__file__).parents[2] / "data"
INPUTS = DATA / "doctor-inputs"
RELEASES: dict[str, dict[str, str]] = json.loads((DATA / "releases.json").read_text(encoding="utf-8"))
"""Distribution -> release -> day of its upload, as PyPI states them."""

_PACK = Pack(python="3.11", platform="any", wheels=(), harness=(), project="", environments={})

NOT_YET: dict[str, str] = {}
"""Inputs whose answer is not right yet, with the reason.  Mending one fails its test until its line is removed."""


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


def _cases() -> Iterator[Any]:
    for folder in sorted(INPUTS.iterdir()):
        reason = NOT_YET.get(folder.name)
        yield pytest.param(
            folder, id=folder.name, marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else []
        )


def _fetch(distribution: str) -> list[IndexFile]:
    return [
        IndexFile(
            f"{distribution}-{version}-py3-none-any.whl",
            version,
            "wheel",
            datetime.fromisoformat(day).replace(tzinfo=UTC),
        )
        for version, day in RELEASES[distribution].items()
    ]


def _lock(environments: Environments, name: str) -> Lock:
    environment = environments.environment(name)
    versions = environment.preferred | environment.pins
    return Lock((), tuple(Locked(key, value, f"{key}=={value}") for key, value in versions.items()))


@pytest.fixture(scope="module")
def project() -> Project:
    """Our own catalogue, read once."""
    return Project.here()


@pytest.fixture
def ask(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path, str], Answer]:
    """Run an input's command in this process, in a copy of its folder; no network, nothing is resolved or packed."""
    monkeypatch.setattr(Project, "here", classmethod(lambda *_, **__: project))
    monkeypatch.setattr("repro.cli.advise.fetch_files", _fetch)
    monkeypatch.setattr(Environments, "lock", _lock)
    monkeypatch.setattr("repro.cli.pack.write_pack", lambda *_, **__: _PACK)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)

    def run(folder: Path, command: str) -> Answer:
        work = tmp_path / folder.name
        if not work.exists():
            shutil.copytree(folder, work)
            if (work / "make.sh").exists():
                subprocess.run(["sh", "make.sh"], cwd=work, check=True, env={**os.environ, "PY": sys.executable})
        monkeypatch.chdir(work)
        text, _, given = command.partition(" < ")
        words = shlex.split(text)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            monkeypatch.setenv(name, value.replace("$PWD", str(work)).replace("$PATH", os.environ["PATH"]))
        assert words[0] == "repro"
        content = (work / given).read_bytes() if given else b""
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0 if code is None else 1, out, err)

    return run


@pytest.mark.parametrize("folder", list(_cases()))
def test_input(folder: Path, ask: Callable[[Path, str], Answer]) -> None:
    """Exit code, findings, versions and texts."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    answer = ask(folder, expected["command"])
    assert "Traceback" not in answer.err
    if expected["exit"] is not None:
        assert answer.code in expected["exit"], answer.out + answer.err
    for text in expected.get("says", ()):
        assert text in answer.out + answer.err
    if answer.code == 2:
        assert answer.err.count("\n") == 1
        return
    if not expected["command"].startswith(("repro advise", "repro pack")):
        _check_json(expected, ask(folder, _as_json(expected["command"])))


def _as_json(command: str) -> str:
    return command.replace("repro doctor", "repro doctor --json")


def _check_json(expected: dict[str, Any], answer: Answer) -> None:
    if answer.code == 2:
        return
    examined = json.loads(answer.out)
    findings = {item["id"]: item["finding"] for item in examined["failures"]}
    wrong = {name: findings[name] for name, right in expected["findings"].items() if findings[name] not in right}
    assert not wrong
    public = {name: Version(version).public for name, version in examined["versions"].items()}
    assert expected.get("versions", {}).items() <= public.items()
    # A version that is known and covered by a record is never "not affected".
    covered = expected.get("covered_by_affected_specifiers", ())
    assert not {name for name in covered if findings[name] == "not affected"}


def test_not_yet() -> None:
    """Every line of the list names an input."""
    assert set(NOT_YET) <= {folder.name for folder in INPUTS.iterdir()}
