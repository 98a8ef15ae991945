"""Creates a new failure: its folder, its matched pytest and its entry in matrix.yaml, with questions to answer.

All files can be parsed from the start, and ``repro check`` names every question that is still open.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import yaml
from packaging.version import Version

from repro.catalog import check_test as tested
from repro.catalog import yaml_reader
from repro.catalog.catalog import RECORD, SCRIPT
from repro.files import path_inside, templates_of, write_whole, writing
from repro.model.errors import Fault, RecordError, UsageError
from repro.model.failure import IDENTIFIER, Failure, Signature
from repro.model.matrix import USUAL_PYTHON, Environment, Matrix
from repro.model.rank_launcher import TORCHRUN, ColdLauncher, RankLauncher, by_hand
from repro.model.specifiers import covers
from repro.model.stages import STAGE_NAME
from repro.model.version import parsed_version

_ISSUE = re.compile(r"^https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull|discussions)/(\d+)$")
_DISTRIBUTIONS = {"pytorch": "torch"}
"""Projects whose distribution has a different name."""
_COMMON = {"torch", "numpy"}
"""Distributions that nearly every environment pins."""
ACCELERATE_CONFIG = "accelerate.yaml"
"""The configuration file of ``accelerate launch``, beside the script."""
_RANKS = 2
"""The ranks of a new failure, until its question is answered."""


@dataclass(frozen=True)
class SeenFailure:
    """The results of a bisection with a user's script, which answer some questions already."""

    signature: Signature
    world_size: int
    timeout: int
    script: str
    """The text of the reproduction."""
    beside: Mapping[str, bytes]
    """The other files in the script's folder, by their path below it."""
    failing: str
    """The environment that shows it."""
    passing: str
    versions: Mapping[str, str]
    """The versions of the faulty package and torch in the failing environment."""
    environments: Mapping[str, Environment]
    """The failing and passing environments that are not in the matrix."""
    locks: Mapping[str, str]
    """The text of each environment's lock."""


@dataclass(frozen=True)
class NewFailure:
    """What is known about a new failure."""

    id: str
    upstream: str | None
    """The address of the upstream issue, if known."""
    package: str
    kind: str | None = None
    bad: str | None = None
    """A release that shows it."""
    good: str | None = None
    """The first release with the fix."""
    seen: "SeenFailure | None" = None
    """The results of a search with a user's script."""
    stages: Mapping[str, str] = field(default_factory=dict)
    """The role of each stage, in order; empty for a failure of one job."""
    launchers: Sequence[ColdLauncher] = ()
    """The programs that start the ranks, the default first; empty for torchrun alone."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The distributions that its environments must hold: the one at fault, and what starts the ranks."""
        launching = ["accelerate"] if "accelerate" in self.launchers else []
        return tuple(dict.fromkeys([self.package, *launching]))

    @property
    def issue(self) -> str | None:
        """The issue in the form of records: ``owner/project#12345`` on GitHub, else its address."""
        found = _ISSUE.match(self.upstream or "")
        return f"{found[1]}#{found[2]}" if found else self.upstream

    @property
    def affected(self) -> str:
        clauses = [f">={self.bad}" if self.bad else "", f"<{self.good}" if self.good else ""]
        return ",".join(clause for clause in clauses if clause) or ">=0"


def asked(
    failure_id: str,
    upstream: str | None,
    package: str | None,
    *,
    kind: str | None,
    bad: str | None,
    good: str | None,
    stages: Sequence[str] = (),
    launchers: Sequence[str] = (),
) -> NewFailure:
    """A new failure from the options of the command line; raises UsageError if they contradict."""
    if not re.match(IDENTIFIER, failure_id):
        raise UsageError(f"{failure_id!r} is no id: <project>-<issue number> is expected, such as lightning-12345")
    if upstream is not None and not re.match(r"^https?://\S+$", upstream):
        raise UsageError(f"--upstream {upstream!r}: the address of the upstream issue is expected")
    for option, version in (("--bad", bad), ("--good", good)):
        if version is not None and parsed_version(version) is None:
            raise UsageError(f"{option} {version!r} is no version")
    if bad and good and Version(bad) >= Version(good):
        raise UsageError(f"--bad {bad} must be older than --good {good}: --good is the first release with the fix")
    project = failure_id.partition("-")[0]
    return NewFailure(
        failure_id,
        upstream,
        package or _DISTRIBUTIONS.get(project, project),
        kind,
        bad,
        good,
        stages=_stages(stages, kind),
        launchers=_launchers(launchers),
    )


def _stages(texts: Sequence[str], kind: str | None) -> dict[str, str]:
    """The role of each stage, from ``NAME=ROLE``."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, role = text.partition("=")
        if not (re.match(STAGE_NAME, name) and re.match(STAGE_NAME, role)):
            raise UsageError(f"--stage {text!r}: NAME=ROLE is expected, such as write=writer")
        if name in found:
            raise UsageError(f"--stage {name} is given twice")
        found[name] = role
    if len(found) == 1:
        raise UsageError(
            "--stage names one job: two or more are expected, such as --stage write=writer --stage read=reader"
        )
    if found and kind == "growth":
        raise UsageError("--stage does not go with --kind growth: growth is measured in one job")
    return found


def _launchers(names: Sequence[str]) -> tuple[ColdLauncher, ...]:
    """The programs that start the ranks; none where torchrun alone does, which needs no word in a record."""
    known: tuple[ColdLauncher, ...] = get_args(ColdLauncher)
    for name in names:
        if name not in known:
            raise UsageError(f"--launcher {name!r}: one of {', '.join(known)} is expected")
        if names.count(name) > 1:
            raise UsageError(f"--launcher {name} is given twice")
    named = tuple(sorted((program for program in known if program in names), key=names.index))
    return () if named == ("torchrun",) else named


@dataclass(frozen=True)
class Places:
    """The paths for the files of a failure."""

    folder: Path
    matrix_file: Path
    tests: Path | None
    locks: Path | None = None


def written(new: NewFailure, matrix: Matrix, places: Places) -> Mapping[Path, str]:
    """The text of every file to write for a new failure, including matrix.yaml.

    Raises UsageError if a file exists, if matrix.yaml already runs the failure, or if a release is denied.
    """
    _refuse_denied(new, matrix)
    templates = templates_of("repro.catalog", {"single_quoted": _single_quoted})
    seen = new.seen
    chosen = environments_for(new, matrix) if seen is None else _environments_seen(seen, matrix)

    def text(name: str) -> str:
        facts = {
            name: getattr(new, name)
            for name in ("id", "upstream", "package", "kind", "bad", "good", "issue", "stages", "launchers", "needed")
        }
        return templates.get_template(f"{name}.j2").render(
            **facts,
            roles=list(dict.fromkeys(new.stages.values())),
            config=ACCELERATE_CONFIG,
            command=" ".join(by_hand(_default_launcher(new.launchers), _RANKS)),
            ranks=_RANKS,
            affected=new.affected,
            failing=chosen.failing,
            environments=chosen.environments,
            seen=seen,
        )

    files = {places.folder / name: text(name) for name in (RECORD, SCRIPT, "backport.py", "placebo.py")}
    if seen is not None:
        files[places.folder / SCRIPT] = _script_of(new, seen)
    if "accelerate" in new.launchers:
        files[places.folder / ACCELERATE_CONFIG] = text(ACCELERATE_CONFIG)
    if places.tests:
        files[places.tests / tested.name_of(new.id)] = text("test.py")
    for file in files:
        if file.exists():
            raise UsageError(f"{file} is there already; nothing was written")
    if new.id in matrix.runs:
        raise UsageError(f"{places.matrix_file} runs {new.id} already; nothing was written")
    yaml_reader.parse(Failure, files[places.folder / RECORD], places.folder / RECORD)
    if places.tests and not (places.tests / "conftest.py").exists():
        files[places.tests / "conftest.py"] = text("conftest.py")
    held = places.matrix_file.read_text(encoding="utf-8") if places.matrix_file.is_file() else text("matrix.yaml")
    if seen is not None:
        held = _with_environments(seen, held, matrix, places)
        files |= {places.locks / f"{name}.txt": lock for name, lock in seen.locks.items()} if places.locks else {}
    files[places.matrix_file] = with_runs(held, text("runs.yaml"), places.matrix_file)
    return files


def _default_launcher(programs: Sequence[ColdLauncher]) -> RankLauncher:
    """The launcher whose command the script shows: the first one."""
    if not programs:
        return TORCHRUN
    config = {"config": ACCELERATE_CONFIG} if programs[0] == "accelerate" else {}
    return RankLauncher(name=programs[0], program=programs[0], **config)


def _refuse_denied(new: NewFailure, matrix: Matrix) -> None:
    for option, version in (("--bad", new.bad), ("--good", new.good)):
        denied = matrix.denied(new.package, version) if version else None
        if denied:
            raise UsageError(f"{option} {version}: {new.package} {version} is denied: {denied.reason}")


def _with_environments(seen: SeenFailure, text: str, matrix: Matrix, places: Places) -> str:
    """The text of matrix.yaml with the environments of a search; raises UsageError if a name is taken."""
    for name, environment in seen.environments.items():
        if name in matrix.environments:
            raise UsageError(f"{places.matrix_file} has an environment {name!r} already; nothing was written")
        text = with_environment(text, name, environment, places.matrix_file)
    return text


def _environments_seen(seen: SeenFailure, matrix: Matrix) -> "ProposedEnvironments":
    """The failing and the passing environment of a search, and the newest one of the matrix."""
    newest = max(matrix.environments, key=lambda name: matrix.environments[name].cutoff, default=None)
    names = [seen.failing, seen.passing, newest]
    return ProposedEnvironments(seen.failing, tuple(dict.fromkeys(name for name in names if name)))


def _single_quoted(text: str) -> str:
    """A text in YAML's single quotes, in which patterns stay readable."""
    return "'" + text.replace("'", "''") + "'"


_HEADER = re.compile(r"^# /// script$", re.MULTILINE)


def _script_of(new: NewFailure, seen: SeenFailure) -> str:
    """The script with the remaining questions: its releases and its oracle."""
    named = {name: seen.versions[name].partition("+")[0] for name in (new.package, "torch") if name in seen.versions}
    dependencies = ", ".join(f'"{name}=={version}"' for name, version in named.items())
    header = f'# /// script\n# requires-python = ">=3.9"\n# dependencies = [{dependencies}]\n# ///\n'
    asked = (
        '# question: What would be right? At the end, compare with a plain reference -> print("oracle passed: ...")\n'
        "# question: Which conditions does it need? A flag each, with the failing value as its default\n"
    )
    return asked + ("" if _HEADER.search(seen.script) else header) + seen.script


def beside_files(new: NewFailure, places: Places) -> dict[Path, bytes]:
    """The files beside a script to copy with it; raises UsageError for a name that the record needs."""
    if new.seen is None:
        return {}
    ours = {RECORD, SCRIPT, "backport.py", "placebo.py"}
    taken = sorted(ours & new.seen.beside.keys())
    if taken:
        raise UsageError(
            f"the script has a file {taken[0]} beside it, and the record needs one of that name: rename it"
        )
    return {path_inside(places.folder, name): content for name, content in new.seen.beside.items()}


def with_environment(text: str, name: str, environment: Environment, file: Path) -> str:
    """A matrix file with one more environment and nothing else changed; raises RecordError if that is impossible."""
    facts = environment.model_dump(mode="json", exclude_defaults=True)
    entry = yaml.safe_dump({name: facts}, sort_keys=False, default_flow_style=None, width=110)
    return _extended(text, "environments", entry, file)


def write(files: Mapping[Path, str], beside: Mapping[Path, bytes] | None = None) -> None:
    """Write the files of a new failure, each atomically; raises UsageError if a folder cannot be written."""
    for file, content in (beside or {}).items():
        with writing(file, UsageError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    for file, text in files.items():
        with writing(file, UsageError):
            write_whole(file, text)


@dataclass(frozen=True)
class ProposedEnvironments:
    """The first environments of a new failure."""

    failing: str | None
    """The environment that should show it; None if unknown."""
    environments: tuple[str, ...]
    """At least one: the failing one, one that is not affected, the newest."""


def environments_for(new: NewFailure, matrix: Matrix) -> ProposedEnvironments:
    """The environments to propose for a new failure.

    A failing one is proposed only if --bad or --good was given and the environment's pin is in the resulting range.
    Environments with exactly that release are preferred, then those with fewer other libraries: a failure of torch is
    first tried with torch alone.  One with another Python than the usual one, or without what starts the ranks, is
    proposed only if there is no other.
    """
    if not matrix.environments:
        raise UsageError("the matrix has no environment: add one first")
    held_by = matrix.environments.items()
    with_all = {name: held for name, held in held_by if held.pins.keys() >= set(new.needed)}
    with_it = with_all or {name: held for name, held in held_by if new.package in held.pins}
    usual = {name: held for name, held in with_it.items() if held.python == USUAL_PYTHON}
    holding = {name: held.pins for name, held in (usual or with_it).items()}

    def newest(names: Iterable[str]) -> str:
        return max(names, key=lambda name: matrix.environments[name].cutoff)

    if not holding:
        return ProposedEnvironments(None, (newest(matrix.environments),))
    affected = [name for name, pins in holding.items() if covers({new.package: new.affected}, pins)]
    others = [name for name in holding if name not in affected]
    if new.bad is None and new.good is None:
        affected, others = [], affected
    failing = _best(affected, holding, new.package, new.bad or new.good)
    # A release with the fix is better than one that is older than the failure.
    fixed = [name for name in others if new.good and covers({new.package: f">={new.good}"}, holding[name])]
    correct = _best(fixed or others, holding, new.package, new.good or new.bad)
    names = [name for name in (failing, correct) if name is not None]
    return ProposedEnvironments(failing, tuple(dict.fromkeys([*names, newest(holding)])))


def _best(
    names: Sequence[str], holding: Mapping[str, Mapping[str, str]], package: str, wanted: str | None
) -> str | None:
    """The environment with the wanted release and the fewest other libraries; None if there are no environments."""

    def rank(name: str) -> tuple[bool, int]:
        exact = wanted is not None and Version(holding[name][package]) == Version(wanted)
        return not exact, len(set(holding[name]) - {package, *_COMMON})

    ranked = sorted(names, key=rank)
    best = [name for name in ranked if rank(name) == rank(ranked[0])]
    if wanted is None:
        return next(iter(best), None)
    # Among equals, the release nearest to the wanted one, on either side.
    versions = sorted({Version(wanted), *(Version(holding[name][package]) for name in best)})
    at = versions.index(Version(wanted))
    return min(best, key=lambda name: abs(versions.index(Version(holding[name][package])) - at), default=None)


def with_runs(text: str, entry: str, file: Path) -> str:
    """A matrix file with one more entry at the end of its ``runs``, and nothing else changed.

    Raises RecordError if that would change something else.
    """
    return _extended(text, "runs", entry, file)


def _extended(text: str, section: str, entry: str, file: Path) -> str:
    """A matrix file with one more entry at the end of a section; raises RecordError if something else would change."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    held = None
    if isinstance(root, yaml.MappingNode):
        held = next((value for key, value in root.value if key.value == section), None)
    by_hand = [Fault(file, 0, section, "cannot be extended in place", f"write by hand:\n{entry.rstrip()}")]
    if not isinstance(held, yaml.MappingNode):
        raise RecordError(by_hand)
    if held.flow_style and held.value:
        raise RecordError(by_hand)
    if held.flow_style:
        indented = "".join(f"\n  {line}" for line in entry.rstrip().splitlines())
        extended = text[: held.start_mark.index].rstrip(" ") + indented + text[held.end_mark.index :]
    else:
        lines = text.splitlines(keepends=True)
        at = _last(held).end_mark.line + 1
        lines[at - 1] = lines[at - 1].rstrip("\n") + "\n"
        margin = " " * held.value[0][0].start_mark.column
        lines[at:at] = [f"{margin}{line}\n" for line in entry.rstrip().splitlines()]
        extended = "".join(lines)
    before, after = yaml_reader.parse(Matrix, text, file), yaml_reader.parse(Matrix, extended, file)
    inner = entry.replace("\n", "\n  ")
    sections = {"environments": "{}", "runs": "{}", section: f"\n  {inner}"}
    added = yaml_reader.parse(Matrix, "format: 1\n" + "".join(f"{key}: {sections[key]}\n" for key in sections), file)
    wanted = {**getattr(before, section), **getattr(added, section)}
    if after != before.model_copy(update={section: wanted}):
        raise RecordError(by_hand)
    return extended


def _last(node: yaml.Node) -> yaml.Node:
    """The last scalar or flow collection below a node; the node's text ends at its end."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node
