"""Test files are named as modules: ``tests/unit/<package>/test_<module>.py`` tests ``repro/<package>/<module>.py``."""

from pathlib import Path

from repro.files import PACKAGE

TESTS = Path(__file__).parent

EXCEPTIONS = {
    "docs": "the pages of docs/ are those that the code gives",
    "engine": "a rule of the whole package: it names no failure",
    "imports": "a rule of the whole package: the direction of imports",
    "mirror": "a rule of the tests",
    "mutation": "tests/bench/mutation.py",
    "workflows/hook": "the pre-commit hook and the composite action",
    "workflows/workflows": "the files of .github/workflows",
    "catalog/types": "a rule of all reproductions",
    "cli/hostile_text": "what every command prints of texts from outside",
    "cli/json_answers": "what every command prints with --json",
    "cli/own_script": "one search for a user's script through bisect, blame, shrink and new",
    "cli/private_text": "what every command writes of people and machines",
    "cli/width": "what every command prints on a narrow terminal",
    "doctor/against_releases": "doctor's findings against an enumeration of all real releases",
    "doctor/inputs": "the folders of tests/data/doctor-inputs through doctor, advise and pack",
    "doctor/code/projects": "small projects through everything that reads code",
    "doctor/stack/formats": "one table of texts for all readers of stacks",
}
"""Test files that are about no single module, with what they are about."""


def mirrored(file: Path) -> bool:
    """True if a test file is named as the module, or the package, that it tests."""
    folder, name = file.relative_to(TESTS).parent, file.stem.removeprefix("test_")
    return (PACKAGE / folder / f"{name}.py").is_file() or (folder.name == name and (PACKAGE / folder).is_dir())


def test_every_test_file_mirrors_a_module() -> None:
    """All but those that are named above; a name there that is no longer needed is removed."""
    odd = {file for file in TESTS.rglob("test_*.py") if not mirrored(file)}
    assert {str(file.relative_to(TESTS).with_suffix("")).replace("test_", "") for file in odd} == set(EXCEPTIONS)
