"""The bug forms of the trackers as data: the fields in order, which are required, which have an id."""

from dataclasses import dataclass
from enum import StrEnum

from repro.launch.describe import ACCELERATE, COLLECT, FIELDS, TRANSFORMERS, TRANSFORMERS_OLD, DescribeCommand


class Tracker(StrEnum):
    """The tracker that a draft is for."""

    LIGHTNING = "lightning"
    ACCELERATE = "accelerate"
    TRANSFORMERS = "transformers"
    PYTORCH = "pytorch"


class FieldContent(StrEnum):
    """The content of a field."""

    DESCRIPTION = "description"
    """What happens, the steps, expected and observed behaviour, the whole traceback."""
    SELF_CONTAINED = "self-contained"
    """The description, including the script and the evidence."""
    SCRIPT = "script"
    LOGS = "logs"
    REPRODUCTION = "reproduction"
    """Script, steps, traceback and evidence."""
    EXPECTED = "expected"
    ENVIRONMENT = "environment"
    EVIDENCE = "evidence"
    VERSIONS = "versions"
    """A choice of options: the minor releases that show it."""
    OWN_SCRIPT = "own script"
    OWN_TASK = "own task"
    LEFT = "left to the person"


@dataclass(frozen=True)
class Field:
    """One field of a form."""

    name: str
    """The name of its file, and its id in the form if it has one."""
    label: str
    part: FieldContent
    required: bool = False
    has_id: bool = False
    """True if the address of a prefilled form can contain it."""
    render: str = ""
    """The language of the code block that the tracker puts around it; our own fence is then left out."""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A tracker's bug form."""

    project: Tracker
    repository: str
    template: str
    fields: tuple[Field, ...]
    environment: tuple[DescribeCommand, ...]
    """The commands with which its maintainers want the environment described, the newest first."""
    distributions: tuple[str, ...]
    """The distributions of the project itself."""
    policy: str = ""
    """Its policy on machine-made reports."""


_INFORMATION = ("The official example scripts", "My own modified scripts")
_TASKS = ("An officially supported task in the examples folder", "My own task or dataset (give details below)")


def _huggingface(*, accelerate: bool) -> tuple[Field, ...]:
    shell = "shell" if accelerate else ""
    who = () if accelerate else (Field("who-can-help", "Who can help?", FieldContent.LEFT, has_id=True),)
    return (
        Field("system-info", "System Info", FieldContent.ENVIRONMENT, required=True, has_id=True, render=shell),
        *who,
        Field("information-scripts-examples", "Information", FieldContent.OWN_SCRIPT, options=_INFORMATION),
        Field("information-tasks", "Tasks", FieldContent.OWN_TASK, options=_TASKS),
        Field("reproduction", "Reproduction", FieldContent.REPRODUCTION, required=True, has_id=True),
        Field("expected-behavior", "Expected behavior", FieldContent.EXPECTED, required=True, has_id=True),
    )


FORMS: dict[Tracker, Form] = {
    form.project: form
    for form in (
        Form(
            project=Tracker.LIGHTNING,
            repository="Lightning-AI/pytorch-lightning",
            template="1_bug_report.yaml",
            fields=(
                Field("bug-description", "Bug description", FieldContent.DESCRIPTION, required=True),
                Field(
                    "versions",
                    "What version are you seeing the problem on?",
                    FieldContent.VERSIONS,
                    required=True,
                    options=("v1.x", "v2.1", "v2.2", "v2.3", "v2.4", "v2.5", "v2.6", "master"),
                ),
                Field("studio", "Reproduced in studio", FieldContent.LEFT),
                Field("reproduce", "How to reproduce the bug", FieldContent.SCRIPT, render="python"),
                Field("logs", "Error messages and logs", FieldContent.LOGS),
                Field("environment", "Environment", FieldContent.ENVIRONMENT),
                Field("more-info", "More info", FieldContent.EVIDENCE),
            ),
            environment=(FIELDS,),
            distributions=("lightning", "pytorch-lightning"),
        ),
        Form(
            project=Tracker.ACCELERATE,
            repository="huggingface/accelerate",
            template="bug-report.yml",
            fields=_huggingface(accelerate=True),
            environment=(ACCELERATE,),
            distributions=("accelerate",),
        ),
        Form(
            project=Tracker.TRANSFORMERS,
            repository="huggingface/transformers",
            template="bug-report.yml",
            fields=_huggingface(accelerate=False),
            environment=(TRANSFORMERS, TRANSFORMERS_OLD),
            distributions=("transformers",),
            policy="transformers refuses or closes reports that a machine made on its own: a person checks and files",
        ),
        Form(
            project=Tracker.PYTORCH,
            repository="pytorch/pytorch",
            template="bug-report.yml",
            fields=(
                Field("describe-the-bug", "🐛 Describe the bug", FieldContent.SELF_CONTAINED, required=True),
                Field("versions", "Versions", FieldContent.ENVIRONMENT, required=True),
            ),
            environment=(COLLECT,),
            distributions=("torch",),
            policy=(
                "PyTorch refuses or closes reports that a machine made on its own, and wants text made by AI disclosed"
                " and contained: check every sentence, keep the machine-made block apart, say what was made how"
            ),
        ),
    )
}
