"""Sessions are thin callers of our own commands; each environment under test is built by `repro` itself."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["matrix"]

HARNESS = ".ci/requirements.txt"  # the lock of our own environment

FIRST = ("lightning-20960", "--env", "lightning-2.5.2-torch-2.13", "--env", "lightning-2.5.4-torch-2.13")
"""One failure on a failing and a fixed release that share one torch: 250 MB to fetch in its CPU build."""

DECIDING = (
    *("repro/verdict/*", "repro/search/bisection.py", "repro/search/ablation.py", "repro/search/blame.py"),
    *("repro/search/watch_plan.py", "repro/search/confirm.py", "repro/search/metric.py", "repro/search/companions.py"),
    *("repro/environments/floats.py", "repro/report/overdue.py", "repro/doctor/code/combined.py"),
    *(f"repro/doctor/{name}.py" for name in ("diagnosis", "exposure", "proposals", "cap", "upgrade")),
    *("repro/catalog/plan.py", "repro/catalog/shards.py", "repro/model/errors.py"),
    *("repro/launch/slurm/batches.py", "repro/launch/slurm/job_state.py"),
)
"""Modules that decide and have no effects: a line that no test runs there is a decision that no test knows."""

WORKFLOWS = sorted(str(file) for file in Path(".github/workflows").glob("*.yml"))
ISSUE_FORMS = sorted(str(file) for file in Path(".github/ISSUE_TEMPLATE").glob("*.yml") if file.stem != "config")


def install(session: nox.Session) -> None:
    """Our own environment, exactly as locked; the project itself from the working tree."""
    session.install("--require-hashes", "-r", HARNESS)
    session.install("--no-deps", "-e", ".")


@nox.session
def matrix(session: nox.Session) -> None:
    """The main job: the failures of matrix.yaml on their releases, a table, and reports/."""
    install(session)
    session.run("repro", "run", "--fresh", *session.posargs)


@nox.session
def first(session: nox.Session) -> None:
    """A first verdict in under a minute: one failure on a failing and a fixed release, on torch's CPU build."""
    session.install("--constraint", HARNESS, "-e", ".")
    chosen = {"UV_TORCH_BACKEND", "UV_FIND_LINKS"} & set(os.environ)
    env = None if chosen else {"UV_TORCH_BACKEND": "cpu"}
    session.run("repro", "run", *FIRST, "--reports", f"{session.create_tmp()}/reports", *session.posargs, env=env)


def check(session: nox.Session) -> None:
    """Linters, types, workflows, records: everything that is checked without running a test."""
    session.run("ruff", "check", "--quiet")
    session.run("ruff", "format", "--check", "--quiet")
    session.run("mypy")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *ISSUE_FORMS)
    session.run("zizmor", "--offline", "--quiet", ".github/workflows", ".github/actions")
    session.run("python", "docs/generate.py", "--check")
    session.run("repro", "check")


def processes(arguments: Sequence[str]) -> list[str]:
    """The option of pytest-xdist among pytest's arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses")
    number = parser.parse_known_args(arguments)[0].numprocesses
    return ["-n", number] if number else []


@nox.session
def tests(session: nox.Session) -> None:
    """All tests: linters, unit tests, and the failures on their releases.

    A selection such as `-- -k NAME` is one of the failures' tests: the unit tests run whole.  With a path or a test's
    name, only that is run.
    """
    install(session)
    check(session)
    if any(Path(word.partition("::")[0]).exists() for word in session.posargs):
        session.run("pytest", *session.posargs)
        return
    session.run("pytest", "tests/unit", *processes(session.posargs))
    session.run("pytest", "--ignore=tests/unit", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Linters, types, workflows, documents and records; no test."""
    install(session)
    check(session)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the parts of docs/ that are generated from the code."""
    install(session)
    session.run("python", "docs/generate.py")


@nox.session
def unit(session: nox.Session) -> None:
    """The tests that need no torch."""
    install(session)
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The unit tests with coverage of lines, in subprocesses too: 95 % of all, 100 % of what only decides."""
    install(session)
    core = {"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) else {}
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "tests/unit", *session.posargs, env=core)
    session.run("coverage", "combine", "--quiet")
    for unfinished in Path().glob(".coverage.*"):  # of ranks that were killed while they wrote
        unfinished.unlink()
    session.run("coverage", "report")
    session.run("coverage", "report", "--fail-under=100", f"--include={','.join(DECIDING)}")


@nox.session(venv_backend="none")
def relock(session: nox.Session) -> None:
    """Resolve our own environment anew; `nox -s relock -- 2026-11-20` sees nothing younger than that day."""
    (day,) = session.posargs
    arguments = ["--all-extras", "--universal", "--python-version", "3.11", "--exclude-newer", day]
    arguments += ["--generate-hashes", "--no-annotate", "--custom-compile-command", "nox -s relock -- DAY"]
    session.run("uv", "pip", "compile", "pyproject.toml", *arguments, "--quiet", "-o", HARNESS)


@nox.session
def rot(session: nox.Session) -> None:
    """Which locks no longer install: resolved and installed into a place that is thrown away; runs no failure."""
    install(session)
    session.run("repro", "rot", *session.posargs)


@nox.session
def noise(session: nox.Session) -> None:
    """A/A control: the default matrix twice; a cell that is not the same both times is flaky."""
    install(session)
    session.run("repro", "run", "--fresh", "--repeat", "2", *session.posargs)


LAUNCHER_TESTS = ("tests/failures/test_launchers.py", "tests/failures/test_own_launchers.py")


@nox.session
def launchers(session: nox.Session) -> None:
    """Every cell of the matrix through both launchers: the same verdict and signature."""
    install(session)
    session.run("pytest", "-m", "whole or not whole", *LAUNCHER_TESTS, *session.posargs)


@nox.session
def whole(session: nox.Session) -> None:
    """The tests that are too slow for every change: all launchers, and every search on real releases."""
    install(session)
    session.run("pytest", "-m", "whole", "--ignore=tests/unit", *session.posargs)


@nox.session
def slurm(session: nox.Session) -> None:
    """Cells on a real Slurm of two nodes on this host, and its faults; needs root, slurm-wlm and munge."""
    install(session)
    session.run("pytest", "-m", "slurm", "tests/slurm", *session.posargs)


@nox.session
def full(session: nox.Session) -> None:
    """Every failure on every environment that it applies to; gigabytes and an hour or more, see `repro envs`."""
    install(session)
    session.run("repro", "run", "--all-environments", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Seconds a verdict: by hand with pip, torchrun launcher, warm launcher, side by side."""
    install(session)
    session.run("python", "tests/bench/launchers.py", *session.posargs)


@nox.session
def mutation(session: nox.Session) -> None:
    """Small changes of the code that decides: at least 90 % are noticed; figures in reports/measurements/mutation.json.

    Goes on where it was stopped: a module whose code and tests did not change is not measured again.
    """
    install(session)
    session.run("python", "-m", "tests.bench.mutation", *session.posargs)


@nox.session
def campaign(session: nox.Session) -> None:
    """A thousand seeded faults over real processes; needs no torch; figures in reports/measurements/campaign.json."""
    install(session)
    arguments = session.posargs or ["1000", "--output", "reports/measurements/campaign.json"]
    session.run("python", "-m", "tests.campaign.campaign", *arguments)
