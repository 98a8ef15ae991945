"""Locks and installs development versions: a repository by its commit, a wheel by its hash."""

import hashlib
import re
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.environments.locks import Locked, source_line
from repro.environments.uv import run_uv
from repro.model.development_version import Source, read_source
from repro.model.errors import EnvironmentFailure, SourceError
from repro.model.matrix import Environment

_COMMIT = re.compile(r"@([0-9a-f]{40})(?:#\S*)?$")
_CAUSE = re.compile(r"\b(?:fatal|remote): (.{1,200}?)(?=\s(?:fatal|remote): |$)")


def check_sources(environment: Environment) -> None:
    """Raise SourceError for a wheel or a local repository that is not there: an installer's message names a folder."""
    for name, text in environment.sources.items():
        source = read_source(text)
        place = Path(re.sub(r"^git\+file:(//)?", "", source.address))
        if source.is_local and not (place.is_absolute() and place.exists()):
            raise SourceError(f"{name}: {source.public} is not on this machine")


def refuse_source(error: EnvironmentFailure, environment: Environment) -> None:
    """Raise SourceError, in one line, if the failure of the resolver is that of a source."""
    if isinstance(error, SourceError):
        raise error
    said = str(error)
    for name, text in environment.sources.items():
        source = read_source(text)
        if f"{name} @ " in said or "Git operation failed" in said or source.address in said:
            cause = _CAUSE.search(said)
            if source.is_local:
                why = _without(cause[1].strip(), source) if cause else "no such revision, or it does not build"
                raise SourceError(f"{name}: {source.public} cannot be used: {why}") from None
            why = cause[1].strip() if cause else "no network, no such revision, or it does not build"
            remedy = "without a network, name a clone (git+file:///PATH@REVISION) or a wheel"
            raise SourceError(f"{name}: {source.public} cannot be fetched: {why}; {remedy}") from None


def _without(text: str, source: Source) -> str:
    return text.replace(source.address.removeprefix("git+file://"), source.last)


def with_sources(requirements: str, environment: Environment) -> str:
    """What the resolver wrote, with each development version in the form of a lock: public, and with its version."""
    sources = {canonicalize_name(name): read_source(text) for name, text in environment.sources.items()}
    lines: list[str] = []
    skipping = False
    for line in requirements.splitlines():
        name, found, rest = line.partition(" @ ")
        source = sources.get(canonicalize_name(name)) if found and not line[0].isspace() else None
        if source is not None:
            lines.append(_locked(name, source, rest.removesuffix("\\").strip(), environment))
            skipping = True
        elif not (skipping and line[:1].isspace()):
            lines.append(line)
            skipping = False
    return "\n".join(lines)


def _locked(name: str, source: Source, resolved: str, environment: Environment) -> str:
    if source.is_wheel:
        return source_line(name, f"{source.public}#sha256={_sha256(Path(source.address))}", source.version)
    commit = _COMMIT.search(resolved.split(" ;", maxsplit=1)[0])
    if commit is None:
        raise SourceError(f"{name}: {source.public}: the resolver names no commit")
    exact = source.at(commit[1])
    return source_line(name, exact.public, _version(name, exact, environment))


def _version(name: str, source: Source, environment: Environment) -> str:
    """The version that a commit states, known once it is built; the build takes tools of the cut-off day."""
    with tempfile.TemporaryDirectory() as folder:
        run_uv(
            [
                *("pip", "install", "--quiet", "--no-deps", "--target", folder, "--python-version", environment.python),
                *("--exclude-newer", environment.cutoff, f"{name} @ {source.installable}"),
            ]
        )
        found = [item.name.removesuffix(".dist-info").partition("-") for item in Path(folder).glob("*.dist-info")]
    version = next((version for stem, _, version in found if canonicalize_name(stem) == canonicalize_name(name)), "")
    if not version:
        raise SourceError(f"{name}: {source.public} builds no distribution of that name")
    return version


def source_requirement(package: Locked, environment: Environment) -> str:
    """What an installer is given for a locked development version.

    Raises SourceError if it is not on this machine, or is another wheel than the locked one.
    """
    given = {str(canonicalize_name(name)): read_source(text) for name, text in environment.sources.items()}
    source, locked = given.get(package.name), package.source or ""
    if source is None:
        raise SourceError(f"{package.name}: the environment names no source for it")
    check_sources(environment)
    if not source.is_wheel:
        commit = _COMMIT.search(locked)
        if commit is None:
            raise SourceError(f"{package.name}: its lock names no commit")
        return f"{package.name} @ {source.at(commit[1]).installable}"
    stated = locked.rpartition("#sha256=")[2]
    if _sha256(Path(source.address)) != stated:
        raise SourceError(f"{package.name}: {source.public} is not the wheel that was locked; lock it again")
    return f"{package.name} @ {source.installable}"


def _sha256(wheel: Path) -> str:
    try:
        return hashlib.sha256(wheel.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"{wheel.name} cannot be read: {error.strerror}") from None
