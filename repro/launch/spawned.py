"""Runs a script that spawns its own ranks, and records each rank as ``bootstrap.py`` does.

Plain Python starts this file in place of ``repro.py``: ``_repro_spawned.py JOB FLAGS...``; it is copied into the run's
folder, where spawned processes can import it.  It runs inside the environment under test, so it uses the standard
library only.  It has three parts:

- the process that the harness started runs the script as ``__main__``, and changes what torch.multiprocessing starts;
- each spawned process opens the lane's gates and applies the backport before it imports the script, as a rank under
  torchrun does;
- each rank is two processes, as under ``bootstrap.py``: one supervises, its child runs the spawned function.

The rank is the index that ``torch.multiprocessing`` gives to the function.  What goes wrong before that is known is
no rank's, and only the launcher's output shows it.
"""

import importlib
import importlib.util
import json
import os
import runpy
import signal
import sys

NAME = "_repro_spawned"
SPAWN = "torch.multiprocessing.spawn"


def read_job():
    """The job of this run, whose file is in the folder above."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        return json.load(file)


def load_bootstrap(job):
    """The module that starts and records ranks under torchrun."""
    spec = importlib.util.spec_from_file_location("_repro_bootstrap", job["bootstrap"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Events:
    """Keeps events until the rank is known whose journal they belong to."""

    def __init__(self):
        self.kept = []

    def write(self, event, **facts):
        self.kept.append((event, facts))


EARLIER = Events()
"""What happened in this process before it became a rank."""


class BeginRank:
    """Takes the place of the function with which ``torch.multiprocessing`` begins a rank."""

    def __init__(self, begin=None):
        self.begin = begin

    def __reduce__(self):
        # The original cannot be pickled under its name, which is ours now; a spawned process finds it there again.
        return BeginRank, ()

    def __call__(self, function, rank, *others):
        job = read_job()
        bootstrap = load_bootstrap(job)
        journal = bootstrap.Journal(job["folder"], rank)
        child = os.fork()
        if child == 0:
            bootstrap.become_child(job, rank)
            journal.write("started", pid=os.getpid())
            for event, facts in EARLIER.kept:
                if event in {"gate", "backport"}:
                    journal.write(event, **facts)
            journal.write("reached", imports=bootstrap.imported_versions())
            begin = self.begin or importlib.import_module(SPAWN)._wrap
            begin(RecordedFunction(function, bootstrap, journal), rank, *others)
            journal.write("finished", imports=bootstrap.imported_versions())
            return
        status = bootstrap.supervise(child, job, journal, job["world_size"])
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
            os.kill(os.getpid(), number)
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


class RecordedFunction:
    """The function of a rank; an exception is recorded before ``torch.multiprocessing`` turns it into text."""

    def __init__(self, function, bootstrap, journal):
        self.function, self.bootstrap, self.journal = function, bootstrap, journal

    def __call__(self, *arguments):
        try:
            self.function(*arguments)
        except SystemExit as stop:
            if stop.code not in (None, 0):
                self.write(stop)
            raise
        except BaseException as error:
            self.write(error)
            raise

    def write(self, error):
        facts = {"chain": self.bootstrap.chain_of(error), "imports": self.bootstrap.imported_versions()}
        self.journal.write("exception", phase="run", **facts)


def observe(module):
    """Let the module that spawns ranks begin each one here."""
    module._wrap = BeginRank(module._wrap)


def spawned_main():
    """What a spawned process knows of the script: its namespace, made with the gates open and the backport applied."""
    job = read_job()
    bootstrap = load_bootstrap(job)
    bootstrap.open_gates(job, EARLIER)
    if job["backport"]:
        bootstrap.load_file(job["backport"], "_repro_backport").apply()
        EARLIER.write("backport", file=os.path.basename(job["backport"]))
    return runpy.run_path(job["script"], run_name="__mp_main__")


def main():
    job = read_job()
    bootstrap = load_bootstrap(job)
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    sys.meta_path.insert(0, bootstrap.AfterImport([(SPAWN, observe)]))
    from multiprocessing import spawn

    prepare = spawn.get_preparation_data

    def get_preparation_data(name):
        return {**prepare(name), "init_main_from_path": os.path.abspath(__file__)}

    spawn.get_preparation_data = get_preparation_data
    bootstrap.run_script(job, sys.argv[2:], EARLIER)


if __name__ in {"__main__", "__mp_main__"}:
    import _repro_spawned

    if __name__ == "__main__":
        _repro_spawned.main()
    else:
        globals().update(_repro_spawned.spawned_main())
