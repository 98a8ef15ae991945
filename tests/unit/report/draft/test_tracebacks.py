"""A stored chain is written as Python writes it."""

import traceback

from repro.model.observation import Origin
from repro.report.draft.tracebacks import format_exit, traceback_text
from tests.unit.factories import failed, frame, raised, rank, script_frame


class TestTraceback:
    """Frames, message, chain."""

    def test_as_python_writes_it(self) -> None:
        """Line for line what `traceback` prints, for a chain with a cause and a context."""

        def inner() -> None:
            {}["a"]  # type: ignore[index]

        def middle() -> None:
            try:
                inner()
            except KeyError as error:
                raise ValueError("no a") from error

        try:
            try:
                middle()
            except ValueError:
                raise OSError("stopped")  # noqa: B904
        except OSError as error:
            told = "".join(traceback.format_exception(error))
            chain = []
            item: BaseException | None = error
            link = None
            while item is not None:
                summary = traceback.extract_tb(item.__traceback__)
                frames = [
                    frame(one.name, one.filename, Origin.SCRIPT, one.lineno or 0).model_copy(
                        update={"code": one.line or ""}
                    )
                    for one in summary
                ]
                chain.append(raised(type(item).__name__, str(item), *frames, link=link))
                link = "cause" if item.__cause__ else "context"
                item = item.__cause__ or item.__context__
        plain = [line for line in told.splitlines() if not set(line.strip()) <= {"^", "~"} or not line.strip()]
        assert traceback_text(failed(0).model_copy(update={"chain": tuple(chain)})).splitlines() == plain

    def test_harness_is_not_shown(self) -> None:
        """Our own frames are nobody's business upstream."""
        error = raised("E", "m", frame("run", "bootstrap.py", Origin.HARNESS), script_frame("main"))
        text = traceback_text(failed(0, error))
        assert "bootstrap" not in text
        assert 'File "repro.py", line 40, in main' in text

    def test_bounds(self) -> None:
        """What is left out is said."""
        error = raised("E", "m" * 100, *(frame(f"f{number}") for number in range(9)))
        text = traceback_text(failed(0, error), frames=2, characters=10)
        assert "... 7 outer frames ..." in text
        assert "in f6" not in text
        assert "in f7" in text
        assert text.endswith(f"E: {'m' * 10}... (90 more characters)")

    def test_module(self) -> None:
        """A class of a library is told with its module."""
        error = raised("CheckpointError", "different metadata", frame(), module="torch.utils.checkpoint")
        assert traceback_text(failed(0, error)).endswith("torch.utils.checkpoint.CheckpointError: different metadata")

    def test_hang(self) -> None:
        """A rank that stands still has a stack instead; one that ended well has nothing."""
        waiting = rank(0, stacks=((frame("a"),), (frame("all_gather"),)))
        assert "in all_gather" in traceback_text(waiting)
        assert traceback_text(rank(0)) == ""


class TestExit:
    """How a rank ended."""

    def test_words(self) -> None:
        assert format_exit(rank(0)) == "exit code 0"
        assert format_exit(rank(0, exit_code=None, signal=9)) == "signal 9 (SIGKILL)"
        assert format_exit(rank(0, exit_code=None, signal=15, stopped=True)) == "signal 15 (SIGTERM), asked to end"
        assert format_exit(rank(0, exit_code=None, signal=99)) == "signal 99"
        assert format_exit(rank(0, exit_code=None)) == "did not end"
