"""Reads configuration files: keys and values of YAML, TOML and JSON, and the objects that they describe."""

import re
from collections.abc import Iterator

import yaml

from repro.doctor.code.command_facts import facts_of_commands
from repro.doctor.code.facts import CLASS_KEYS, Call, Fact, NamedSymbol, Place, Setting, Text, Value
from repro.doctor.code.names import canonical
from repro.doctor.code.vocabulary import Vocabulary
from repro.model.reach import normal_name, normal_value

_LINE = re.compile(r"""^[\s{,-]*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*(.*?)[,}\s]*$""")
_SECTION = re.compile(r"^\s*\[+([\w.-]+)\]+\s*(?:#.*)?$")
MOST_NODES = 200_000
MOST_CHARACTERS = 300
"""The length of the longest string that may be a name."""


def facts_of_yaml(text: str, vocabulary: Vocabulary, file: str) -> Iterator[Fact]:
    """The facts of a YAML or JSON text; a text that does not parse is read line by line."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        yield from facts_of_lines(text, vocabulary, file)
        return
    seen: set[int] = set()
    for document in documents:
        if document is not None:
            yield from _nodes(document, vocabulary, file, seen)


def _nodes(root: yaml.Node, vocabulary: Vocabulary, file: str, seen: set[int]) -> Iterator[Fact]:
    waiting: list[tuple[yaml.Node, str]] = [(root, "")]
    while waiting and len(seen) < MOST_NODES:
        node, parent = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(child, parent) for child in node.value]
        elif isinstance(node, yaml.MappingNode):
            yield from _described(node, vocabulary, file)
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    *above, name = normal_name(key.value).split(".")
                    yield from _setting(name, value, vocabulary, file, above[-1] if above else parent)
                    waiting.append((value, name))
        elif isinstance(node, yaml.ScalarNode):
            yield from _string(node, vocabulary, file)


def _setting(name: str, node: yaml.Node, vocabulary: Vocabulary, file: str, parent: str) -> Iterator[Fact]:
    if name in vocabulary.settings:
        yield Setting(name, _value(node), Place(file, node.start_mark.line + 1), parent)


def _value(node: yaml.Node) -> Value:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.value)
    return "none" if not node.value else None


def _scalar(text: str) -> Value:
    return None if "${" in text or "{{" in text else normal_value(text)


def _string(node: yaml.ScalarNode, vocabulary: Vocabulary, file: str) -> Iterator[Fact]:
    line = node.start_mark.line + 1
    if "\n" in node.value or " --" in node.value:
        yield from facts_of_commands(node.value, vocabulary, file, line)
    elif len(node.value) < MOST_CHARACTERS and vocabulary.is_text(node.value):
        yield Text(node.value, Place(file, line))


def _described(node: yaml.MappingNode, vocabulary: Vocabulary, file: str) -> Iterator[Fact]:
    held = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    for key in CLASS_KEYS:
        target = held.get(key)
        if not isinstance(target, yaml.ScalarNode):
            continue
        name = canonical(target.value)
        place = Place(file, target.start_mark.line + 1)
        yield Setting(key, name, place)
        given = held.get("init_args") if key == "class_path" else node
        pairs = given.value if isinstance(given, yaml.MappingNode) else []
        arguments = {normal_name(k.value): _value(v) for k, v in pairs if isinstance(k, yaml.ScalarNode)}
        if vocabulary.is_last(name.rpartition(".")[2]):
            yield NamedSymbol(name, place)
            yield Call((name,), {k: v for k, v in arguments.items() if k in vocabulary.settings}, False, place)


def facts_of_lines(text: str, vocabulary: Vocabulary, file: str) -> Iterator[Fact]:
    """The facts of a text with a ``key = value`` or ``key: value`` on each line: TOML, and invalid YAML."""
    parent = ""
    for number, line in enumerate(text.split("\n"), 1):
        if section := _SECTION.match(line):
            parent = normal_name(section[1]).rpartition(".")[2]
            continue
        found = _LINE.match(line)
        if not found or line.lstrip().startswith("#"):
            continue
        *above, name = normal_name(found[1]).split(".")
        text_of_value = found[2].split(" #")[0].strip().strip("\"'")
        if name in vocabulary.settings:
            value = None if text_of_value[:1] in {"[", "{"} and text_of_value not in {"[", "{"} else text_of_value
            given = None if value is None or value in {"[", "{", ""} else _scalar(value)
            yield Setting(name, given, Place(file, number), above[-1] if above else parent)
        if len(text_of_value) < MOST_CHARACTERS and vocabulary.is_text(text_of_value):
            yield Text(text_of_value, Place(file, number))
