"""What the trials of a search do, without environments and runs: a test says only what each run shows."""

from collections.abc import Iterable, Mapping
from typing import Self

from repro.catalog.project import Project
from repro.environments.locks import Lock, Locked
from repro.model.matrix import Environment
from repro.store.answers import Tried


class FakeTrials:
    """Runs nothing; is interrupted before the run with the number ``interrupt_at``."""

    interrupt_at: int | None = None
    asked: list[str] = []

    def __init__(self, project: Project, *_: object, **_kept: object) -> None:
        self.project = project
        self.environments: dict[str, Environment] = dict(project.matrix.environments)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def define(self, definitions: Mapping[str, Environment]) -> None:
        self.environments.update(definitions)

    def pins(self, name: str) -> dict[str, str]:
        return {**self.environments[name].preferred, **self.environments[name].pins}

    def lock(self, name: str) -> Lock:
        return Lock((), tuple(Locked(key, value, f"{key}=={value}") for key, value in self.pins(name).items()))

    def requirements(self, name: str) -> dict[str, tuple[str, ...]]:
        assert name in self.environments
        return {}

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        del ahead
        if len(self.asked) == self.interrupt_at:
            raise KeyboardInterrupt
        self.asked.append(label)
        return self.first_run(name, label)

    def first_run(self, name: str, label: str) -> Tried:
        """What the first run of a point shows."""
        raise NotImplementedError
