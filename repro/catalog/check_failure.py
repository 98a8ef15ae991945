"""Checks what a complete failure needs beyond a valid record; reports all faults with their remedies."""

import ast
import re
import sys
import tomllib
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from repro.catalog import (
    check_factor,
    check_launchers,
    check_ranges,
    check_rate,
    check_signature,
    check_stages,
    yaml_reader,
)
from repro.catalog import check_test as tested
from repro.catalog.catalog import RECORD, Entry
from repro.catalog.check_reach import problems_of
from repro.catalog.check_signature import faults_of, foreign_errors, signatures_of
from repro.catalog.open_questions import files_with_questions, unanswered, unanswered_in
from repro.files import read_text_file
from repro.model.affected import is_affected
from repro.model.base import Location
from repro.model.errors import Fault, UnreadableFileError, nearest
from repro.model.failure import WORLD_SIZE, Evidence
from repro.model.matrix import Matrix
from repro.model.specifiers import covers
from repro.model.stages import FOLDER_FLAG, STAGE_FLAG

MAX_LINES = 135
_ALWAYS = {"torch", "numpy"}
"""Distributions of every environment under test."""
_METADATA = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


class EntryCheck:
    """Checks one failure's folder against its record and the matrix."""

    def __init__(self, entry: Entry, matrix: Matrix, tests: Path | None) -> None:
        self.entry = entry
        self.failure = entry.failure
        self.matrix = matrix
        self.tests = tests
        self.record = entry.folder / RECORD
        self.lines = yaml_reader.lines_of(self.record)

    def faults(self) -> Iterator[Fault]:
        """Every fault of this failure."""
        yield from unanswered_in(files_with_questions(self.entry.folder))
        yield from self._signatures()
        yield from self._ranges()
        yield from self._reach()
        yield from self._seen_as()
        yield from self._script()
        yield from self._backports()
        yield from self._claims()
        yield from self._cures()
        yield from self._matrix()
        yield from self._test()

    def _fault(self, at: Location, problem: str, remedy: str) -> Fault:
        known = at
        while known and known not in self.lines:
            known = known[:-1]
        return Fault(self.record, self.lines.get(known, 1), ".".join(str(part) for part in at), problem, remedy)

    def _signatures(self) -> Iterator[Fault]:
        for at, signature in signatures_of(self.failure):
            for key, problem, remedy in faults_of(signature, foreign_errors(), is_rejection=at[0] == "rejected"):
                yield self._fault((*at, key), problem, remedy)

        for at, problem, remedy in (
            *check_signature.problems_of(self.failure),
            *check_factor.problems_of(self.failure),
            *check_rate.problems_of(self.failure),
            *check_stages.problems_of(self.failure),
            *check_launchers.problems_of(self.failure),
        ):
            yield self._fault(at, problem, remedy)
        yield from check_launchers.config_faults(self.failure, self.entry.folder)

    def _ranges(self) -> Iterator[Fault]:
        for at, problem, remedy in check_ranges.problems_of(self.failure):
            yield self._fault(at, problem, remedy)

    def _reach(self) -> Iterator[Fault]:
        for at, problem, remedy in problems_of(self.failure):
            yield self._fault(at, problem, remedy)

    def _seen_as(self) -> Iterator[Fault]:
        if not self.failure.seen_as:
            remedy = "write what a user's log shows of it, or {name: silent, nothing: why}"
            yield self._fault(("seen_as",), "is missing", remedy)

    def _script(self) -> Iterator[Fault]:
        script = self.entry.script
        if not script.exists():
            yield Fault(script, 0, "", "is missing", "write the reproduction")
            return
        try:
            source = read_text_file(script)
            tree = ast.parse(source)
        except UnreadableFileError as error:
            yield Fault(script, 0, "", error.problem)
            return
        except SyntaxError as error:
            yield Fault(script, error.lineno or 1, "", f"is not valid Python: {error.msg}")
            return
        except (ValueError, RecursionError, MemoryError):
            yield Fault(script, 1, "", "is not valid Python: a null character, or nested too deeply")
            return
        count = len(source.splitlines())
        if count > MAX_LINES:
            yield Fault(script, count, "", f"has {count} lines", f"a reproduction is minimal: at most {MAX_LINES}")
        requirements = yield from self._requirements(source)
        yield from self._imports(tree, requirements)
        yield from self._pins(requirements)
        yield from self._flags(tree)
        if "oracle passed: " not in source:
            yield Fault(script, 0, "", "never says 'oracle passed: '", "print it as the last act of every rank")

    def _imports(self, tree: ast.Module, requirements: Sequence[Requirement] | None) -> Iterator[Fault]:
        """Check that a script imports only the standard library and libraries that the record or its metadata names."""
        named = {
            canonicalize_name(name) for name in (*self.failure.concerns, *(item.name for item in requirements or ()))
        }
        modules = _ALWAYS | {name.replace("-", "_") for name in named}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in {name.split(".")[0] for name in names}:
                if name not in modules and name not in sys.stdlib_module_names:
                    problem = f"imports {name or 'from a package of its own'}, which the record does not name"
                    remedy = "name its distribution in needs.distributions, or in the script's dependencies"
                    yield Fault(self.entry.script, node.lineno, "", problem, remedy)
            if node not in tree.body:
                yield Fault(self.entry.script, node.lineno, "", "imports inside a block", "import at the top")

    def _requirements(self, source: str) -> Generator[Fault, None, list[Requirement] | None]:
        """The dependencies in the script's PEP 723 metadata; None if it has no readable metadata."""
        script = self.entry.script
        found = _METADATA.search(source)
        if not found:
            yield Fault(script, 1, "", "has no PEP 723 metadata", "add a '# /// script' block with the failing pins")
            return None
        text = "".join(line[2:] if line.startswith("# ") else line[1:] for line in found["content"].splitlines(True))
        try:
            return [Requirement(item) for item in tomllib.loads(text).get("dependencies", [])]
        except (tomllib.TOMLDecodeError, InvalidRequirement, TypeError, RecursionError) as error:
            yield Fault(script, 1, "", f"its PEP 723 metadata cannot be read: {error}")
            return None

    def _pins(self, requirements: Sequence[Requirement] | None) -> Iterator[Fault]:
        if requirements is None:
            return
        pins: dict[str, str] = {
            canonicalize_name(item.name): str(item.specifier).removeprefix("==")
            for item in requirements
            if str(item.specifier).startswith("==")
        }
        # A script pins no Python and names nothing that must be absent.
        asked = [{name: text for name, text in item.items() if name in pins} for item in self.failure.affected]
        if not any(releases and covers(releases, pins) for releases in asked):
            yield Fault(
                self.entry.script, 1, "dependencies", "pins no affected release", "pin a release that shows the failure"
            )

    def _flags(self, tree: ast.Module) -> Iterator[Fault]:
        given: dict[str, tuple[int, list[str] | None, str | None]] = {}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument" and node.args):
                continue
            options = {keyword.arg: keyword.value for keyword in node.keywords}
            values = _literal(options.get("choices"))
            name = _literal(node.args[0])
            if isinstance(name, str):
                choices = [str(value) for value in values] if isinstance(values, list | tuple) else None
                default = _literal(options.get("default"))
                given[name.removeprefix("--")] = (
                    node.lineno,
                    choices,
                    default if isinstance(default, str) else None,
                )
        yield from self._known_flags(given)
        for index, factor in enumerate(self.failure.factors):
            at = ("factors", index, "name")
            if factor.name not in self.failure.flags:
                continue
            if factor.name not in given:
                yield self._fault(at, f"repro.py has no flag --{factor.name}", nearest(factor.name, given))
                continue
            line, choices, default = given[factor.name]
            if choices is not None and sorted(choices) != sorted(factor.values):
                problem = f"--{factor.name} takes {', '.join(choices)}; the record says {', '.join(factor.values)}"
                yield Fault(self.entry.script, line, "", problem, "make them equal")
            if default != factor.default:
                problem = f"--{factor.name} is {default!r} by default; the record's first value is {factor.default!r}"
                yield Fault(self.entry.script, line, "", problem, "the defaults are the failing configuration")

    def _known_flags(self, given: Mapping[str, tuple[int, list[str] | None, str | None]]) -> Iterator[Fault]:
        """Flags that no factor has, and those by which a script learns its stage."""
        for place, problem, remedy in check_stages.flag_problems(self.failure, given):
            yield self._fault(place, problem, remedy)
        known = {factor.name for factor in self.failure.factors if not factor.variable}
        known |= {STAGE_FLAG, FOLDER_FLAG} if self.failure.stages else set()
        for name in sorted(set(given) - known):
            yield Fault(self.entry.script, given[name][0], "", f"--{name} is no factor of the record", "add it there")

    def _backports(self) -> Iterator[Fault]:
        backports = self.failure.backports
        if not any(backport.cures for backport in backports):
            yield self._fault(("backports",), "no backport cures", "add one: it is also the proof of the cause")
        if backports and all(backport.cures for backport in backports):
            yield self._fault(("backports",), "there is no placebo", "add a backport of equal form that does nothing")
        for index, backport in enumerate(backports):
            file = self.entry.folder / backport.file
            at = ("backports", index, "file")
            if not file.exists():
                yield self._fault(at, f"{backport.file} is missing", "write it")
                continue
            try:
                defined = re.search(r"^def apply\(\)", read_text_file(file), re.MULTILINE)
            except UnreadableFileError as error:
                yield Fault(file, 0, "", error.problem)
                continue
            if not defined:
                yield self._fault(at, f"{backport.file} defines no apply()", "define it at the top level")

    def _claims(self) -> Iterator[Fault]:
        for index, claim in enumerate(self.failure.claims):
            for number, evidence in enumerate(claim.evidence):
                yield from self._evidence(evidence, ("claims", index, "evidence", number))

    def _evidence(self, evidence: Evidence, at: Location) -> Iterator[Fault]:
        environments = self.matrix.environments
        if evidence.environment not in environments:
            problem = f"environment {evidence.environment!r} is not in matrix.yaml"
            yield self._fault((*at, "environment"), problem, nearest(evidence.environment, environments))
        for place, problem, remedy in check_stages.evidence_problems(self.failure, evidence, self.matrix):
            yield self._fault((*at, *place), problem, remedy)
        if evidence.backport is not None and self.failure.backport(evidence.backport) is None:
            names = [backport.name for backport in self.failure.backports]
            problem = f"no backport {evidence.backport!r}"
            yield self._fault((*at, "backport"), problem, nearest(evidence.backport, names))
        for name, value in evidence.factors.items():
            factor = self.failure.factor(name)
            if factor is None:
                names = [*(known.name for known in self.failure.factors), WORLD_SIZE]
                yield self._fault((*at, "factors", name), f"no factor {name!r}", nearest(name, names))
            elif value not in factor.values:
                yield self._fault((*at, "factors", name), f"no value {value!r}", nearest(value, factor.values))

    def _cures(self) -> Iterator[Fault]:
        names = [backport.name for backport in self.failure.backports if backport.cures]
        for index, cure in enumerate(self.failure.cures):
            if cure.backport is not None and cure.backport not in names:
                problem = f"no curing backport {cure.backport!r}"
                yield self._fault(("cures", index, "backport"), problem, nearest(cure.backport, names))

    def _matrix(self) -> Iterator[Fault]:
        runs = self.matrix.runs.get(self.failure.id)
        if runs is None:
            yield self._fault(("id",), "matrix.yaml runs it nowhere", f"add runs.{self.failure.id} there")
            return
        problems = list(check_stages.pair_problems(self.failure, self.matrix))
        for problem in problems:
            yield self._fault(("stages",), problem, "name an environment for each role")
        pins = [self.matrix.environments[name].versions for name in runs.environments]
        together = [
            check_stages.is_affected_pair(self.failure, pair, self.matrix) for pair in runs.pairs if not problems
        ]
        if not any(is_affected(self.failure, held) for held in pins) and not any(together) and not problems:
            yield self._fault(("affected",), "no default environment is affected", "add one to matrix.yaml")
        groups = (*runs.backports.values(), *(pair.backports for pair in runs.pairs))
        for name in {backport for backports in groups for backport in backports}:
            if self.failure.backport(name) is None:
                yield self._fault(("backports",), f"matrix.yaml runs backport {name!r}, which is not defined", "add it")

    def _test(self) -> Iterator[Fault]:
        if self.tests is not None:
            yield from unanswered(self.tests / tested.name_of(self.failure.id))
            yield from tested.faults_of(self.failure, self.matrix, self.tests)


def _literal(node: ast.expr | None) -> object:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
