"""Reads ``uv.lock``, ``poetry.lock``, ``pdm.lock``, ``pylock.toml`` and ``Pipfile.lock``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.utils import canonicalize_name

from repro.doctor.stack.markers import Holds, Target, holds, needed_extras
from repro.doctor.stack.parsed import Table, list_of, table_of, text_of
from repro.doctor.stack.requirements import of_requirement
from repro.doctor.stack.sources import of_address
from repro.doctor.stack.statements import Reading, Statement, names_dependencies_of_torch, statement
from repro.model.errors import UsageError

_DEFAULT_GROUPS = frozenset({"main", "default", "project"})


def read_uv(content: Table) -> Reading:
    """A uv.lock: what its project needs on each target, with and without extras and groups."""
    packages = _tables(content.get("package"))
    reading = Reading(requires_python=text_of(content.get("requires-python")))
    found = _UvGraph(packages)
    certain: dict[int, set[Target]] = {}
    optional: dict[int, set[str]] = {}
    for target in reading.targets:
        for index, labels in found.installed_on(target).items():
            if "" in labels:
                certain.setdefault(index, set()).add(target)
            else:
                optional.setdefault(index, set()).update(labels)
    for index, package in enumerate(packages):
        if index in found.roots or not isinstance(package.get("name"), str):
            continue
        item = _locked(package)
        if index in certain:
            reading.required.append(replace(item, only_on=frozenset(certain[index])))
        if index in optional:
            reading.required.append(replace(item, only_with=" or ".join(sorted(optional[index]))))
    return _completed(reading, packages)


def read_poetry(content: Table) -> Reading:
    """A poetry.lock; packages that are only in an extra or a group other than main may be absent."""
    packages = _tables(content.get("package"))
    extras = content.get("extras")
    reading = Reading(requires_python=_caret_python(text_of(table_of(content.get("metadata")).get("python-versions"))))
    for package in packages:
        if not isinstance(package.get("name"), str):
            continue
        item = _locked(package)
        groups = [
            group for group in list_of(package.get("groups")) or [package.get("category")] if isinstance(group, str)
        ]
        only_with = "" if not groups or _DEFAULT_GROUPS & set(groups) else f"the group {' or '.join(groups)}"
        if package.get("optional") in {True, "true"}:
            names = [name for name, needed in table_of(extras).items() if item.name in _names(needed)]
            only_with = f"the extra {' or '.join(names)}" if names else "an extra"
        reading.required.append(replace(item, marker=_poetry_marker(package.get("markers")), only_with=only_with))
    return _completed(reading, packages)


def read_pdm(content: Table) -> Reading:
    """A pdm.lock; packages that are only in a group other than default may be absent."""
    packages = _tables(content.get("package"))
    metadata = table_of(content.get("metadata"))
    wanted = [table_of(item).get("requires_python") for item in list_of(metadata.get("targets"))]
    reading = Reading(requires_python=text_of(wanted[0]) if len(wanted) == 1 else "")
    for package in packages:
        if not isinstance(package.get("name"), str):
            continue
        groups = [group for group in list_of(package.get("groups")) if isinstance(group, str)]
        only_with = "" if not groups or _DEFAULT_GROUPS & set(groups) else f"the group {' or '.join(groups)}"
        item = replace(_locked(package), marker=text_of(package.get("marker")), only_with=only_with)
        if item not in reading.required:  # one entry for each set of extras
            reading.required.append(item)
    return _completed(reading, packages)


def read_pylock(content: Table) -> Reading:
    """A pylock.toml; markers name extras and groups too."""
    packages = _tables(content.get("packages"))
    reading = Reading(requires_python=text_of(content.get("requires-python")))
    for package in packages:
        if not isinstance(package.get("name"), str):
            continue
        marker = text_of(package.get("marker"))
        reading.required.append(replace(_locked(package), marker=marker))
    return _completed(reading, packages)


def read_pipfile_lock(content: Table) -> Reading:
    """A Pipfile.lock; the develop group may be absent."""
    reading = Reading(
        python=text_of(table_of(table_of(content.get("_meta")).get("requires")).get("python_version")) or None
    )
    for group, only_with in (("default", ""), ("develop", "the group develop")):
        for name, entry in table_of(content.get(group)).items():
            facts = table_of(entry)
            item = statement(name, text_of(facts.get("version")))
            if not item.specifiers:
                item = _of_git(name, facts) or item
            item = replace(item, marker=text_of(facts.get("markers")), only_with=only_with)
            reading.required.append(item)
    return _completed(reading, [])


@dataclass
class _UvGraph:
    """The dependency graph of a uv.lock."""

    packages: list[Table]
    roots: frozenset[int] = field(init=False)
    """The project, or the members of the workspace."""

    def __post_init__(self) -> None:
        self._by_name: dict[str, list[int]] = {}
        for index, package in enumerate(self.packages):
            self._by_name.setdefault(canonicalize_name(text_of(package.get("name"))), []).append(index)
        self.roots = frozenset(
            index
            for index, package in enumerate(self.packages)
            if {"editable", "virtual"} & table_of(package.get("source")).keys()
            and not _is_dependency(package, self.packages)
        ) or frozenset(
            index
            for index, package in enumerate(self.packages)
            if {"editable", "virtual"} & table_of(package.get("source")).keys()
        )

    def installed_on(self, target: Target) -> dict[int, set[str]]:
        """The packages of a target: ``""`` for certain ones, else the extras or groups that add it."""
        found: dict[int, set[str]] = {}
        if not self.roots:
            # The requirements of the project itself are not known, so each package counts.
            for index, package in enumerate(self.packages):
                if self._here(package, target):
                    found[index] = {""}
            return found
        for root in self.roots:
            package = self.packages[root]
            self._walk(_tables(package.get("dependencies")), target, "", found)
            for kind, word in (("optional-dependencies", "extra"), ("dev-dependencies", "group")):
                for name, needed in table_of(package.get(kind)).items():
                    self._walk(_tables(needed), target, f"the {word} {name}", found)
        return found

    def _walk(self, edges: Iterable[Table], target: Target, label: str, found: dict[int, set[str]]) -> None:
        waiting = [(edge, label) for edge in edges]
        seen: set[tuple[int, str]] = set()
        while waiting:
            edge, reached = waiting.pop()
            marker = text_of(edge.get("marker"))
            answer = holds(marker, target)
            if answer is Holds.NO or (id(edge), reached) in seen:
                continue
            seen.add((id(edge), reached))
            if answer is Holds.OPTIONAL:
                reached = reached or needed_extras(marker) or "an extra"
            for index in self._matching(edge, target):
                found.setdefault(index, set()).add(reached)
                package = self.packages[index]
                needed = _tables(package.get("dependencies"))
                for extra in list_of(edge.get("extra")):
                    needed += _tables(table_of(package.get("optional-dependencies")).get(str(extra)))
                waiting += [(each, reached) for each in needed]

    def _matching(self, edge: Table, target: Target) -> Iterator[int]:
        version = edge.get("version")
        for index in self._by_name.get(canonicalize_name(text_of(edge.get("name"))), ()):
            package = self.packages[index]
            if version in {None, package.get("version")} and self._here(package, target):
                yield index

    @staticmethod
    def _here(package: Table, target: Target) -> bool:
        markers = [marker for marker in list_of(package.get("resolution-markers")) if isinstance(marker, str)]
        return not markers or any(holds(marker, target) is not Holds.NO for marker in markers)


def _is_dependency(package: Table, packages: Iterable[Table]) -> bool:
    name = package.get("name")
    return any(edge.get("name") == name for other in packages for edge in _tables(other.get("dependencies")))


def _locked(package: Table) -> Statement:
    """The statement of one package's entry."""
    name, version = str(package["name"]), package.get("version")
    if isinstance(version, str):
        found = statement(name, f"=={version}")
        editable = "editable" in table_of(package.get("source")) or package.get("develop") in {True, "true"}
        return replace(found, inexact="is an editable install") if editable else found
    found_by_source = _of_git(name, table_of(package.get("vcs")) or package)
    return found_by_source or statement(name, why="has no version in the lock")


def _of_git(name: str, facts: Table) -> Statement | None:
    address = text_of(facts.get("git") or facts.get("url") or facts.get("file") or facts.get("path"))
    reference = text_of(facts.get("ref") or facts.get("requested-revision") or facts.get("commit-id"))
    if not address:
        return None
    if facts.get("git") or facts.get("type") == "git":
        address = f"git+{address.removeprefix('git+')}{f'@{reference}' if reference else ''}"
    found = of_address(address, name)
    return found and replace(found, name=canonicalize_name(name))


def _completed(reading: Reading, packages: list[Table]) -> Reading:
    if not reading.required:
        raise UsageError("no package in it")
    names = [item.name for item in reading.required]
    reading.closed = "torch" in names and (names_dependencies_of_torch(names) or _is_resolved(packages))
    return reading


def _is_resolved(packages: list[Table]) -> bool:
    """True if a lock has torch's dependencies and contains every dependency of its packages."""
    held = {canonicalize_name(text_of(package.get("name"))) for package in packages}
    needed: dict[str, set[str]] = {
        canonicalize_name(text_of(package.get("name"))): set(_names(package.get("dependencies")))
        for package in packages
    }
    return bool(needed.get("torch")) and all(names <= held for names in needed.values())


def _names(dependencies: Any) -> list[str]:
    """The names of dependencies in any of the forms of locks."""
    if isinstance(dependencies, dict):
        return [canonicalize_name(name) for name, spec in dependencies.items() if not table_of(spec).get("optional")]
    found: list[str] = []
    for item in list_of(dependencies):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str):
            found.append(canonicalize_name(name))
        elif isinstance(item, str):
            stated = of_requirement(item) or of_requirement(item.split(" ", maxsplit=1)[0])
            found += [stated.name] if stated else []
    return found


def _poetry_marker(value: Any) -> str:
    if isinstance(value, dict):  # one marker for each group
        texts = [text for text in value.values() if isinstance(text, str)]
        return " or ".join(f"({text})" for text in texts) if len(texts) == len(value) else ""
    return text_of(value)


def _caret_python(text: str) -> str:
    """Poetry's ``^3.10`` as a lower bound; other forms unchanged."""
    stripped = text.strip()
    return f">={stripped[1:]}" if stripped.startswith(("^", "~")) and not stripped.startswith("~=") else stripped


def _tables(value: Any) -> list[Table]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
