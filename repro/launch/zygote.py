"""Imports the libraries once, then forks the ranks of many runs: the warm launcher's side in the environment.

Started as ``zygote.py PLAN``; standard library only, nothing of the harness.  It speaks JSON lines over the
socket whose descriptor the plan names: first ``{"ready": ..., "threads": ...}``, then for each request
``{"job": PATH, "flags": [...], "world_size": N, "modules": [...]}`` the process id of a *host* and, when that
has ended, its exit status; or ``{"refused": WHY}`` where the modules that it asks for cannot be imported ahead.

A host stands for torchrun: it keeps the store at which ranks meet, forks the ranks with the variables that
torchrun sets, records their ends, and after a failure ends the others as torchrun does.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
POLL_SECONDS = 0.01
TERM_GRACE_SECONDS = 30.0
ASKED_GRACE_SECONDS = 5.0
"""A rank that does not end when the harness asks is killed: its host must end before the harness kills that."""
STORE_SECONDS = 60


def load_bootstrap():
    """The bootstrap, whose functions run the script in a rank here too."""
    return load_beside("bootstrap")


def load_beside(name):
    """A module of this folder; it is not to be found on the path of the ranks."""
    spec = importlib.util.spec_from_file_location("_repro_" + name, os.path.join(HERE, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Lifted:
    """Notes the gates that were lifted while importing; every rank's journal repeats them, and adds its own."""

    def __init__(self):
        self.names = []
        self.journal = None

    def write(self, event, name):
        self.names.append(name)
        if self.journal is not None:
            self.journal.write(event, name=name)

    def begin(self, journal):
        """In a rank: tell its journal what was lifted so far, and from now on what is lifted later."""
        for name in self.names:
            journal.write("gate", name=name)
        self.journal = journal


def import_ahead(modules, lazy):
    """Import what ranks will need; what libraries import on first use only if they are there at all.

    What was imported is shared by all ranks: collecting it in each of them would copy its pages.
    """
    missing = [name for name in modules if name not in sys.modules]
    for name in missing:
        importlib.import_module(name)
    for name in lazy:
        if name not in sys.modules and name.split(".")[0] in sys.modules:
            with contextlib.suppress(ImportError):  # not in every release
                importlib.import_module(name)
    if missing:
        gc.collect()
        gc.freeze()


def threads():
    """Number of threads of this process: a process that has others cannot be forked safely."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def fork(parent_death_signal):
    """Fork; the child is ended when its parent dies."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(parent_death_signal)
        if os.getppid() != parent:
            os._exit(1)
    return pid


def die_with_parent(number):
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)


def open_store():
    """Fork a process that keeps the store at which ranks meet, as torchrun's agent does; returns pid and port."""
    reader, writer = os.pipe()
    pid = fork(signal.SIGKILL)
    if pid == 0:
        from datetime import timedelta

        import torch.distributed as dist

        store = dist.TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=STORE_SECONDS), wait_for_workers=False)
        os.write(writer, str(store.port).encode())
        os.close(writer)
        while True:
            signal.pause()
    os.close(writer)
    port = os.read(reader, 16).decode()
    os.close(reader)
    return pid, port


def rank_variables(rank, world_size, port):
    """The variables that torchrun sets for one node."""
    size, number = str(world_size), str(rank)
    return {
        "RANK": number,
        "LOCAL_RANK": number,
        "GROUP_RANK": "0",
        "ROLE_RANK": number,
        "ROLE_NAME": "default",
        "LOCAL_WORLD_SIZE": size,
        "WORLD_SIZE": size,
        "GROUP_WORLD_SIZE": "1",
        "ROLE_WORLD_SIZE": size,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_RUN_ID": "warm",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }


def skip_static_destructors():
    """Let this process end when its interpreter has: what C++ libraries destroy after that is not seen here.

    torch unregisters its thousands of operators then, one by one: several times the run time of a small script.
    Hooks and objects of Python end as ever, its end flushes C's output too, and the exit code is the same.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # glibc's: it hands the exit code on
        # Handlers run in reverse order, so this one, which is the newest, comes before all destructors.
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)  # noqa: SLF001 - a function of C


def run_rank(bootstrap, request, job, rank, port, lifted):
    """In a rank's process: become what torchrun would have started, and run the script."""
    skip_static_destructors()
    os.environ.update(rank_variables(rank, request["world_size"], port))
    journal = bootstrap.Journal(job["folder"], rank)
    bootstrap.become_child(job, rank)
    journal.write("started", pid=os.getpid())
    lifted.begin(journal)
    bootstrap.run_script({**job, "gates": []}, request["flags"], journal)


def host(bootstrap, request, lifted):
    """In a host's process: run all ranks of one request; True in a rank that has run its script."""
    os.setsid()
    keeper = load_beside("keeper")
    keeper.become_subreaper()
    with open(request["job"], encoding="utf-8") as file:
        job = json.load(file)
    os.chdir(job["folder"])
    os.environ.update(HOME=job["folder"], TMPDIR=job["folder"])
    import tempfile

    tempfile.tempdir = None
    _, port = open_store()
    if not port:
        os._exit(1)  # no rank starts: a fault of ours must not become an error of theirs
    ranks = {}
    for rank in range(request["world_size"]):
        pid = fork(signal.SIGKILL)
        if pid == 0:
            run_rank(bootstrap, request, job, rank, port, lifted)
            return True
        ranks[pid] = rank
    code = watch(bootstrap, job, ranks)
    keeper.end_all_below({})  # the store, and whatever the ranks left behind
    os._exit(code)


def signal_all(pids, number):
    for pid in pids:
        os.kill(pid, number)


def watch(bootstrap, job, ranks):
    """Record the ends of the ranks; after a failure let the others speak for a while, then end them."""
    asked = []
    for number in bootstrap.TERMINATION:
        signal.signal(number, lambda received, _frame: asked.append(received))
    started = time.monotonic()
    running, stopped, failed_at, killed = dict(ranks), False, None, False
    asked_at = None
    while running:
        for pid in list(running):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if not ended:
                continue
            rank = running.pop(pid)
            seconds = time.monotonic() - started
            bootstrap.write_end(bootstrap.Journal(job["folder"], rank), status, usage, seconds, stopped)
            if status != 0 and failed_at is None:
                failed_at = time.monotonic()
        waited = time.monotonic() - failed_at if failed_at is not None else 0.0
        if asked and asked_at is None:
            asked_at = time.monotonic()
        overdue = asked_at is not None and time.monotonic() > asked_at + ASKED_GRACE_SECONDS
        if not stopped and (asked or waited > job["grace"]):
            stopped = True
            signal_all(running, signal.SIGTERM)
        if not killed and (overdue or waited > job["grace"] + TERM_GRACE_SECONDS):
            killed = True
            signal_all(running, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return 1 if failed_at is not None else 0


def serve(bootstrap, control, lifted):
    """Answer requests until the harness closes the socket; returns only in ranks, after their script."""
    hosts = set()
    stream = control.makefile("r", encoding="utf-8")
    while True:
        readable, _, _ = select.select([control], [], [], POLL_SECONDS if hosts else None)
        if readable:
            line = stream.readline()
            if not line:
                for pid in hosts:
                    os.kill(pid, signal.SIGTERM)
                os._exit(0)
            request = json.loads(line)
            refusal = prepared(request)
            if refusal:
                tell(control, {"refused": refusal})
                continue
            pid = fork(signal.SIGTERM)
            if pid == 0:
                control.close()
                host(bootstrap, request, lifted)
                return
            hosts.add(pid)
            tell(control, {"host": pid})
        for pid in list(hosts):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                hosts.remove(pid)
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                tell(control, {"ended": pid, "code": code})


def prepared(request):
    """Import what a request needs beyond what is there; why it cannot be served, or None."""
    try:
        import_ahead(request["modules"], ())
    except BaseException as error:  # noqa: BLE001 - an import may do anything; under torchrun its rank will tell
        return repr(error)
    return "threads were started" if threads() != 1 else None


def tell(control, message):
    control.sendall((json.dumps(message) + "\n").encode())


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    # A rank's first entry is its script's folder; here it would be the harness's.
    sys.path[0] = plan["folder"]
    bootstrap = load_bootstrap()
    control = socket.socket(fileno=plan["control"])
    lifted = Lifted()
    bootstrap.open_gates(plan, lifted)
    import_ahead(plan["modules"], plan["lazy"])
    tell(control, {"ready": True, "threads": threads()})
    serve(bootstrap, control, lifted)


if __name__ == "__main__":
    main()
