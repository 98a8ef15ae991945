"""Reads YAML with the line of every key, and validates it into frozen models.

Versions must stay text, but YAML reads ``2.10`` as the number 2.1 and ``no`` as False.  Scalars keep their normal YAML
types, and the models accept only text where text is expected, so an unquoted version is refused, with its line.
"""

from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from repro.files import YAML_LIMIT, read_text_file
from repro.model.base import Location, Model
from repro.model.errors import Fault, RecordError, UnreadableFileError, nearest

# The parser of libyaml is several times faster; PyYAML may be built without it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_DEPTH = 40
"""The most levels of nesting.  libyaml recurses in C, so about ten thousand levels would crash the process."""
MAX_VALUES = 50_000
"""The most values of a document after expanding aliases; a few lines of aliases can expand to billions."""


class _Builder:
    """Turns YAML nodes into plain values and records their lines."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[Location, int] = {}
        self.faults: list[Fault] = []
        self._scalars = yaml.SafeLoader("")
        self._values = 0

    def build(self, node: yaml.Node, at: Location) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or len(at) > MAX_DEPTH:
            problem = f"has more than {MAX_VALUES} values or {MAX_DEPTH} levels once its aliases are followed"
            raise RecordError([Fault(self.file, node.start_mark.line + 1, "", problem)])
        self.lines[at] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            built: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                if key in built:
                    self.faults.append(Fault(self.file, key_node.start_mark.line + 1, key, "given twice", "keep one"))
                built[key] = self.build(value_node, (*at, key))
                self.lines[(*at, key)] = key_node.start_mark.line + 1
            return built
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*at, index)) for index, child in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            cause = error.problem if isinstance(error, yaml.MarkedYAMLError) else error
            raise RecordError([Fault(self.file, self.lines[at], "", f"not valid YAML: {cause}")]) from None


def _explain(kind: str, value: Any, context: dict[str, Any], message: str) -> tuple[str, str]:
    """The problem and the remedy of one validation error, in the user's words."""
    if kind == "string_type" and isinstance(value, bool | int | float | date):
        read_as = "a date" if isinstance(value, date) else "true or false" if isinstance(value, bool) else "a number"
        return f"was read as {read_as}, {value}", "quote it"
    if kind == "missing":
        return "is missing", "add it"
    if kind == "value_error":
        return str(context.get("error", message)), ""
    if kind in {"enum", "literal_error"}:
        expected = [name.strip("' ") for name in str(context["expected"]).replace(" or ", ",").split(",")]
        return f"unknown value {value!r}", nearest(str(value), expected)
    return f"{message.lower()} (found {value!r})", ""


def _line(lines: dict[Location, int], at: Location) -> int:
    """The line of the closest known place, since union tags and missing keys have no line."""
    known = tuple(part for part in at if part is not None)
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known, 1)


def _fields(model: type[BaseModel], at: Location) -> list[str]:
    """The keys that are valid where an unknown one was found."""
    current: Any = model
    for part in at[:-1]:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            # A part that is not a field is a key of a mapping: its value has the mapping's value type.
            current = _inner_model(field.annotation) if field else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _inner_model(annotation: Any) -> Any:
    """The model inside ``tuple[M, ...]``, ``dict[str, M]`` or ``M | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def parse(model: type[Model], text: str, file: Path) -> Model:
    """Validate a YAML text.

    Raises RecordError with every fault of the text, each with file, line, key and remedy.
    """
    content, builder = _built(text, file)
    faults = builder.faults
    try:
        validated = model.model_validate(content)
    except ValidationError as error:
        found = error.errors()
        for item in found:
            at: Location = item["loc"]
            if item["type"] == "too_short" and any(at == other["loc"][: len(at)] != other["loc"] for other in found):
                continue  # its items are present but wrong, and are reported themselves
            key = ".".join(str(part) for part in at)
            if item["type"] == "extra_forbidden":
                problem, remedy = "unknown key", nearest(str(at[-1]), _fields(model, at))
            else:
                problem, remedy = _explain(item["type"], item["input"], item.get("ctx", {}), item["msg"])
            faults.append(Fault(file, _line(builder.lines, at), key, problem, remedy))
    if faults:
        raise RecordError(faults)
    return validated


def _built(text: str, file: Path) -> tuple[dict[str, Any], _Builder]:
    """The plain values of a YAML text, and what their builder knows; raises RecordError if it is no mapping."""
    try:
        _check_depth(text, file)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecordError([Fault(file, line, "", f"not valid YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise RecordError([Fault(file, 1, "", f"not valid YAML: {' '.join(str(error).split())}")]) from None
    if not isinstance(node, yaml.MappingNode):
        raise RecordError([Fault(file, 1, "", "a mapping is expected here")])
    builder = _Builder(file)
    return builder.build(node, ()), builder


def _check_depth(text: str, file: Path) -> None:
    """Refuse a document that nests too deeply before it is composed."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise RecordError([Fault(file, line, "", f"nests deeper than {MAX_DEPTH} levels")])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def read_yaml(model: type[Model], file: Path) -> Model:
    """Validate a YAML file; raises RecordError, also if the file cannot be read."""
    return parse(model, _text(file, YAML_LIMIT), file)


def read_mapping(file: Path, limit: int = YAML_LIMIT) -> tuple[dict[str, Any], dict[Location, int]]:
    """The plain values of a YAML file of another program, and the line of each key.

    Raises RecordError if it cannot be read, is too large, is no mapping, or gives a key twice.
    """
    content, builder = _built(_text(file, limit), file)
    if builder.faults:
        raise RecordError(builder.faults)
    return content, builder.lines


def _text(file: Path, limit: int) -> str:
    try:
        return read_text_file(file, limit)
    except UnreadableFileError as error:
        raise RecordError([Fault(file, 0, "", error.problem)]) from None


def lines_of(file: Path) -> dict[Location, int]:
    """The line of every key of a valid YAML file, for faults found after validation."""
    builder = _Builder(file)
    node = yaml.compose(read_text_file(file, YAML_LIMIT), Loader=LOADER)
    if node is not None:
        builder.build(node, ())
    return builder.lines
