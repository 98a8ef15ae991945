"""The data of the sentinels of ``repro.reach``: JSON, for an environment without our dependencies."""

from collections.abc import Iterable
from typing import Any

from repro.catalog.reach_groups import group
from repro.model.failure import Failure
from repro.model.reach import Accepted, Use


def sentinel_data(failures: Iterable[Failure]) -> dict[str, Any]:
    """Every record with a ``reach``, its groups expanded."""
    return {
        "format": 1,
        "failures": [
            {
                "id": failure.id,
                "title": failure.title,
                "affected": [dict(releases) for releases in failure.affected],
                "never_tried": [(untried.name, untried.specifier) for untried in failure.never_tried],
                "when": _use(failure.reach.when),
                "at_fault": list(failure.reach.at_fault),
            }
            for failure in failures
            # One process cannot know the releases of another environment, which decide too.
            if failure.reach and not failure.depends_on_roles
        ],
    }


def _use(use: Use) -> dict[str, Any]:
    if use.group:
        return _use(group(use.group))
    for kind, parts in (("all_of", use.all_of), ("any_of", use.any_of)):
        if parts:
            return {kind: [_use(part) for part in parts]}
    if use.symbols or use.applied:
        arguments = {name: _accepted(item) for name, item in use.arguments.items()}
        return {"symbols": [*use.symbols, *use.applied], **({"arguments": arguments} if arguments else {})}
    if use.settings:
        return {"settings": list(use.settings), **_accepted(use.accepted)}
    # Bases, methods of any object and texts cannot be seen by watching calls of functions.
    kind = next(kind for kind in ("bases", "defines", "methods", "texts", "models") if getattr(use, kind))
    return {"not_seen": kind}


def _accepted(item: Accepted) -> dict[str, list[str]]:
    found = {"values": list(item.values), "other_than": list(item.other_than)}
    return {key: values for key, values in found.items() if values}
