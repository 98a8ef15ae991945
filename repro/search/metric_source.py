"""Judges a user's script by a number that it reports, as the mean of several runs."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Protocol

from repro.environments.locks import Lock
from repro.model.errors import UndecidedError
from repro.model.matrix import Environment
from repro.model.observation import Observation
from repro.model.script_failure import ScriptFailure
from repro.model.verdict import Side, Verdict
from repro.search.companions import Requires
from repro.search.learn_ends import Looks
from repro.search.metric import END_RUNS, Inseparable, MetricRule, settle, value_of
from repro.store.answers import Run, Tried
from repro.verdict.judge import judge


class ObservationSource(Looks, Protocol):
    """Runs environments and returns the observations, with what a search asks of them besides."""

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Register environments by name."""

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""

    def requirements(self, name: str) -> Requires:
        """The requirements of each release in an environment."""

    def look(self, name: str, runs: int, ahead: Iterable[str] = (), *, torchrun: bool = False) -> Sequence[Observation]:
        """Run an environment this many times."""


def values_of(metric: str, failure: ScriptFailure, observations: Sequence[Observation]) -> list[float]:
    """The values of the runs; raises UndecidedError, with the reason, if a run fails or reports no value."""
    found = []
    for observation in observations:
        judgement = judge(failure, observation)
        if judgement.verdict is not Verdict.ABSENT:
            raise UndecidedError(": ".join(part for part in (judgement.reason, judgement.evidence) if part))
        value = value_of(metric, observation)
        if value is None:
            raise UndecidedError(f"it reports no number {metric}")
        found.append(value)
    if not found:
        raise UndecidedError("it was not run")
    return found


def learn_metric(  # noqa: PLR0917 - the parts of one question
    source: Looks,
    failure: ScriptFailure,
    metric: str,
    ends: tuple[str, str],
    labels: tuple[str, str],
    steps: int,
    notify: Callable[[str], None],
) -> MetricRule:
    """Learn a metric from the good and the bad end, in this order; raises UndecidedError if it cannot judge."""

    def of_end(end: int, runs: int) -> list[float]:
        try:
            return values_of(metric, failure, source.look(ends[end], runs))
        except UndecidedError as error:
            raise UndecidedError(f"{labels[end]}, an end, cannot be judged by {metric}: {error}") from None

    def values(runs: int) -> tuple[list[float], list[float]]:
        if runs > END_RUNS[0]:
            notify(f"{metric} is noisy: each end is run until there are {runs} runs")
        return of_end(0, runs), of_end(1, runs)

    rule = settle(metric, values, steps)
    if isinstance(rule, Inseparable):
        raise UndecidedError(rule.reason)
    return rule


class MetricSource:
    """A source of verdicts that judges by the mean of as many runs as the rule requires."""

    def __init__(self, source: ObservationSource, failure: ScriptFailure, rule: MetricRule) -> None:
        self._source, self._failure, self._rule = source, failure, rule

    def define(self, definitions: Mapping[str, Environment]) -> None:
        """Register environments by name."""
        self._source.define(definitions)

    def lock(self, name: str) -> Lock:
        """The lock of an environment."""
        return self._source.lock(name)

    def requirements(self, name: str) -> Requires:
        """The requirements of each release in an environment."""
        return self._source.requirements(name)

    def ask(self, name: str, label: str, ahead: Iterable[str] = ()) -> Tried:
        """Run an environment for the first time."""
        began = time.monotonic()
        seen = self._source.look(name, self._rule.runs, ahead)
        return self._tried(name, label, [seen], time.monotonic() - began, torchrun=False)

    def repeat(self, name: str, label: str, runs: int) -> Tried:
        """Run an environment through torchrun until there are this many answers, each from its own runs."""
        began, size = time.monotonic(), self._rule.runs
        seen = self._source.look(name, runs * size, torchrun=True)
        groups = [seen[start : start + size] for start in range(0, len(seen), size)]
        return self._tried(name, label, groups, time.monotonic() - began, torchrun=True)

    def _tried(
        self, name: str, label: str, groups: Sequence[Sequence[Observation]], seconds: float, *, torchrun: bool
    ) -> Tried:
        judged = [self._judged(group) for group in groups]
        sides = {side for side, _ in judged}
        side = sides.pop() if len(sides) == 1 else Side.SKIP
        verdicts = {Side.BAD: Verdict.REPRODUCED, Side.GOOD: Verdict.ABSENT, Side.SKIP: Verdict.UNRUNNABLE}
        installed = next((seen.installed for group in groups for seen in group if seen.installed), None)
        held = installed.distributions if installed else {}
        return Tried(
            label=label,
            environment=name,
            verdict=verdicts[side] if len({found for found, _ in judged}) == 1 else Verdict.FLAKY,
            side=side,
            reason=judged[0][1],
            evidence=judged[0][1],
            versions={key: held[key] for key in sorted({*self._failure.distributions, "torch"}) if key in held},
            observations=tuple(seen.id for group in groups for seen in group),
            runs=tuple(
                Run(
                    observation=group[-1].id,
                    verdict=verdicts[found],
                    launcher="torchrun" if torchrun or all(seen.is_cold for seen in group) else "warm",
                )
                for group, (found, _) in zip(groups, judged, strict=True)
                if group
            ),
            seconds=round(seconds, 1),
        )

    def _judged(self, group: Sequence[Observation]) -> tuple[Side, str]:
        try:
            values = values_of(self._rule.metric, self._failure, group)
        except UndecidedError as error:
            return Side.SKIP, str(error)
        if len(values) < self._rule.runs:
            return Side.SKIP, f"{len(values)} of {self._rule.runs} runs"
        side = self._rule.side(values)
        third = ", which is far from both ends" if side is Side.SKIP else ""
        return side, f"{self._rule.metric} = {fmean(values):.6g}, the mean of {len(values)}{third}"
