"""Where a development version comes from: a revision of a repository, or a wheel.  Pure.

``git+https://HOST/PATH@REVISION``, ``git+file:///PATH@REVISION``, or the path of a wheel, with ``#sha256=HASH`` where
one file alone is meant.  What is stored names a local one by its last part only.
"""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated

from pydantic import AfterValidator

_GIT = re.compile(
    r"(?P<repository>git\+(?:https|ssh)://[^\s@?#]+|git\+file:(?://)?[^\s@?#]+)"
    r"@(?P<revision>[A-Za-z0-9][\w./-]{0,199})(?P<folder>#subdirectory=[\w./-]{1,200})?"
)
_WHEEL = re.compile(
    r"(?:file://)?(?P<path>[^\s?#@:]{0,1000}?\w[\w.]*-\d[^-\s/]*(?:-\d[^-\s/]*)?(?:-[^-\s/]+){3}\.whl)"
    r"(?:#sha256=(?P<sha256>[0-9a-f]{64}))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 12
"""Characters of a commit or a hash that people are shown."""


@dataclass(frozen=True)
class Source:
    """An address, read."""

    address: str
    """The repository without its revision, or the path of the wheel."""
    revision: str = ""
    """Of a repository; empty for a wheel."""
    folder: str = ""
    """``#subdirectory=...`` where the project is not at the root of its repository."""
    sha256: str = ""
    """Of a wheel: the hash of its one file; empty where the name alone is given."""

    @property
    def is_exact(self) -> bool:
        """True if it can only ever mean one content: a whole commit, or a wheel with its hash."""
        return bool(self.sha256 if self.is_wheel else _COMMIT.fullmatch(self.revision))

    @property
    def is_wheel(self) -> bool:
        return not self.revision

    @property
    def is_local(self) -> bool:
        """True if the address is of this machine."""
        return self.is_wheel or self.address.startswith("git+file:")

    @property
    def last(self) -> str:
        """The last part of the path."""
        return self.address.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    @property
    def version(self) -> str:
        """Of a wheel, the version in its name."""
        return self.last.split("-")[1] if self.is_wheel else ""

    @property
    def public(self) -> str:
        """The address without the folders of a machine: what locks, reports and stored runs say."""
        return self._at(self.last if self.is_wheel else f"git+file:{self.last}" if self.is_local else self.address)

    @property
    def text(self) -> str:
        """The whole address, as this machine needs it."""
        return self._at(self.address)

    @property
    def place(self) -> str:
        """The public address without what makes it exact: two revisions of one repository have the same."""
        return (self.at("") if self.is_wheel else self.at("*")).public

    def _at(self, address: str) -> str:
        if self.is_wheel:
            return f"{address}#sha256={self.sha256}" if self.sha256 else address
        return f"{address}@{self.revision}{self.folder}"

    def at(self, exact: str) -> "Source":
        """The same repository at another revision, or the same wheel with this hash."""
        if self.is_wheel:
            return Source(self.address, sha256=exact)
        return Source(self.address, exact, self.folder)

    @property
    def installable(self) -> str:
        """What an installer is given."""
        if self.is_wheel:
            return f"file://{self.address}"
        return f"{self.address}@{self.revision}{self.folder}"


def read_source(text: str) -> Source:
    """Read an address; raises ValueError that says what is expected."""
    git = _GIT.fullmatch(text)
    if git:
        return Source(git["repository"], git["revision"], git["folder"] or "")
    wheel = _WHEEL.fullmatch(text)
    if wheel:
        return Source(wheel["path"], sha256=wheel["sha256"] or "")
    _, remote, rest = text.partition("://")
    if text.startswith("git+") and remote and "@" in rest.partition("/")[0]:
        raise ValueError(
            "an address holds a user or a token, which no lock may: leave it out, and let git's helper ask"
        )
    if text.startswith("git+"):
        raise ValueError(f"{text[:200]!r}: git+https://HOST/PATH@REVISION is expected: a tag, a branch or a commit")
    raise ValueError(f"{text[:200]!r} is no source: git+https://HOST/PATH@REVISION or the path of a wheel is expected")


def placed(text: str, folder: PurePath) -> str:
    """An address, with a wheel's relative path below an absolute folder; raises ValueError."""
    source = read_source(text)
    return Source(str(folder / source.address), sha256=source.sha256).text if source.is_wheel else text


def shortened(public: str) -> str:
    """A public address for people, with the first characters of its commit or hash."""
    source = read_source(public)
    exact = source.sha256 if source.is_wheel else source.revision
    return source.at(exact[:_SHOWN]).public if source.is_exact else public


def _source(text: str) -> str:
    read_source(text)
    return text


SourceText = Annotated[str, AfterValidator(_source)]
