"""An exported backport: one file that needs nothing of ours and guards itself."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from repro.backports.__main__ import main
from repro.backports.export import exported
from repro.backports.find import find, known
from repro.model.errors import UsageError
from tests.unit.backports.conftest import ID, Install
from tests.unit.factories import write_failure


def ran(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "fix.py", "exec"), names)  # noqa: S102 - as a user's import would
    return names


class TestFile:
    """What the file does."""

    def test_applies_once(self, catalog: Path, install: Install) -> None:
        """On an affected release: once, with a warning."""
        install("1.0")
        fix = ran(exported(find(ID, "cure", catalog)))
        with pytest.warns(UserWarning, match="toylib-7: a backport is applied to toylib 1.0"):
            fix["apply"]()
        with warnings.catch_warnings(record=True) as said:
            fix["apply"]()
        assert (sys.modules["toylib"].__dict__["answer"], said) == (42, [])

    @pytest.mark.parametrize("version", ["0.9", "2", "2.0.0", "2.0rc1", "10.0"])
    def test_refuses(self, catalog: Path, install: Install, version: str) -> None:
        """Elsewhere: one line, and the library is not even imported."""
        install(version)
        fix = ran(exported(find(ID, "cure", catalog)))
        assert not fix["is_affected"]()
        with pytest.raises(RuntimeError, match=f"toylib >=1.0,<2.0 is affected, and toylib {version} is installed"):
            fix["apply"]()
        assert "toylib" not in sys.modules

    @pytest.mark.parametrize("version", ["1.0", "1", "1.0.0", "1.99.3", "1.0+cpu", "1.5.dev3"])
    def test_covers(self, catalog: Path, install: Install, version: str) -> None:
        """The guard agrees with PEP 440 on what is affected."""
        install(version)
        assert ran(exported(find(ID, None, catalog)))["is_affected"]()

    def test_alternatives(self, tmp_path: Path, install: Install) -> None:
        """Two alternatives, one of which needs a package that is not there."""
        install("3.0")
        affected = [{"toylib": ">=1", "nowhere": ">=0"}, {"toylib": "!=2.9,>=2.5"}]
        write_failure(tmp_path / "two", id=ID, affected=affected)
        assert ran(exported(find(ID, None, tmp_path / "two")))["is_affected"]()

    @pytest.mark.parametrize(
        ("more", "affected"),
        [
            ({"python": ">=3"}, True),
            ({"python": "<3"}, False),
            ({"no-such-distribution": "absent"}, True),
            ({"pytest": "absent"}, False),
        ],
    )
    def test_python_and_absence(self, tmp_path: Path, install: Install, more: dict[str, str], affected: bool) -> None:
        """The record, the call and the exported file say the same."""
        install("1.5")
        write_failure(tmp_path / "failures", id=ID, affected=[{"toylib": "<2.0", **more}])
        found = find(ID, "cure", tmp_path / "failures")
        assert (found.is_affected, ran(exported(found))["is_affected"]()) == (affected, affected)

    @pytest.mark.parametrize("specifier", ["~=1.0", "==1.*", "===1.0"])
    def test_beyond_the_guard(self, tmp_path: Path, specifier: str) -> None:
        """Specifiers that the guard cannot compare are refused at the export, not at the user's."""
        write_failure(tmp_path / "other", id=ID, affected=[{"toylib": specifier}])
        with pytest.raises(UsageError, match="no export"):
            exported(find(ID, None, tmp_path / "other"))


class TestText:
    """What the file says."""

    @pytest.mark.parametrize("failure_id", known())
    def test_ours(self, failure_id: str) -> None:
        """Each of ours: valid Python, our licence, where it comes from, nothing of ours imported."""
        text = exported(find(failure_id, None))
        tree = ast.parse(text)
        assert "SPDX-License-Identifier: MIT" in text
        assert f"# {failure_id}: " in text.splitlines()[0] + " "
        assert ast.get_docstring(tree)
        imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        assert imported >= {"importlib.metadata", "operator", "re", "warnings"}
        assert not any(name.split(".")[0] == "repro" for name in imported)
        assert "import repro" not in text

    def test_private(self, catalog: Path) -> None:
        """Our licence is not put on what is not ours; the user is told the name of the file."""
        text = exported(find(ID, "cure", catalog))
        assert "License" not in text
        assert "import fix; fix.apply()" in text
        assert "import backport" not in text


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, catalog: Path) -> None:
    """The text on standard output; a misspelt name is one line and exit code 2."""
    monkeypatch.setattr(sys, "argv", ["backports", "--catalog", str(catalog), "export", ID, "--backport", "cure"])
    assert main() == 0
    assert capsys.readouterr().out == exported(find(ID, "cure", catalog))
    monkeypatch.setattr(sys, "argv", ["backports", "--catalog", str(catalog), "list"])
    assert main() == 0
    assert capsys.readouterr().out == "toylib-7: toylib >=1.0,<2.0: one more, otherwise\n"
    monkeypatch.setattr(sys, "argv", ["backports", "--catalog", str(catalog), "export", "toylib-8"])
    assert main() == 2
    assert capsys.readouterr().err == "repro: no failure 'toylib-8'; did you mean 'toylib-7'?\n"


def test_as_a_module() -> None:
    """``python -m repro.backports --help`` has an example."""
    ran_ = subprocess.run(
        [sys.executable, "-m", "repro.backports", "--help"], capture_output=True, text=True, check=True
    )
    assert "Example: python -m repro.backports export" in ran_.stdout
