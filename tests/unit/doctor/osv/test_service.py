"""The service on loopback: what auditors ask, and what strangers send."""

import http.client
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from repro.doctor.osv.record import osv_record
from repro.doctor.osv.service import HOST, MOST_BYTES, MOST_QUERIES, answer_get, answer_post, service
from tests.unit.factories import FAILURE, failure

RECORDS = [osv_record(failure(), datetime(2026, 11, 25, tzinfo=UTC))]
ID = f"x_repro-{FAILURE}"


def query(name: str = "lightning", version: str = "2.2.1") -> dict[str, Any]:
    return {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}


def post(path: str, asked: object) -> tuple[int, Any]:
    answered = answer_post(RECORDS, path, json.dumps(asked).encode())
    return int(answered.status), answered.content


def test_query() -> None:
    status, content = post("/v1/query", query())
    assert (status, [vuln["id"] for vuln in content["vulns"]]) == (200, [ID])
    assert post("/v1/query", query(version="2.2.2")) == (200, {})
    assert post("/v1/query", query("Lightning"))[1]["vulns"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"package": {"purl": "pkg:pypi/lightning@2.2.1"}}, True),
        ({"package": {"purl": "pkg:pypi/lightning@2.2.2"}}, False),
        ({"package": {"purl": "pkg:pypi/lightning"}, "version": "2.2.1"}, True),
        ({"package": {"purl": "pkg:pypi/lightning@2.2.1%2Bcpu?extension=whl#x"}}, True),
        ({"package": {"purl": "pkg:npm/lightning@2.2.1"}}, False),
        ({"package": {"name": "lightning", "ecosystem": "PyPI"}}, True),
        ({"package": {"name": "torch", "ecosystem": "PyPI"}}, False),
        ({"package": {"name": "torch", "ecosystem": "PyPI"}, "version": "nightly"}, False),  # no record is about it
        ({"commit": "6879efc2c1596d11a6a6ad296f80063b558d5e0f"}, False),
    ],
)
def test_other_forms_of_a_query(asked: dict[str, Any], *, found: bool) -> None:
    """A package URL names package and version; without a version every record of the package is meant."""
    assert bool(post("/v1/query", asked)[1].get("vulns")) is found


@pytest.mark.parametrize("version", ["nightly", "2.2.1-custom", "2.2.x", "", " ", "v" * 100_000, "2.2.1\n\x1b[31m"])
def test_version_that_is_none(version: str) -> None:
    """Whether it is affected nobody knows: an error in one line, never "no finding"."""
    for asked in (query(version=version), {"package": {"purl": f"pkg:pypi/lightning@{quote(version)}"}}):
        status, content = post("/v1/query", asked)
        if not version:
            assert (status, bool(content["vulns"])) == (200, True)
            continue
        assert (status, content["code"]) == (400, 3)
        assert "is no version by PEP 440" in content["message"]
        assert content["message"].isprintable()
        assert len(content["message"]) < 200
    if version:
        status, content = post("/v1/querybatch", {"queries": [query(), query(version=version)]})
        assert (status, content["message"].startswith("error in query at index 1: ")) == (400, True)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"package": 3, "version": "1"},
        {"package": {}, "version": "1"},
        {"package": {"name": [], "ecosystem": "PyPI"}, "version": "1"},
        {"package": {"name": ["lightning"], "ecosystem": "PyPI"}, "version": "1"},
        {"package": {"name": "lightning"}, "version": "1"},
        {"package": {"ecosystem": "PyPI"}, "version": "1"},
        {"package": {"name": "lightning", "ecosystem": "PyPI"}, "version": 2},
        {"package": {"name": "lightning", "purl": "pkg:pypi/lightning@2.2.1"}},
        {"package": {"ecosystem": "PyPI", "purl": "pkg:pypi/lightning@2.2.1"}},
        {"package": {"purl": "pkg:pypi/lightning@2.2.1"}, "version": "2.2.1"},
        {"package": {"purl": "lightning"}},
    ],
)
def test_queries_that_are_none(asked: dict[str, Any]) -> None:
    """What OSV's own service refuses is refused here: an answer without findings would be one."""
    status, content = post("/v1/query", asked)
    assert (status, content["code"], "\n" in content["message"]) == (400, 3, False)
    assert post("/v1/querybatch", {"queries": [asked]})[0] == 400


def test_batch_and_record() -> None:
    status, content = post("/v1/querybatch", {"queries": [query(), query(version="2.2.2"), query("torch")]})
    assert (status, content) == (
        200,
        {"results": [{"vulns": [{"id": ID, "modified": "2026-11-25T00:00:00Z"}]}, {}, {}]},
    )
    assert answer_get(RECORDS, f"/v1/vulns/{ID}").content["id"] == ID
    assert answer_get(RECORDS, "/v1/vulns/x").status == 404
    assert answer_get(RECORDS, "/").status == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/query", b"{", 400),
        ("/v1/query", b"[]", 400),
        ("/v1/query", b"[" * 100_000, 400),
        ("/v1/query", b'{"package": {"name": "lightning", "ecosystem": "npm"}, "version": "2.2.1"}', 200),
        ("/v1/querybatch", b'{"queries": 1}', 400),
        ("/v1/querybatch", b'{"queries": [1, null]}', 400),
        ("/v1/querybatch", json.dumps({"queries": [{}] * (MOST_QUERIES + 1)}).encode(), 400),
        ("/other", b"{}", 404),
    ],
)
def test_strange_questions(path: str, body: bytes, status: int) -> None:
    answered = answer_post(RECORDS, path, body)
    assert answered.status == status
    assert "vulns" not in answered.content


@pytest.fixture
def port() -> Iterator[int]:
    server = service(RECORDS, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_over_http(port: int) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request("POST", "/v1/query", json.dumps(query()))
    assert json.loads(connection.getresponse().read())["vulns"][0]["id"] == ID
    connection.request("POST", "/v1/query", json.dumps(query(version="nightly")))
    refused = connection.getresponse()
    assert (refused.status, json.loads(refused.read())["code"]) == (400, 3)
    connection.request("GET", f"/v1/vulns/{ID}")
    assert connection.getresponse().read()
    connection.request("POST", "/v1/query", headers={"Content-Length": str(MOST_BYTES + 1)})
    assert connection.getresponse().status == 400
    connection.close()


PROJECT = """[project]
name = "x"
version = "0"
requires-python = ">=3.11"
dependencies = ["lightning"]
"""
LOCK = """version = 1
revision = 1
requires-python = ">=3.11"

[[package]]
name = "lightning"
version = "VERSION"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://example.org/l.tar.gz", hash = "sha256:ZEROS" }

[[package]]
name = "x"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "lightning" }]

[package.metadata]
requires-dist = [{ name = "lightning" }]
""".replace("ZEROS", "0" * 64)


@pytest.mark.parametrize(("version", "found"), [("2.2.1", True), ("2.2.2", False)])
def test_uv_audit(port: int, tmp_path: Path, version: str, *, found: bool) -> None:
    """The real uv, on a lock."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists() or subprocess.run([uv, "audit", "--help"], capture_output=True, check=False).returncode:
        pytest.skip("this uv has no audit")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCK.replace("VERSION", version))
    command: list[str | Path] = [
        uv,
        "audit",
        "--frozen",
        "--service-url",
        f"http://{HOST}:{port}",
        "--cache-dir",
        tmp_path / "cache",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ID in done.stdout) is found, done.stderr


@pytest.mark.parametrize(("version", "found"), [("2.2.1", True), ("2.2.2", False)])
def test_pip_audit(port: int, tmp_path: Path, version: str, *, found: bool) -> None:
    """The real pip-audit, where it is installed."""
    tool = shutil.which("pip-audit")
    if tool is None:
        pytest.skip("pip-audit is not installed")
    pins = tmp_path / "requirements.txt"
    pins.write_text(f"lightning=={version}\n")
    url = f"http://{HOST}:{port}/v1/query"
    command: list[str | Path] = [
        tool,
        "-s",
        "osv",
        "--osv-url",
        url,
        "--no-deps",
        "--disable-pip",
        "-r",
        pins,
        "--progress-spinner=off",
    ]
    command += ["--cache-dir", tmp_path / "cache"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ID in done.stdout) is found, done.stderr
