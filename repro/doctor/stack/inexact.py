"""Builds that differ from the release of their number: pre-releases, vendor builds, checkouts.  Pure."""

import re

from packaging.version import Version

from repro.model.version import parsed_version

OFFICIAL = re.compile(r"(cpu|cu\d+|rocm[\d.]+|xpu)(\..*)?")
"""Local version labels of the projects' own wheels, which have the code of the release."""


def span(version: str, inexact: str = "") -> str:
    """The range of releases between which a build's code lies, as specifiers; empty if it is the release itself.

    A pre-release of 2.5.0 was branched off after 2.4.0, so it may contain any change between the two.  A checkout or a
    vendor's build of 2.5.0 may contain changes that were released with 2.5.1.
    """
    parsed = parsed_version(version)
    if parsed is None:
        return ""
    major, minor, micro = (*parsed.release, 0, 0)[:3]
    following = f">={parsed.base_version},<={major}.{minor}.{micro + 1}"
    if parsed.is_prerelease and parsed.post is None:
        before = (major, minor, micro - 1) if micro else (major, minor - 1) if minor else (max(major - 1, 0),)
        return f">={'.'.join(map(str, before))},<={parsed.base_version}"
    return following if inexact or parsed.is_prerelease or _is_vendor(parsed) else ""


def describe(version: str, inexact: str = "") -> str:
    """Why a version is not a release, as a predicate: ``is a pre-release of 2.5.0``; empty for a release."""
    if inexact:
        return inexact
    parsed = parsed_version(version)
    if parsed is None:
        return "is not a version that can be compared"
    if parsed.is_prerelease:
        return f"is a pre-release of {parsed.base_version}"
    return "is a vendor build" if _is_vendor(parsed) else ""


def _is_vendor(version: Version) -> bool:
    return version.local is not None and not OFFICIAL.fullmatch(version.local)
