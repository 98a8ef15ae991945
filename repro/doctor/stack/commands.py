"""Reads install commands in Dockerfiles, notebooks and shell scripts.  Never a whole environment."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from repro.doctor.stack.conda_spec import is_system, parse_item
from repro.doctor.stack.document import Document, Read
from repro.doctor.stack.requirements import read_lines
from repro.doctor.stack.statements import Authority, Reading, statement
from repro.model.errors import UsageError

DOCKERFILE = re.compile(r"^\s*FROM\s+\S+", re.MULTILINE | re.IGNORECASE)
INSTALL = re.compile(r"\b(?:pip[\d.]*|conda|mamba|micromamba)\s+(?:-\S+\s+)*install\b|\bconda\s+create\b|\buv\s+add\b")
_FROM = re.compile(r"^\s*FROM\s+(?:--platform=\S+\s+)?(?P<image>\S+)", re.MULTILINE | re.IGNORECASE)
_PYTORCH_IMAGE = re.compile(r"(?:docker\.io/)?pytorch/pytorch:(?P<version>\d+\.\d+(?:\.\d+)?)(?:-|$)")
_WITH_TORCH = re.compile(r"pytorch|nvcr\.io/nvidia/nemo|huggingface/|deepspeed|vllm", re.IGNORECASE)
_TAKES_VALUE = frozenset({
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--platform", "--python-version",
    "--implementation", "--abi", "--root", "--prefix", "--src", "--timeout", "--retries", "--trusted-host", "--proxy",
    "--cert", "--cache-dir", "--python", "-p", "--no-binary", "--only-binary", "--progress-bar", "-n", "--name",
    "--channel", "--root-user-action", "--upgrade-strategy", "--torch-backend", "--index-strategy", "--log",
    "--config-settings", "--extra", "--group",
})  # fmt: skip
_INCLUDES = frozenset(
    {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints", "-e", "--editable"}
)
_CONTINUED = re.compile(r"\\\s*\n")
_REMOVES = re.compile(r"pip[\d.]*|conda|mamba|micromamba|uv|poetry|pdm")
_MAGIC = re.compile(r"^\s*[!%]\s*")


def read_dockerfile(document: Document) -> Reading:
    """The install commands of a Dockerfile, and the version of torch in the name of its base image."""
    reading = _read_commands(document.text, document.file, document.read)
    for match in _FROM.finditer(document.text):
        stated = _PYTORCH_IMAGE.match(match["image"])
        if stated:
            if "torch" in reading.removed:
                continue
            reading.required.append(statement("torch", f"=={stated['version']}", rank=Authority.IMAGE))
        elif _WITH_TORCH.search(match["image"]):
            reading.note(f"the base image {match['image'][:80]} brings versions that are not stated here")
            reading.unread = True
            if "torch" not in reading.removed and not any(item.name == "torch" for item in reading.required):
                reading.required.append(statement("torch", rank=Authority.IMAGE, why="comes with the base image"))
    return _completed(reading)


def read_notebook(content: Mapping[str, Any], document: Document) -> Reading:
    """The ``!pip install`` and ``%pip install`` lines of a notebook's cells."""
    cells = content.get("cells")
    texts = []
    for cell in cells if isinstance(cells, list) else ():
        source = cell.get("source") if isinstance(cell, dict) and cell.get("cell_type") == "code" else None
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if isinstance(source, str):
            source = _CONTINUED.sub(" ", source)
            shell = re.match(r"^\s*%%(?:bash|sh|script)\b", source)
            texts += source.splitlines() if shell else [line for line in source.splitlines() if _MAGIC.match(line)]
    text = "\n".join(_MAGIC.sub("", line) for line in texts)
    return _completed(_read_commands(text, document.file, document.read))


def read_script(document: Document) -> Reading:
    """The install commands of a shell script, or of a page that shows them."""
    return _completed(_read_commands(document.text, document.file, document.read))


def _completed(reading: Reading) -> Reading:
    if not reading.required and not reading.notes:
        raise UsageError("no install command in it that names a distribution; `pip freeze` states the versions")
    return reading


def _read_commands(text: str, file: Path, read: Read) -> Reading:
    reading = Reading()
    for command in _commands(text):
        words = _without_prefix(command)
        if words is not None:
            _add(reading, words, file, read)
            continue
        gone = _removed(command)
        reading.required = [item for item in reading.required if item.name not in gone]
        reading.removed |= gone
    return reading


def _removed(words: list[str]) -> set[str]:
    """The distributions that a command removes."""
    for index, word in enumerate(words):
        name = word.rpartition("/")[2]
        rest = [each for each in words[index + 1 :] if not each.startswith("-")]
        verb = "uninstall" if re.fullmatch(r"pip[\d.]*", name) else "remove"
        if _REMOVES.fullmatch(name) and rest[:1] == [verb]:
            return {canonicalize_name(each) for each in rest[1:]}
    return set()


def _commands(text: str) -> Iterator[list[str]]:
    """The simple commands of shell lines, as words; lines that cannot be split are left out."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = _CONTINUED.sub(" ", kept)
    for line in joined.splitlines():
        stripped = re.sub(
            r"^\s*(?:[$>]\s+|RUN\s+(?:--\S+\s+)*|[!%]\s*|-\s+(?:run:\s*)?)", "", line, flags=re.IGNORECASE
        )
        try:
            lexer = shlex.shlex(_exec_form(stripped), posix=True, punctuation_chars="();&|")
            lexer.whitespace_split = True
            lexer.commenters = ""
            words = list(lexer)
        except ValueError:
            continue
        command: list[str] = []
        for word in words:
            if word and set(word) <= set("();&|"):
                yield command
                command = []
            else:
                command.append(word)
        yield command


def _exec_form(line: str) -> str:
    """``["pip", "install", "torch"]`` of a Dockerfile as shell words."""
    return line.strip("[] ").replace('",', '" ') if line.lstrip().startswith('["') else line


def _without_prefix(words: list[str]) -> list[str] | None:
    """The installer and its arguments; None if the command installs nothing."""
    for index, word in enumerate(words):
        name = word.rpartition("/")[2]
        rest = words[index + 1 :]
        verbs = [each for each in rest if not each.startswith("-")][:1]
        if re.fullmatch(r"pip[\d.]*|conda|mamba|micromamba", name) and verbs and verbs[0] in {"install", "create"}:
            return ["conda" if "mamba" in name or name == "conda" else "pip", *_after(rest, verbs[0])]
        if name in {"uv", "poetry", "pdm"} and verbs == ["add"]:
            return ["pip", *_after(rest, "add")]
    return None


def _after(words: list[str], verb: str) -> list[str]:
    place = words.index(verb)
    return [*words[:place], *words[place + 1 :]]


def _add(reading: Reading, words: list[str], file: Path, read: Read) -> None:
    installer, *arguments = words
    upgrade = any(
        word in {"-U", "--upgrade", "--pre", "--force-reinstall", "--upgrade-package", "-P"} for word in arguments
    )
    lines: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        if word in _INCLUDES and installer == "pip":
            option = re.sub(r"(requirement|constraint)s$", r"\1", word)
            lines.append(f"{option} {next(waiting, '')}")
        elif word in _TAKES_VALUE or (installer == "conda" and word in {"-c", "--file"}):
            if next(waiting, None) and word == "--file":
                reading.note("a file of conda packages that a command names is not read")
                reading.unread = True
        elif re.match(r"\d?>|<", word):
            break
        elif not word.startswith("-"):
            lines.append(word)
    if installer == "conda":
        _add_conda(reading, lines, upgrade=upgrade)
        return
    found = read_lines(lines, file, read)
    found.required = [replace(item, upgrade=upgrade, where="") for item in found.required]
    reading.add(found)


def _add_conda(reading: Reading, items: list[str], *, upgrade: bool) -> None:
    for item in items:
        found = parse_item(item)
        if found is None:
            reading.skipped += 1
        elif found.name == "python":
            reading.python = reading.python or re.sub(r"[^\d.].*|\.\*", "", found.specifiers.removeprefix("==")) or None
        elif not is_system(found.name):
            reading.required.append(replace(found, upgrade=upgrade))
