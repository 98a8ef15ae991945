"""Serves the OSV API to auditors, on this machine only.

``POST /v1/query`` is for pip-audit, ``POST /v1/querybatch`` and ``GET /v1/vulns/ID`` are for uv audit.  Requests are
untrusted: they are bounded, and answered from records in memory.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from repro.doctor.osv.record import ECOSYSTEM, OsvRecord, matches

HOST = "127.0.0.1"
_PURL = re.compile(r"pkg:pypi/(?P<name>[^@?#/]+)(?:@(?P<version>[^?#]+))?")
_PURL_CHARACTERS = 500
MOST_BYTES = 4_000_000
MOST_QUERIES = 10_000
SECONDS = 10.0
"""A client that sends nothing for this long is disconnected."""


@dataclass(frozen=True)
class Answered:
    """A response."""

    status: HTTPStatus
    content: Mapping[str, Any]


def answer_get(records: Sequence[OsvRecord], path: str) -> Answered:
    """The response with the record of an id."""
    name = path.partition("?")[0].removeprefix("/v1/vulns/")
    found = next((record for record in records if record.id == name), None)
    if found is None:
        return Answered(HTTPStatus.NOT_FOUND, {"code": 5, "message": "no such record"})
    return Answered(HTTPStatus.OK, json.loads(found.text()))


def answer_post(records: Sequence[OsvRecord], path: str, body: bytes) -> Answered:
    """The response with the records that affect a version of a package; for a batch, with their ids."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return Answered(HTTPStatus.BAD_REQUEST, {"code": 3, "message": "a JSON object is expected"})
    if path == "/v1/query":
        found = [json.loads(record.text()) for record in _affecting(records, asked)]
        return Answered(HTTPStatus.OK, {"vulns": found} if found else {})
    if path == "/v1/querybatch":
        queries = asked.get("queries")
        if not isinstance(queries, list) or len(queries) > MOST_QUERIES:
            return Answered(HTTPStatus.BAD_REQUEST, {"code": 3, "message": f"at most {MOST_QUERIES} queries"})
        return Answered(HTTPStatus.OK, {"results": [_brief(_affecting(records, query)) for query in queries]})
    return Answered(HTTPStatus.NOT_FOUND, {"code": 5, "message": "no such page"})


def _affecting(records: Sequence[OsvRecord], query: object) -> list[OsvRecord]:
    package = query.get("package") if isinstance(query, dict) else None
    version = query.get("version") if isinstance(query, dict) else None
    if not isinstance(package, dict):
        return []
    name, ecosystem, purl = package.get("name"), package.get("ecosystem"), package.get("purl")
    if isinstance(purl, str):
        found = _PURL.match(purl[:_PURL_CHARACTERS])
        if found is None:
            return []
        name, ecosystem, version = unquote(found["name"]), ECOSYSTEM, unquote(found["version"] or "") or version
    if ecosystem != ECOSYSTEM or not isinstance(name, str):
        return []
    name = canonicalize_name(name)
    if version in {None, ""}:  # OSV's service then answers with all records of the package
        return [record for record in records if any(item.package.name == name for item in record.affected or ())]
    return [record for record in records if matches(record, name, version)] if isinstance(version, str) else []


def _brief(found: Sequence[OsvRecord]) -> dict[str, Any]:
    return {"vulns": [{"id": record.id, "modified": record.modified} for record in found]} if found else {}


def service(records: Sequence[OsvRecord], port: int) -> ThreadingHTTPServer:
    """A server on the loopback address; ``port`` 0 takes any free port.  Raises OSError."""

    class Handler(BaseHTTPRequestHandler):
        timeout = SECONDS
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(answer_get(records, self.path))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                self.close_connection = True
                self._send(Answered(HTTPStatus.BAD_REQUEST, {"code": 3, "message": f"at most {MOST_BYTES} bytes"}))
                return
            self._send(answer_post(records, self.path, self.rfile.read(int(length))))

        def _send(self, answered: Answered) -> None:
            content = json.dumps(answered.content).encode()
            self.send_response(answered.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
            pass

    return ThreadingHTTPServer((HOST, port), Handler)
