"""Assembles a draft within the limits of the tracker: fields, body, address, notes.  Pure except ``write``."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from repro.files import write_whole, writing
from repro.model.errors import UsageError
from repro.report.draft.case import Case
from repro.report.draft.compose import LEVELS, Detail, fenced, field_text, title_of, versions_that_show
from repro.report.draft.forms import Field, FieldContent, Form
from repro.report.private import Redact

BODY_CHARACTERS = 65_535
"""The longest body that the tracker accepts."""
ADDRESS_CHARACTERS = 7_500
"""Longer addresses get the answer 414."""
NO_RESPONSE = "_No response_"


def length(text: str) -> int:
    """The number of UTF-16 code units, which is how browsers count."""
    return len(text.encode("utf-16-le")) // 2


@dataclass(frozen=True)
class Filled:
    """A field with its text."""

    field: Field
    text: str


@dataclass(frozen=True)
class Draft:
    """A report that a person may file."""

    form: Form
    title: str
    script: str
    fields: tuple[Filled, ...]
    address: str
    in_address: tuple[str, ...]
    """Names of the fields that the address fills."""
    notes: tuple[str, ...]
    """What the person must know or do before filing."""
    script_name: str = "repro.py"

    @property
    def body(self) -> str:
        """The whole issue, as the tracker would build it from the form."""
        return body_of(self.fields)


def body_of(fields: tuple[Filled, ...]) -> str:
    """Headings and texts, joined as the tracker does it."""
    parts = []
    for filled in fields:
        text = filled.text
        if filled.field.part is FieldContent.VERSIONS:
            text = ", ".join(text.split())
        elif filled.field.render:
            text = fenced(text, filled.field.render)
        parts.append(f"### {filled.field.label}\n\n{text or NO_RESPONSE}")
    return "\n\n".join(parts) + "\n"


def compose(case: Case, form: Form, redact: Redact) -> Draft:
    """The most detailed draft that the tracker accepts; every text is redacted.

    Raises UsageError if the script alone is too long for it.
    """
    script = redact(case.script)
    for detail in LEVELS:
        fields = tuple(Filled(field, redact(field_text(field, form, case, detail))) for field in form.fields)
        if length(body_of(fields)) <= BODY_CHARACTERS:
            title = redact(title_of(case))
            address, inside = _address(form, title, fields)
            notes = _notes(case, form, fields, detail, changed=script != case.script)
            name = case.own.script if case.own else "repro.py"
            return Draft(form, title, script, fields, address, inside, tuple(notes), name)
    raise UsageError(
        f"{case.failure.id}: the script has {length(case.script)} characters, a body takes {BODY_CHARACTERS};"
        " make it smaller"
    )


def _address(form: Form, title: str, fields: tuple[Filled, ...]) -> tuple[str, tuple[str, ...]]:
    """The prefilled address: template and title, then each field with an id that fits whole, the shortest first."""

    def joined(pairs: list[tuple[str, str]]) -> str:
        return f"https://github.com/{form.repository}/issues/new?{urlencode(pairs, quote_via=quote)}"

    pairs = [("template", form.template), ("title", title)]
    inside = []
    for filled in sorted((filled for filled in fields if filled.field.has_id and filled.text), key=_size):
        longer = [*pairs, (filled.field.name, filled.text)]
        if len(joined(longer)) <= ADDRESS_CHARACTERS:
            pairs = longer
            inside.append(filled.field.name)
    return joined(pairs), tuple(inside)


def _size(filled: Filled) -> int:
    return len(quote(filled.text))


def _notes(case: Case, form: Form, fields: tuple[Filled, ...], detail: Detail, *, changed: bool) -> list[str]:
    failure, standing = case.failure, case.view.upstream
    notes = ["Nothing was posted. Read every line, run the script yourself, then file it under your own name."]
    notes += [f"{form.policy}."] if form.policy else []
    own = [issue for issue in failure.upstream.issues if issue.startswith(f"{form.repository}#")]
    if own and failure.upstream.state == "unreported":
        notes.append(f"Not reported yet, by the record; name what it is related to: {', '.join(own)}.")
    elif own:
        said = f"{', '.join(own)} ({failure.upstream.state})"
        notes.append(f"Already reported as {said}: comment there instead of filing it a second time.")
    newest = ", ".join(dict.fromkeys(point.text for point in standing.newest))
    notes += case.notes
    if not standing.present:
        done = "already fixed" if case.own else "a record, not a report to file"
        notes.append(f"Not seen in the newest release that was run ({newest}): this is {done}.")
    elif case.row.versions not in [
        row.versions for row in case.view.rows if row.cell.environment.label in _where(case)
    ]:
        notes.append(
            f"A newer release shows it too ({newest}): draft it with that one, maintainers ask for the newest."
        )
    if not set(form.distributions) & set(failure.distributions):
        source = "The search" if case.own else "The record"
        notes.append(f"{source} does not speak of {form.distributions[0]}: is this the right tracker?")
    if case.described.problem:
        notes.append(f"`{case.described.command}`: {case.described.problem}; the versions come from the stored run.")
    if detail.cut:
        notes.append(f"For the limit of {BODY_CHARACTERS} characters {detail.cut}.")
    if changed:
        notes.append("The redactor changed the script: check that it still runs.")
    notes += [f"Left to you: {filled.field.label}." for filled in fields if filled.field.part is FieldContent.LEFT]
    notes += _version_notes(case, form, fields)
    notes += [f"Not run: {text}" for text in case.missing]
    return notes


def _where(case: Case) -> set[str]:
    return {point.where for point in case.view.upstream.newest}


def _version_notes(case: Case, form: Form, fields: tuple[Filled, ...]) -> list[str]:
    filled = next((filled for filled in fields if filled.field.part is FieldContent.VERSIONS), None)
    if filled is None:
        return []
    shown = versions_that_show(case, form.distributions)
    if not shown:
        return [f"No stored run with {form.distributions[0]} shows it: choose the versions yourself."]
    notes = [f"Releases that show it in stored runs: {', '.join(shown)}. The master branch was not run."]
    missing = [text for text in shown if not _has_option(filled, text)]
    return [*notes, *([f"The form has no option for {', '.join(missing)}."] if missing else [])]


def _has_option(filled: Filled, version: str) -> bool:
    major, minor = [*version.split("."), "0"][:2]
    return {f"v{major}.{minor}", f"v{major}.x"} & set(filled.text.split()) != set()


def write(draft: Draft, folder: Path) -> list[Path]:
    """Write a file for each field, and body, title, address, script and notes; raises StoreError."""
    files = {
        "title.txt": draft.title + "\n",
        "issue.md": draft.body,
        "address.txt": draft.address + "\n",
        draft.script_name: draft.script,
        "NOTES.md": _notes_text(draft),
    }
    for number, filled in enumerate(draft.fields, 1):
        if filled.text:
            files[f"field-{number}-{filled.field.name}.md"] = filled.text + "\n"
    with writing(folder):
        for name, text in files.items():
            write_whole(folder / name, text)
    return [folder / name for name in files]


def _notes_text(draft: Draft) -> str:
    form = draft.form
    filled = ", ".join(draft.in_address) or "none: its fields have no ids, so only template and title are filled"
    lines = [f"# Before you file this at {form.repository}", "", *(f"- {note}" for note in draft.notes), ""]
    lines += [f"`address.txt` opens the form with these fields filled: {filled}. The others are one file each."]
    return "\n".join(lines) + "\n"
