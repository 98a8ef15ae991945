"""``repro lock``, with a resolver that is played."""

import pytest

from repro.catalog.project import Project
from repro.cli import lock
from repro.environments.locks import Lock
from repro.model.answers.upkeep import LockAnswer, LocksAnswer
from repro.model.errors import EnvironmentFailure
from tests.unit.cli.calls import Call


@pytest.fixture
def texts(held: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the locks say; ``new`` does not resolve."""
    before = {name: held.environments.lock(name) for name in ("old", "new")}

    def resolve(name: str, *_: object) -> Lock:
        if name == "new":
            raise EnvironmentFailure("no such release")
        return before[name]

    monkeypatch.setattr(lock, "resolve", resolve)
    for name in before:
        (held.locks / f"{name}.txt").write_text("stale")
    return {name: held_lock.text for name, held_lock in before.items()}


def test_lock(held: Project, call: Call, texts: dict[str, str]) -> None:
    """What resolves is written whole; what does not is one line, and its lock stays as it was: exit code 3."""
    code, out, err = call("lock")
    assert (code, out, err) == (3, "old: 2 distributions\n", "repro: new: no such release\n")
    assert (held.locks / "old.txt").read_text() == texts["old"]
    assert (held.locks / "new.txt").read_text() == "stale"


@pytest.mark.usefixtures("texts")
def test_json(call: Call) -> None:
    """The same in JSON."""
    code, out, _ = call("lock", "--json")
    expected = LocksAnswer(locks=(LockAnswer(name="old", distributions=2),), failed=("new: no such release",))
    assert (code, LocksAnswer.model_validate_json(out)) == (3, expected)


@pytest.mark.usefixtures("texts")
def test_cannot_be_written(held: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is one line."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock, "write_whole", fail)
    code, _, err = call("lock", "old")
    assert (code, err) == (3, f"repro: {held.locks / 'old.txt'}: cannot be written: No space left on device\n")
