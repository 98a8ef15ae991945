"""Writes the parts of README.md and docs/ that come from the code, the JSON schemas, and what the sentinels know.

python docs/generate.py            # write
python docs/generate.py --check    # exit code 1 if a file is not current

A page holds `<!-- generated: NAME -->` and `<!-- end -->`; what stands between is the value of NAME in BLOCKS.
"""

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from repro.catalog.project import Project
from repro.catalog.shards import Jobs
from repro.cli.app import GROUPS, command_of, summary_of
from repro.doctor.advice import Advice
from repro.doctor.code.export_reach import data_text
from repro.doctor.doctor_answer import DoctorAnswer
from repro.doctor.log.log_answer import LogAnswer
from repro.environments.rot import Rots
from repro.files import PACKAGE
from repro.model.answers.evidence import AblationAnswer, ClaimsAnswer, DraftAnswer, SummaryAnswer
from repro.model.answers.upkeep import (
    EnvironmentsAnswer,
    LocksAnswer,
    MergeAnswer,
    ObservationsAnswer,
    PackAnswer,
    PruneAnswer,
    RejudgeAnswer,
    VerifyAnswer,
)
from repro.model.answers.written_files import NewAnswer, ShrinkAnswer
from repro.model.errors import Exit
from repro.model.failure import Failure
from repro.model.matrix import Matrix
from repro.model.observation import Observation
from repro.report import (
    known_rules,
    named_values,
    private_lines,
    private_shapes,
    redaction,
    secret_rules,
    web_addresses,
)
from repro.report.brief import BriefCatalog
from repro.report.overdue import Overdue
from repro.report.rows import Report
from repro.report.secret_rules import their_patterns
from repro.report.text_rule import TextRule, needed_texts
from repro.store.answers import Bisected, Blamed, Swept

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/*.md", "docs/how-to/*.md")
BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

SCHEMAS: dict[str, type[BaseModel]] = {
    "failure.yaml": Failure,
    "matrix.yaml": Matrix,
    "observation": Observation,
    "rot": Rots,
    "repro-show": Failure,
    "repro-list": BriefCatalog,
    "repro-run": Report,
    "repro-report": Report,
    "repro-matrix": Jobs,
    "repro-watch": Overdue,
    "repro-doctor": DoctorAnswer,
    "repro-advise": Advice,
    "repro-doctor-log": LogAnswer,
    "repro-bisect": Bisected,
    "repro-blame": Blamed,
    "repro-sweep": Swept,
    "repro-ablate": AblationAnswer,
    "repro-claims": ClaimsAnswer,
    "repro-draft": DraftAnswer,
    "repro-summary": SummaryAnswer,
    "repro-lock": LocksAnswer,
    "repro-envs-list": EnvironmentsAnswer,
    "repro-store-list": ObservationsAnswer,
    "repro-store-verify": VerifyAnswer,
    "repro-store-merge": MergeAnswer,
    "repro-store-prune": PruneAnswer,
    "repro-rejudge": RejudgeAnswer,
    "repro-pack": PackAnswer,
    "repro-new": NewAnswer,
    "repro-shrink": ShrinkAnswer,
}
"""Files and `--json` answers -> the model that writes and reads them."""


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {int(code)} | {code.meaning} |" for code in Exit]
    return "\n".join(["| exit code | meaning |", "| --- | --- |", *rows])


def summaries() -> str:
    """The commands in groups, one line each."""
    lines = ["| what you want | command | what it does |", "| --- | --- | --- |"]
    for group, names in GROUPS.items():
        for number, name in enumerate(names):
            lines.append(f"| {'' if number else group} | [`repro {name}`](#repro-{name}) | {summary_of(name)} |")
    return "\n".join(lines)


def commands() -> str:
    """Every command with its help, arguments and options."""
    return "\n\n".join(
        "\n\n".join(_command(f"repro {name}", command_of(name))) for group in GROUPS.values() for name in group
    )


def _command(path: str, command: Any) -> Iterator[str]:
    yield f"## {path}" if path.count(" ") == 1 else f"### {path}"
    text = (command.help or "").strip()
    text, *examples = text.split("Example: ")
    yield re.sub(r"[ \t]*\n[ \t]*", "\n", text.strip())
    if examples:
        lines = "\n".join(example.strip() for example in examples)
        yield f"```bash\n{lines}\n```"
    rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        yield "\n".join(["| argument or option | meaning |", "| --- | --- |", *rows])
    for name, inner in getattr(command, "commands", {}).items():
        yield from _command(f"{path} {name}", inner)


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
        value = "" if parameter.is_flag else f" {parameter.metavar or _value(parameter.default)}"
        name = ", ".join(f"`{option}{value}`" for option in names)
    default = parameter.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    shown_default = f" Default: `{getattr(default, 'value', default)}`." if shown else ""
    return f"| {name.replace('|', chr(92) + '|')} | {_cell(parameter.help or '')}{shown_default} |"


def _value(default: Any) -> str:
    """What stands for the value of an option without a metavar: its choices, or N for a number."""
    if isinstance(default, Enum):
        return "|".join(str(member.value) for member in type(default))
    return "N" if isinstance(default, int | float) else "VALUE"


def _cell(text: str) -> str:
    """Text as one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def models(*files: str) -> Callable[[], str]:
    """The models of modules, as tables: field, type, default, meaning."""
    return lambda: "\n\n".join(part for file in files for part in _models((PACKAGE / file).read_text(encoding="utf-8")))


def _models(text: str) -> Iterator[str]:
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = [(index, item) for index, item in enumerate(node.body) if isinstance(item, ast.AnnAssign)]
        if any(ast.unparse(item.target).startswith("_") for _, item in fields):
            continue  # a helper beside the models, which no file holds
        members = [item for item in node.body if isinstance(item, ast.Assign)]
        yield f"### {node.name}"
        if ast.get_docstring(node):
            yield " ".join((ast.get_docstring(node) or "").split())
        if fields:
            rows = [_field(node.body, index, item) for index, item in fields]
            yield "\n".join(["| field | type | default | meaning |", "| --- | --- | --- | --- |", *rows])
        elif members and any(ast.unparse(base) == "StrEnum" for base in node.bases):
            yield "One of " + ", ".join(f"`{ast.literal_eval(item.value)}`" for item in members) + "."


def _field(body: list[ast.stmt], index: int, item: ast.AnnAssign) -> str:
    after = body[index + 1] if index + 1 < len(body) else None
    meaning = ""
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
        meaning = str(after.value.value)
    kind = re.sub(r"Annotated\[(.*?), (Field|AfterValidator).*", r"\1", ast.unparse(item.annotation))
    default = f"`{ast.unparse(item.value)}`" if item.value else "required"
    return (
        f"| `{ast.unparse(item.target)}` | `{_cell(kind)}` | {_cell(default)} | {_cell(meaning.replace('``', '`'))} |"
    )


def schemas() -> str:
    """The list of published schemas."""
    words = {
        name: re.sub(r"^repro-((?:store|envs)-)?", lambda of: of[0].replace("-", " "), name).replace("-log", " --log")
        for name in SCHEMAS
    }
    rows = [f"| `{words[name]}` | [schema](schemas/{name}.json) |" for name in SCHEMAS]
    return "\n".join(["| file or `--json` answer | JSON schema |", "| --- | --- |", *rows])


BLOCKS: dict[str, Callable[[], str]] = {
    "exit-codes": exit_codes,
    "summaries": summaries,
    "commands": commands,
    "record": models("model/cpu_or_cuda.py", "model/failure.py"),
    "reach": models("model/reach.py"),
    "seen-as": models("model/seen_as.py"),
    "matrix": models("model/matrix.py"),
    "cell": models("model/cell.py"),
    "observation": models("model/observation.py"),
    "answers": models("store/answers.py"),
    "rows": models("report/rows.py"),
    "schemas": schemas,
}


def current() -> Iterator[tuple[Path, str]]:
    """Every generated file, or file with a generated part, with the text that it should have."""
    for pattern in PAGES:
        for page in sorted(ROOT.glob(pattern)):
            text = page.read_text(encoding="utf-8")
            yield page, BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n\n{found[3]}", text)
    for name, model in SCHEMAS.items():
        yield ROOT / "docs" / "schemas" / f"{name}.json", json.dumps(model.model_json_schema(), indent=1) + "\n"
    yield PACKAGE / "report" / known_rules.FILE, _known_rules()
    yield PACKAGE / "reach" / "sentinels.json", data_text(entry.failure for entry in Project.here().catalog)


def stale() -> list[Path]:
    """The files that are not current."""
    return [file for file, text in current() if not file.is_file() or file.read_text(encoding="utf-8") != text]


def _known_rules() -> str:
    """What is derived from the rules of the redaction."""
    theirs = list(their_patterns())
    found = {pattern: needed_texts(*pattern) for pattern in theirs}
    modules = (redaction, private_lines, private_shapes, named_values, web_addresses, secret_rules)
    for held in (value for module in modules for value in vars(module).values()):
        for item in held if isinstance(held, tuple) else (held,):
            rule = item[0] if isinstance(item, tuple) and item else item
            if isinstance(rule, TextRule):
                found[rule.source] = needed_texts(*rule.source)
    return known_rules.rules_text(found.items(), theirs)


def main() -> None:
    """Write what is not current, or with --check only name it."""
    wanted = dict(current())
    found = stale()
    for file in found:
        sys.stdout.write(f"{file.relative_to(ROOT)} is not current\n")
        if "--check" not in sys.argv:
            file.write_text(wanted[file], encoding="utf-8")
    sys.exit(1 if found and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
