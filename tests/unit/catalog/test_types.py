"""No reproduction chooses its types of numbers by the device: the lanes cannot differ for that."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.files import PACKAGE

SCRIPTS = sorted((PACKAGE / "failures").glob("*/repro.py"))
DEVICE = re.compile(r"cuda|device|is_available|accelerator|backend")
TYPE = re.compile(r"float16|float32|float64|\bhalf\b|\bdouble\b|bf16|fp16|fp32|16-|32-")


def chosen(source: str) -> Iterator[str]:
    """The branches that a condition on the device chooses and that name a type of numbers."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If | ast.IfExp) and DEVICE.search(ast.unparse(node.test)):
            branches = [*node.body, *node.orelse] if isinstance(node, ast.If) else [node.body, node.orelse]
            yield from (text for branch in branches if TYPE.search(text := ast.unparse(branch)))


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.parent.name for script in SCRIPTS])
def test_reproductions(script: Path) -> None:
    """Each has the same types in both lanes."""
    assert list(chosen(script.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32",
        "if device == 'cuda':\n    model = model.half()",
        "if device != 'cuda':\n    pass\nelse:\n    precision = 'bf16-true'",
    ],
)
def test_is_seen(source: str) -> None:
    """The ways in which scripts do that."""
    assert list(chosen(source))
