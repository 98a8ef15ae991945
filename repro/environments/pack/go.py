"""Runs the packed harness on a machine that has an interpreter and nothing else.  Standard library only.

    python3 PACK/go.py run lightning-19492 --overlay PACK --lane cuda --reports results

Whatever follows is a command line of ``repro``, or with a pack that holds tests, one of pytest:

    python3 PACK/go.py pytest -m gpu --overlay PACK --reports results --junitxml results/junit.xml

The harness and its dependencies are unpacked into the cache (``REPRO_CACHE``, or ``~/.cache/repro-lab``) and are seen
by this process only: ranks never find them.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def unpacked(pack: "dict[str, Any]") -> Path:
    """Unpack the harness with its dependencies once, and return the folder."""
    sums = {wheel["file"]: wheel["sha256"] for wheel in pack["wheels"]}
    files = {HERE / "wheels" / name: sums[name] for name in pack["harness"]}
    files[HERE / "project.zip"] = pack["project"]
    if pack.get("tests"):
        files[HERE / "tests.zip"] = pack["tests"]
    key = hashlib.sha256("".join(sorted(files.values())).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("REPRO_CACHE") or Path.home() / ".cache" / "repro-lab") / "harnesses"
    target = cache / key
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{key}.partial-", dir=cache))
    try:
        for file, wanted in files.items():
            if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                raise SystemExit(f"repro: {file}: is not what was packed; pack again")
            with zipfile.ZipFile(file) as archive:
                archive.extractall(partial)
        if not target.is_dir():
            partial.rename(target)
    except OSError:
        if not target.is_dir():  # unless another process was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def run_tests(harness: Path, arguments: "list[str]") -> int:
    """Run the packed tests with the packed pytest, whatever plugins the interpreter has."""
    if not (harness / "tests").is_dir():
        sys.stderr.write("repro: the pack holds no tests; pack again with --tests\n")
        return 2
    import pytest  # noqa: PLC0415 - found only now

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    fixed = ["-p", "xdist.plugin", "-p", "no:cacheprovider", f"--rootdir={harness}", f"-c={harness / 'pyproject.toml'}"]
    return int(pytest.main([*fixed, *arguments, str(harness / "tests" / "failures")]))


def main() -> None:
    pack = json.loads((HERE / "pack.json").read_text(encoding="utf-8"))
    here = ".".join(str(part) for part in sys.version_info[:2])
    if here != pack["python"]:
        sys.stderr.write(f"repro: {sys.executable}: is Python {here}, the pack is for {pack['python']}\n")
        sys.exit(2)
    harness = unpacked(pack)
    sys.path[0] = str(harness)
    if sys.argv[1:2] == ["pytest"]:
        sys.exit(run_tests(harness, sys.argv[2:]))
    from repro.cli import main as repro  # noqa: PLC0415 - found only now

    sys.argv[0] = "repro"
    repro()


if __name__ == "__main__":
    main()
