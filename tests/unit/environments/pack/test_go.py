"""The script at the top of a pack: it finds the packed harness, and runs the packed tests with it."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from repro.environments.pack.write import ENTRY, PROJECT, TESTS


def pack(folder: Path, tests: dict[str, str]) -> Path:
    """A pack whose harness is one module, with these tests."""
    sums = {}
    for name, members in ((PROJECT, {"harness.py": ""}), (TESTS, tests)):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, text in members.items():
                archive.writestr(member, text)
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    facts: dict[str, object] = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    facts |= {"wheels": [], "harness": [], "project": sums[PROJECT], "tests": sums[TESTS] if tests else None}
    (folder / "pack.json").write_text(json.dumps(facts))
    entry = folder / ENTRY.name
    entry.write_bytes(ENTRY.read_bytes())
    return entry


def run(entry: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    variables |= {"REPRO_CACHE": str(entry.parent / "cache")}
    command = [sys.executable, str(entry), "pytest", *arguments]
    return subprocess.run(command, cwd=entry.parent, env=variables, capture_output=True, text=True, check=False)


def test_packed_tests(tmp_path: Path) -> None:
    """The packed tests of failures run with their own settings, beside the packed harness; options are passed on."""
    settings = "[tool.pytest.ini_options]\naddopts = ['-m=not slow']\nmarkers = ['slow: x', 'gpu: y']\n"
    source = (
        "import harness, pytest\nfrom pathlib import Path\n"
        "def test_plain(): raise ValueError\n"
        "@pytest.mark.gpu\ndef test_gpu(): assert Path(harness.__file__).parent == Path(__file__).parents[2]\n"
    )
    entry = pack(tmp_path, {"pyproject.toml": settings, "tests/failures/test_it.py": source})
    ran = run(entry, "-m", "gpu", "--junitxml", "back.xml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed, 1 deselected" in ran.stdout
    assert (tmp_path / "back.xml").is_file()
    assert run(entry).returncode == 1


def test_no_tests(tmp_path: Path) -> None:
    """A pack without tests says so in one line."""
    ran = run(pack(tmp_path, {}), "-m", "gpu")
    assert (ran.returncode, ran.stderr) == (2, "repro: the pack holds no tests; pack again with --tests\n")
