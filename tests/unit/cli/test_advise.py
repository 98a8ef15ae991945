"""``repro advise`` at the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.doctor.advice import Advice
from tests.unit.cli.calls import Call
from tests.unit.doctor.test_remedy import World, fetch, world
from tests.unit.factories import FAILURE, write_failure

__all__ = ["world"]

Advise = Callable[..., tuple[int, str, str]]


@pytest.fixture
def advise(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Advise:
    """Run the command on a requirements text, with an index that is made up."""
    monkeypatch.setattr("repro.cli.advise.fetch_files", fetch)
    file = tmp_path / "requirements.txt"

    def run(text: str, *arguments: str) -> tuple[int, str, str]:
        file.write_text(text)
        return call("advise", "--from", str(file), *arguments)

    return run


STACK = "torch==2.2.2\nlightning==2.2.1\n"


def test_to(advise: Advise) -> None:
    """A move that cures: exit code 0."""
    code, out, _ = advise(STACK, "--to", "lightning==2.6.6, torch==2.4.0")
    assert code == 0
    assert "lightning 2.2.1 → 2.6.6  lightning-19492" in out
    assert "all of them" in out


def test_brings(advise: Advise, held: Project) -> None:
    """A move that brings a failure: exit code 1."""
    write_failure(held.failures, id="torch-1", affected=[{"torch": ">=2.3"}])
    code, out, _ = advise(STACK, "--to", "torch==2.4.0", "--json")
    answer = Advice.model_validate_json(out)
    assert (code, answer.format) == (1, 1)
    assert answer.affected == (FAILURE,)
    assert answer.steps[0].brought == ("torch-1",)


def test_caps(advise: Advise) -> None:
    """Bounds of the file and named ones."""
    code, out, _ = advise("torch==2.2.2\nlightning<2.2.2\n", "--cap", "lightning<2.3")
    assert code == 0
    assert "the cap lightning<2.2.2 can go since 2.2.2: no failure of the catalogue begins there; it keeps" in out
    assert "the cap lightning<2.3 can go since 2.3.0: no failure of the catalogue begins there\n" in out


def test_search(advise: Advise, world: World) -> None:
    """The answer with the line to type."""
    del world
    code, out, _ = advise(STACK, "--search")
    assert code == 0
    assert "smallest   lightning 2.2.1 → 2.2.2 (1 package, 1 release away)" in out
    assert f"verified   {FAILURE} absent" in out
    assert 'pip install "lightning==2.2.2"' in out
    assert "resolved with uv" in advise(STACK, "--search", "--no-verify")[1]


def test_search_open(advise: Advise, held: Project, world: World) -> None:
    """What no release is free of is named with what else helps: exit code 1."""
    del world
    write_failure(held.failures, id="torch-1", affected=[{"torch": ">=2"}], cures=[{"setting": "turn it off"}])
    code, out, _ = advise(STACK, "--search")
    assert code == 1
    assert "open       torch-1: every release has it; without an upgrade: turn it off" in out
    assert "smallest   lightning" in out
    code, out, _ = advise(STACK, "--search", "--care", FAILURE, "--json")
    assert (code, json.loads(out)["sought"]["open"]) == (0, [])


def test_downgrade(advise: Advise, held: Project, world: World) -> None:
    """Where only an older release is free of it, what helps in its place is told."""
    del world
    write_failure(held.failures, id="torch-1", affected=[{"torch": ">=2.4"}], cures=[{"setting": "turn it off"}])
    text = "torch==2.4.0\nlightning==2.6.6\n"
    out = advise(text, "--search", "--no-verify")[1]
    assert "smallest   torch 2.4.0 → 2.2.2" in out
    assert "instead    of an older torch, for torch-1: turn it off" in out
    assert "instead" not in advise(STACK, "--search", "--care", FAILURE, "--no-verify")[1]


def test_nothing_to_cure(advise: Advise) -> None:
    """Nothing covers these versions: exit code 0."""
    code, out, _ = advise("torch==2.2.2\nlightning==2.6.6\n", "--search")
    assert code == 0
    assert "no documented failure" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "lightning"], "--to lightning: NAME==VERSION is expected"),
        (["--to", "lightning>=2"], "--to lightning>=2: NAME==VERSION is expected"),
        (["--to", "==2"], "--to ==2: NAME==VERSION is expected"),
        (["--to", "lightning==new"], "--to lightning==new: NAME==VERSION is expected"),
        (["--care", FAILURE, "--to", "lightning==2.6.6"], "--care goes with --search"),
        (["--search", "--care", "lightnig-19492"], "no failure 'lightnig-19492'; did you mean"),
        (["--cap", "lightning"], "has no upper bound such as"),
        (["--cap", "numpy<2"], "no failure speaks of numpy; valid: lightning"),
        (["--cap", "!!"], "a bound such as 'transformers<4.50' is expected"),
    ],
)
def test_mistakes(advise: Advise, arguments: list[str], message: str) -> None:
    """One line, exit code 2."""
    code, _, error = advise(STACK, *arguments)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_no_option(advise: Advise) -> None:
    """A file alone gives what there is to know of it."""
    code, out, _ = advise(STACK)
    assert code == 0
    assert f"you have   {FAILURE}" in out
    assert f"cure       {FAILURE}: " in out


def test_unpinned(advise: Advise, world: World) -> None:
    """Of a range a fixed release is found: the newest one in it first."""
    del world
    code, out, _ = advise("torch==2.2.2\nlightning>=2.2\n", "--search", "--no-verify")
    assert code == 0
    assert "lightning >=2.2" in out
    assert "smallest   lightning (not pinned) → 2.6.6 (1 package, 0 releases away)" in out


def test_nothing_known(advise: Advise) -> None:
    """A list without the libraries is not a list without failures."""
    out = advise("numpy>=1.24\n")[1]
    assert "you have   not known" in out


def test_holds_denied(advise: Advise, held: Project) -> None:
    """A malicious release in the file comes first: exit code 1."""
    deny = "deny:\n- {distribution: lightning, version: '2.6.2', reason: malicious upload, date: '2026-04-30'}\n"
    held.matrix_file.write_text(held.matrix_file.read_text() + deny)
    code, out, _ = advise("torch==2.2.2\nlightning==2.6.2\n")
    assert code == 1
    assert out.startswith("DO NOT USE: lightning 2.6.2: malicious upload")


def test_denied(advise: Advise, held: Project) -> None:
    """A release of the deny list is no target."""
    text = held.matrix_file.read_text()
    deny = "deny:\n- {distribution: lightning, version: '2.6.2', reason: malicious upload, date: '2026-04-30'}\n"
    held.matrix_file.write_text(text + deny)
    code, _, error = advise(STACK, "--to", "lightning==2.6.2")
    assert code == 2
    assert "must not be installed: malicious upload" in error


def test_to_by_the_name_of_conda(advise: Advise) -> None:
    """``pytorch`` is torch, as in every text that is read; a second version of one distribution is refused."""
    _, out, _ = advise(STACK, "--to", "pytorch==2.4.0")
    assert "torch 2.2.2 → 2.4.0" in out
    code, _, err = advise(STACK, "--to", "torch==2.4.0,torch==2.6.0")
    assert (code, err.count("\n")) == (2, 1)
    assert "torch==2.4.0 is asked for as well" in err
