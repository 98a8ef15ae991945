"""A function that is called once stands where it was called, and the script does the same."""

import pytest

from repro.search.inline import inlined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f():\n    a()\n    b()\nf()\n", "a()\nb()\n"),
        ("def f():\n    a()\n    return 2\nx = f()\n", "a()\nx = 2\n"),
        ("def f(n):\n    return n + 1\nprint(f(3))\n", "n = 3\nprint(n + 1)\n"),
        ("def f(n):\n    use(n)\nf(n)\n", "use(n)\n"),
        ("def f():\n    go()\nif a:\n    exit(f())\n", "if a:\n    go()\n    exit(None)\n"),
        ("def f():\n    a()\ndef g():\n    return f()\n", "def g():\n    a()\n    return None\n"),
    ],
)  # fmt: skip
def test_in_its_place(text: str, expected: str) -> None:
    assert next(iter(inlined(text))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    a()\nf()\nf()\n",  # twice
        "def f():\n    a()\nf() + f()\n",
        "def f():\n    a()\ncall(f)\n",  # not called here
        "def f():\n    a()\nwhile f():\n    b()\n",  # more often than once
        "def f():\n    yield 1\nf()\n",
        "def f():\n    if a:\n        return 1\n    return 2\nx = f()\n",
        "def f(*names):\n    a()\nf()\n",
        "def f(a):\n    use(a)\nf(*c)\n",
        "def f(a, b=1):\n    a()\nf(c)\n",
        "@wrap\ndef f():\n    a()\nf()\n",
        "def f():\n    global x\n    x = 1\nf()\n",
        "def f():\n    f()\n",
    ],
)
def test_left_alone(text: str) -> None:
    assert list(inlined(text)) == []


def test_one_at_a_time() -> None:
    text = "def f():\n    a()\ndef g():\n    b()\nf()\ng()\n"
    assert list(inlined(text)) == ["def g():\n    b()\na()\ng()\n", "def f():\n    a()\nf()\nb()\n"]
