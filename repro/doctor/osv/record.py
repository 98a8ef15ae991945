"""Writes a failure as an OSV record, and matches versions with its ranges.  Pure.

https://ossf.github.io/osv-schema/
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pydantic import Field

from repro.doctor.stack.stack import ALIASES, allowed
from repro.model.affected import roles_in_words
from repro.model.base import Strict
from repro.model.failure import Failure
from repro.model.specifiers import ABSENT, PYTHON
from repro.model.version import parsed_version

SCHEMA_VERSION = "1.7.0"
PREFIX = "x_repro-"
"""The prefix of ids for databases that are not aggregated elsewhere."""
ECOSYSTEM = "PyPI"
_GITHUB = re.compile(r"([\w.-]+/[\w.-]+)#(\d+)")
_SEVERAL = (
    "Some conditions are about several packages at once, which ranges of one package cannot express; they are left "
    "out of 'affected'. Use repro doctor for them."
)
_NO_PACKAGE = (
    "Some conditions are about the version of Python or the absence of a package, which ranges of a package cannot "
    "express; they are left out of 'affected'. Use repro doctor for them."
)


class Event(Strict):
    """One bound: exactly one of the three fields is set."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class Range(Strict):
    """Bounds in the order of the releases."""

    type: Literal["ECOSYSTEM"] = "ECOSYSTEM"
    events: tuple[Event, ...]


class Package(Strict):
    ecosystem: str = ECOSYSTEM
    name: str


class Affected(Strict):
    """The releases of one package."""

    package: Package
    ranges: tuple[Range, ...]


class Reference(Strict):
    type: Literal["REPORT", "FIX", "WEB"]
    url: str


class Condition(Strict):
    """What is affected only in combination: releases of packages, ``python``, and packages that are ``absent``."""

    packages: dict[str, str]


class Specific(Strict):
    """Data for which the schema has no field."""

    kind: str
    cures: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    """Alternative conditions on several packages, which 'affected' leaves out."""
    note: str = ""
    not_known_below: dict[str, str] = {}
    """The oldest release of each package that was ever tried; older releases may be affected."""
    not_known_above: dict[str, str] = {}
    """The newest release of each package that was ever tried; newer releases may be affected."""


class OsvRecord(Strict):
    """One record."""

    schema_version: str = SCHEMA_VERSION
    id: str
    modified: str
    summary: str
    details: str
    affected: tuple[Affected, ...] | None = None
    references: tuple[Reference, ...] = ()
    database_specific: Specific = Field()

    def text(self) -> str:
        """The record as JSON."""
        return self.model_dump_json(indent=1, exclude_none=True)


def osv_record(failure: Failure, modified: datetime) -> OsvRecord:
    """The OSV record of a failure; ``modified`` is when its record was last written, in UTC."""
    # Which releases of several environments have a failure together cannot be said of one.
    listed = () if failure.depends_on_roles else failure.affected
    alone = [releases for releases in listed if _is_of_one_package(releases)]
    together = [Condition(packages=dict(releases)) for releases in listed if not _is_of_one_package(releases)]
    note = _SEVERAL if together else ""
    if any(PYTHON in item.packages or ABSENT in item.packages.values() for item in together):
        note = _NO_PACKAGE
    if failure.depends_on_roles:
        note = f"Two environments decide together: {roles_in_words(failure)}."
    texts: dict[str, list[str]] = {}
    for releases in alone:
        for name, text in releases.items():
            for package in filter(None, (name, ALIASES.get(name))):  # the same code under both names
                texts.setdefault(package, []).append(text)
    found = tuple(
        Affected(package=Package(name=name), ranges=ranges_of(specifiers)) for name, specifiers in texts.items()
    )
    return OsvRecord(
        id=f"{PREFIX}{failure.id}",
        modified=modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
        summary=failure.title,
        details="\n\n".join(part for part in (failure.summary, failure.mechanism, note) if part),
        affected=found or None,
        references=tuple(_references(failure)),
        database_specific=Specific(
            kind=failure.kind,
            cures=failure.cure_lines,
            conditions=tuple(together),
            note=note,
            not_known_below=failure.open_below,
            not_known_above=failure.open_above,
        ),
    )


def _is_of_one_package(releases: Mapping[str, str]) -> bool:
    """True if ranges of one package can express the condition: Python is none, and absence is no range."""
    return len(releases) == 1 and PYTHON not in releases and ABSENT not in releases.values()


def ranges_of(specifiers: Sequence[str]) -> tuple[Range, ...]:
    """The releases that satisfy any of some specifier sets, as events; separate intervals stay separate."""
    sets = [SpecifierSet(text) for text in specifiers]
    events: list[Event] = []
    before, last = False, Version("0")
    for point in allowed("", specifiers):
        inside = any(held.contains(point, prereleases=True) for held in sets)
        if inside and not before:
            events.append(Event(introduced="0" if point == Version("0") else str(point)))
        elif before and not inside:
            # A point right after a bound is not a release; the bound itself is then the last affected one.
            made_up = point.release == (*last.release, 0, 0, 1)
            events.append(Event(last_affected=str(last)) if made_up else Event(fixed=str(point)))
        before, last = inside, point
    if not any(event.last_affected for event in events):
        return (Range(events=tuple(events)),) if events else ()
    # A range must not have both kinds of ends.
    starts = [index for index, event in enumerate(events) if event.introduced]
    return tuple(
        Range(events=tuple(events[start:end])) for start, end in zip(starts, [*starts[1:], len(events)], strict=True)
    )


def matches(record: OsvRecord, package: str, version: str) -> bool:
    """True if a version of a package is affected, as the schema defines it; the local part (``+cu121``) is ignored."""
    stated = parsed_version(version)
    if stated is None:
        return False
    held = Version(stated.public)
    return any(
        _is_inside(part.events, held)
        for affected in record.affected or ()
        if affected.package.name == package
        for part in affected.ranges
    )


def _is_inside(events: Iterable[Event], version: Version) -> bool:
    inside = False
    for event in events:
        if event.introduced is not None and version >= Version(event.introduced):
            inside = True
        elif (event.fixed is not None and version >= Version(event.fixed)) or (
            event.last_affected is not None and version > Version(event.last_affected)
        ):
            inside = False
    return inside


def _references(failure: Failure) -> Iterable[Reference]:
    for links, kind in ((failure.upstream.issues, "REPORT"), (failure.upstream.fixes, "FIX")):
        for link in links:
            found = _GITHUB.fullmatch(link)
            page = "issues" if kind == "REPORT" else "pull"
            url = f"https://github.com/{found[1]}/{page}/{found[2]}" if found else link
            if url.startswith(("https://", "http://")):
                yield Reference(type="REPORT" if kind == "REPORT" else "FIX", url=url)
