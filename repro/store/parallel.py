"""Computes a result for each of many items in several processes, such as a page for each failure of a large store.

The processes are forks of this one: they have everything that is loaded here, and only items and results are sent.
They end with this process, also if it is killed.
"""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, ClassVar, TypeVar

FAILURES_FOR_PROCESSES = 40
"""The number of failures from which on several processes read their runs."""
MOST_PROCESSES = 8
CHUNKS = 16
"""The number of portions for each process: the last ones to finish are then not long alone."""

Item = TypeVar("Item")
Found = TypeVar("Found")


def compute_all(function: Callable[[Item], Found], items: Sequence[Item], *, fewest: int) -> list[Found]:
    """The result of a function for each item, in order; an error of the function is raised here.

    With fewer than ``fewest`` items all is done in this process, as it is if this process has threads or cannot fork.
    The function may be a closure; items, results and errors must be picklable.
    """
    processes = min(MOST_PROCESSES, os.cpu_count() or 1)
    if len(items) < fewest or processes == 1 or not _may_fork():
        return [function(item) for item in items]
    portion = max(1, len(items) // (processes * CHUNKS))
    # The collector of a fork would write to every object that is here, and so copy all of this process's memory.
    gc.freeze()
    try:
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(processes, context, _Worker.begin, (function,))
        try:
            return list(pool.map(_Worker.compute, items, chunksize=portion))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C only the portions that were begun are finished
    except (BrokenProcessPool, OSError):  # for example, no memory for more processes
        return [function(item) for item in items]
    finally:
        gc.unfreeze()


def _may_fork() -> bool:
    """True if a fork is safe: the locks of other threads would stay locked in it."""
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


class _Worker:
    """A process that computes."""

    function: ClassVar[Callable[[Any], Any]]

    @classmethod
    def begin(cls, function: Callable[[Any], Any]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        cls.function = staticmethod(function)
        threading.Thread(target=_end_with_parent, daemon=True).start()

    @classmethod
    def compute(cls, item: Any) -> Any:
        return cls.function(item)


def _end_with_parent() -> None:
    """End this process when its parent has ended: it would wait for items for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
