"""Calls uv, the resolver and installer; its errors become one line each.

uv runs isolated: it reads no ``uv.toml`` or ``[tool.uv]`` of the current folder, the user or the machine, and only the
variables in ``PASSED``.  Anything else could install a different distribution under the name and digest of a locked
one.
"""

import os
import re
import subprocess
from collections.abc import Sequence

from repro.files import kept
from repro.model.errors import EnvironmentFailure, UsageError

try:
    from uv import find_uv_bin
except ImportError:  # a machine that has only a pack builds nothing

    def find_uv_bin() -> str:
        """Raise FileNotFoundError, since there is no uv."""
        raise FileNotFoundError("it is not installed here, so no environment can be built")


INDEX = "REPRO_INDEX"
"""The variable with the address of the package index to use instead of PyPI."""
FIND_LINKS = "UV_FIND_LINKS"
TORCH_BACKEND = "UV_TORCH_BACKEND"
PASSED = frozenset({
    FIND_LINKS, TORCH_BACKEND, "UV_CACHE_DIR", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS",
    "UV_CONCURRENT_INSTALLS", "UV_HTTP_RETRIES", "UV_HTTP_TIMEOUT", "UV_NATIVE_TLS", "UV_OFFLINE",
    "UV_PYTHON_INSTALL_DIR", "UV_SYSTEM_CERTS", "UV_TOOL_DIR",
})  # fmt: skip
"""The variables that are passed to uv; only the first two name an index or change a resolution."""
PIP_PASSED = frozenset({"PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_PROXY", "PIP_RETRIES"})
"""The variables that are passed to pip when uv runs it."""
_FOREIGN = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")

_NOISE = re.compile(r"^\s*(×|╰─▶|│|├─▶|├╴|╰╴|cause:|error:|help:|warning:)\s*")

GRACE_SECONDS = 5.0
"""The time for uv to end when asked; then it and everything that it started are killed."""


def torch_backend() -> str:
    """The build of torch that the user requests, such as ``cpu``; empty for the default.  Raises UsageError."""
    backend = os.environ.get(TORCH_BACKEND, "")
    if backend and not re.fullmatch(r"[a-z0-9.]{1,20}", backend):
        raise UsageError(f"{TORCH_BACKEND}={backend[:50]!r}: a name such as cpu or cu126 is expected")
    return backend


def uv_environment(drop: Sequence[str] = ()) -> dict[str, str]:
    """The variables for uv: those of this process, but only the harmless ones of uv and pip."""
    passed = (PASSED | PIP_PASSED) - set(drop)
    kept = {name: value for name, value in os.environ.items() if name in passed or not name.startswith(_FOREIGN)}
    # In UTC, a cut-off day ends at the same instant on every machine.
    ours = {"NO_COLOR": "1", "TZ": "UTC", "UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull}
    ours["GIT_TERMINAL_PROMPT"] = "0"  # a repository that asks for a password is refused
    ours["UV_PYTHON_DOWNLOADS"] = "never"  # an environment is built on an interpreter of this machine
    index = os.environ.get(INDEX, "").strip()
    return kept | ours | ({"UV_DEFAULT_INDEX": index, "PIP_INDEX_URL": index} if index else {})


def run_uv(arguments: Sequence[str], *, stdin: str | None = None, drop: Sequence[str] = ()) -> str:
    """Run uv and return its standard output; ``drop`` are variables to hide from it.

    uv runs under a keeper, so it and its builds end with this process, however this process ends.
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
        done.terminate()  # not kill: the keeper must end what it started
        done.wait()
        raise
    if done.returncode != 0:
        raise EnvironmentFailure(one_line(errors))
    return output


def one_line(stderr: str, limit: int = 400) -> str:
    """Uv's message as one line, without drawings, hints, progress and credentials."""
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
    """The text without users and passwords in addresses."""
    return re.sub(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^\s/@]{1,500}@", r"\1", text)
