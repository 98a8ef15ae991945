"""A package index on the loopback device, with made-up releases: real wheels, served with their upload times."""

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from packaging.utils import parse_wheel_filename

JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Published:
    """One release: a wheel of pure Python."""

    distribution: str
    version: str
    uploaded: str
    """A day."""
    files: Mapping[str, str]
    """Path inside the wheel -> text."""
    requires: tuple[str, ...] = ()
    yanked: str | bool = False

    @property
    def filename(self) -> str:
        return f"{self.distribution}-{self.version}-py3-none-any.whl"

    @property
    def metadata(self) -> str:
        lines = [f"Metadata-Version: 2.1\nName: {self.distribution}\nVersion: {self.version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return "\n".join(lines) + "\n"

    @property
    def content(self) -> bytes:
        """The same bytes each time: hashes are part of locks."""
        info = f"{self.distribution}-{self.version}.dist-info"
        texts = {
            **self.files,
            f"{info}/METADATA": self.metadata,
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},sha256={_digest(text)},{len(text.encode())}\n" for name, text in texts.items())
        texts[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            for name, text in texts.items():
                wheel.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
        return buffer.getvalue()


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@dataclass
class LocalIndex:
    """What is published; releases can be added while it serves."""

    releases: list[Published] = field(default_factory=list)
    address: str = ""

    def page(self, distribution: str) -> bytes | None:
        """The project page of PEP 691 with the upload times of PEP 700; None if there is no such project."""
        held = [release for release in self.releases if release.distribution == distribution]
        files = [
            {
                "filename": release.filename,
                "url": f"/files/{release.filename}",
                "hashes": {"sha256": hashlib.sha256(release.content).hexdigest()},
                "upload-time": f"{release.uploaded}T12:00:00.000000Z",
                "size": len(release.content),
                "yanked": release.yanked,
                "core-metadata": {"sha256": hashlib.sha256(release.metadata.encode()).hexdigest()},
            }
            for release in held
        ]
        versions = [release.version for release in held]
        return _page(distribution, files, versions) if held else None

    def file(self, name: str) -> bytes | None:
        """A wheel, or its metadata alone (PEP 658)."""
        for release in self.releases:
            if name == release.filename:
                return release.content
            if name == f"{release.filename}.metadata":
                return release.metadata.encode()
        return None


@dataclass
class WithWheels(LocalIndex):
    """An index that serves the wheels of a folder too, as if all had been uploaded on one day."""

    folder: Path = Path()
    uploaded: str = "2026-01-01"

    def page(self, distribution: str) -> bytes | None:
        wheels = [file for file in sorted(self.folder.glob("*.whl")) if _project(file) == distribution]
        if not wheels:
            return super().page(distribution)
        files = [
            {
                "filename": file.name,
                "url": f"/files/{quote(file.name)}",
                "hashes": {"sha256": _file_digest(file)},
                "upload-time": f"{self.uploaded}T12:00:00.000000Z",
                "size": file.stat().st_size,
                "core-metadata": True,
            }
            for file in wheels
        ]
        versions = sorted({str(parse_wheel_filename(file.name)[1]) for file in wheels})
        return _page(distribution, files, versions)

    def file(self, name: str) -> bytes | None:
        wheel = self.folder / Path(unquote(name)).name.removesuffix(".metadata")
        if not wheel.is_file():
            return super().file(name)
        if not name.endswith(".metadata"):
            return wheel.read_bytes()
        with zipfile.ZipFile(wheel) as opened:
            return opened.read(next(part for part in opened.namelist() if part.endswith(".dist-info/METADATA")))


def _page(distribution: str, files: list[dict[str, Any]], versions: list[str]) -> bytes:
    page = {"meta": {"api-version": "1.1"}, "name": distribution, "files": files, "versions": versions}
    return json.dumps(page).encode()


def _project(wheel: Path) -> str:
    return parse_wheel_filename(wheel.name)[0]


@cache
def _file_digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def served(index: LocalIndex, *, port: int = 0, elsewhere: str = "") -> Iterator[LocalIndex]:
    """Serve an index until the block ends; whoever asks for another project is sent ``elsewhere``, if it is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            body = index.page(name) if kind == "simple" else index.file(name) if kind == "files" else None
            if body is None and kind == "simple" and elsewhere:
                self.send_response(302)
                self.send_header("Location", f"{elsewhere}/{name}/")
            else:
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", JSON if kind == "simple" else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        index.address = f"http://127.0.0.1:{server.server_address[1]}/simple/"
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
