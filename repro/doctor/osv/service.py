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
from repro.model.version import parsed_version

HOST = "127.0.0.1"
_PURL = re.compile(r"pkg:pypi/(?P<name>[^@?#/]+)(?:@(?P<version>[^?#]+))?")
_PURL_CHARACTERS = 500
_SHOWN = 60
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
    """The response with the records that affect a version of a package; for a batch, with their ids.

    A query that cannot be answered is an error 400, as in OSV's own service: no finding would say "not affected".
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return _refused("a JSON object is expected")
    if path == "/v1/query":
        try:
            found = [json.loads(record.text()) for record in _affecting(records, asked)]
        except _InvalidQueryError as error:
            return _refused(str(error))
        return Answered(HTTPStatus.OK, {"vulns": found} if found else {})
    if path == "/v1/querybatch":
        queries = asked.get("queries")
        if not isinstance(queries, list) or len(queries) > MOST_QUERIES:
            return _refused(f"at most {MOST_QUERIES} queries")
        results = []
        for index, query in enumerate(queries):
            try:
                results.append(_brief(_affecting(records, query)))
            except _InvalidQueryError as error:
                return _refused(f"error in query at index {index}: {error}")
        return Answered(HTTPStatus.OK, {"results": results})
    return Answered(HTTPStatus.NOT_FOUND, {"code": 5, "message": "no such page"})


class _InvalidQueryError(Exception):
    """A query that is no question, or of which nobody can tell."""


def _refused(message: str) -> Answered:
    return Answered(HTTPStatus.BAD_REQUEST, {"code": 3, "message": message})


def _affecting(records: Sequence[OsvRecord], query: object) -> list[OsvRecord]:
    if not isinstance(query, dict):
        raise _InvalidQueryError("a query is an object")
    if isinstance(query.get("commit"), str):
        return []  # no record is about commits
    name, version = _asked(query)
    concerned = [record for record in records if any(item.package.name == name for item in record.affected or ())]
    if not version:  # OSV's service then answers with all records of the package
        return concerned
    if concerned and parsed_version(version) is None:
        raise _InvalidQueryError(
            f"{version[:_SHOWN]!a} is no version by PEP 440: whether {name} is affected is not known"
        )
    return [record for record in concerned if matches(record, name, version)]


def _asked(query: Mapping[str, object]) -> tuple[str, str]:
    """The name of the package of PyPI, or "" for one of another ecosystem, and its version, if one is given."""
    package, version = query.get("package"), query.get("version") or ""
    if not isinstance(package, dict) or not isinstance(version, str):
        raise _InvalidQueryError("a package is expected, and a version that is a text")
    name, ecosystem, purl = (package.get(key) or "" for key in ("name", "ecosystem", "purl"))
    if not all(isinstance(item, str) for item in (name, ecosystem, purl)):
        raise _InvalidQueryError("name, ecosystem and purl of a package are texts")
    if not purl:
        if not name or not ecosystem:
            raise _InvalidQueryError("a package needs a name and an ecosystem, or a purl")
        return (canonicalize_name(name) if ecosystem == ECOSYSTEM else ""), version
    if name or ecosystem:
        raise _InvalidQueryError("a purl goes without name and ecosystem")
    found = _PURL.match(purl[:_PURL_CHARACTERS])
    if found is None:
        if not purl.startswith("pkg:"):
            raise _InvalidQueryError("the purl is none")
        return "", version
    stated = unquote(found["version"] or "")
    if stated and version:
        raise _InvalidQueryError("the version stands in the purl and beside it")
    return canonicalize_name(unquote(found["name"])), stated or version


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
                self._send(_refused(f"at most {MOST_BYTES} bytes"))
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
