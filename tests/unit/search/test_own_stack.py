"""The stack around a user's script: what is read, and what is refused."""

from pathlib import Path

import pytest

from repro.model.errors import UsageError
from repro.search.own_stack import (
    environment_of,
    from_given,
    from_imports,
    from_requirements,
    from_versions,
    sources_in,
)


def test_imports_of_the_script_and_of_its_own_modules(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import os\nimport model\nfrom transformers import Trainer\n\n\ndef f():\n    import yaml\n")
    (tmp_path / "model.py").write_text("import lightning.pytorch\nimport train\n")
    (tmp_path / "other.py").write_text("import unrelated\n")
    wanted = from_imports(script, {"model", "other", "train"})
    assert set(wanted.others) == {"lightning", "pyyaml", "torch", "transformers"}


def test_requirements(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "# mine\n"
        "torch==2.13.0+cpu\n"
        "numpy == 2.2.3 \\\n    --hash=sha256:00\n"
        "accelerate>=1.0  # newest\n"
        "Datasets\n"
        'tomli==2.0; python_version < "3.11"\n'
        "transformers[torch]==4.49.0\n"
    )
    wanted = from_requirements(file)
    assert wanted.pins == {"torch": "2.13.0", "numpy": "2.2.3"}
    assert wanted.others == ("accelerate>=1.0", "Datasets", "transformers[torch]==4.49.0")
    made = environment_of(wanted, "transformers", "4.50.0", "2025-03-22", "why")
    assert made.pins == {"torch": "2.13.0", "numpy": "2.2.3", "transformers": "4.50.0"}
    assert made.floating == ("accelerate>=1.0", "Datasets", "transformers[torch]")


def test_torch_is_always_there(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("packaging\n")
    assert from_requirements(file).others == ("packaging", "torch")


def test_development_versions(tmp_path: Path) -> None:
    """A revision of a repository, and a wheel beside the requirements; the moved package comes from releases."""
    file = tmp_path / "requirements.txt"
    wheel, address = "tinylib-1.0.dev0-py3-none-any.whl", "git+https://github.com/huggingface/transformers@v5.0.0"
    file.write_text(f"torch\nTransformers @ {address}\ntinylib @ {wheel}\n")
    made = environment_of(from_requirements(file), "transformers", "4.50.0", "2025-03-22", "why")
    assert made.sources == {"tinylib": str(tmp_path / wheel)}
    made = environment_of(from_requirements(file), "torch", "2.6.0", "2025-03-22", "why")
    assert made.sources["transformers"] == address
    assert made.pins == {"torch": "2.6.0"}


def test_development_versions_of_a_freeze(tmp_path: Path) -> None:
    """A commit and a wheel stay what they are; what conda built is known by its name only."""
    file = tmp_path / "freeze.txt"
    commit = f"git+https://github.com/huggingface/transformers@{'1' * 40}"
    file.write_text(
        f"torch==2.6.0\ntransformers @ {commit}\ntinylib @ file:///w/tinylib-1.0-py3-none-any.whl\n"
        "numpy @ file:///croot/numpy_1700000000000/work\n"
    )
    found = sources_in(file)
    assert found == {"transformers": commit, "tinylib": "/w/tinylib-1.0-py3-none-any.whl"}
    wanted = from_given({"torch": "2.6.0", "tinylib": "1.0"}, ["transformers", "numpy"], "3.11.4", found)
    assert (wanted.pins, wanted.others, wanted.sources) == ({"torch": "2.6.0"}, ("numpy",), found)


@pytest.mark.parametrize("line", ["-r other.txt", "-e .", "lib @ https://example.org/lib.zip", "--index-url https://x"])
def test_what_is_no_plain_requirement_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"torch\n{line}\n")
    with pytest.raises(UsageError, match=r"requirements.txt:2: "):
        from_requirements(file)


def test_an_interpreter_keeps_its_versions() -> None:
    wanted = from_versions({"Torch": "2.13.0+cpu", "numpy": "2.2.3", "pip": "24", "mine": "1.0"}, "3.12.1", ["mine"])
    made = environment_of(wanted, "numpy", "2.0.0", "2026-01-01", "why")
    assert (made.python, made.pins, made.floating) == ("3.12", {"numpy": "2.0.0"}, ("torch",))
    assert made.preferred == {"torch": "2.13.0"}
