"""A warm process: which acts of an import keep it from serving."""

import atexit
import builtins
import ctypes
import importlib
import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from repro.files import ZYGOTE

MILLION = 1_000_000


@pytest.fixture(scope="module")
def zygote() -> ModuleType:
    """The module, as the interpreter under test loads it."""
    spec = importlib.util.spec_from_file_location("zygote_under_test", ZYGOTE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def generators(zygote: ModuleType) -> Iterator[Any]:
    """The generators as they are before any import."""
    state = random.getstate()
    made = zygote.Generators(zygote.load_bootstrap())
    yield made
    sys.meta_path.remove(made.hook)
    random.setstate(state)


def draw(number: int) -> Callable[[], object]:
    """An import that draws so many numbers."""
    return lambda: [random.random() for _ in range(number)]


@pytest.mark.parametrize("number", [0, 1, 311, 312, 313, 10_000])
def test_draws_are_harmless(generators: Any, number: int) -> None:
    """An import that draws leaves a generator as unpredictable as it was."""
    draw(number)()
    assert generators.seeded() is None


def test_draws_from_the_middle_of_a_block(generators: Any) -> None:
    """The state need not begin with a block."""
    draw(100)()
    generators.python = random.getstate()
    draw(700)()
    assert generators.seeded() is None


@pytest.mark.parametrize("seed", [0, 1, "a name"])
def test_a_seed_is_seen(generators: Any, seed: object) -> None:
    """An import that seeds the generator leaves a state that a run must find."""
    random.seed(seed)  # type: ignore[arg-type]
    assert generators.seeded() == "random"


def test_a_state_that_was_before_is_seen(generators: Any) -> None:
    """An import that turns a generator back was no draw: it would repeat what it gave."""
    draw(10)()
    earlier = random.getstate()
    draw(10)()
    generators.python = random.getstate()
    random.setstate(earlier)
    assert generators.seeded() == "random"


def test_too_many_draws_to_follow(generators: Any) -> None:
    """What cannot be shown to be a draw counts as seeded."""
    draw(MILLION)()
    assert generators.seeded() == "random"


def test_a_fork_begins_anew(generators: Any) -> None:
    """Python seeds its generator in a new process; this is no work of an import."""
    random.seed()
    generators.forked()
    assert generators.seeded() is None


@pytest.mark.parametrize(("seed", "found"), [(1, None), (2, "torch")])
def test_torch(generators: Any, monkeypatch: pytest.MonkeyPatch, seed: int, found: str | None) -> None:
    """Torch's generator says with which seed it began."""
    generator = SimpleNamespace(initial_seed=lambda: seed)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(default_generator=generator))
    generators.torch = 1
    assert generators.seeded() == found


@pytest.mark.parametrize(
    ("driver", "initialised"),
    [
        (None, False),  # not loaded
        (3, False),  # CUDA_ERROR_NOT_INITIALIZED
        (0, True),
        (100, True),  # initialised, without a device
    ],
)
def test_cuda(zygote: ModuleType, monkeypatch: pytest.MonkeyPatch, driver: int | None, *, initialised: bool) -> None:
    """The driver is asked only if an import has loaded it."""

    def load(name: str, mode: int) -> SimpleNamespace:
        assert name == "libcuda.so.1"
        assert mode & os.RTLD_NOLOAD
        if driver is None:
            raise OSError(name)
        return SimpleNamespace(cuDeviceGetCount=lambda _: driver)

    monkeypatch.setattr(ctypes, "CDLL", load)
    assert zygote.cuda_is_initialised() is initialised


OWNER = {
    "owner/__init__.py": "",
    "owner/late.py": "import helper_of_late\nMADE.append(__name__)\n",
    "helper_of_late/__init__.py": "MADE.append(__name__)\nfrom helper_of_late import part\n",
    "helper_of_late/part.py": "MADE.append(__name__)\n",
}
"""A package in sight, and what is imported late."""
ORDER = ["helper_of_late", "helper_of_late.part", "owner.late"]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is to be called at the end of the interpreter."""
    found: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", found.append)
    return found


@pytest.fixture
def late(
    zygote: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: list[Callable[[], None]]
) -> Iterator[list[str]]:
    """``owner.late`` was made out of sight; the names of the modules that were executed, in their order."""
    made: list[str] = []
    for name, text in OWNER.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(builtins, "MADE", made, raising=False)
    assert not ends
    importlib.import_module("owner")
    modules = zygote.LateModules()
    modules.make("owner.late")
    yield made
    sys.meta_path.remove(modules)
    for name in ("owner", *ORDER):
        sys.modules.pop(name, None)


def test_late_modules_are_out_of_sight(late: list[str]) -> None:
    """Neither their names nor the attributes of their packages are there."""
    assert late == ORDER
    assert not {"owner.late", "helper_of_late", "helper_of_late.part"} & set(sys.modules)
    assert not hasattr(sys.modules["owner"], "late")


@pytest.mark.parametrize("name", ORDER)
def test_late_modules_are_found_once_one_is_imported(late: list[str], name: str) -> None:
    """As they were made, and with the specs of their files; nothing is executed again."""
    module = importlib.import_module(name)
    assert late == ORDER
    assert module.__spec__ is not None
    assert module.__spec__.origin == module.__file__
    assert set(ORDER) <= set(sys.modules)
    assert sys.modules["owner"].late is sys.modules["owner.late"]
    assert sys.modules["helper_of_late"].part is sys.modules["helper_of_late.part"]


@pytest.mark.usefixtures("late")
def test_a_late_module_that_is_imported_by_its_package() -> None:
    """``from PACKAGE import MODULE`` finds it too."""
    space: dict[str, Any] = {}
    exec("from owner import late", space)  # noqa: S102 - the statement that scripts make
    assert space["late"] is sys.modules["owner.late"]


@pytest.mark.usefixtures("late")
def test_the_end_of_the_interpreter_finds_late_modules(ends: list[Callable[[], None]]) -> None:
    """A library may complain at the end about modules that are loaded and not to be found."""
    for end in ends:
        end()
    assert set(ORDER) <= set(sys.modules)


def test_a_generator_out_of_sight_gets_fresh_entropy(
    zygote: ModuleType, generators: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late import may make numpy's generator; ranks that import it later must not share its state."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("")
    (tmp_path / "numpy" / "random.py").write_text(
        "SEEDS = []\ndef get_state(): ...\ndef seed(): SEEDS.append('fresh')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "numpy"]:
        monkeypatch.delitem(sys.modules, name)
    late = zygote.LateModules()
    late.make("numpy.random")
    assert "numpy.random" not in sys.modules
    generators.numpy = "a state"
    generators.refresh()
    assert importlib.import_module("numpy.random").SEEDS == ["fresh"]
    sys.meta_path.remove(late)
    sys.meta_path.insert(0, generators.hook)  # as the fixture expects it
    for name in ("numpy", "numpy.random"):
        del sys.modules[name]  # before the true ones come back, if they were there
