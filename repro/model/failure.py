"""The record of a failure: what ``failure.yaml`` says, validated."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from repro.model.affected import all_ranges, roles_in_words
from repro.model.base import Day, Strict
from repro.model.cpu_or_cuda import Lane as Lane  # noqa: PLC0414 - the vocabulary of records is imported from here
from repro.model.growth import Growth
from repro.model.named_ranks import read_ranks
from repro.model.pattern import check_pattern
from repro.model.rank_launcher import LAUNCHER, TORCHRUN, RankLauncher
from repro.model.rate import Rate
from repro.model.reach import Reach
from repro.model.seen_as import SeenAs
from repro.model.specifiers import ABSENT, PYTHON, Untried, covers, range_in_words
from repro.model.stages import STAGE_NAME
from repro.model.version import parsed_version
from repro.model.version_ranges import Specifiers, VersionRanges

IDENTIFIER = r"^[a-z0-9]+(-[a-z0-9]+)+$"
"""The form of an id: the project, and the number of its issue or a few words."""
WORLD_SIZE = "world-size"
"""The built-in factor: the number of ranks.  It is the harness's, not a flag of the script."""
UNSET = "unset"
"""The value of a factor that leaves its environment variable out."""


PLACEHOLDER = "ANSWER"
"""What stands in a new record where an answer must be."""


class Prediction(StrEnum):
    """The verdicts that a record may foresee; ``any`` where only measurements decide."""

    REPRODUCED = "reproduced"
    ABSENT = "absent"
    REJECTED = "rejected"
    DIFFERENT = "different"
    ANY = "any"


def _release(text: str) -> str:
    if parsed_version(text) is None:
        raise ValueError(f"{text!r} is no version such as '2.1.0'")
    return text


Release = Annotated[str, AfterValidator(_release)]
Pattern = Annotated[str, AfterValidator(check_pattern)]
NamedRanks = Annotated[int | tuple[int, ...] | str, BeforeValidator(read_ranks)]


class Signature(Strict):
    """How a failure shows."""

    kind: Literal["exception", "import", "assertion", "growth", "hang", "script", "exit", "warning", "output"] = (
        "exception"
    )
    """``growth``: an assertion of the oracle that the numbers of ``growth`` must support; ``import``: an exception by
    which an import at the top of the script fails; ``script``: one that the script's own code raises; ``exit``: a
    process that ends without one; ``warning``, ``output``: what a rank prints though its run succeeds."""
    type: str = ""
    """Class name of the exception or the warning, without its module; for an exit ``SIGSEGV`` or ``exit code 3``."""
    message: Pattern = ""
    """Regular expression, searched in the exception's message, in the first line of the warning's, or in each line of
    the output."""
    function: str = ""
    """Function of the innermost library frame; of ``repro.py`` for an assertion; of a waiting frame for a hang."""
    library: str = ""
    """Top-level package of that frame; of the file that a warning names, ``script`` for ``repro.py`` itself."""
    ranks: NamedRanks = "all"
    """``all``, ``any``, one rank (``0``), several (``[0, 2]``) or ``all but 0``; no other rank shows it."""
    others: str = ""
    """Where not all ranks show it in ``function``: the function, in the same library, in which all the others wait, or
    from which they raise the same."""

    @property
    def is_printed(self) -> bool:
        """True if a successful run shows it by what its ranks print."""
        return self.kind in {"warning", "output"}

    @property
    def is_unanswered(self) -> bool:
        """True if a question of the scaffold is still open in it; such a signature matches nothing."""
        return any(PLACEHOLDER in text for text in (self.type, self.message, self.function, self.library, self.others))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind in {"exception", "import", "script"} and not (self.type and self.message):
            raise ValueError("an exception's signature needs type and message")
        if self.kind == "exit" and not self.type:
            raise ValueError("the signature of an exit needs type: SIGSEGV or exit code 3")
        if self.kind in {"assertion", "growth"} and not (self.type == "AssertionError" and self.message):
            raise ValueError(f"a signature of kind {self.kind} needs type: AssertionError and message")
        if self.kind == "warning" and not (self.type.endswith("Warning") and self.message and self.library):
            raise ValueError("a warning's signature needs type (UserWarning), message, and library or 'script'")
        if self.kind == "output" and (not self.message or self.type or self.library):
            raise ValueError("the signature of an output has a message, and no type or library")
        if self.is_printed and self.function:
            raise ValueError("what is printed names no function: leave it out")
        if self.kind == "hang" and not self.function:
            raise ValueError("a hang's signature needs the function that it hangs in")
        if self.others and (self.kind not in {"hang", "exception"} or self.ranks == "all"):
            raise ValueError("'others' is for a hang or an exception that is not on all ranks")
        return self


class Stage(Strict):
    """One job of a staged run.  A stage before the last must succeed, or the run says nothing of the failure."""

    name: Annotated[str, Field(pattern=STAGE_NAME)]
    """What the script gets as ``--stage``."""
    role: Annotated[str, Field(pattern=STAGE_NAME)]
    """Whose environment it runs in, such as ``writer``; stages of one role share it."""
    meaning: Annotated[str, Field(min_length=1)]
    """What the job does, for people."""
    ranks: Annotated[int, Field(ge=1)] | None = None
    """Its world size; None for that of the run, which ``world-size`` may change."""
    factors: dict[str, str] = {}
    """Values of factors that hold in this stage, whatever the run sets."""
    timeout: Annotated[int, Field(ge=1)] | None = None
    """Seconds of wall clock that it may take; None for the record's ``timeout``."""
    affected: tuple[VersionRanges, ...] = ()
    """The releases in its environment with which the failure shows later; empty: it does not matter.

    For the last stage it is the record's own ``affected``."""
    signature: Signature | None = None
    """How the failure shows if it shows in this stage already; the last stage has the record's ``signature``."""


class Difference(Strict):
    """What is different in a lane."""

    signature: Signature | None = None
    """How the failure shows there, if not in the record's way."""
    why: Annotated[str, Field(min_length=1)]
    """Why the lanes differ, as text for people."""


class OtherSignature(Strict):
    """How the failure shows on some releases, or under some values of factors; all that is named must hold."""

    releases: VersionRanges | None = None
    factors: dict[str, str] = {}
    by_timing: bool = False
    """It may take the place of any other signature, in any run: which one shows depends on the order of the ranks."""
    signature: Signature
    why: Annotated[str, Field(min_length=1)]
    """What makes it show differently, for people."""

    @model_validator(mode="after")
    def _conditional(self) -> Self:
        if not (self.releases or self.factors or self.by_timing):
            raise ValueError("another signature needs a condition: releases, factors or by_timing")
        return self


class Rejection(Strict):
    """Releases that refuse the configuration with a clear, documented error."""

    releases: VersionRanges
    signature: Signature


class Factor(Strict):
    """One condition of the reproduction that a flag of ``repro.py`` switches, or an environment variable."""

    name: str
    values: Annotated[tuple[str, ...], Field(min_length=2)]
    """The first is the default, with which the failure shows."""
    meaning: str
    variable: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""
    """The environment variable that takes the value, in the place of a flag; ``unset`` leaves it out."""

    @property
    def default(self) -> str:
        return self.values[0]

    @property
    def shown_name(self) -> str:
        """``debug (variable TORCH_DISTRIBUTED_DEBUG)``: its name for people, who repeat a run by hand."""
        return f"{self.name} (variable {self.variable})" if self.variable else self.name


class Backport(Strict):
    """A few lines that change a release at run time: a cure, or a placebo of the same form."""

    name: str
    file: str
    meaning: str
    cures: bool
    verdict: Literal["absent", "rejected"] = "absent"
    """What an affected release shows with a curing backport."""
    stage: str = ""
    """In a record with stages, the stage that it is applied to; empty for the last one."""


class Cure(Strict):
    """What a user can do; exactly one of the three."""

    upgrade: VersionRanges | None = None
    backport: str | None = None
    setting: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.upgrade, self.backport, self.setting)) != 1:
            raise ValueError("a cure is one of upgrade, backport, setting")
        return self

    @property
    def releases(self) -> str | None:
        """The releases that cure it, in words; with an upper bound they may be a downgrade for some users."""
        if self.upgrade is None:
            return None
        verb = "use" if any("<" in text for text in self.upgrade.values()) else "upgrade to"
        return f"{verb} " + " and ".join(range_in_words(name, text) for name, text in self.upgrade.items())


COMPARISONS = ("==", "!=", "<=", ">=", "<", ">", "contains", "lacks")


def comparison(text: str) -> tuple[str, Any]:
    """Split ``"<= 1e-6"`` into operator and value; raises ValueError."""
    operator, _, rest = text.partition(" ")
    if operator not in COMPARISONS:
        raise ValueError(f"{text!r} is no comparison: one of {', '.join(COMPARISONS)}, a space, a JSON value")
    try:
        return operator, json.loads(rest)
    except ValueError:
        raise ValueError(f"{rest!r} in {text!r} is not a JSON value") from None


def _comparison_text(text: str) -> str:
    comparison(text)
    return text


class Evidence(Strict):
    """One prediction of a claim: a cell, and what the claim says that it shows."""

    environment: str
    factors: dict[str, str] = {}
    backport: str | None = None
    roles: dict[str, str] = {}
    """In a record with stages, the environments of roles other than the last stage's."""
    predicts: Prediction
    measured: dict[str, Annotated[str, AfterValidator(_comparison_text)]] = {}
    why: str = ""
    world_size: int | None = None
    lane: Lane | None = None
    """None for the record's first lane."""

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.predicts is Prediction.ANY and not self.measured:
            raise ValueError("'predicts: any' needs 'measured', else nothing is decided")
        return self


class ClaimFinding(StrEnum):
    """The verdict on a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    PARTLY = "partly"
    UNTESTABLE = "untestable"


class ClaimKind(StrEnum):
    SYMPTOM = "symptom"
    CONDITION = "condition"
    CAUSE = "cause"
    SCOPE = "scope"
    CURE = "cure"
    ADVICE = "advice"
    OPINION = "opinion"


class Claim(Strict):
    """One technical statement of the source document, in our own words."""

    id: str
    kind: ClaimKind
    statement: str
    evidence: tuple[Evidence, ...] = ()
    verdict: ClaimFinding
    comment: str = ""

    @model_validator(mode="after")
    def _grounded(self) -> Self:
        if self.verdict is ClaimFinding.UNTESTABLE and not self.comment:
            raise ValueError("an untestable claim needs a comment that says why")
        if (self.verdict is ClaimFinding.UNTESTABLE) != (not self.evidence):
            raise ValueError("a claim has evidence, or is untestable: one of the two")
        return self


class SurveyRow(Strict):
    """One row of a survey: a label, and the factors that it changes."""

    label: str
    factors: dict[str, str] = {}
    backport: str | None = None


class Survey(Strict):
    """A table of the report: the same rows on several environments, with what they measured."""

    title: str
    environments: Annotated[tuple[str, ...], Field(min_length=1)]
    rows: Annotated[tuple[SurveyRow, ...], Field(min_length=1)]
    measured: tuple[str, ...] = ()
    """Names of the measurements to show beside the verdict."""


class Upstream(Strict):
    """What upstream says."""

    issues: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    state: Literal["open", "closed", "unreported"]
    looked: Day | None = None
    """The day on which a person last read the issues and fixes: an open issue may have been closed since."""


class Needs(Strict):
    """What the reproduction needs to run; it says nothing about who is affected."""

    world_size: Annotated[int, Field(ge=1)] = 2
    distributions: dict[str, Specifiers] = {}
    lanes: Annotated[tuple[Lane, ...], Field(min_length=1)] = (Lane.CPU, Lane.CUDA)
    torchrun: bool = False
    """The failure is about torchrun itself: no other launcher may run it."""


class Failure(Strict):
    """One documented bug."""

    format: Literal[1]
    id: Annotated[str, Field(pattern=IDENTIFIER)]
    title: str
    summary: str
    kind: Literal["crash", "silent", "data-loss", "hang", "growth", "warning"]
    """``growth``: memory, objects, time or traffic that should not be there; ``warning``: only what is printed."""
    source: str = ""
    upstream: Upstream
    affected: Annotated[tuple[VersionRanges, ...], Field(min_length=1)]
    """Who has the failure: users of any of these combinations, whether the reproduction runs there or not."""
    open_below: dict[str, Release] = {}
    """By distribution, the oldest release that was ever tried, if older ones may be affected too: not known."""
    open_above: dict[str, Release] = {}
    """By distribution, the newest release that was ever tried, if newer ones may be affected too: not known."""
    reach: Reach | None = None
    """What in a user's code reaches the failure; ``repro check`` asks for it."""
    rejected: tuple[Rejection, ...] = ()
    fixed_in: dict[str, str] = {}
    needs: Needs = Needs()
    timeout: Annotated[int, Field(ge=1)] = 120
    """Seconds of wall clock that a run may take."""
    signature: Signature
    rate: Rate | None = None
    """Of a failure that shows in some runs only; without it every run must show the same."""
    growth: Growth | None = None
    """What grows, where the signature is of kind ``growth``."""
    seen_as: tuple[SeenAs, ...] = ()
    """What a user's log shows of it, apart from the signature: `repro doctor --log` matches these."""
    differs_in: dict[Lane, Difference] = {}
    signatures: tuple[OtherSignature, ...] = ()
    """Other ways in which it shows; the first whose condition holds takes the place of ``signature``."""
    stages: tuple[Stage, ...] = ()
    """Jobs that run one after another in one shared folder; empty: the reproduction is one job."""
    launchers: tuple[RankLauncher, ...] = ()
    """How the ranks start; several are the values of a factor ``launcher``.  Empty: by torchrun."""
    factors: tuple[Factor, ...] = ()
    backports: tuple[Backport, ...] = ()
    cures: tuple[Cure, ...] = ()
    claims: tuple[Claim, ...] = ()
    surveys: tuple[Survey, ...] = ()
    mechanism: str = ""
    not_tested: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, opened in (("open_below", self.open_below), ("open_above", self.open_above)):
            for name in opened:
                if not any(name in releases for releases in self.affected):
                    raise ValueError(f"{key} names {name}, which affected does not")
        signatures = [
            self.signature,
            *(other.signature for other in self.signatures),
            *(other.signature for other in self.differs_in.values()),
            *(stage.signature for stage in self.stages),
        ]
        kinds = {signature.kind for signature in signatures if signature}
        if (self.growth is not None) != ("growth" in kinds):
            raise ValueError("growth says what grows, for a signature of kind growth: both or neither")
        for lane in self.differs_in:
            if lane not in self.needs.lanes:
                raise ValueError(f"differs_in names lane {lane}, which needs.lanes does not")
        for what, names in (
            ("factor", [factor.name for factor in self.factors]),
            ("backport", [backport.name for backport in self.backports]),
            ("claim", [claim.id for claim in self.claims]),
            ("seen_as", [seen.name for seen in self.seen_as]),
            ("stage", [stage.name for stage in self.stages]),
            ("launcher", [launcher.name for launcher in self.launchers]),
        ):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{what} {name!r} is defined twice")
        return self

    @model_validator(mode="after")
    def _staged(self) -> Self:
        if len(self.stages) == 1:
            raise ValueError("stages has one job: two or more are expected, or no stages")
        if self.stages and (self.stages[-1].signature or self.stages[-1].affected):
            raise ValueError("the last stage has no signature and no affected of its own: they are the record's")
        return self

    @model_validator(mode="after")
    def _launched(self) -> Self:
        names = tuple(launcher.name for launcher in self.launchers)
        factor = self.factor(LAUNCHER)
        if (factor.values if factor else ()) != (names if len(names) > 1 else ()):
            raise ValueError(f"the values of factor {LAUNCHER!r} are the names of launchers, where there are several")
        if factor and factor.variable:
            raise ValueError(f"factor {LAUNCHER!r} sets no variable")
        if self.launchers and self.needs.torchrun:
            raise ValueError("a failure of torchrun itself (needs.torchrun) has no other launchers")
        return self

    @property
    def always_cold(self) -> bool:
        """True if no run may be warm: torchrun is at fault, or what is printed counts.

        A warm rank prints nothing of what its libraries print while they are imported.
        """
        signatures = (
            self.signature,
            *(other.signature for other in self.signatures),
            *(other.signature for other in self.differs_in.values() if other.signature),
        )
        return self.needs.torchrun or any(signature.is_printed for signature in signatures)

    @property
    def flags(self) -> tuple[str, ...]:
        """The factors that are flags of the script: not the number of ranks, their launcher, or a variable."""
        return tuple(
            item.name for item in self.factors if item.name not in {WORLD_SIZE, LAUNCHER} and not item.variable
        )

    def launcher(self, factors: Mapping[str, str]) -> RankLauncher:
        """How the ranks of a run start; ``factors`` are those that differ from their defaults."""
        named = factors.get(LAUNCHER)
        default = self.launchers[0] if self.launchers else TORCHRUN
        return next((launcher for launcher in self.launchers if launcher.name == named), default)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the stages, in order; the last one's environment is the run's own."""
        own = self.stages[-1].role if self.stages else None
        others = dict.fromkeys(stage.role for stage in self.stages if stage.role != own)
        return (*others, own) if own else ()

    @property
    def depends_on_roles(self) -> bool:
        """True if the releases of several environments decide together: no single environment tells."""
        return bool(self.earlier)

    @property
    def affected_together(self) -> str:
        """Which releases of which roles have it together; empty where one environment tells."""
        return roles_in_words(self) if self.depends_on_roles else ""

    @property
    def never_tried(self) -> tuple[Untried, ...]:
        """The releases that may be affected too and that nobody tried."""
        older = [Untried(name, f"<{oldest}", f"{name} before {oldest}") for name, oldest in self.open_below.items()]
        newer = [Untried(name, f">{newest}", f"{name} after {newest}") for name, newest in self.open_above.items()]
        return (*older, *newer)

    @property
    def lane(self) -> Lane:
        """The default lane: the CPU lane if the record has it, else the record's first lane."""
        return Lane.CPU if Lane.CPU in self.needs.lanes else self.needs.lanes[0]

    def factor(self, name: str) -> Factor | None:
        return next((factor for factor in self.factors if factor.name == name), None)

    def seen_in(self, lane: Lane, factors: Mapping[str, str], versions: Mapping[str, str]) -> Self:
        """The record with the signature that the failure has in a run.

        ``factors`` are those that differ from their defaults.  A signature of the lane's own holds for all its runs.
        """
        other = self.differs_in.get(lane)
        if other and other.signature:
            return self.model_copy(update={"signature": other.signature})
        for item in self.signatures:
            if not item.by_timing and self._holds(item, factors, versions):
                return self.model_copy(update={"signature": item.signature})
        return self

    def also_seen_in(self, factors: Mapping[str, str], versions: Mapping[str, str]) -> tuple[Self, ...]:
        """The record with each of the other signatures that a run may have instead, by timing."""
        found = [item for item in self.signatures if item.by_timing and self._holds(item, factors, versions)]
        usual = OtherSignature(by_timing=True, signature=self.signature, why="by timing")
        return tuple(
            self.model_copy(update={"signature": item.signature, "signatures": (*self.signatures, usual)})
            for item in found
        )

    def _holds(self, item: OtherSignature, factors: Mapping[str, str], versions: Mapping[str, str]) -> bool:
        """Whether the condition of another signature holds for a run."""
        changed = {name: factors.get(name, self._default(name)) for name in item.factors}
        return changed == item.factors and covers(item.releases or {}, versions)

    def _default(self, name: str) -> str:
        factor = self.factor(name)
        return factor.default if factor else ""

    def backport(self, name: str) -> Backport | None:
        return next((backport for backport in self.backports if backport.name == name), None)

    @property
    def refused(self) -> tuple[Mapping[str, str], ...]:
        """The releases that refuse the configuration with a clear error."""
        return tuple(rejection.releases for rejection in self.rejected)

    @property
    def earlier(self) -> tuple[tuple[str, tuple[Mapping[str, str], ...]], ...]:
        """The roles of stages that decide too, with their releases; of the last stage they are ``affected``."""
        return tuple((stage.role, stage.affected) for stage in self.stages if stage.affected)

    @property
    def needed(self) -> Mapping[str, str]:
        """The releases that the reproduction needs."""
        return self.needs.distributions

    @property
    def links(self) -> tuple[str, ...]:
        """The issues and fixes upstream."""
        return (*self.upstream.issues, *self.upstream.fixes)

    @property
    def cure_lines(self) -> tuple[str, ...]:
        """All cures, one line each, an upgrade first."""
        return tuple(map(self._cure_line, sorted(self.cures, key=lambda cure: cure.upgrade is None)))

    def _cure_line(self, cure: Cure) -> str:
        if cure.releases:
            return cure.releases
        if cure.backport:
            backport = self.backport(cure.backport)
            return f"backport {self.id}/{backport.file}: {backport.meaning}" if backport else cure.backport
        return str(cure.setting)

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The distributions whose versions or absence decide who is affected, and ``python`` if its version does."""
        return tuple(sorted({name for releases in all_ranges(self) for name in releases}))

    @property
    def may_be_absent(self) -> tuple[str, ...]:
        """The distributions whose absence decides: the reproduction does not need them."""
        return tuple(
            sorted({name for releases in all_ranges(self) for name, text in releases.items() if text == ABSENT})
        )

    @property
    def distributions(self) -> tuple[str, ...]:
        """The distributions that a run must have: those that decide, and those that the reproduction needs."""
        deciding = set(self.judged_by) - {PYTHON, *self.may_be_absent}
        return tuple(sorted({*deciding, *self.needs.distributions}))

    @property
    def concerns(self) -> tuple[str, ...]:
        """All whose versions a reader of a run wants to see: Python and what may be absent included."""
        return tuple(sorted({*self.judged_by, *self.needs.distributions}))
