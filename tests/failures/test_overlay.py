"""A packed environment on a machine without a network: its interpreter has torch and nothing of the pack."""

import os
import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from repro.catalog.project import Project
from repro.environments.pack.write import PackTarget, write_pack
from repro.files import PACKAGE
from repro.launch.slots import Slots
from repro.report.rows import Report
from repro.store.observations import Store

ID, PACKED, BASE = "lightning-19492", "lightning-2.2.1-torch-2.13", "torch-2.13"
# A namespace of its own has the loopback device only, and that is down.
ALONE = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
CLOSED = "http://127.0.0.1:9"

pytestmark = pytest.mark.xdist_group(ID)


def without_network() -> list[str]:
    """What to put before a command so that it has no network; nothing where the kernel does not allow it."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return []
    tried = subprocess.run([*ALONE, "true"], capture_output=True, check=False)
    return list(ALONE) if tried.returncode == 0 else []


def test_reproduced(tmp_path: Path) -> None:
    """The failure shows with the pack's lightning on the interpreter's own torch, and the record says both."""
    project = Project.here()
    base = project.environments.interpreter(BASE)
    assert "lightning" not in base.installed.distributions
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = PackTarget(here, f"manylinux_2_28_{platform.machine()}", base.installed.distributions)
    pack = write_pack(project.environments, [PACKED], target, tmp_path / "pack", package=PACKAGE)

    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), CLOSED)
    variables = {"PATH": os.environ["PATH"], "REPRO_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    command = [str(base.executable), str(tmp_path / "pack" / "go.py"), "run", ID, "--env", PACKED, "--json"]
    command += ["--overlay", str(tmp_path / "pack"), "--reports", str(tmp_path / "reports")]
    with Slots.here(project.cache).take(2, threading.Event()):
        done = subprocess.run(
            [*without_network(), *command],
            env=variables | proxies,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    (row,) = Report.model_validate_json(done.stdout).rows
    assert (row.verdict, row.status) == ("reproduced", "as documented"), row
    (seen,) = Store(tmp_path / "reports" / "data")
    assert seen.installed is not None
    assert seen.installed.overlay is not None
    assert seen.installed.overlay.name == PACKED
    assert seen.installed.overlay.digest == pack.digest_of(PACKED)
    assert "torch" not in seen.installed.overlay.distributions
    assert seen.installed.overlay.distributions["lightning"] == "2.2.1"
    assert seen.installed.distributions["torch"] == base.installed.distributions["torch"]
    assert seen.ranks[0].imported["lightning"].version == "2.2.1"
    assert seen.ranks[0].imported["lightning"].inside
