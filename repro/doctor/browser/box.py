"""Builds what the site's first page needs to answer to a pasted text: a part of its script, and what that knows."""

from importlib.resources import files

from repro.catalog.project import Project
from repro.catalog.public_threads import reported_failures
from repro.doctor.browser.knowledge import Knowledge, knowledge
from repro.doctor.tried import newest_tried

SCRIPTS = ("expressions.js", "versions.js", "exposure.js", "requirements.js", "log.js", "box.js")
"""In the order of the page's one script."""


def box_script() -> str:
    """Our scripts as one, in a scope of their own."""
    folder = files("repro.doctor.browser")
    texts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "(() => {\n" + "\n".join(texts) + "})();\n"


def box_knowledge(project: Project) -> str:
    """What the page knows of a project's catalogue; raises RecordError if its file of public threads is wrong."""
    matrix = project.matrix
    failures = [entry.failure for entry in project.catalog]
    return json_of(knowledge(failures, reported_failures(project), matrix.deny, newest_tried(matrix)))


def json_of(known: Knowledge) -> str:
    """What the page knows, as JSON that may stand inside of a page: no text in it can end an element."""
    return known.model_dump_json().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
