"""Backports as a library: applied once where they belong, refused elsewhere, cheap to import."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from repro import backports
from repro.backports import BackportWarning, NotAffectedError, apply, is_affected
from repro.model.errors import RecordError, UsageError
from tests.unit.backports.conftest import ID, Install


def answer() -> object:
    return sys.modules["toylib"].__dict__["answer"]


class TestApply:
    """On an affected release."""

    @pytest.mark.parametrize("version", ["1.0", "1.9.post1", "1.5+cpu"])
    def test_warns_and_changes(self, catalog: Path, install: Install, version: str) -> None:
        """The library is changed, and the user is told of it."""
        install(version)
        told = f"toylib-7: toylib {version} is installed; applied: one more"
        with pytest.warns(BackportWarning, match=re.escape(told)):
            apply(ID, catalog=catalog)
        assert answer() == 42

    def test_idempotent(self, catalog: Path, install: Install) -> None:
        """A second call changes nothing and says nothing, whether or not it names the backport."""
        install("1.0")
        with pytest.warns(BackportWarning):
            apply(ID, catalog=catalog)
        with warnings.catch_warnings(record=True) as said:
            apply(ID, catalog=catalog)
            apply(ID, "other", catalog=catalog)
        assert (answer(), said) == (42, [])

    def test_first_offered(self, catalog: Path, install: Install) -> None:
        """Without a name it is the one that the record's cures name first; another one of the failure is refused."""
        install("1.0")
        with pytest.warns(BackportWarning, match="one more, otherwise"):
            apply(ID, catalog=catalog)
        with pytest.raises(UsageError, match=r"toylib-7: other\.py is applied already, and one is enough"):
            apply(ID, "cure", catalog=catalog)
        assert answer() == 42

    def test_failed_to_apply(self, catalog: Path, install: Install) -> None:
        """What went wrong is raised, and a later call tries again."""
        install("1.0")
        (catalog / ID / "other.py").write_text("def apply():\n    raise AttributeError('gone')\n")
        for _ in range(2):
            with pytest.raises(AttributeError, match="gone"):
                apply(ID, catalog=catalog)


class TestRefused:
    """Elsewhere nothing is touched, or even imported."""

    @pytest.mark.parametrize("version", ["0.9", "2.0", "2.0rc1"])
    def test_not_affected(self, catalog: Path, install: Install, version: str) -> None:
        """One line with what is affected and what is installed."""
        install(version)
        with pytest.raises(NotAffectedError) as raised:
            apply(ID, catalog=catalog)
        assert str(raised.value) == (
            f"toylib-7: not applied: toylib >=1.0,<2.0 is affected, and toylib {version} is installed; remove the call"
        )
        assert "toylib" not in sys.modules
        assert not is_affected(ID, catalog=catalog)

    def test_not_installed(self, catalog: Path) -> None:
        """Without the library."""
        with pytest.raises(NotAffectedError, match="none of it is installed"):
            apply(ID, catalog=catalog)

    def test_names(self, catalog: Path, install: Install) -> None:
        """The nearest name of a failure, of a backport; a folder that is none."""
        install("1.0")
        with pytest.raises(UsageError, match="no failure 'toylib-8'; did you mean 'toylib-7'"):
            apply("toylib-8", catalog=catalog)
        with pytest.raises(UsageError, match="no backport of toylib-7 'cuer'; did you mean 'cure'"):
            apply(ID, "cuer", catalog=catalog)
        with pytest.raises(UsageError, match="no catalogue at"):
            apply(ID, catalog=catalog / "none")

    def test_unreadable(self, catalog: Path) -> None:
        """A record that is none: `repro check` says why."""
        (catalog / ID / "failure.yaml").write_text("backports: 3\n")
        with pytest.raises(RecordError, match="repro check"):
            apply(ID, catalog=catalog)


def test_our_own_catalogue() -> None:
    """Every failure of ours offers a backport."""
    from repro.backports.find import find, known  # noqa: PLC0415 - the rest must not depend on it

    for failure_id in known():
        assert find(failure_id, None).file.is_file()
    assert not is_affected(known()[0])


def test_light() -> None:
    """Importing the package loads neither the laboratory nor what it stands on."""
    code = f"import sys, {backports.__name__}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "typer", "rich", "yaml", "packaging", "jinja2", "platformdirs", "torch"} & set(loaded)
    code = f"import sys, {backports.__name__} as b; b.is_affected('lightning-19492'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "yaml" in loaded
    assert not {"pydantic", "typer", "rich", "jinja2", "torch"} & set(loaded)
