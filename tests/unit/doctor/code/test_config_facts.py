"""Settings in configuration files and command lines."""

import pytest

from repro.doctor.code.command_facts import facts_of_commands
from repro.doctor.code.config_facts import facts_of_lines, facts_of_yaml
from repro.doctor.code.facts import Call, Setting
from repro.doctor.code.vocabulary import Vocabulary
from tests.unit.factories import failure

WHEN = {
    "any_of": [
        {"settings": ["fsdp_version", "fsdp_config.version"]},
        {"symbols": ["lightning.**.ModelCheckpoint"], "arguments": {"save_last": {}}},
    ]
}
WORDS = Vocabulary.of([failure(reach={"who": "Jobs.", "when": WHEN})])


def settings(found: object) -> list[tuple[str, str | None, int, str]]:
    items = [item for item in found if isinstance(item, Setting)]  # type: ignore[attr-defined]
    return [(item.name, item.value, item.place.line, item.parent) for item in items if not item.name.startswith("_")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nfsdp_config:\n  fsdp_version: 2\n", ("fsdp_version", "2", 3, "fsdp_config")),
        ("fsdp_config: {version: 2}\n", ("version", "2", 1, "fsdp_config")),
        ("fsdp_config.version: 2\n", ("version", "2", 1, "fsdp_config")),
        ('{\n "fsdp_version": "2"}', ("fsdp_version", "2", 2, "")),
        ("fsdp-version: ${oc.env:V}\n", ("fsdp_version", None, 1, "")),
        ("- [{fsdp_version: yes}]\n", ("fsdp_version", "true", 1, "")),
        ("a: {{ b }}\nfsdp_version: 2  # two\n", ("fsdp_version", "2", 2, "")),
    ],
)
def test_yaml_and_json(text: str, expected: tuple[object, ...]) -> None:
    """Also where it is a template, and no valid YAML."""
    assert settings(facts_of_yaml(text, WORDS, "a.yaml")) == [expected]


def test_an_alias_bomb_is_read_once() -> None:
    rows = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20))
    text = f"a0: &a0 {{fsdp_version: 2}}\n{rows}\n"
    assert len(settings(facts_of_yaml(text, WORDS, "a.yaml"))) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[train]\nfsdp_version = 2\n", ("fsdp_version", "2", 2, "train")),
        ("[a.fsdp_config]\nversion = '2' # two\n", ("version", "2", 2, "fsdp_config")),
        ("fsdp_version = [1, 2]\n", ("fsdp_version", None, 1, "")),
    ],
)
def test_toml(text: str, expected: tuple[object, ...]) -> None:
    assert settings(facts_of_lines(text, WORDS, "a.toml")) == [expected]
    assert not settings(facts_of_lines(f"# {text.splitlines()[-1]}", WORDS, "a.toml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accelerate launch \\\n  --fsdp_version 2 x.py", ("fsdp_version", "2", 2, "")),
        ("torchrun x.py --fsdp-version=2", ("fsdp_version", "2", 1, "")),
        ("x --fsdp_version", ("fsdp_version", "true", 1, "")),
        ("x --fsdp_version --other 3", ("fsdp_version", "true", 1, "")),
        ("x --no-fsdp_version", ("fsdp_version", "false", 1, "")),
        ("x --trainer.fsdp_version=2", ("fsdp_version", "2", 1, "trainer")),
        ("x +fsdp_config.version=2", ("version", "2", 1, "fsdp_config")),
        ("export FSDP_VERSION=2", ("fsdp_version", "2", 1, "")),
        ('x --fsdp_version "$V"', ("fsdp_version", None, 1, "")),
        ("ENV FSDP_VERSION=2", ("fsdp_version", "2", 1, "")),
    ],
)
def test_commands(text: str, expected: tuple[object, ...]) -> None:
    assert settings(facts_of_commands(text, WORDS, "a.sh")) == [expected]


def test_described_objects_are_calls() -> None:
    """hydra's ``_target_`` and jsonargparse's ``class_path``."""
    text = (
        "a:\n  _target_: pytorch_lightning.callbacks.ModelCheckpoint\n  save_last: true\n"
        "b:\n  class_path: lightning.pytorch.callbacks.ModelCheckpoint\n  init_args: {save_last: false}\n"
    )
    calls = [item for item in facts_of_yaml(text, WORDS, "a.yaml") if isinstance(item, Call)]
    assert sorted(
        (call.names[0].rpartition(".")[2], call.arguments["save_last"], call.place.line) for call in calls
    ) == [
        ("ModelCheckpoint", "false", 5),
        ("ModelCheckpoint", "true", 2),
    ]
