"""Locks and installs development versions: a repository by its commit, a wheel by its hash."""

import csv
import hashlib
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from repro.environments.locks import Lock, Locked, source_line
from repro.environments.uv import run_uv
from repro.model.development_version import Source, read_source
from repro.model.errors import EnvironmentFailure, SourceError
from repro.model.matrix import Environment

_COMMIT = re.compile(r"@([0-9a-f]{40})(?:#\S*)?$")
_HASH = re.compile(r"#sha256=([0-9a-f]{64})$")
_TIME = (2026, 1, 1, 0, 0, 0)
_CAUSE = re.compile(r"\b(?:fatal|remote): (.{1,200}?)(?=\s(?:fatal|remote): |$)")


def check_sources(environment: Environment) -> None:
    """Raise SourceError for a wheel or a local repository that is not there: an installer's message names a folder.

    A wheel that is given with its hash must have it.
    """
    for name, text in environment.sources.items():
        source = read_source(text)
        place = Path(re.sub(r"^git\+file:(//)?", "", source.address))
        if source.is_local and not (place.is_absolute() and place.exists()):
            raise SourceError(f"{name}: {source.public} is not on this machine")
        if source.sha256 and _sha256(place) != source.sha256:
            raise SourceError(f"{name}: {source.last} is another wheel than the one of this name that is meant")


def at_locked(environment: Environment, lock: Lock) -> Environment:
    """The environment with the commits and the wheels of its lock: a branch that moves later changes nothing."""
    locked = {package.name: package.source or "" for package in lock.sources}
    exact = {}
    for name, text in environment.sources.items():
        source, held = read_source(text), locked.get(canonicalize_name(name), "")
        stated = _HASH.search(held) if source.is_wheel else _COMMIT.search(held)
        exact[name] = source.at(stated[1]).text if stated else text
    return environment.model_copy(update={"sources": exact}) if exact else environment


def with_addresses(environment: Environment, known: Mapping[str, str]) -> Environment:
    """An environment that was read from a log, which names no folder, with the folders of this machine.

    ``known`` are sources with their addresses; a source that is not among them stays as it is.
    """
    here = {(canonicalize_name(name), read_source(text).place): read_source(text) for name, text in known.items()}
    found = {}
    for name, text in environment.sources.items():
        source = read_source(text)
        own = here.get((canonicalize_name(name), source.place))
        found[name] = own.at(source.sha256 if source.is_wheel else source.revision).text if own else text
    return environment.model_copy(update={"sources": found}) if found else environment


def refuse_source(error: EnvironmentFailure, environment: Environment) -> None:
    """Raise SourceError, in one line, if the failure of the resolver is that of a source."""
    if isinstance(error, SourceError):
        raise error
    said = str(error)
    for name, text in environment.sources.items():
        source = read_source(text)
        unfit = source.is_wheel and f"{name}=={source.version} has no wheels" in said
        if unfit or f"{name} @ " in said or "Git operation failed" in said or source.address in said:
            cause = _CAUSE.search(said)
            if source.is_wheel:
                raise SourceError(
                    f"{name}: {source.public} cannot be used: it is no wheel of {name} for Python "
                    f"{environment.python} on this platform, or it is damaged"
                ) from None
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
        return source_line(name, source.at(_sha256(Path(source.address))).public, source.version)
    commit = _COMMIT.search(resolved.split(" ;", maxsplit=1)[0])
    if commit is None:
        raise SourceError(f"{name}: {source.public}: the resolver names no commit")
    exact = source.at(commit[1])
    return source_line(name, exact.public, _version(name, exact, environment))


def _version(name: str, source: Source, environment: Environment) -> str:
    """The version that a commit states, known once it is built; the build takes tools of the cut-off day."""
    with tempfile.TemporaryDirectory() as folder:
        _build(f"{name} @ {source.installable}", environment, folder)
        found = [item.name.removesuffix(".dist-info").partition("-") for item in Path(folder).glob("*.dist-info")]
    version = next((version for stem, _, version in found if canonicalize_name(stem) == canonicalize_name(name)), "")
    if not version:
        raise SourceError(f"{name}: {source.public} builds no distribution of that name")
    return version


def _build(requirement: str, environment: Environment, folder: str) -> None:
    """Build and unpack a development version; its build takes tools of the cut-off day."""
    run_uv(
        [
            *("pip", "install", "--quiet", "--no-deps", "--target", folder, "--python-version", environment.python),
            *("--exclude-newer", environment.cutoff, requirement),
        ]
    )


def source_wheel(package: Locked, environment: Environment, into: Path) -> Path:
    """The wheel of a locked development version, written into a folder; that of a commit holds what is installed.

    Raises SourceError if it is not on this machine, cannot be fetched or built, or is another wheel than that locked.
    """
    requirement = source_requirement(package, environment)
    given = {canonicalize_name(name): read_source(text) for name, text in environment.sources.items()}
    source = given[canonicalize_name(package.name)]
    if source.is_wheel:
        return Path(shutil.copy(source.address, into))
    with tempfile.TemporaryDirectory() as folder:
        try:
            _build(requirement, environment, folder)
        except EnvironmentFailure as error:
            refuse_source(error, environment)
            raise
        return _packed(Path(folder), into)


def _packed(unpacked: Path, into: Path) -> Path:
    """A wheel of what was unpacked, without scripts and without what names this machine; the same bytes each time."""
    (info,) = unpacked.glob("*.dist-info")
    tags = re.findall(r"^Tag: (\S+)$", (info / "WHEEL").read_text(encoding="utf-8"), re.MULTILINE)
    python, abi, platform = ({tag.split("-")[part]: None for tag in tags} for part in range(3))
    wheel = into / f"{info.name.removesuffix('.dist-info')}-{'.'.join(python)}-{'.'.join(abi)}-{'.'.join(platform)}.whl"
    with (info / "RECORD").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if _belongs(row[0], info.name)]
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows([*rows, [f"{info.name}/RECORD", "", ""]])
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, *_ in sorted(rows):
            archive.writestr(zipfile.ZipInfo(name, _TIME), (unpacked / name).read_bytes(), zipfile.ZIP_DEFLATED)
        archive.writestr(zipfile.ZipInfo(f"{info.name}/RECORD", _TIME), record.getvalue(), zipfile.ZIP_DEFLATED)
    return wheel


def _belongs(name: str, info: str) -> bool:
    """True if an installed file is a wheel's own: not a script, not the list itself, nothing that an installer adds."""
    first, _, rest = name.partition("/")
    added = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"}
    return first not in {"..", "bin"} and not (first == info and rest in added)


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
