"""Command lines, run in this process."""

import sys
from collections.abc import Callable, Sequence

import pytest

from repro import cli

Call = Callable[..., tuple[int, str, str]]
"""Runs a command line; returns exit code, standard output and standard error."""


def called(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["repro", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    code = ended.value.code
    return (code if isinstance(code, int) else 0 if code is None else 1), out, err
