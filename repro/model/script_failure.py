"""A script of the user's that fails on some releases: a failure without a record, whose signature is learned."""

from typing import Literal

from repro.model.failure import Failure, Lane, Needs, Signature, Upstream

ANY_EXIT = Signature(kind="exit", type="any exit code but 0", ranks="any")
"""Stands in a failure that is judged by exit codes alone, and in one whose signature is not learned yet."""


class ScriptFailure(Failure):
    """How a user's script fails.

    It has no oracle: the script passes if every rank ends with exit code 0.  Nobody says which versions are
    affected, so ``affected`` names only the distribution that is moved.
    """

    script: str
    """Its file name, in the folder of the entry."""
    arguments: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """Names of the environment variables that its ranks see besides ours; values may be secret and are not kept."""
    content: str
    """SHA-256 of the script, of the files beside it, of its arguments and of the variables with their values."""
    rule: Literal["signature", "exit"] = "signature"
    """What counts as bad: the signature, or any exit code but 0."""


def script_failure(
    name: str,
    script: str,
    content: str,
    moved: tuple[str, ...],
    *,
    ranks: int = 2,
    lane: Lane = Lane.CPU,
    timeout: int = 120,
    arguments: tuple[str, ...] = (),
    variables: tuple[str, ...] = (),
    torchrun: bool = False,
) -> ScriptFailure:
    """A failure of a script before anything is learned: any exit code but 0 counts.

    ``moved`` are the distributions that a search changes; ``torchrun`` is True if no other launcher may run it.
    """
    return ScriptFailure(
        format=1,
        id=name,
        title=f"{script} fails",
        summary=f"{script} fails; its signature is learned from a run.",
        kind="crash",
        upstream=Upstream(state="unreported"),
        affected=(dict.fromkeys(moved, ">=0"),),
        needs=Needs(world_size=ranks, lanes=(lane,), torchrun=torchrun),
        timeout=timeout,
        signature=ANY_EXIT,
        script=script,
        arguments=arguments,
        variables=variables,
        content=content,
        rule="exit",
    )


def with_signature(failure: ScriptFailure, signature: Signature) -> ScriptFailure:
    """The failure with the signature that it is judged by from now on."""
    kind: Literal["hang", "crash"] = "hang" if signature.kind == "hang" else "crash"
    return failure.model_copy(update={"signature": signature, "rule": "signature", "kind": kind})
