"""What `repro check` says of launchers and of the configuration files of accelerate launch."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from repro.catalog.check_launchers import CONFIG_LIMIT, config_faults, problems_of
from tests.unit.factories import failure

NEEDS = {"distributions": {"accelerate": ">=1.6"}}
LAUNCHER = {"name": "accelerate", "program": "accelerate", "config": "accelerate.yaml"}
CONFIG = {"distributed_type": "FSDP", "num_machines": 1, "num_processes": 2, "use_cpu": False}


def faults(folder: Path, text: str | None = None, **config: Any) -> list[str]:
    if text is None:
        text = yaml.safe_dump({key: value for key, value in {**CONFIG, **config}.items() if value is not None})
    (folder / "accelerate.yaml").write_text(text, encoding="utf-8")
    return [str(fault) for fault in config_faults(failure(launchers=[LAUNCHER], needs=NEEDS), folder)]


def test_complete(tmp_path: Path) -> None:
    assert faults(tmp_path) == []
    assert not list(problems_of(failure(launchers=[LAUNCHER], needs=NEEDS)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_processes": 4}, ":3: num_processes: is 4, and the record needs 2 ranks"),
        ({"num_processes": None}, "num_processes: is None"),
        ({"distributed_type": "MULTI_CPU"}, ":1: distributed_type: is MULTI_CPU"),
        ({"distributed_type": None}, "distributed_type: is None"),
        ({"use_cpu": True}, ":4: use_cpu: is set: accelerate launch then starts one process"),
        ({"num_machines": 2}, "num_machines: is not 1"),
        ({"main_process_port": 29500}, "main_process_port: is set"),
        ({"text": "num_processes: [2"}, "not valid YAML"),
        ({"text": "[1, 2]"}, "a mapping is expected"),
        ({"text": "num_processes: 2\nnum_processes: 2\n"}, "given twice"),
        ({"text": "a: " + "b" * CONFIG_LIMIT}, "larger"),
    ],
)
def test_configuration(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    """Each fault with the file, its line and its key."""
    found = faults(tmp_path, **config)
    assert any(said in fault for fault in found), found
    assert all("accelerate.yaml" in fault for fault in found)


def test_missing(tmp_path: Path) -> None:
    (fault,) = config_faults(failure(launchers=[LAUNCHER], needs=NEEDS), tmp_path)
    assert "accelerate.yaml: is missing, and launcher accelerate names it; write it beside the script" in str(fault)


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        ({"arguments": ["--num_processes=4"]}, ("launchers", 0, "arguments"), "belongs to the harness"),
        ({"arguments": ["--cpu"]}, ("launchers", 0, "arguments"), "--cpu belongs"),
        ({"needs": {}}, ("launchers", 0), "does not name accelerate"),
    ],
)
def test_problems(changes: dict[str, Any], at: tuple[object, ...], said: str) -> None:
    needs = changes.pop("needs", NEEDS)
    ((found, problem, _),) = problems_of(failure(launchers=[{**LAUNCHER, **changes}], needs=needs))
    assert found == at
    assert said in problem


def test_an_import_that_fails_needs_ranks() -> None:
    """Plain Python knows no ranks while the script is imported."""
    signature = {"kind": "import", "type": "ImportError", "message": "^cannot", "function": "f", "library": "peft"}
    record = failure(launchers=[{"name": "python", "program": "python"}], signature=signature)
    ((at, _, _),) = problems_of(record)
    assert at == ("launchers", 0, "program")
