"""Calls uv, the resolver and installer; its errors become one line each.

uv runs isolated: it reads no ``uv.toml`` or ``[tool.uv]`` of the current folder, the user or the machine, and of its
variables only those of ``PASSED``.  Anything else could install another distribution under the name and the digest of
a locked one.
"""

import os
import re
import subprocess
from collections.abc import Sequence

from repro.errors import EnvironmentFailure, UsageError
from repro.files import kept

try:
    from uv import find_uv_bin
except ImportError:  # a machine that has only a pack builds nothing

    def find_uv_bin() -> str:
        """Raise the error that there is no uv."""
        raise FileNotFoundError("it is not installed here, so no environment can be built")


INDEX = "REPRO_INDEX"
"""Address of the package index that is asked in place of PyPI: a documented setting of ours."""
FIND_LINKS = "UV_FIND_LINKS"
TORCH_BACKEND = "UV_TORCH_BACKEND"
PASSED = frozenset({
    FIND_LINKS, TORCH_BACKEND, "UV_CACHE_DIR", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS", "UV_HTTP_RETRIES", "UV_HTTP_TIMEOUT", "UV_NATIVE_TLS", "UV_OFFLINE",
    "UV_PYTHON_DOWNLOADS", "UV_PYTHON_INSTALL_DIR", "UV_SYSTEM_CERTS", "UV_TOOL_DIR",
})  # fmt: skip
"""The variables of uv that reach it; none of them names an index or changes a resolution, but the first two."""
PIP_PASSED = frozenset({"PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_PROXY", "PIP_RETRIES"})
"""The variables of pip that reach it, where uv runs it."""
_FOREIGN = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")

_NOISE = re.compile(r"^\s*(×|╰─▶|│|├─▶|├╴|╰╴|cause:|error:|help:|warning:)\s*")

GRACE_SECONDS = 5.0
"""Seconds that uv has to end by itself once it is asked to; then it and all that it started are killed."""


def torch_backend() -> str:
    """The build of torch that the user asks for, such as ``cpu``; empty for the default.  Raises UsageError."""
    backend = os.environ.get(TORCH_BACKEND, "")
    if backend and not re.fullmatch(r"[a-z0-9.]{1,20}", backend):
        raise UsageError(f"{TORCH_BACKEND}={backend[:50]!r}: a name such as cpu or cu126 is expected")
    return backend


def uv_environment(drop: Sequence[str] = ()) -> dict[str, str]:
    """The variables that uv sees: those of the machine, and of uv's and pip's own only the harmless ones."""
    passed = (PASSED | PIP_PASSED) - set(drop)
    kept = {name: value for name, value in os.environ.items() if name in passed or not name.startswith(_FOREIGN)}
    # A cut-off day ends at the same instant on every machine.
    ours = {"NO_COLOR": "1", "TZ": "UTC", "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull}
    index = os.environ.get(INDEX, "").strip()
    return kept | ours | ({"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index} if index else {})


def run_uv(arguments: Sequence[str], *, stdin: str | None = None, drop: Sequence[str] = ()) -> str:
    """Run uv and return its standard output; ``drop`` are variables that it must not see.

    uv runs under a keeper: it ends with this process, however that ends, and so does every build that it started.
    Raises EnvironmentFailure with uv's cause in one line.
    """
    try:
        done = subprocess.Popen(
            kept([find_uv_bin(), *arguments], GRACE_SECONDS),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=uv_environment(drop),
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise EnvironmentFailure(f"uv cannot be started: {error}") from None
    try:
        output, errors = done.communicate(stdin)
    except BaseException:
        done.terminate()  # killed at once, the keeper could end nothing
        done.wait()
        raise
    if done.returncode != 0:
        raise EnvironmentFailure(one_line(errors))
    return output


def one_line(stderr: str, limit: int = 400) -> str:
    """Uv's explanation as one line, without its drawing, hints, progress and credentials."""
    lines = []
    for line in stderr.splitlines():
        if line.lstrip().startswith("hint:"):
            break
        text = _NOISE.sub("", line).strip()
        if text and not text.startswith(("Using ", "Resolved ", "Creating ", "Prepared ", "Downloading ")):
            lines.append(text)
    text = without_credentials(" ".join(lines)) or "uv failed without a message"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def without_credentials(text: str) -> str:
    """A text in which no address carries a user or a password."""
    return re.sub(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^\s/@]{1,500}@", r"\1", text)
