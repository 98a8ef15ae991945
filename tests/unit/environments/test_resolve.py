"""What the resolver is asked, and what becomes of its answer; uv is played."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from repro.environments import resolve as resolving
from repro.environments.locks import header_of
from repro.environments.resolve import resolve
from repro.environments.uv import uv_environment
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Environment
from tests.unit.factories import matrix


class Uv:
    """Answers with the requirements that it was asked for, and with the versions that it should keep."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[str]]] = []
        self.kept = ""

    def __call__(self, arguments: Sequence[str], *, stdin: str, drop: Sequence[str]) -> str:
        assert "UV_FIND_LINKS" in drop
        self.calls.append((list(arguments), stdin.split()))
        lines = [line if "==" in line else f"{line}==9.9" for line in stdin.split()]
        if "--output-file" in arguments:
            file = Path(arguments[arguments.index("--output-file") + 1])
            self.kept = file.read_text()
            file.write_text("\n".join([*lines, "numpy==1.26.4"]) + "\n")
            return ""
        if "torch" in {line.partition("==")[0] for line in lines}:
            lines.append("nvidia-nccl==2.19")
        return "\n".join(lines) + "\n"

    def option(self, name: str, call: int = -1) -> list[str]:
        arguments = self.calls[call][0]
        return [arguments[n + 1] for n, word in enumerate(arguments) if word == name]


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Uv:
    played = Uv()
    monkeypatch.setattr(resolving, "run_uv", played)
    return played


def environment(**changes: object) -> Environment:
    facts = {"cutoff": "2024-03-28", "pins": {"lightning": "2.2.1"}, "why": "test"}
    return Environment.model_validate(facts | changes)


class TestResolve:
    def test_pins_as_of_the_cutoff(self, uv: Uv) -> None:
        lock = resolve("old", environment(), matrix())
        assert [package.name for package in lock.packages] == ["lightning"]
        assert uv.option("--exclude-newer") == ["2024-03-28"]
        assert lock.header == header_of("old", environment())

    def test_names_without_a_version_float(self, uv: Uv) -> None:
        lock = resolve("day", environment(pins={}, floating=("lightning", "torch")), matrix())
        assert uv.calls[-1][1] == ["lightning", "torch"]
        assert "# floating: lightning torch" in lock.header

    @pytest.mark.parametrize(("pins", "asked"), [({"torch": "2.2.2"}, "torch==2.2.2"), ({}, "torch")])
    def test_what_torch_needs_is_as_young_as_torch(self, uv: Uv, pins: dict[str, str], asked: str) -> None:
        floating = () if pins else ("torch",)
        resolve("new", environment(pins=pins, floating=floating, cutoffs={"torch": "2026-07-20"}), matrix())
        assert uv.calls[0][1] == [asked]
        assert uv.option("--exclude-newer", 0) == ["2026-07-20"]
        assert uv.option("--exclude-newer-package") == ["nvidia-nccl=2026-07-20", "torch=2026-07-20"]

    def test_preferred_versions_are_kept_where_the_pins_allow(self, uv: Uv) -> None:
        lock = resolve("variant", environment(preferred={"numpy": "1.26.4", "fsspec": "2024.3.1"}), matrix())
        assert uv.kept.split() == ["numpy==1.26.4", "fsspec==2024.3.1"]
        assert {package.name: package.version for package in lock.packages} == {
            "lightning": "2.2.1",
            "numpy": "1.26.4",
        }
        assert "# preferred: fsspec==2024.3.1 numpy==1.26.4" in lock.header

    def test_other_preferences_are_another_environment(self) -> None:
        assert header_of("", environment()) != header_of("", environment(preferred={"numpy": "1.26.4"}))
        assert header_of("", environment()) != header_of("", environment(floating=("numpy",)))

    @pytest.mark.parametrize(
        ("days", "published", "said"),
        [
            ({}, "2024-04-11", "lightning 2.2.2 is hidden by the cut-off day 2024-03-28, it was published later"),
            (
                {"cutoffs": {"lightning": "2024-04-10"}},
                "2024-04-11",
                "lightning 2.2.2 is hidden by the cut-off day 2024-04-10",
            ),
            ({}, "2024-03-01", "lightning==2.2.2 and torch conflict"),
            ({}, "never", "lightning==2.2.2 and torch conflict"),
        ],
    )
    def test_the_day_that_hides_a_pin_is_named(
        self, monkeypatch: pytest.MonkeyPatch, days: dict[str, object], published: str, said: str
    ) -> None:
        """Only if the release can be found on a later day; any other cause stays as the resolver gave it."""

        def uv(arguments: Sequence[str], *, stdin: str, **_: object) -> str:
            day = arguments[arguments.index("--exclude-newer") + 1]
            assert day < "9000"  # uv takes no day near the end of time
            if "--no-deps" in arguments and day >= published:
                return stdin
            raise EnvironmentFailure("lightning==2.2.2 and torch conflict")

        monkeypatch.setattr(resolving, "run_uv", uv)
        pins = {"torch": "2.2.2", "lightning": "2.2.2"}
        with pytest.raises(EnvironmentFailure, match=said) as raised:
            resolve("x", environment(pins=pins, **days), matrix())
        assert "\n" not in str(raised.value)

    def test_denied_releases_are_excluded_and_refused(self, uv: Uv) -> None:
        deny = [{"distribution": "lightning", "version": "9.9", "reason": "malicious upload", "date": "2026-04-30"}]
        with pytest.raises(EnvironmentFailure, match=r"lightning 9\.9 is denied: malicious upload"):
            resolve("day", environment(pins={}, floating=("lightning",)), matrix(deny=deny))
        assert len(uv.option("--constraints")) == 1


def test_a_day_ends_at_the_same_instant_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv takes a day in the zone of the machine; a lock must not depend on it."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    assert uv_environment()["TZ"] == "UTC"


def test_an_environment_holds_something() -> None:
    with pytest.raises(ValueError, match="needs pins, sources, or names under floating"):
        environment(pins={})
