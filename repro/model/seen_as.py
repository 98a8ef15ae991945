"""What a user sees of a failure: patterns of errors, warnings and hangs, apart from the signature of the reproduction.

A signature may name the values of the tiny reproduction, and most signatures are assertions of our own oracles.  A
user's log holds neither; ``seen_as`` says what stands there instead, or that nothing does.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from repro.model.base import Strict
from repro.model.pattern import check_pattern, group_names

Pattern = Annotated[str, AfterValidator(check_pattern)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]


class SeenFrame(Strict):
    """A frame of a traceback or of a stack."""

    library: str
    """Top-level package; ``script`` for the user's own code, empty for any."""
    function: Pattern
    """Regular expression for the whole name of the function."""


class Relation(Strict):
    """How two named groups of the message must compare: tensor shapes or numbers."""

    group: str
    relation: Literal["equal", "twice", "one dimension twice"]
    """``group`` is equal to ``other``, is twice ``other``, or has one dimension of it doubled and the others equal."""
    other: str


class SeenAs(Strict):
    """One way in which a failure shows to a user."""

    name: Name
    error: tuple[str, ...] = ()
    """Class names of the exception, without module."""
    message: Pattern = ""
    """Searched in the exception's message; named groups are compared by ``holds``."""
    holds: tuple[Relation, ...] = ()
    """All must hold, in every place where the message matches."""
    lacks: Pattern = ""
    """Must not be found in the exception's message."""
    frames: tuple[SeenFrame, ...] = ()
    """All must be in the traceback or stack, in this order from the outermost; others may stand between them."""
    without: tuple[SeenFrame, ...] = ()
    """None may be in the traceback or stack."""
    inside: bool = False
    """Other frames of libraries or of the script may stand inside the last of ``frames``: it did not raise itself."""
    hang: bool = False
    """The frames are those of a stack that stands still: py-spy, faulthandler, or the traceback of Ctrl-C."""
    text: Pattern = ""
    """Searched in each line of the output: a warning, or a symptom that does not end the run."""
    beside: Pattern = ""
    """A line that must also be in the log."""
    alone: bool = False
    """The message is specific enough to be recognised without a traceback."""
    refused: bool = False
    """The clear error of releases that refuse the configuration, not the failure itself."""
    with_versions: bool = False
    """Counts only where the versions are known and affected: the same line also stands in logs of healthy runs."""
    but: str = ""
    """What else shows in this way, so that a match is only ``could be``."""
    nothing: str = ""
    """Why the failure leaves nothing in a log, and what shows it instead."""

    @property
    def kind(self) -> Literal["error", "hang", "text", "nothing"]:
        if self.nothing:
            return "nothing"
        if self.hang:
            return "hang"
        return "error" if self.error else "text"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        kinds = [bool(self.error) and not self.hang, self.hang, bool(self.text), bool(self.nothing)]
        if sum(kinds) != 1:
            raise ValueError("exactly one of error, hang, text, nothing is expected")
        if self.hang and not self.frames:
            raise ValueError("a hang needs the frames in which the ranks stand still")
        if self.error and not (self.message or self.frames):
            raise ValueError("an error needs a message or frames: its type alone says nothing")
        if self.alone and not self.message:
            raise ValueError("alone needs a message")
        groups = group_names(self.message)
        for relation in self.holds:
            for name in (relation.group, relation.other):
                if name not in groups:
                    raise ValueError(f"holds names the group {name!r}, which the message does not have")
        return self
