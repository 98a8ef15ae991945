"""Environment markers for the targets that a text may be about."""

import pytest

from repro.doctor.stack.markers import Holds, Target, holds, needed_extras, targets

HERE = Target("3.11", "x86_64")


@pytest.mark.parametrize(
    ("marker", "answer"),
    [
        ("", Holds.YES),
        ("sys_platform == 'linux'", Holds.YES),
        ("sys_platform == 'win32' and python_version >= '3.8'", Holds.NO),
        ("sys_platform == 'win32' or python_version >= '3.8'", Holds.YES),
        ("platform_machine == 'aarch64'", Holds.NO),
        ("python_version < '3'", Holds.NO),
        ("python_full_version >= '3.11.4'", Holds.OPTIONAL),
        ("extra == 'train'", Holds.OPTIONAL),
        ("extra == 'train' and sys_platform == 'darwin'", Holds.NO),
        ("'train' in extras", Holds.OPTIONAL),
        ("'dev' in dependency_groups", Holds.OPTIONAL),
        ("no marker", Holds.OPTIONAL),
    ],
)
def test_holds(marker: str, answer: Holds) -> None:
    """Platform, machine and Python together; what depends on a choice, or cannot be evaluated, is optional."""
    assert holds(marker, HERE) is answer


def test_targets() -> None:
    """A stated Python, a requirement, or all; a patch release as a bound leaves its line in."""
    assert {item.python for item in targets("3.11.9")} == {"3.11"}
    assert {item.python for item in targets(requires=">=3.12.4,<3.14")} == {"3.12", "3.13"}
    assert {"3.8", "3.14"} <= {item.python for item in targets(requires="nonsense")}
    assert {item.machine for item in targets("3.11", machines=("aarch64",))} == {"aarch64"}


def test_needed_extras() -> None:
    """The extra or group in words."""
    assert needed_extras("extra == 'a' or extra == 'b'") == "the extra a or b"
    assert needed_extras("'dev' in dependency_groups") == "the group dev"
    assert needed_extras("python_version > '3'") == ""
