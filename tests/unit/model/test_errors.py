"""Errors that the user reads."""

from pathlib import Path

from repro.model.errors import (
    EnvironmentFailure,
    Exit,
    Fault,
    RecordError,
    ReproError,
    StoppedError,
    StoreError,
    UnreadableFileError,
    UsageError,
    exit_of,
    nearest,
    unknown,
)


def test_exit_codes() -> None:
    """A wrong name or record is 2; what could not be had or read is 3."""
    codes = {
        kind.__name__: kind.exit_code for kind in (ReproError, UsageError, RecordError, EnvironmentFailure, StoreError)
    }
    assert codes == {
        "ReproError": Exit.USAGE,
        "UsageError": Exit.USAGE,
        "RecordError": Exit.USAGE,
        "EnvironmentFailure": Exit.UNKNOWN,
        "StoreError": Exit.UNKNOWN,
    }


def test_an_unreadable_file_is_named_once() -> None:
    """The message names the file; the problem alone does not."""
    error = UnreadableFileError(Path("train.log"), "it is not UTF-8")
    assert (str(error), error.problem, error.exit_code) == ("train.log: it is not UTF-8", "it is not UTF-8", Exit.USAGE)


def test_nearest() -> None:
    """The closest name, else all of them, else that there is none."""
    assert nearest("lightnig", ["lightning", "torch"]) == "did you mean 'lightning'?"
    assert nearest("xyz", ["torch", "lightning"]) == "valid: lightning, torch"
    assert nearest("xyz", []) == "none is defined"


def test_unknown() -> None:
    """A misspelt name is a usage error of one line."""
    error = unknown("environment", "newset", ["newest"])
    assert str(error) == "no environment 'newset'; did you mean 'newest'?"


def test_fault_words() -> None:
    """Where, what, remedy; parts that are empty leave no trace."""
    assert str(Fault(Path("a"), 3, "k", "is wrong", "mend it")) == "a:3: k: is wrong; mend it"
    assert str(Fault(Path("a"), 0, "", "is missing")) == "a: is missing"


def test_record_error_sorts() -> None:
    """Faults are told by file and line."""
    faults = [Fault(Path("b"), 1, "", "x"), Fault(Path("a"), 10, "", "x"), Fault(Path("a"), 9, "", "x")]
    assert [(fault.file.name, fault.line) for fault in RecordError(faults).faults] == [("a", 9), ("a", 10), ("b", 1)]


def test_exit_of() -> None:
    """A change outweighs what could not be decided; neither is a success."""
    assert exit_of() is Exit.OK
    assert exit_of(unknown=True) is Exit.UNKNOWN
    assert exit_of(changed=True) is exit_of(changed=True, unknown=True) is Exit.CHANGED
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 130]


def test_interrupted() -> None:
    error = StoppedError()
    assert error.exit_code is Exit.INTERRUPTED
    assert str(error) == "interrupted; no rank is left running, finished runs are stored"
