"""Failures that public threads report: the file ``reported.yaml`` of a catalogue, beside its failures."""

from repro.catalog import yaml_reader
from repro.catalog.project import Project
from repro.model.public_threads import Reported, ReportedFile

REPORTED = "reported.yaml"


def reported_failures(project: Project) -> tuple[Reported, ...]:
    """The public threads of the catalogue, then our own; raises RecordError if a file is wrong."""
    file = project.failures / REPORTED
    own = yaml_reader.read_yaml(ReportedFile, file).reported if file.is_file() else ()
    return own if project.base is None else (*own, *reported_failures(project.base))
