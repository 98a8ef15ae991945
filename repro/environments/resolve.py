"""Resolves an environment of the matrix into a lock, as of its cut-off day."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.environments.development import check_sources, refuse_source, with_sources
from repro.environments.locks import Lock, Locked, header_of, is_accelerator, split
from repro.environments.uv import FIND_LINKS, TORCH_BACKEND, run_uv
from repro.model.development_version import read_source
from repro.model.errors import EnvironmentFailure
from repro.model.matrix import Environment, Matrix

# The lock must not depend on the builds that this machine happens to prefer.
_MACHINE_CHOICES = (FIND_LINKS, TORCH_BACKEND)


def resolve(name: str, environment: Environment, matrix: Matrix) -> Lock:
    """Resolve the pins from what was published by the cut-off day, for all platforms, with hashes.

    Raises EnvironmentFailure with the resolver's cause and the pins that a cut-off day hides, or if the result contains
    a denied release; SourceError if a development version cannot be fetched.
    """
    check_sources(environment)
    try:
        packages = _packages(environment, matrix)
    except EnvironmentFailure as error:
        refuse_source(error, environment)
        hidden = _hidden_pins(str(error), environment, matrix)
        if not hidden:
            raise
        raise EnvironmentFailure("; ".join(hidden)) from None
    lock = Lock(header_of(name, environment), packages)
    refuse_denied(lock, matrix)
    return lock


def _packages(environment: Environment, matrix: Matrix) -> tuple[Locked, ...]:
    days = dict(environment.cutoffs)
    if "torch" in days:
        # The packages of torch's accelerator builds are as young as torch itself.
        wheel = next((text for name, text in environment.sources.items() if canonicalize_name(name) == "torch"), "")
        torch = f"torch=={environment.pins['torch']}" if "torch" in environment.pins else "torch"
        torch = f"torch @ {read_source(wheel).installable}" if wheel else torch
        layer = _compile([torch], environment, days["torch"], {}, matrix)
        days |= {package.name: days["torch"] for package in layer if is_accelerator(package.name)}
    pins = [f"{package}=={version}" for package, version in environment.pins.items()]
    pins += environment.floating
    pins += [f"{name} @ {read_source(text).installable}" for name, text in environment.sources.items()]
    return _compile(pins, environment, environment.cutoff, days, matrix)


_LATER = "2999-12-31"


def _hidden_pins(cause: str, environment: Environment, matrix: Matrix) -> list[str]:
    """The pins in the resolver's message that exist but were published after their cut-off day."""
    hidden = []
    for package, version in environment.pins.items():
        day = environment.cutoffs.get(package, environment.cutoff)
        if package not in cause or _is_published(package, version, environment, day, matrix):
            continue
        if _is_published(package, version, environment, _LATER, matrix):
            remedy = f"choose a later day, or name one for it: cutoffs: {{{package}: DAY}}"
            hidden.append(f"{package} {version} is hidden by the cut-off day {day}, it was published later; {remedy}")
    return hidden


def _is_published(package: str, version: str, environment: Environment, day: str, matrix: Matrix) -> bool:
    """True if the release itself was published by that day."""
    alone = Environment(python=environment.python, cutoff=day, pins={package: version}, why="asked for alone")
    try:
        _compile([f"{package}=={version}"], alone, day, {}, matrix, "--no-deps")
    except EnvironmentFailure:
        return False
    return True


def _compile(
    pins: Sequence[str], environment: Environment, cutoff: str, cutoffs: dict[str, str], matrix: Matrix, *options: str
) -> tuple[Locked, ...]:
    arguments = ["pip", "compile", "-", "--quiet", *options, "--universal", "--python-version", environment.python]
    arguments += ["--generate-hashes", "--no-header", "--no-annotate", "--exclude-newer", cutoff]
    for package, day in sorted(cutoffs.items()):
        arguments += ["--exclude-newer-package", f"{package}={day}"]
    if environment.prereleases:
        # Only of these packages, not of their dependencies.
        for package in environment.floating:
            arguments += ["--prerelease-package", f"{package}=allow"]
    with tempfile.TemporaryDirectory() as folder:
        denied = Path(folder) / "denied.txt"
        denied.write_text("".join(f"{entry.distribution}!={entry.version}\n" for entry in matrix.deny))
        arguments += ["--constraints", str(denied)]
        if environment.preferred:
            # The resolver keeps the versions that it finds in its output file.
            before = Path(folder) / "lock.txt"
            before.write_text("".join(f"{package}=={version}\n" for package, version in environment.preferred.items()))
            arguments += ["--output-file", str(before)]
            run_uv(arguments, stdin="\n".join(pins) + "\n", drop=_MACHINE_CHOICES)
            return split(with_sources(before.read_text(encoding="utf-8"), environment))
        return split(with_sources(run_uv(arguments, stdin="\n".join(pins) + "\n", drop=_MACHINE_CHOICES), environment))


def refuse_denied(held: Lock | Mapping[str, str], matrix: Matrix) -> None:
    """Raise EnvironmentFailure if a lock, or installed versions, contain a release of the deny list."""
    for name, version in (held.versions if isinstance(held, Lock) else held).items():
        entry = matrix.denied(name, version)
        if entry is not None:
            raise EnvironmentFailure(f"{name} {version} is denied: {entry.reason}")
