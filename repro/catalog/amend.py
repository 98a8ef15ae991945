"""Changes single values of a record in place; comments, layout and quoting are kept."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet

from repro.catalog import yaml_reader
from repro.files import write_whole, writing
from repro.model.base import Location
from repro.model.errors import Fault, RecordError, UsageError
from repro.model.failure import Failure
from repro.model.specifiers import covers

_LOWER = (">=", ">")
_UPPER = ("<=", "<")
OPEN_BELOW = "open_below"


def replaced(text: str, changes: Mapping[Location, str], file: Path) -> str:
    """A YAML text with some of its scalars replaced; raises RecordError if one is not a plain scalar on one line."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    spans = []
    for at, value in changes.items():
        node = _node(root, at)
        key = ".".join(str(part) for part in at)
        if not isinstance(node, yaml.ScalarNode) or node.start_mark.line != node.end_mark.line:
            line = node.start_mark.line + 1 if node is not None else 0
            raise RecordError([Fault(file, line, key, "cannot be changed in place", f"write {value!r} by hand")])
        quote = "'" if node.style == "'" else '"'
        spans.append((node.start_mark.index, node.end_mark.index, f"{quote}{value}{quote}"))
    for start, end, written in sorted(spans, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _node(root: yaml.Node | None, at: Location) -> yaml.Node | None:
    node = root
    for part in at:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part] if part < len(node.value) else None
        else:
            return None
    return node


def with_open_below(text: str, oldest: Mapping[str, str], file: Path) -> str:
    """A record's text with this ``open_below``, on one line after ``affected``; without the key if it is empty.

    Raises RecordError if it is on several lines in the text.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    values = {key.value: (key, value) for key, value in root.value} if isinstance(root, yaml.MappingNode) else {}
    lines = text.splitlines(keepends=True)
    written = f"open_below: {{{', '.join(f'{name}: {version!r}' for name, version in oldest.items())}}}\n"
    if OPEN_BELOW in values:
        key, value = values[OPEN_BELOW]
        if (
            not isinstance(value, yaml.MappingNode)
            or not value.flow_style
            or "\n" in text[key.start_mark.index : value.end_mark.index]
        ):
            raise RecordError(
                [
                    Fault(
                        file,
                        key.start_mark.line + 1,
                        OPEN_BELOW,
                        "cannot be changed in place",
                        f"write by hand: {written.strip()}",
                    )
                ]
            )
        lines[key.start_mark.line : key.start_mark.line + 1] = [written] if oldest else []
    elif oldest:
        at = _last(values["affected"][1]).end_mark.line + 1
        lines[at - 1] = lines[at - 1].rstrip("\n") + "\n"
        lines[at:at] = [written]
    return "".join(lines)


def _last(node: yaml.Node) -> yaml.Node:
    """The last scalar or flow collection below a node; the node's text ends at its end."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def amend(file: Path, changes: Mapping[Location, str], open_below: Mapping[str, str] | None = None) -> None:
    """Change values of a record, and its ``open_below`` if given; nothing else changes.

    The record is valid before and after.  Raises RecordError or UsageError, with the file unchanged.
    """
    text = file.read_text(encoding="utf-8")
    before = yaml_reader.parse(Failure, text, file)
    amended = replaced(text, changes, file)
    expected = before.model_dump(mode="json")
    for at, value in changes.items():
        _put(expected, at, value)
    if open_below is not None and open_below != before.open_below:
        amended = with_open_below(amended, open_below, file)
        expected[OPEN_BELOW] = dict(open_below)
    after = yaml_reader.parse(Failure, amended, file)
    if after.model_dump(mode="json") != expected:
        raise RecordError([Fault(file, 0, "", "the change would touch other values (an alias?)", "write it by hand")])
    with writing(file, UsageError):
        write_whole(file, amended)


def _put(content: object, at: Location, value: str) -> None:
    *path, last = at
    for part in path:
        content = content[part]  # type: ignore[index]
    content[last] = value  # type: ignore[index]


def with_bound(specifiers: str, clause: str) -> str:
    """The specifiers with their lower or upper bound replaced: ``>=2.1,<2.2`` and ``<2.3`` give ``>=2.1,<2.3``.

    A single release is a range of one: ``==2.1`` and ``<2.3`` give ``>=2.1,<2.3``.  Raises UsageError for other
    specifiers that name single releases or series.
    """
    clauses = [str(item) for item in SpecifierSet(specifiers)]
    if len(clauses) == 1 and clauses[0].startswith("==") and not clauses[0].startswith("===") and "*" not in clauses[0]:
        release = clauses[0].removeprefix("==")
        clauses = [f">={release}", f"<={release}"]
    if any(item.startswith(("==", "~=")) for item in clauses):
        raise UsageError(f"{specifiers} names releases by == or ~=: write the record by hand")
    same = _LOWER if clause.startswith(_LOWER) else _UPPER
    kept = [item for item in clauses if not item.startswith(same)] + [clause]
    order = {">": 0, "<": 1, "!": 2}
    return ",".join(sorted(kept, key=lambda item: (order[item[0]], item)))


def lower_bound(specifiers: str) -> str | None:
    """The lower bound of specifiers: ``2.1`` of ``>=2.1,<2.3``; None if there is none."""
    clauses = [item for item in SpecifierSet(specifiers) if item.operator in {">=", ">", "==", "~="}]
    return next((item.version for item in clauses), None)


def bounds(failure: Failure, package: str, bad: Mapping[str, str], clause: str) -> dict[Location, str]:
    """The changes that make the affected range of a package end (``<4.50.0``) or begin (``>=2.1.0``) at a clause.

    ``bad`` are the versions of the neighbour that shows the failure.  Raises UsageError if the record has no
    alternative for it, or several.
    """
    versions = dict(bad)
    found = []
    for index, releases in enumerate(failure.affected):
        others = {name: held for name, held in releases.items() if name != package}
        if package in releases and covers(others, versions):
            widened = with_bound(releases[package], clause)
            if covers({package: widened}, versions):
                found.append((index, widened))
    if len(found) != 1:
        many = "several alternatives" if found else "no alternative"
        raise UsageError(f"{failure.id}: {many} of affected could take {package} {clause}; write the record by hand")
    ((index, widened),) = found
    changes: dict[Location, str] = {("affected", index, package): widened}
    if clause.startswith("<") and package in failure.fixed_in:
        changes["fixed_in", package] = clause.removeprefix("<")
    return changes
