"""Checks the launchers of a record, and the configuration files of accelerate launch beside its script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from repro.catalog.yaml_reader import read_mapping
from repro.model.base import Location
from repro.model.errors import Fault, RecordError
from repro.model.failure import Failure, Lane
from repro.model.rank_launcher import RankLauncher

CONFIG_LIMIT = 20_000
"""Bytes of a configuration file: what ``accelerate config`` writes has about one thousand."""
STARTED_BY_TORCHRUN = ("MULTI_GPU", "FSDP")
"""The kinds of distributed training for which accelerate launch starts ranks on any machine, by torchrun."""
OURS = (
    *("--config_file", "--num_processes", "--num_machines", "--machine_rank", "--main_process_port"),
    *("--main_process_ip", "--cpu", "--use_cpu", "--module", "-m", "--no_python", "--quiet", "-q"),
)
"""Options that the harness gives, or that change which program runs and on how many ranks."""
_GIVEN = ("main_process_port", "main_process_ip")


def problems_of(failure: Failure) -> Iterator[tuple[Location, str, str]]:
    """The problems of the launchers themselves: key, problem and remedy."""
    for index, launcher in enumerate(failure.launchers):
        at = ("launchers", index)
        for argument in launcher.arguments:
            if argument.partition("=")[0] in OURS:
                yield (*at, "arguments"), f"{argument} belongs to the harness or the configuration", "leave it out"
        if launcher.program == "accelerate" and "accelerate" not in failure.distributions:
            yield at, "accelerate launches it, and needs.distributions does not name accelerate", "add it there"
        if launcher.program == "python" and failure.signature.kind == "import":
            problem = "no rank is known yet while a script imports that spawns its ranks"
            yield (*at, "program"), problem, "write a script that torchrun starts"


def config_faults(failure: Failure, folder: Path) -> Iterator[Fault]:
    """The faults of the configuration files, each once."""
    configs = {launcher.config: launcher for launcher in failure.launchers if launcher.config}
    for name, launcher in configs.items():
        file = folder / name
        if not file.is_file():
            problem = f"is missing, and launcher {launcher.name} names it"
            yield Fault(file, 0, "", problem, "write it beside the script, as `accelerate config` does")
            continue
        try:
            content, lines = read_mapping(file, CONFIG_LIMIT)
        except RecordError as error:
            yield from error.faults
            continue
        for key, problem, remedy in _config_problems(content, failure, launcher):
            yield Fault(file, lines.get((key,), 1), key, problem, remedy)


def _config_problems(
    content: dict[str, Any], failure: Failure, launcher: RankLauncher
) -> Iterator[tuple[str, str, str]]:
    ranks = failure.needs.world_size
    if content.get("num_processes") != ranks:
        problem = f"is {content.get('num_processes')}, and the record needs {ranks} ranks"
        yield "num_processes", problem, f"write num_processes: {ranks}"
    kind = content.get("distributed_type")
    if kind not in STARTED_BY_TORCHRUN:
        problem = f"is {kind}: accelerate launch starts one process for it, or needs what is not here"
        yield "distributed_type", problem, f"one of {', '.join(STARTED_BY_TORCHRUN)}; the CPU lane hides all devices"
    if content.get("use_cpu") not in {None, False}:
        lane = " and lane cuda needs its devices" if Lane.CUDA in failure.needs.lanes else ""
        yield "use_cpu", f"is set: accelerate launch then starts one process{lane}", "write use_cpu: false"
    if content.get("num_machines", 1) != 1:
        yield "num_machines", "is not 1: all ranks run on this host", "write num_machines: 1"
    for key in _GIVEN:
        if key in content:
            yield key, f"is set, and {launcher.name} gets a port of its own in each run", "leave it out"
