"""Imports, endings and exit codes of a run of a user's script."""

import pytest

from repro.model.observation import Imported, Raised, Rank
from repro.verdict.script_run import completed, ending, foreign_import, lacks_package
from tests.unit.factories import failed, installed, killed, raised, rank


def missing(name: str, kind: str = "ModuleNotFoundError", bases: tuple[str, ...] = ()) -> Raised:
    return raised(kind, f"No module named '{name}'", bases=bases)


DROPPED = raised("ImportError", "cannot import name 'Fabric' from 'lightning'")


class TestLacksPackage:
    """A package that is missing is the environment's fault; a name that a release has dropped is the library's."""

    @pytest.mark.parametrize(
        ("chain", "lacks"),
        [
            ((missing("datasets"),), True),
            ((missing("datasets.arrow"),), True),
            ((missing("lightning_fabric.utilities.old"),), False),
            ((missing("lightning_fabric"),), True),
            ((missing("torchvision.ops"),), False),
            ((DROPPED,), False),
            ((raised("ImportError", "libcudart.so.12: cannot open shared object file"),), True),
            ((missing("datasets", "Missing", bases=("ImportError", "Exception")),), True),
            ((missing("datasets", "RuntimeError"),), False),
            ((raised("RuntimeError", "no"), missing("datasets")), True),
            ((DROPPED, missing("datasets")), True),
            ((raised("RuntimeError", "says: No module named 'a'"),), False),
            ((), False),
        ],
    )
    def test_chain(self, chain: tuple[Raised, ...], lacks: bool) -> None:
        """Every error of the chain counts; a submodule is only missing where its package is there."""
        assert lacks_package(chain, installed(), ("torchvision",)) is lacks

    def test_where_nothing_is_known_of_the_environment(self) -> None:
        """What the rank imported is there all the same."""
        assert lacks_package((missing("lightning_fabric.old"),), None, ())
        assert lacks_package((missing("lightning_fabric.old"),), None, ("lightning_fabric",)) is False


class TestForeignImport:
    @pytest.mark.parametrize(
        ("inside", "found"), [((True, True), ""), ((False, True), "lightning"), ((True, False), "functorch")]
    )
    def test_first(self, inside: tuple[bool, bool], found: str) -> None:
        """Each module of a distribution counts, and only of those that are asked for."""
        names = ("lightning", "functorch")
        held = {name: Imported(version="1", inside=here) for name, here in zip(names, inside, strict=True)}
        run = rank(0, imported={**held, "other": Imported(version="1", inside=False)})
        assert foreign_import(run, installed(), ("lightning", "torch", "absent")) == found
        assert foreign_import(run, installed(), ()) == ""


@pytest.mark.parametrize(
    ("held", "how"),
    [
        (rank(0), ""),
        (rank(0, exit_code=None), ""),
        (rank(0, exit_code=3), "exit code 3"),
        (killed(0, 11), "SIGSEGV"),
        (killed(0, 9), ""),
        (killed(0, 11, stopped=True), ""),
        (failed(0), ""),
        (failed(0, signal=11), ""),
    ],
)
def test_ending(held: Rank, how: str) -> None:
    """A signal from outside, an exception, and what was asked to end are no ends of its own."""
    assert ending(held) == how


@pytest.mark.parametrize(
    ("ranks", "done"),
    [
        ([rank(0), rank(1, finished=False, oracle=None)], True),
        ([], False),
        ([rank(0), rank(1, exit_code=1)], False),
        ([rank(0), rank(1, exit_code=None)], False),
        ([rank(0), failed(1, exit_code=0)], False),
        ([rank(0), rank(1, stopped=True)], False),
    ],
)
def test_completed(ranks: list[Rank], done: bool) -> None:
    """Every rank must end by itself with exit code 0."""
    assert completed(ranks) is done
