"""Reads the version from an address of a wheel, an sdist, an archive or a repository's tag.  Pure."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from repro.doctor.stack.stack import LIBRARIES
from repro.doctor.stack.statements import Statement, shortened, statement
from repro.model.version import parsed_version

SCHEMES = ("git+", "hg+", "svn+", "bzr+", "http:", "https:", "ftp:", "file:", "./", "../", "/", "~")
FROM_GIT = "is installed from git"
"""Begins the reason why the version of such a distribution is not known."""
REPOSITORIES = {"pytorch": "torch"}
"""Repositories whose distribution has another name."""
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_TAG = re.compile(r"v?(\d+(?:\.\d+)+[0-9A-Za-z.+-]*)")
_ARCHIVE = re.compile(
    r"/(?P<repository>[^/]+)/(?:archive|zipball|tarball)/(?:refs/tags/)?(?P<reference>[^/]+?)(?:\.zip|\.tar\.gz|\.tgz)?$"
)
_CONDA_BUILD = re.compile(r"feedstock_root|/conda[-_]bld/|/croot/|/conda/")


def is_source(text: str) -> bool:
    """True if a requirement line names a folder, a repository or a file."""
    return text.startswith(SCHEMES) or (text.endswith((".whl", ".tar.gz", ".zip")) and "@" not in text)


def is_conda_build(address: str) -> bool:
    """True if ``pip freeze`` printed the folder in which conda built a package instead of its version."""
    return address.startswith("file:") and bool(_CONDA_BUILD.search(address))


def of_address(address: str, name: str = "", *, editable: bool = False, where: str = "") -> Statement | None:
    """The statement of an address about ``name``, if the line gives one; None if the address names no distribution."""
    text = address.split(maxsplit=1)[0] if address.split() else ""
    found = _file(text, where)
    if found:
        return found
    egg = _EGG.search(text)
    repository, reference = _repository(text)
    named = name or (egg[1] if egg else "") or repository
    if not named:
        return None
    version = _version(reference)
    if version:
        return statement(named, f"=={version}", where=where)
    if text.startswith(("git+", "hg+", "svn+", "bzr+")):
        why = f"is installed from {text.partition('+')[0]} ({shortened(reference) or 'its default branch'})"
    elif is_conda_build(text):
        why = "is named without its version, as pip does for conda's packages"
    elif editable or "://" not in text:
        why = "is installed from a folder"
    else:
        why = "is installed from an address"
    return statement(named, where=where, why=why)


def path_of(address: str) -> str:
    """The unescaped path of an address; the whole text if it is not a valid address."""
    try:
        return unquote(urlsplit(address).path)
    except ValueError:
        return address


def _file(address: str, where: str) -> Statement | None:
    """The pin in the file name of a wheel or an sdist."""
    path = PurePosixPath(path_of(address))
    if _ARCHIVE.search(str(path)):
        return None
    try:
        if path.suffix == ".whl":
            distribution, version, _, _ = parse_wheel_filename(path.name)
        else:
            distribution, version = parse_sdist_filename(path.name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return statement(distribution, f"=={version}", where=where)


def _repository(address: str) -> tuple[str, str]:
    """The distribution of a known repository, and the branch, tag or commit."""
    path = path_of(address).rstrip("/")
    archive = _ARCHIVE.search(path)
    if archive:
        return _distribution(archive["repository"]), archive["reference"]
    path, _, reference = path.partition("@")
    folder = PurePosixPath(path).name.removesuffix(".git")
    distribution = _distribution(folder)
    # The name of any other folder or repository is poor evidence of what it installs.
    is_repository = address.startswith(("git+", "hg+", "svn+", "bzr+"))
    return (distribution if is_repository or distribution in LIBRARIES else ""), reference


def _distribution(folder: str) -> str:
    return REPOSITORIES.get(folder.lower(), canonicalize_name(folder)) if re.match(r"[A-Za-z0-9]", folder) else ""


def _version(reference: str) -> str | None:
    tag = _TAG.fullmatch(reference)
    if tag is None:
        return None
    parsed = parsed_version(tag[1])
    return str(parsed) if parsed else None
