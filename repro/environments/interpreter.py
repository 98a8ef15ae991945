"""Finds and examines an existing interpreter: its path and its distributions."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from repro.files import write_whole
from repro.model.errors import EnvironmentFailure, UsageError

if TYPE_CHECKING:  # slow imports, and not for every command
    from repro.model.observation import Installed, Overlay

PROBE_SECONDS = 60

_MARK = "\x1erepro answers\x1e"
"""Marks the answer, since start-up files and exit handlers of an environment may print too."""
_PROGRAMS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe", "python", "python3")
_ENVIRONMENTS = ("", ".venv", "venv")
"""Where to look for the interpreter in a folder: it may be an environment or a project with one."""

# Runs on Python 3.8 or newer, with a clear message on older ones; half-installed distributions must not stop it.
_PROBE = r"""
import sys
if sys.version_info < (3, 8):
    sys.exit("it is Python %d.%d, and 3.8 or newer is needed" % sys.version_info[:2])
import json, os, platform, re, site, sysconfig
from importlib.machinery import PathFinder
class Folder:
    # A distribution, read as importlib.metadata reads it: importing that takes longer than all the rest.
    def __init__(self, parent, name):
        self.parent, self.name, self._path = parent.rstrip("/"), name, self
    def read_text(self, name):
        try:
            with open(os.path.join(self.parent, self.name, name), encoding="utf-8") as stream:
                return stream.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
            return None
    def __getattr__(self, name):
        from importlib import metadata
        from pathlib import Path
        return getattr(metadata.PathDistribution(Path(self.parent, self.name)), name)
def all_installed():
    others = [finder for finder in sys.meta_path if finder is not PathFinder and hasattr(finder, "find_distributions")]
    if others or any(place.endswith(".egg") or os.path.isfile(place) for place in sys.path):
        from importlib import metadata
        yield from metadata.distributions()
        return
    for place in filter(os.path.isdir, sys.path):
        for name in os.listdir(place) if os.access(place, os.R_OK) else ():
            if name.lower().endswith((".dist-info", ".egg-info")):
                yield Folder(place, name)
distributions, modules, unreadable, local, places, inexact = {}, {}, {}, [], {}, {}
def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()
def stated(found):
    try:
        # The head is read without the parser of mail, which takes most of the time for a large environment.
        head = (found.read_text("METADATA") or "").partition("\n\n")[0]
        named = re.findall(r"^(Name|Version):[ \t]*(\S+)[ \t]*$", head, re.MULTILINE)
        if sorted(key for key, _ in named) == ["Name", "Version"]:
            return dict(named)["Name"], dict(named)["Version"]
        return found.metadata["Name"], found.metadata["Version"]
    except Exception:
        return None, None
def tops(found):
    listed = found.read_text("top_level.txt")
    if listed:
        return listed.split()
    record = found.read_text("RECORD")
    if record and '"' not in record:
        firsts = {line.split(",")[0].split("/")[0] for line in record.splitlines() if line}
    else:
        firsts = {str(file).split("/")[0] for file in found.files or ()}
    return sorted(
        first[:-3] if first.endswith(".py") else first
        for first in firsts if not first.endswith((".dist-info", "..", "__pycache__", ".pth", ".libs"))
    )
def source(found, folder, version):
    direct = json.loads(found.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        return "is an editable install"
    revision = str(direct.get("vcs_info", {}).get("requested_revision", "its default branch"))
    if direct.get("vcs_info") and revision.lstrip("v") != version:
        return "is installed from %s (%s)" % (direct["vcs_info"].get("vcs", "a repository"), revision)
    name, parent = getattr(folder, "name", ""), str(getattr(folder, "parent", ""))
    if name.endswith(".egg-info") and not parent.endswith(("site-packages", "dist-packages")):
        return "is an editable install"
for found in all_installed():
    name, version = stated(found)
    folder = getattr(found, "_path", None)
    if not name or not version:
        guessed = name or getattr(folder, "name", "").split("-")[0]
        if guessed and not guessed.startswith("~"):
            unreadable.setdefault(canonical(guessed), "has no metadata that can be read")
        continue
    name, place = canonical(name), str(getattr(folder, "parent", ""))
    if name in distributions:
        if places[name] == place and distributions[name] != version:
            unreadable[name] = "is stated as %s and as %s" % (distributions[name], version)
        continue
    distributions[name], places[name] = version, place
    try:
        modules[name] = tops(found)
        if found.read_text("direct_url.json"):
            local.append(name)
    except Exception:
        modules[name] = []
    try:
        why = source(found, folder, version)
    except Exception:
        why = None
    if why:
        inexact[name] = why
for name in sys.argv[1:]:
    if name not in distributions and name not in unreadable:
        try:
            spec = PathFinder.find_spec(name.replace("-", "_"))
        except Exception:
            spec = None
        if spec is not None and spec.origin:
            unreadable[name] = "can be imported, and no distribution states its version"
paths = sysconfig.get_paths()
print(json.dumps({
    "python": platform.python_version(), "implementation": platform.python_implementation(),
    "distributions": distributions, "modules": modules, "unreadable": unreadable, "local": local, "inexact": inexact,
    "user_base": site.getuserbase() if site.ENABLE_USER_SITE else None,
    "libraries": [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))],
    "stdlib": sorted({paths["stdlib"], paths["platstdlib"]}), "prefix": sys.prefix,
}))
"""


@dataclass(frozen=True)
class Distributions:
    """The distributions that an interpreter finds."""

    python: str
    distributions: Mapping[str, str]
    prefix: str
    unreadable: Mapping[str, str]
    """Distributions with an unknown version: name -> why, as a predicate of the name."""
    inexact: Mapping[str, str]
    """Distributions whose code may differ from the release: name -> why, as a predicate of the name."""


@dataclass(frozen=True)
class FileState:
    """What the files of an environment were at a moment."""

    digest: str
    """Over the size, time and inode of each file that a distribution installed."""
    seen: float
    """When, by this process's monotonic clock."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that can be the environment under test."""

    executable: Path
    installed: "Installed"
    libraries: tuple[str, ...]
    """The folders of its distributions."""
    stdlib: tuple[str, ...]
    prefix: str
    adopted: bool
    """True for an existing interpreter that is used unchanged; False for one that we built from a lock."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Distributions with an unknown version: name -> why, as a predicate of the name."""
    local: tuple[str, ...] = ()
    """Distributions that were installed from an address, so that indexes may not have them."""
    inexact: Mapping[str, str] = field(default_factory=dict)
    """Distributions whose code may differ from the release: name -> why, as a predicate of the name."""
    overlay: Path | None = None
    """A folder of distributions that is laid over it, so that it is searched first."""
    user_base: str | None = None
    """The user's base folder, if the interpreter also searches it for distributions."""
    state: "FileState | None" = None
    """The state of its files when they were verified; None if that is not known, as of one that we did not build."""

    @property
    def found(self) -> Distributions:
        """What it finds."""
        held = self.installed
        return Distributions(held.python, held.distributions, self.prefix, self.unreadable, self.inexact)


def find_interpreter(given: Path) -> Path:
    """The interpreter that the user names: a program, a name on PATH, or the folder of an environment or a project.

    The path is absolute, and its links are kept, since an interpreter finds its environment by its own path.
    Raises UsageError if there is none.
    """
    if given.is_dir():
        places = [given / environment / program for environment in _ENVIRONMENTS for program in _PROGRAMS]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise UsageError(f"{given}: no interpreter in this folder; bin/python, bin/python3 or .venv is expected")
        return found.absolute()
    if len(given.parts) == 1 and not given.exists():
        on_path = shutil.which(str(given))
        if on_path is None:
            raise UsageError(f"{given}: no such file, folder or program on PATH")
        return Path(on_path).absolute()
    return given.absolute()


def active_interpreter() -> Path:
    """The interpreter of the active environment; raises UsageError if none is active."""
    prefix = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if not prefix:
        raise UsageError(
            "no environment is active: name one with --python PATH, or a file that lists its versions with --from FILE"
        )
    return find_interpreter(Path(prefix))


def clean_environment() -> dict[str, str]:
    """The variables of this process without those that would add modules of another environment."""
    foreign = ("PYTHON", "VIRTUAL_ENV", "CONDA_", "PIP_", "UV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


# With these variables an adopted interpreter finds the user's own folder of distributions.
_USER_SITE = ("PYTHONUSERBASE", "PYTHONNOUSERSITE")


def overlay_variables(overlay: Path | None) -> dict[str, str]:
    """The variables that add an overlay to an interpreter."""
    return {"PYTHONPATH": str(overlay)} if overlay else {}


def probe(
    executable: Path,
    name: str,
    *,
    lock: str | None = None,
    watched: Iterable[str] = (),
    overlay: Path | None = None,
    laid: "Overlay | None" = None,
) -> Interpreter:
    """Ask an interpreter for its version and its distributions.  Nothing is installed or written there.

    ``watched`` distributions are also searched as modules, without importing them.  ``overlay`` is a folder that is
    laid over it, and ``laid`` describes that folder.
    Raises EnvironmentFailure if it cannot be started or its answer cannot be read.
    """
    found = understood(executable, name, lock, _asked(executable, lock, watched, overlay))
    return replace(found, overlay=overlay, installed=found.installed.model_copy(update={"overlay": laid}))


def understood(executable: Path, name: str, lock: str | None, answer: str) -> Interpreter:
    """Parse an interpreter's answer; raises EnvironmentFailure if it cannot be read."""
    with _reading(executable):
        return _interpreter(executable, name, lock, json.loads(answer))


@contextlib.contextmanager
def _reading(executable: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentFailure(f"{executable}: its answer cannot be read: {reason}") from None


def distributions_of(executable: Path, watched: Iterable[str] = ()) -> Distributions:
    """As ``probe``, of the versions alone.  Light: it imports no model."""
    answer = _asked(executable, None, watched)
    with _reading(executable):
        facts = json.loads(answer)
        held = _by_name(facts["distributions"])
        found = Distributions(facts["python"], held, facts["prefix"], facts["unreadable"], facts["inexact"])
        texts = (found.python, found.prefix, *held.values(), *found.unreadable.values(), *found.inexact.values())
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("texts are expected")
    return found


def remembered(executable: Path, name: str, lock: str, libraries: Path, memory: Path) -> Interpreter:
    """Like ``probe``, but an interpreter that we built is asked again only if its folder of libraries changed.

    Raises EnvironmentFailure if it cannot be started or its answer cannot be read.
    """
    # The question is part of the stamp, since a newer version may ask for more.
    stamp = f"{libraries.stat().st_mtime_ns} {hashlib.sha256(_PROBE.encode()).hexdigest()[:12]}"
    try:
        when, answer = memory.read_text(encoding="utf-8").split("\n", 1)
        if when == stamp:
            return understood(executable, name, lock, answer)
    except (OSError, ValueError, EnvironmentFailure):
        pass
    answer = _asked(executable, lock)
    found = understood(executable, name, lock, answer)
    with contextlib.suppress(OSError):  # a folder that cannot be written is asked each time
        write_whole(memory, f"{stamp}\n{answer}")
    return found


def _asked(executable: Path, lock: str | None, watched: Iterable[str] = (), overlay: Path | None = None) -> str:
    environment = clean_environment() | overlay_variables(overlay)
    if lock is not None:
        environment["PYTHONNOUSERSITE"] = "1"
    else:
        environment |= {name: os.environ[name] for name in _USER_SITE if name in os.environ}
    return ask(executable, _PROBE, environment, *watched)


def ask(executable: Path, question: str, environment: Mapping[str, str], *arguments: str) -> str:
    """Run a few lines in an interpreter and return what they print, without any other output.

    Nothing is written there.

    Raises EnvironmentFailure if it cannot be started or its lines fail.
    """
    try:
        with tempfile.TemporaryDirectory() as elsewhere:
            printed = subprocess.run(
                [executable, "-c", f"print({_MARK!r})\n{question}\nprint({_MARK!r})\n", *arguments],
                env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
                cwd=elsewhere,
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=True,
                encoding="utf-8",
                errors="replace",
            ).stdout
        parts = printed.split(_MARK)
        return parts[1] if len(parts) > 1 else printed
    except FileNotFoundError:
        raise EnvironmentFailure(f"{executable}: no such interpreter") from None
    except PermissionError:
        raise EnvironmentFailure(f"{executable}: not executable") from None
    except subprocess.TimeoutExpired:
        raise EnvironmentFailure(f"{executable}: no answer within {PROBE_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise EnvironmentFailure(f"{executable}: does not run: {last}") from None
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise EnvironmentFailure(f"{executable}: its answer cannot be read: {reason}") from None


def _by_name(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of each distribution, by its normalised name."""
    return {canonicalize_name(name): value for name, value in sorted(facts.items())}


def _interpreter(executable: Path, name: str, lock: str | None, facts: dict[str, Any]) -> Interpreter:
    from repro.model.observation import Installed  # noqa: PLC0415 - as above

    return Interpreter(
        executable=executable,
        installed=Installed(
            name=name,
            python=facts["python"],
            implementation=facts["implementation"],
            distributions=_by_name(facts["distributions"]),
            modules={name: tuple(modules) for name, modules in _by_name(facts["modules"]).items()},
            lock=lock,
        ),
        libraries=tuple(facts["libraries"]),
        stdlib=tuple(facts["stdlib"]),
        prefix=facts["prefix"],
        adopted=lock is None,
        unreadable=facts["unreadable"],
        inexact=facts["inexact"],
        local=tuple(facts["local"]),
        user_base=facts["user_base"],
    )
