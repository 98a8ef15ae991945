"""Which cells a request asks for; names are refused before anything runs."""

from pathlib import Path

import pytest

from repro.catalog.choose_cells import CellRequest, check_run_name, choose_cells, parse_factors, parse_roles
from repro.catalog.default_cells import default_cells
from repro.catalog.project import Project
from repro.model.errors import UsageError
from repro.model.failure import Lane
from tests.unit.factories import FAILURE, project, write_failure


@pytest.fixture
def held(tmp_path: Path) -> Project:
    return project(tmp_path)


def labels(held: Project, request: CellRequest) -> list[str]:
    return [cell.label.removeprefix(f"{FAILURE} ") for cell in choose_cells(held, request).cells]


def test_default(held: Project) -> None:
    """Nothing asked: the default cells, each with its backport."""
    assert labels(held, CellRequest()) == ["old", "new", "old +cure"]
    assert labels(held, CellRequest(nodes=2)) == ["old nodes=2", "new nodes=2", "old +cure nodes=2"]


def test_other_lanes(tmp_path: Path) -> None:
    """What runs on CUDA devices alone is left out of the CPU lane, by name, and stops nothing."""
    held = project(tmp_path, failures=False)
    write_failure(held.failures, needs={"lanes": ["cuda"], "world_size": 2})
    chosen = choose_cells(held, CellRequest())
    assert chosen.cells == []
    assert {(item.environment, item.reason) for item in chosen.left_out} == {
        ("old", "runs in lane cuda only"),
        ("new", "runs in lane cuda only"),
    }
    assert default_cells(held.matrix, held.catalog, lane=Lane.CPU) == []
    assert len(default_cells(held.matrix, held.catalog)) == 3
    on_devices = choose_cells(held, CellRequest(lane=Lane.CUDA))
    assert ([cell.lane for cell in on_devices.cells], on_devices.left_out) == ([Lane.CUDA] * 3, [])
    with pytest.raises(UsageError, match="does not run in lane cpu"):
        choose_cells(held, CellRequest(ids=[FAILURE]))


def test_changed(held: Project) -> None:
    """A factor or a backport: on every environment that runs the failure, or on those named."""
    request = CellRequest(factors={"state-dict-type": "full"})
    assert labels(held, request) == ["old state-dict-type=full", "new state-dict-type=full"]
    assert labels(held, CellRequest(ids=[FAILURE], environments=["new"], backport="cure")) == ["new +cure"]


def test_adopted(held: Project, tmp_path: Path) -> None:
    """An interpreter beside a named environment."""
    request = CellRequest(environments=["old"], pythons=[tmp_path / "python"])
    assert labels(held, request) == ["old", f"python:{tmp_path}/python"]


def test_packed(held: Project, tmp_path: Path) -> None:
    """With a pack, only its environments, and the interpreter is what they are laid over."""
    request = CellRequest(packed={"old"}, pythons=[tmp_path / "python"])
    assert labels(held, request) == ["overlay:old", "overlay:old +cure"]
    assert labels(held, CellRequest(packed={"old"}, environments=["old"])) == ["overlay:old"]


def test_everywhere(held: Project) -> None:
    """Every environment, without backports."""
    assert sorted(labels(held, CellRequest(everywhere=True))) == ["new", "old"]


def test_shards(held: Project) -> None:
    """The shards of the default cells together are the default cells; one too many is empty."""
    parts = [labels(held, CellRequest(shard=f"{number}/2")) for number in (1, 2)]
    assert sorted(parts[0] + parts[1]) == sorted(labels(held, CellRequest()))
    assert all(parts)
    assert labels(held, CellRequest(shard="9/9")) == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (CellRequest(environments=["odl"]), "no environment 'odl'; did you mean 'old'"),
        (CellRequest(environments=["python:/bin/sh"]), "no environment 'python:/bin/sh'"),
        (CellRequest(environments=["new"], packed={"old"}), "no packed environment 'new'"),
        (CellRequest(ids=["lightning-1949"]), f"did you mean '{FAILURE}'"),
        (CellRequest(everywhere=True, nodes=2), "--all-environments goes with"),
        (CellRequest(everywhere=True, factors={"a": "b"}), "--all-environments goes with"),
        (CellRequest(pythons=[Path("a"), Path("b")], packed={"old"}), "one --python is expected"),
        (CellRequest(shard="3/2"), "K/N is expected"),
        (CellRequest(shard="²/3"), "K/N is expected"),
        (CellRequest(shard="1/99999"), "K/N is expected"),
    ],
)
def test_refused(held: Project, request_: CellRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_cells(held, request_)


def test_nowhere(held: Project) -> None:
    """A failure that the matrix runs nowhere needs an environment."""
    bare = held.deriving({})
    vars(bare)["matrix"] = held.matrix.model_copy(update={"runs": {}})
    with pytest.raises(UsageError, match="runs lightning-19492 nowhere; name an environment with --env"):
        choose_cells(bare, CellRequest(ids=[FAILURE]))


def test_factors() -> None:
    """FACTOR=VALUE; the value may hold an equals sign; two values of one factor contradict each other."""
    assert parse_factors(["a=b", "c=d=e", "a=b"]) == {"a": "b", "c": "d=e"}
    for wrong in (["a"], ["=b"], ["a=b", "a=c"]):
        with pytest.raises(UsageError, match="--set"):
            parse_factors(wrong)


def test_roles() -> None:
    """A role has one environment, and its name is not empty."""
    assert parse_roles(["writer=old", "reader=new", "writer=old"]) == {"writer": "old", "reader": "new"}
    for wrong in (["writer"], ["=old"], ["writer="], ["writer=old", "writer=new"]):
        with pytest.raises(UsageError, match="--stage-env"):
            parse_roles(wrong)


@pytest.mark.parametrize("name", ["../x", "a b", "", ".hidden", "x" * 61])
def test_run_name(name: str) -> None:
    """A run's name becomes part of file names."""
    assert check_run_name("ci-7.1") == "ci-7.1"
    assert check_run_name(None) is None
    with pytest.raises(UsageError, match="--run-name"):
        check_run_name(name)
