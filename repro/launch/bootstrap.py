"""Runs a reproduction as one rank and records what happens, judging nothing.

torchrun starts this file in place of ``repro.py``: ``bootstrap.py JOB FLAGS...``, where JOB is the
JSON file that the harness wrote.  It runs inside the environment under test, so it uses the
standard library only (Python 3.9 or newer) and nothing of the harness.

Each rank is two processes.  The parent watches: it records the exit code or signal and the peak
memory of its child, which a dying process cannot do itself.  The child opens the lane's gates,
applies a backport if asked, and runs the script as ``__main__``.  Both append events, one JSON
object a line, to ``rank<N>.jsonl`` in the run's folder:

    started    pid, time
    gate       name                     a refusal was lifted
    backport   file                     the backport was applied
    reached    imports                  all imports at the top of the script succeeded
    exception  phase, chain, imports    an uncaught exception, innermost frame last
    finished   imports                  the script ran to its end
    ended      code | signal, seconds, peak_bytes, stopped (someone asked this rank to end)
"""

import ast
import faulthandler
import importlib.util
import json
import linecache
import os
import signal
import sys
import time
import types

MAX_CHAIN = 8
MAX_FRAMES = 120
POLL_SECONDS = 0.02
TERMINATION = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Journal:
    """Appends events to this rank's file; each event is one write of one line."""

    def __init__(self, folder, rank):
        self.path = os.path.join(folder, f"rank{rank}.jsonl")

    def write(self, event, **facts):
        line = json.dumps({"event": event, "time": time.time(), **facts}, default=repr) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)


def imported_versions():
    """Version and file of every imported top-level module that states a version."""
    found = {}
    for name, module in list(sys.modules.items()):
        if "." in name or name.startswith("_"):
            continue
        try:
            # Lazy modules (transformers) keep their version outside of __dict__.
            version, path = getattr(module, "__version__", None), getattr(module, "__file__", None)
            if version is not None and isinstance(path, str):
                found[name] = {"version": str(version), "file": path}
        except Exception:
            continue
    return found


def frames_of(trace):
    """Frames of a traceback, outermost first; the middle of a very deep one is left out."""
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(
            {
                "file": code.co_filename,
                "function": code.co_name,
                "qualname": getattr(code, "co_qualname", code.co_name),
                "line": trace.tb_lineno,
                "code": linecache.getline(code.co_filename, trace.tb_lineno).strip(),
            }
        )
        trace = trace.tb_next
    if len(frames) > MAX_FRAMES:
        frames = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :]
    return frames


def chain_of(error):
    """The exception and those that it came from, the propagated one first."""
    chain, seen, link = [], set(), None
    while error is not None and id(error) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(error))
        kind = type(error)
        try:
            message = str(error)
        except Exception as failure:
            message = f"<the message could not be read: {failure!r}>"
        chain.append(
            {
                "type": kind.__name__,
                "module": kind.__module__,
                "bases": [base.__name__ for base in kind.__mro__[1:-1]],
                "message": message,
                "link": link,
                "frames": frames_of(error.__traceback__),
            }
        )
        if error.__cause__ is not None:
            error, link = error.__cause__, "cause"
        elif error.__context__ is not None and not error.__suppress_context__:
            error, link = error.__context__, "context"
        else:
            error = None
    return chain


class AfterImport:
    """Calls back once a named module has been executed, before its importer sees it."""

    def __init__(self, callbacks):
        self._waiting, self._finding = {}, set()
        for module, callback in callbacks:
            self._waiting.setdefault(module, []).append(callback)

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in self._waiting or fullname in self._finding:
            return None
        self._finding.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._finding.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            # Only now: libraries look whether a module is there before they import it.
            for callback in self._waiting.pop(fullname, ()):
                callback(module)

        spec.loader.exec_module = exec_module
        return spec


def load_file(path, name):
    """Import a file by its path, outside ``sys.path``."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_gates(job, journal):
    """Arrange that each gate of the lane is lifted right after its module is imported."""
    if not job["gates"]:
        return
    wanted = set(job["gates"])
    gates = [gate for gate in load_file(job["gates_file"], "_repro_gates").GATES if gate.name in wanted]

    def lifter(gate):
        def lift(module):
            gate.lift(module)
            journal.write("gate", name=gate.name)

        return lift

    sys.meta_path.insert(0, AfterImport((gate.module, lifter(gate)) for gate in gates))


def compile_script(path):
    """The script as two code objects: up to its last top-level import, and the rest."""
    with open(path, "rb") as file:
        source = file.read()
    body = ast.parse(source, path).body
    flags = 0
    last = 0
    for index, node in enumerate(body, start=1):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            last = index
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            import __future__

            for alias in node.names:
                flags |= getattr(__future__, alias.name).compiler_flag
    parts = (ast.Module(body[:last], []), ast.Module(body[last:], []))
    return [compile(part, path, "exec", flags=flags, dont_inherit=True) for part in parts]


def run_script(job, flags, journal):
    """Run the reproduction as ``__main__``; exceptions are recorded and raised again."""
    phase = "prepare"
    script = job["script"]
    sys.path[0] = os.path.dirname(script)
    try:
        open_gates(job, journal)
        if job["backport"]:
            phase = "backport"
            load_file(job["backport"], "_repro_backport").apply()
            journal.write("backport", file=os.path.basename(job["backport"]))
        phase = "import"
        sys.argv[:] = [script, *flags]
        module = types.ModuleType("__main__")
        module.__file__ = script
        module.__builtins__ = __builtins__
        sys.modules["__main__"] = module
        imports, rest = compile_script(script)
        exec(imports, module.__dict__)
        journal.write("reached", imports=imported_versions())
        phase = "run"
        exec(rest, module.__dict__)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            journal.write("exception", phase=phase, chain=chain_of(stop), imports=imported_versions())
        raise
    except BaseException as error:
        journal.write("exception", phase=phase, chain=chain_of(error), imports=imported_versions())
        raise
    journal.write("finished", imports=imported_versions())


def become_child(job, rank):
    """Set up the process that runs the script: its output file, stack dumps, death with its parent.

    The files of the dumps stay open to the very end: a script may hang at its shutdown.
    """
    for number in TERMINATION:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    log = os.open(os.path.join(job["folder"], f"rank{rank}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for dump, number in enumerate((signal.SIGUSR1, signal.SIGUSR2), start=1):
        file = open(os.path.join(job["folder"], f"rank{rank}.stacks{dump}"), "w")
        faulthandler.register(number, file=file, all_threads=True, chain=False)
    faulthandler.enable(file=sys.stderr, all_threads=False)


def all_ended(folder, world_size):
    """Whether every rank's process has ended."""
    for rank in range(world_size):
        try:
            with open(os.path.join(folder, f"rank{rank}.jsonl"), encoding="utf-8") as file:
                if '"event": "ended"' not in file.read().rpartition("\n")[0].rpartition("\n")[2]:
                    return False
        except OSError:
            return False
    return True


def write_end(journal, status, usage, seconds, stopped):
    """Record how a rank's process ended, from what ``wait4`` says."""
    facts = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"code": os.WEXITSTATUS(status)}
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    journal.write("ended", seconds=round(seconds, 3), peak_bytes=peak, stopped=stopped, **facts)


def supervise(child, job, journal, world_size):
    """Wait for the child, record its end, and return its wait status.

    After a failure the supervisor stays until every rank has ended, at most ``grace`` seconds:
    torchrun ends all ranks as soon as one exits, which would hide what the others had to say.
    """
    parent = os.getppid()
    asked, forwarded = [], 0
    for number in TERMINATION:
        signal.signal(number, lambda received, _frame: asked.append(received))
    started = time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if os.getppid() != parent:
            asked.append(signal.SIGKILL)
        while forwarded < len(asked):
            os.kill(child, asked[forwarded])
            forwarded += 1
        time.sleep(POLL_SECONDS)
    # torchrun signals the whole group: the child may be gone before anything was forwarded.
    write_end(journal, status, usage, time.monotonic() - started, bool(asked))
    if status != 0:
        deadline = time.monotonic() + job["grace"]
        while time.monotonic() < deadline and not asked and os.getppid() == parent:
            if all_ended(job["folder"], world_size):
                break
            time.sleep(POLL_SECONDS)
    return status


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    rank, world_size = os.environ["RANK"], int(os.environ["WORLD_SIZE"])
    journal = Journal(job["folder"], rank)
    child = os.fork()
    if child == 0:
        become_child(job, rank)
        journal.write("started", pid=os.getpid())
        run_script(job, sys.argv[2:], journal)
        return
    status = supervise(child, job, journal, world_size)
    sys.stdout.flush()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


if __name__ == "__main__":
    main()
