"""How the ranks of a reproduction are started, where not by torchrun alone."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from repro.model.base import FileName, Strict

ColdLauncher = Literal["torchrun", "accelerate", "python"]
"""Programs that start ranks from nothing, as a user does."""
LAUNCHER = "launcher"
"""The built-in factor: the name of the launcher.  It is the harness's, not a flag of the script."""


class RankLauncher(Strict):
    """One way to start the ranks; the first one of a record is its default."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
    """Its value of the factor ``launcher``."""
    program: ColdLauncher
    """``accelerate``: ``accelerate launch``; ``python``: plain Python, and the script spawns its ranks itself by
    ``torch.multiprocessing`` (or by what is built on it, such as ``ddp_spawn`` of lightning)."""
    config: FileName = ""
    """The configuration file of ``accelerate launch``, beside the script."""
    arguments: tuple[str, ...] = ()
    """Further arguments of ``accelerate launch``, before the script."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.program == "accelerate") != bool(self.config):
            raise ValueError("config is the file of accelerate launch, which needs one: both or neither")
        if self.arguments and self.program != "accelerate":
            raise ValueError("arguments are those of accelerate launch")
        return self


TORCHRUN = RankLauncher(name="torchrun", program="torchrun")
"""How ranks start if a record names no launcher."""


def by_hand(launcher: RankLauncher, ranks: int, config: str = "") -> tuple[str, ...]:
    """The words with which a user starts so many ranks, before the script; ``config`` is the path of the file."""
    if launcher.program == "accelerate":
        return ("accelerate", "launch", "--config_file", config or launcher.config, *launcher.arguments)
    if launcher.program == "python":
        return ("python",)
    return ("torchrun", "--standalone", "--nproc-per-node", str(ranks))
