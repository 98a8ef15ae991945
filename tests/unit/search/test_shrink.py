"""A script becomes smaller and stays interesting; here interesting is what a run of it does in this process."""

import ast
from typing import Any

import pytest

from repro.search.shrink import OutOfBudgetError, Reduction, lines_of

SCRIPT = '''\
"""A long script."""
import json
import math, os
from collections import Counter, OrderedDict, defaultdict

SIZE = 4096
TABLE = {"a": 1}


class Model:
    def __init__(self, width, depth=3, name="x"):
        self.width = width
        self.layers = [width for _ in range(depth)]

    def unused(self):
        return math.sqrt(self.width)


def helper(values):
    total = 0
    for value in values:
        if value > 2:
            total += value
        else:
            total -= value
    return total


def fail(table):
    for key in ("b", "c"):
        if key not in TABLE:
            print("looking for", key)
            raise KeyError(key)


def main():
    model = Model(SIZE, depth=12, name="big")
    print(helper([1, 2, 3, 4]))
    counter = Counter(model.layers)
    try:
        fail(TABLE)
    finally:
        counter.clear()


main()
'''


def shows(text: str) -> bool:
    """The same error, raised in the same function: not merely any failure."""
    names: dict[str, Any] = {"print": lambda *_: None}
    try:
        exec(compile(text, "script", "exec"), names)  # noqa: S102 - our own text
    except KeyError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return error.args == ("b",) and trace is not None and trace.tb_frame.f_code.co_name == "fail"
    except Exception:  # noqa: BLE001 - a candidate may do anything
        return False
    return False


def test_most_lines_go_and_the_failure_stays() -> None:
    made = Reduction(SCRIPT, shows)
    made.run()
    assert made.complete
    assert shows(made.text)
    assert lines_of(made.text) <= 5, made.text
    assert "Model" not in made.text
    assert "import" not in made.text


def test_it_does_not_slip_to_another_failure() -> None:
    seen: list[str] = []

    def judged(text: str) -> bool:
        seen.append(text)
        return shows(text)

    made = Reduction(SCRIPT, judged)
    made.run()
    # Some candidates fail with the same error elsewhere; none of them is kept.
    assert any("raise KeyError" in text and "def fail" not in text for text in seen)
    assert shows(made.text)


def test_few_runs_are_needed() -> None:
    """Statements go with their dependents, the most lines first, and what was refused is not tried at once again."""
    made = Reduction(SCRIPT, shows)
    made.run()
    assert made.tried <= 62


def test_the_most_lines_go_first() -> None:
    seen: list[str] = []

    def judged(text: str) -> bool:
        seen.append(text)
        return all(f"keep({number})" in text for number in range(9))

    body = "".join(f"    work({number})\n" for number in range(20))
    Reduction(f"def long():\n{body}long()\n" + "".join(f"keep({number})\n" for number in range(9)), judged).run()
    # The whole script cannot go, and what comes next is the function with its call.
    assert "work" not in seen[1]


def test_what_nothing_uses_goes_in_one_run() -> None:
    made = Reduction("".join(f"import a{number}\n" for number in range(20)) + "go()\n", lambda text: "go()" in text)
    made.run()
    assert made.text == "go()\n"
    assert made.tried <= 4


def test_a_step_never_brings_lines_back() -> None:
    lines: list[int] = []

    def judged(text: str) -> bool:
        kept = "import plugin" in text and "go(" in text
        if kept:
            lines.append(lines_of(text))
        return kept

    Reduction("import a\nimport plugin\nimport b\nimport c\ndef f(n):\n    go(n)\nf(3)\n", judged).run()
    assert lines == sorted(lines, reverse=True)


def test_an_import_that_matters_stays() -> None:
    """Nothing uses its name, and what else nothing uses goes."""

    def judged(text: str) -> bool:
        return "import plugin" in text and "go()" in text

    made = Reduction("import os\nimport plugin\nimport sys\ngo()\n", judged)
    made.run()
    assert made.text == "import plugin\ngo()\n"


def test_a_statement_goes_alone_where_what_needs_it_must_stay() -> None:
    """Where no rank comes, a name may be missing."""

    def judged(text: str) -> bool:
        return "go(x)" in text

    made = Reduction("x = 1\ngo(x)\n", judged)
    made.run()
    assert made.text == "go(x)\n"


def test_statements_that_can_only_go_together() -> None:
    def judged(text: str) -> bool:
        return text.count("begin()") == text.count("end()") and "go()" in text

    made = Reduction("begin()\nend()\ngo()\nx()\n", judged)
    made.run()
    assert made.text == "go()\n"


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("x = long(1)\nkeep(x)\n", "x = None\nkeep(x)\n"),
        ("def f():\n    yield from long(1)\nkeep(f)\n", "def f():\n    yield\nkeep(f)\n"),
        ("def f(a: int) -> str:\n    yield a\nkeep(f)\n", "def f():\n    yield\nkeep(f)\n"),
    ],
)
def test_values_and_annotations_go(text: str, small: str) -> None:
    def judged(text: str) -> bool:
        kept = ("keep(x)", "x =") if "x =" in small else ("keep(f)", "yield")
        return all(part in text for part in kept)

    made = Reduction(text, judged)
    made.run()
    assert made.text == small


def test_the_budget_ends_it_with_an_interesting_text() -> None:
    left = 10

    def judged(text: str) -> bool:
        nonlocal left
        if left == 0:
            raise OutOfBudgetError
        left -= 1
        return shows(text)

    made = Reduction(SCRIPT, judged)
    made.run()
    assert not made.complete
    assert made.tried <= 11
    assert shows(made.text)


def test_numbers_become_small() -> None:
    def judged(text: str) -> bool:
        tree = ast.parse(text)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        return any(getattr(call.func, "id", "") == "build" and len(call.args) == 2 for call in calls)

    made = Reduction("build(size * 64, 1024)\nother(3)\n", judged)
    made.run()
    assert made.text == "build(size * 1, 1)\n"


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("build(torch.bfloat16)\n", "build(torch.float32)\n"),
        ("build(model.half())\n", "build(model.float())\n"),
        ("build(precision='bf16-mixed')\n", "build(precision='32-true')\n"),
        ("build(mode='bf16x')\n", "build(mode='bf16x')\n"),
    ],
)
def test_precisions_become_plain(text: str, small: str) -> None:
    made = Reduction(text, lambda candidate: "build(" in candidate and "build()" not in candidate)
    made.run()
    assert made.text == small


def test_a_precision_that_the_failure_needs_stays() -> None:
    made = Reduction("build(torch.bfloat16, torch.float16)\n", lambda candidate: "torch.bfloat16" in candidate)
    made.run()
    assert "torch.bfloat16" in made.text
    assert "float16)" not in made.text.replace("bfloat16", "")


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a\n\n# b\n  # c\nd\n", 2)])
def test_lines(text: str, count: int) -> None:
    assert lines_of(text) == count
