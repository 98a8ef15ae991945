"""Addresses of development versions, and what of them is public."""

import pytest

from repro.model.development_version import read_source, shortened
from repro.model.matrix import Environment, Matrix
from tests.unit.factories import matrix

WHEEL = "tinylib-1.0.dev0-py3-none-any.whl"
HTTPS = "git+https://github.com/huggingface/transformers@v5.0.0"


@pytest.mark.parametrize(
    ("text", "public", "installable"),
    [
        (HTTPS, HTTPS, HTTPS),
        (f"{HTTPS}#subdirectory=src/x", f"{HTTPS}#subdirectory=src/x", f"{HTTPS}#subdirectory=src/x"),
        ("git+file:///home/me/repo@v1", "git+file:repo@v1", "git+file:///home/me/repo@v1"),
        ("git+file:repo@v1", "git+file:repo@v1", "git+file:repo@v1"),
        (f"/home/me/{WHEEL}", WHEEL, f"file:///home/me/{WHEEL}"),
        (f"file:///home/me/{WHEEL}", WHEEL, f"file:///home/me/{WHEEL}"),
    ],
)
def test_forms(text: str, public: str, installable: str) -> None:
    """What is public names no folder, and can be read again."""
    source = read_source(text)
    assert (source.public, source.installable) == (public, installable)
    assert read_source(public).public == public


def test_wheel() -> None:
    assert read_source(WHEEL).version == "1.0.dev0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("git+https://github.com/x/y", "a tag, a branch or a commit"),
        ("git+https://token@github.com/x/y@v1", "holds a user or a token"),
        ("git+https://me:secret@github.com/x/y@v1", "holds a user or a token"),
        ("https://example.org/x-1.0.tar.gz", "is no source"),
        ("../tinylib", "is no source"),
        (f"https://example.org/{WHEEL}", "is no source"),
        ("git+file:///repo@v1 --index-url x", "is expected"),
        ("git+https://github.com/x/y@-rf", "is expected"),
        ("git+ext::sh -c x@v1", "is expected"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_source(text)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": {"Torch": HTTPS}}, "torch can come from a wheel only"),
        ({"sources": {"Transformers": HTTPS}, "pins": {"transformers": "4.0"}}, "has a pin and a source"),
        ({}, "needs pins, sources"),
    ],
)
def test_environment(changes: dict[str, dict[str, str]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Environment.model_validate({"cutoff": "2026-07-20", "why": "x", **changes})


def test_torch_from_a_wheel() -> None:
    wheel = "/w/torch-2.16.0.dev20261120+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    made = Environment(cutoff="2026-07-20", sources={"torch": wheel}, why="a nightly")
    assert made.public_sources == {"torch": wheel.removeprefix("/w/")}


def test_exact() -> None:
    """Only a whole commit, or a wheel with its hash, is one content for ever."""
    sha256 = "0" * 64
    for text, exact in {HTTPS: False, f"/w/{WHEEL}": False, f"git+https://x.org/y@{'1' * 40}": True}.items():
        assert read_source(text).is_exact is exact
    wheel = read_source(f"/w/{WHEEL}#sha256={sha256}")
    assert (wheel.is_exact, wheel.sha256, wheel.version) == (True, sha256, "1.0.dev0")
    assert (wheel.public, wheel.place) == (f"{WHEEL}#sha256={sha256}", WHEEL)
    assert read_source("git+file:///w/y@v1#subdirectory=a").place == read_source("git+file:y@v2#subdirectory=a").place
    assert read_source("git+file:///w/y@v1").place != read_source("git+file:///w/z@v1").place
    assert shortened(wheel.public) == f"{WHEEL}#sha256={sha256[:12]}"
    assert shortened(f"git+https://x.org/y@{'1' * 40}") == "git+https://x.org/y@111111111111"
    assert shortened(HTTPS) == HTTPS


def test_stored_without_folders(tmp_path: object) -> None:
    """Whatever is written of an environment; without sources it is what it was."""
    made = Environment(cutoff="2026-07-20", sources={"tinylib": f"{tmp_path}/{WHEEL}"}, why="x")
    assert str(tmp_path) not in made.model_dump_json()
    assert made.model_dump()["sources"] == {"tinylib": WHEEL}
    plain = Environment(cutoff="2026-07-20", pins={"torch": "2.2.2"}, why="x")
    assert "sources" not in plain.model_dump()


def test_relative_wheels(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They lie below the folder of matrix.yaml."""
    folder = tmp_path_factory.mktemp("catalogue")
    held: Matrix = matrix()
    dev = Environment(cutoff="2026-07-20", sources={"tinylib": f"wheels/{WHEEL}", "t": HTTPS}, why="x")
    more = held.model_copy(update={"environments": {**held.environments, "dev": dev}}).placed(folder)
    assert more.environments["dev"].sources == {"tinylib": f"{folder}/wheels/{WHEEL}", "t": HTTPS}
    assert held.placed(folder) is held
