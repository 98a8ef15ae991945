"""Builds the box of the site's first page that answers to a pasted text: a part of the page's script, and its data."""

from importlib.resources import files

from repro.catalog.project import Project
from repro.catalog.public_threads import reported_failures
from repro.doctor.browser.knowledge import Knowledge, knowledge
from repro.doctor.tried import newest_tried

SCRIPTS = ("expressions.js", "versions.js", "exposure.js", "requirements.js", "log.js", "box.js")
"""The scripts, in the order in which they are joined."""


def box_script() -> str:
    """Our scripts joined, in their own scope."""
    folder = files("repro.doctor.browser")
    texts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n" + "\n".join(texts) + "})();\n"


def box_knowledge(project: Project) -> str:
    """The page's data about a project's catalogue; raises RecordError if the file of public threads is wrong."""
    matrix = project.matrix
    failures = [entry.failure for entry in project.catalog]
    return json_of(knowledge(failures, reported_failures(project), matrix.deny, newest_tried(matrix)))


def json_of(known: Knowledge) -> str:
    """The page's data as JSON that is safe inside HTML: no text in it can end an element."""
    return known.model_dump_json().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
