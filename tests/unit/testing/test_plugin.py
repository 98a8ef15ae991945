"""The pytest plugin in a user's project: its section, its mark, and its silence where there is no torch."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from repro.files import PACKAGE
from repro.testing import plugin as pytest_plugin
from repro.testing.installed import ThisEnvironment
from tests.unit.factories import FAILURE, write_failure

PASSES = "def test_it(): pass"
FAILS = "def test_it(): raise KeyError('optimizer_states')"
MARKED = f"import pytest\n@pytest.mark.known_failure('{FAILURE}')\n"
HEAVY = {
    "pydantic",
    "typer",
    "rich",
    "yaml",
    "packaging.specifiers",
    "psutil",
    "torch",
    "repro.model.errors",
    "repro.testing.installed",
}


class Project:
    """A user's project, whose environment holds what it is said to hold."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.site = pytester.mkdir("site")
        monkeypatch.syspath_prepend(self.site)
        monkeypatch.delenv("REPRO_CATALOG", raising=False)
        self.catalog = pytester.path / "catalog"
        write_failure(self.catalog, cures=[{"upgrade": {"lightning": ">=2.2.2"}}])

    def install(self, **versions: str) -> None:
        for name, version in versions.items():
            info = self.site / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            (self.site / f"{name}.py").write_text("raise SystemExit('never imported')\n")

    def run(self, source: str, *arguments: str) -> pytest.RunResult:
        self.pytester.makepyfile(test_it=source)
        options = ["-p", "no:hypothesispytest", "-p", pytest_plugin.__name__, "--repro-catalog", str(self.catalog)]
        return self.pytester.runpytest_inprocess(*options, *arguments)


@pytest.fixture
def user(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


class TestDoctor:
    """``--repro-doctor``."""

    def test_affected(self, user: Project) -> None:
        """One section with the failure, what is installed and what to do; the tests stay as they are."""
        user.install(torch="2.2.2", lightning="2.2.1")
        ran = user.run(PASSES, "--repro-doctor")
        assert ran.ret == 0
        ran.stdout.fnmatch_lines(
            [
                "*= repro doctor: 1 of 1 documented failures concern this environment =*",
                f"{FAILURE} (crash): Sharded weights-only checkpoints cannot be saved",
                "    listed: lightning 2.2.1",
                "    cure: upgrade to lightning >=2.2.2",
            ]
        )

    @pytest.mark.parametrize("versions", [{"lightning": "2.2.1"}, {"torch": "2.2.2", "lightning": "2.2.2"}])
    def test_silent(self, user: Project, versions: dict[str, str]) -> None:
        """Without torch, and where nothing is found, there is no section."""
        user.install(**versions)
        assert "repro doctor" not in user.run(PASSES, "--repro-doctor").stdout.str()

    def test_not_asked(self, user: Project) -> None:
        """Without the option the plugin says nothing."""
        user.install(torch="2.2.2", lightning="2.2.1")
        assert "repro doctor" not in user.run(PASSES).stdout.str()

    def test_broken_catalogue(self, user: Project) -> None:
        """A record that cannot be read is named in a line; the tests' result stands."""
        user.install(torch="2.2.2")
        (user.catalog / FAILURE / "failure.yaml").write_text("format: 1\n")
        ran = user.run(PASSES, "--repro-doctor")
        assert ran.ret == 0
        ran.stdout.fnmatch_lines(["skipped *failure.yaml*is missing*"])

    def test_variable(self, user: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """``REPRO_CATALOG`` names the catalogue where no option does."""
        user.install(torch="2.2.2", lightning="2.2.1")
        monkeypatch.setenv("REPRO_CATALOG", str(user.catalog))
        assert ThisEnvironment.here().project.failures == user.catalog


class TestMark:
    """``@pytest.mark.known_failure``."""

    @pytest.mark.parametrize(
        ("versions", "test", "outcomes"),
        [
            ({"lightning": "2.2.1"}, FAILS, {"xfailed": 1}),
            ({"lightning": "2.2.1"}, PASSES, {"failed": 1}),
            ({"lightning": "2.2.2"}, FAILS, {"failed": 1}),
            ({"lightning": "2.2.2"}, PASSES, {"failed": 1}),
            ({}, PASSES, {"passed": 1}),
            ({}, FAILS, {"failed": 1}),
        ],
        ids=["waits", "unexpected", "gone-fails", "gone", "not-installed", "not-installed-fails"],
    )
    def test_outcomes(self, user: Project, versions: dict[str, str], test: str, outcomes: dict[str, int]) -> None:
        """Green only where the failure is installed and shows; without the library the test is left alone."""
        user.install(**versions)
        user.run(MARKED + test, "--strict-markers").assert_outcomes(**outcomes)

    def test_says_why(self, user: Project) -> None:
        """The reason of the wait, and of its end."""
        user.install(lightning="2.2.1")
        user.run(MARKED + FAILS, "-rx").stdout.fnmatch_lines([f"XFAIL *{FAILURE}: Sharded*(lightning 2.2.1)*"])
        for file in user.site.glob("lightning*info/METADATA"):
            file.write_text(file.read_text().replace("2.2.1", "2.2.2"))
        user.run(MARKED + PASSES).stdout.fnmatch_lines(
            [f"{FAILURE}: the installed releases do not have it; remove the mark (lightning 2.2.2: only*is affected)"]
        )

    def test_raises(self, user: Project) -> None:
        """Another exception than the one that is waited for is red."""
        user.install(lightning="2.2.1")
        user.run(MARKED.replace("')", "', raises=ValueError)") + FAILS).assert_outcomes(failed=1)

    def test_skipped_stays_skipped(self, user: Project) -> None:
        """A test that does not run is not judged."""
        user.install(lightning="2.2.2")
        user.run(f"{MARKED}@pytest.mark.skip\n{PASSES}").assert_outcomes(skipped=1)

    @pytest.mark.parametrize(
        ("mark", "words"),
        [
            ("'lightnig-19492'", "known_failure: no failure 'lightnig-19492'; did you mean 'lightning-19492'?"),
            ("", "known_failure takes the id of one failure"),
            ("19492", "known_failure takes the id of one failure"),
        ],
    )
    def test_mistakes(self, user: Project, mark: str, words: str) -> None:
        """An unknown id is a usage error with the nearest name."""
        ran = user.run(f"import pytest\n@pytest.mark.known_failure({mark})\n{PASSES}")
        assert ran.ret == pytest.ExitCode.USAGE_ERROR
        assert words in ran.stderr.str()


def test_declared() -> None:
    """An installed repro brings the plugin, under the name of its module so that ``-p`` finds it too."""
    content: dict[str, Any] = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    assert content["project"]["entry-points"]["pytest11"] == {pytest_plugin.__name__: pytest_plugin.__name__}


def test_costs_nothing(tmp_path: Path) -> None:
    """Without torch a session with the plugin imports nothing for it, and its import takes under 50 ms."""
    (tmp_path / "test_it.py").write_text(PASSES)
    code = (
        "import sys, time, pytest\n"
        f"before = set(sys.modules); begin = time.process_time(); import {pytest_plugin.__name__}\n"
        "spent = time.process_time() - begin\n"
        "light = set(sys.modules) - before\n"
        f"pytest.main(['-q', '-p', '{pytest_plugin.__name__}', '--repro-doctor', sys.argv[1]])\n"
        "print('SPENT', spent); print('IMPORTED', *light); print('AFTER', *sys.modules)\n"
    )
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
    told = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines() if line[:1].isupper()}
    assert "1 passed" in ran.stdout
    assert float(told["SPENT"][0]) < 0.05
    assert set(told["IMPORTED"]) == {"repro", "repro.testing", pytest_plugin.__name__}
    assert not HEAVY & set(told["AFTER"])
