"""Who has a failure, by the releases that its record names.  Light: it imports no model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from repro.model.specifiers import ABSENT, covers, range_in_words
from repro.model.stages import Roles

if TYPE_CHECKING:
    from repro.model.outline import Outlined


def all_ranges(failure: "Outlined") -> tuple[Mapping[str, str], ...]:
    """Every condition on releases by which a record says who is affected or refused."""
    earlier = (releases for _, affected in failure.earlier for releases in affected)
    return (*failure.affected, *earlier, *failure.refused)


def specifiers_of(failure: "Outlined") -> dict[str, tuple[str, ...]]:
    """The specifiers by which a record says who is affected, by distribution; none for one that must be absent."""
    said: dict[str, list[str]] = {name: [] for name in failure.judged_by}
    for releases in all_ranges(failure):
        for name, text in releases.items():
            said[name] += [] if text == ABSENT else [text]
    for untried in failure.never_tried:
        said[untried.name].append(untried.specifier)
    return {name: tuple(texts) for name, texts in said.items()}


def is_open(failure: "Outlined", versions: Mapping[str, str]) -> bool:
    """True if the versions would be affected, but for a release that is older or newer than any that was tried."""

    def fits(name: str, text: str) -> bool:
        untried = (item.specifier for item in failure.never_tried if item.name == name)
        return any(covers({name: releases}, versions) for releases in (text, *untried))

    return not is_affected(failure, versions) and any(
        all(fits(name, text) for name, text in releases.items()) for releases in failure.affected
    )


def inapplicable(failure: "Outlined", versions: Mapping[str, str]) -> str | None:
    """Why the reproduction cannot run with the installed versions, or None."""
    for name, specifiers in failure.needed.items():
        if name not in versions:
            return f"needs {name}{specifiers}, which is not installed"
        if not covers({name: specifiers}, versions):
            return f"needs {name}{specifiers}, found {versions[name]}"
    return None


def is_affected(failure: "Outlined", versions: Mapping[str, str], roles: Roles | None = None) -> bool:
    """Whether one of the record's alternatives covers the versions.

    ``roles`` holds the versions of the roles that have an environment of their own; those left out have ``versions``.
    """
    given = roles or {}
    return any(covers(releases, versions) for releases in failure.affected) and all(
        any(covers(releases, given.get(role, versions)) for releases in affected) for role, affected in failure.earlier
    )


def roles_in_words(failure: "Outlined") -> str:
    """``writer torch <2.7.0, reader torch >=2.7.0``: which releases in which role have the failure together."""
    held = {**dict(failure.earlier), failure.roles[-1]: failure.affected}
    return ", ".join(
        f"{role} {' or '.join(' with '.join(range_in_words(*item) for item in one.items()) for one in releases)}"
        for role, releases in held.items()
    )


def plays_a_role(failure: "Outlined", versions: Mapping[str, str]) -> bool:
    """True if the failure may show where an environment with these versions is that of one role at least."""
    alternatives = (failure.affected, *(affected for _, affected in failure.earlier))
    return any(covers(releases, versions) for one_of in alternatives for releases in one_of)
