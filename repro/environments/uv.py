"""Calls uv, the resolver and installer; its refusals become one line each."""

import os
import re
import subprocess
from collections.abc import Sequence

from repro.errors import EnvironmentFailure

try:
    from uv import find_uv_bin
except ImportError:  # a machine that has only a pack builds nothing

    def find_uv_bin() -> str:
        """Say that there is no uv."""
        raise FileNotFoundError("it is not installed here, so no environment can be built")


_NOISE = re.compile(r"^\s*(×|╰─▶|│|├─▶|├╴|╰╴|cause:|error:|help:|warning:)\s*")


def run_uv(arguments: Sequence[str], *, stdin: str | None = None, drop: Sequence[str] = ()) -> str:
    """Run uv and return its standard output; ``drop`` names variables that it must not see.

    Raises EnvironmentFailure with uv's cause in one line.
    """
    environment = {name: value for name, value in os.environ.items() if name not in {*drop, "VIRTUAL_ENV"}}
    try:
        done = subprocess.run(
            [find_uv_bin(), *arguments],
            input=stdin,
            # A cut-off day ends at the same instant on every machine.
            env=environment | {"NO_COLOR": "1", "TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise EnvironmentFailure(f"uv cannot be started: {error}") from None
    if done.returncode != 0:
        raise EnvironmentFailure(one_line(done.stderr))
    return done.stdout


def one_line(stderr: str, limit: int = 400) -> str:
    """Uv's explanation without its drawing, its hints and its progress, as one line."""
    lines = []
    for line in stderr.splitlines():
        if line.lstrip().startswith("hint:"):
            break
        text = _NOISE.sub("", line).strip()
        if text and not text.startswith(("Using ", "Resolved ", "Creating ", "Prepared ", "Downloading ")):
            lines.append(text)
    text = " ".join(lines) or "uv failed and said nothing"
    return text if len(text) <= limit else text[: limit - 3] + "..."
