"""What a release requires moves with it."""

from collections.abc import Sequence

from repro.model.version_change import VersionChange
from repro.search.companions import companions

PYTHON = "3.11"


def moved(**versions: tuple[str | None, str | None]) -> list[VersionChange]:
    return [
        VersionChange(distribution=name.replace("_", "-"), before=before, after=after)
        for name, (before, after) in versions.items()
    ]


TRANSFORMERS = moved(transformers=("4.57.6", "5.2.0"), huggingface_hub=("0.36.0", "1.4.1"), tqdm=("4.67.1", "4.67.3"))


def found(changes: Sequence[VersionChange], **requires: Sequence[str]) -> dict[str, tuple[str, ...]]:
    held = {name.replace("_", "-"): texts for name, texts in requires.items()}
    return {
        change.distribution: tuple(other.distribution for other in others)
        for change, others in companions(changes, held, PYTHON).items()
    }


def test_a_release_that_does_not_accept_the_old_version_forces_it() -> None:
    requires = ["huggingface_hub<2.0,>=1.3.0", "tqdm>=4.27", "numpy>=1.17"]
    assert found(TRANSFORMERS, transformers=requires) == {"transformers": ("huggingface-hub",)}


def test_what_the_old_version_satisfies_moves_alone() -> None:
    assert found(TRANSFORMERS, transformers=["huggingface-hub>=0.30"]) == {}


def test_the_way_back_is_forced_too() -> None:
    changes = moved(transformers=("5.2.0", "4.57.6"), huggingface_hub=("1.4.1", "0.36.0"))
    assert found(changes, transformers=["huggingface-hub<1.0,>=0.34"]) == {"transformers": ("huggingface-hub",)}


def test_what_is_forced_may_force_others() -> None:
    requires = {"transformers": ["huggingface-hub>=1.3"], "huggingface_hub": ["tqdm>=4.67.2"]}
    assert found(TRANSFORMERS, **requires) == {
        "transformers": ("huggingface-hub", "tqdm"),
        "huggingface-hub": ("tqdm",),
    }


def test_two_that_force_each_other() -> None:
    changes = moved(a=("1", "2"), b=("1", "2"))
    assert found(changes, a=["b==2"], b=["a==2"]) == {"a": ("b",), "b": ("a",)}


def test_extras_other_platforms_and_other_pythons_force_nothing() -> None:
    texts = [
        "huggingface-hub>=1.3; extra == 'hub'",
        "huggingface-hub>=1.3; sys_platform == 'nowhere'",
        "huggingface-hub>=1.3; python_version < '3.11'",
    ]
    assert found(TRANSFORMERS, transformers=texts) == {}


def test_what_cannot_be_read_forces_nothing() -> None:
    changes = moved(a=("1", "2"), b=("no version", "2"), c=("1", "2"))
    assert found(changes, a=["b>=2", "c >= (", "a>=2"]) == {}


def test_what_is_new_or_gone_is_not_forced_to_move() -> None:
    changes = moved(a=("1", "2"), came=(None, "1"), gone=("1", None))
    assert found(changes, a=["came>=1", "gone>=2"], gone=["a>=3"]) == {}


def test_a_pre_release_of_the_old_version_counts_as_a_version() -> None:
    changes = moved(a=("1", "2"), b=("2.0rc1", "2.0"))
    assert found(changes, a=["b>=1"]) == {}
    assert found(changes, a=["b>=2"]) == {"a": ("b",)}
