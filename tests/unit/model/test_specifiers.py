"""Which versions a set of specifiers covers: of distributions, of Python, and of what is absent."""

import platform

import pytest

from repro.model.specifiers import covers, installed_versions, range_in_words, same_release, with_python

TORCH = {"torch": "2.13.0+cpu"}


class TestCovers:
    """All that is named must hold."""

    @pytest.mark.parametrize(
        ("releases", "versions", "expected"),
        [
            ({"torch": ">=2.2", "python": "<3.12"}, with_python(TORCH, "3.11.7"), True),
            ({"torch": ">=2.2", "python": "<3.12"}, with_python(TORCH, "3.12.1"), False),
            ({"torch": ">=2.2", "python": "<3.12"}, TORCH, False),
            ({"torch": ">=2.2", "python": ">=3.13"}, with_python(TORCH, "3.13.0+"), True),
            ({"torch": ">=2.2", "numpy": "absent"}, TORCH, True),
            ({"torch": ">=2.2", "numpy": "absent"}, TORCH | {"numpy": "2.2.3"}, False),
            ({"torch": ">=2.2", "numpy": "absent"}, TORCH | {"numpy": "no version"}, False),
            ({"torch": "", "numpy": ""}, TORCH | {"numpy": "1.0"}, True),
        ],
    )
    def test_covers(self, releases: dict[str, str], versions: dict[str, str], expected: bool) -> None:
        """A Python that is not known lies in no range, and any installed version is present."""
        assert covers(releases, versions) is expected


def test_own_python() -> None:
    """The running interpreter counts as itself; what is not installed is left out."""
    assert installed_versions({"python", "no-such-distribution"}) == {
        "python": platform.python_version().removesuffix("+")
    }


def test_words() -> None:
    assert [range_in_words("numpy", text) for text in ("absent", ">=2", "")] == ["no numpy", "numpy >=2", "numpy"]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (("PyTorch_Lightning", "2.6.2"), True),
        (("pytorch-lightning", "2.6.2.0"), True),
        (("pytorch-lightning", "2.6.3"), False),
        (("lightning", "2.6.2"), False),
        (("pytorch-lightning", "no version"), False),
    ],
)
def test_same_release(other: tuple[str, str], same: bool) -> None:
    """By the canonical name and the version, however they are written; what is no version is no release."""
    assert same_release(("pytorch-lightning", "2.6.2"), other) is same
    assert same_release(other, ("pytorch-lightning", "2.6.2")) is same
    assert not same_release(("x", "no version"), ("x", "no version"))
