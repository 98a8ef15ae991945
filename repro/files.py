"""Where our own files are, reading files from outside safely, and writing files: whole, and inside their folder.

Light: also loaded beside users' training.
"""

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from repro.model.errors import ReproError, StoreError, UnreadableFileError, UsageError

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).resolve().parent
RECORD = "failure.yaml"

LAUNCHER = PACKAGE / "launch"
"""The folder of the files that run inside the environment under test."""
BOOTSTRAP = LAUNCHER / "bootstrap.py"
ZYGOTE = LAUNCHER / "zygote.py"
GATES = LAUNCHER / "gates.py"
SPAWNED = LAUNCHER / "spawned.py"
KEEPER = LAUNCHER / "keeper.py"
"""Ends whatever a command started, also after the death of the harness."""


def kept(command: Sequence[str | Path], grace: float) -> tuple[str, ...]:
    """The command line that runs ``command`` under a keeper, as a child of this process.

    When this process dies, or the keeper is asked to end (SIGTERM), the command is asked to end; after ``grace``
    seconds everything that it started is killed.  The keeper ends when nothing of it is left, as the command did.
    """
    own = (sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), str(grace))
    return (*own, *(str(part) for part in command))


def catalog_elsewhere(given: Path | None = None) -> Path | None:
    """The folder of a catalogue outside the package: the one given, else what ``REPRO_CATALOG`` names, else None."""
    named = given or os.environ.get("REPRO_CATALOG")
    return Path(named).expanduser().resolve() if named else None


def failures_folder(given: Path | None = None) -> Path:
    """The folder of the failures: of a catalogue elsewhere, or our own."""
    return catalog_elsewhere(given) or PACKAGE / "failures"


TEXT_LIMIT = 4_000_000
"""Bytes of a text file from outside that are read: more is refused."""
YAML_LIMIT = 1_000_000
"""Bytes of a record or a matrix."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes_file(file: Path, limit: int = TEXT_LIMIT) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; never waits for a writer.

    Raises UnreadableFileError for a missing file, a folder, a FIFO, a socket, a device, and for a larger file.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise UnreadableFileError(file, f"cannot be read: {getattr(error, 'strerror', error)}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "no file")
            raise UnreadableFileError(file, f"is {kind}; a regular file is expected")
        content = os.read(descriptor, min(found.st_size, limit) + 1)
        # One byte more was asked for than the file has.  A file of a system that states no sizes has more.
        while len(content) <= limit and (not content or len(content) != found.st_size):
            more = os.read(descriptor, limit + 1 - len(content))
            if not more:
                break
            content += more
    except OSError as error:
        raise UnreadableFileError(file, f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise UnreadableFileError(file, f"is larger than {limit:,} bytes, the most that is read")
    return content


def read_text_file(file: Path, limit: int = TEXT_LIMIT, encoding: str = "utf-8") -> str:
    """The text of a regular file; raises UnreadableFileError also where it is not text of that encoding."""
    try:
        text = read_bytes_file(file, limit).decode(encoding)
    except UnicodeDecodeError:
        raise UnreadableFileError(file, f"is not {encoding.upper()} text") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def path_inside(root: Path, *parts: str) -> Path:
    """``root`` joined with parts that came from outside; raises UsageError if the result lies outside ``root``."""
    joined = root.joinpath(*parts)
    if not joined.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{'/'.join(parts)!r} leads out of {root}")
    return joined


@contextmanager
def writing(what: Path | str, error: Callable[[str], ReproError] = StoreError) -> Iterator[None]:
    """Turn an OSError of the block into ``error``: ``<what>: cannot be written: No space left on device``."""
    try:
        yield
    except OSError as problem:
        raise error(f"{what}: cannot be written: {problem.strerror or problem}") from None


def write_whole(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a text to a temporary name beside ``file`` and rename it; raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def templates_of(
    package: str, filters: Mapping[str, Callable[..., object]] | None = None, *, html: bool = False, trim: bool = True
) -> "Environment":
    """The Jinja templates of one of our packages; a name that is not defined is an error.

    ``html`` escapes what is filled in; ``trim`` leaves no empty line where a block tag stood alone on its line.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - slow, and not for every command

    environment = Environment(
        loader=PackageLoader(package),
        undefined=StrictUndefined,
        trim_blocks=trim,
        lstrip_blocks=trim,
        keep_trailing_newline=True,
        autoescape=html,  # noqa: S701 - Markdown, YAML and Python are no HTML
    )
    environment.filters.update(filters or {})
    return environment
