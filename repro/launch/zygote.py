"""One rank's process of the warm launcher: it makes a script's first imports and forks the runs from there.

Started as ``zygote.py PLAN`` in the environment under test, once for each rank, with the variables that torchrun sets
for that rank and with a hash seed of its own.  Standard library only, nothing of the harness.

The harness speaks JSON lines over the socket whose descriptor the plan names.  A process answers each request:

    {"steps": [[MODULE, NAME], ...]}    with a new socket beside it: fork, make these imports in the child; the child
                                        then serves the new socket, and says {"ready": true} there, or why not.
                                        With the name LATE the module is made out of sight, see ``LateModules``
    {"store": true}                     fork a process that keeps the store of the ranks: {"store": PID, "port": P}
    {"job": FILE, "flags": [...], ...}  fork the rank of a run: {"rank": PID}, and {"ended": PID, "code": C} later

A process has made the imports of its ancestors and its own, in this order, and nothing else: what a run finds is what
it would have found as a new process that made them itself.  Late modules it finds once it imports one of them.
"""

import array
import atexit
import gc
import importlib.util
import json
import os
import random
import select
import signal
import socket
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
POLL_SECONDS = 0.02
STORE_SECONDS = 60
REQUEST_BYTES = 1 << 20
WORDS = 624
"""The words of a block of the Mersenne Twister, the generator of Python and of numpy's global functions."""
MAX_BLOCKS = 2000
"""So many blocks of draws are followed, more than a million draws; then a generator counts as seeded."""
DESCRIPTOR_BYTES = array.array("i").itemsize
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
"""With this variable torch asks the driver's management library whether there are devices, which a fork survives."""
CUDA_NOT_INITIALIZED = 3
LATE = "(late)"
"""In place of a name in a step: import the module out of sight.  No attribute has this name."""


def load_bootstrap():
    """The bootstrap, whose functions run the script here too."""
    return load_beside("bootstrap")


def load_beside(name):
    """A module of this folder; it is not to be found on the path of the ranks."""
    spec = importlib.util.spec_from_file_location("_repro_" + name, os.path.join(HERE, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class LiftedGates:
    """Notes the gates that were lifted by the imports; the journal of each run repeats them, and adds later ones."""

    def __init__(self):
        self.names = []
        self.journal = None

    def write(self, event, name):
        self.names.append(name)
        if self.journal is not None:
            self.journal.write(event, name=name)

    def begin(self, journal):
        """In a run: write down what was lifted so far, and from now on what is lifted later."""
        for name in self.names:
            journal.write("gate", name=name)
        self.journal = journal


class Generators:
    """The global random generators: a run must find them as a new process does, with fresh entropy.

    An import may draw from one: its state was unpredictable before and is so afterwards, and fresh entropy takes
    nothing from it.  An import that seeds one leaves a state that fresh entropy would destroy: ``seeded`` names the
    generator, and nothing is forked from here.
    """

    def __init__(self, bootstrap):
        self.python = random.getstate()
        self.numpy = self.numpy_random = self.torch = None
        self.hook = bootstrap.AfterImport([("numpy.random", self._see_numpy), ("torch", self._see_torch)])
        sys.meta_path.insert(0, self.hook)

    def _see_numpy(self, module):
        self.numpy_random = module  # it may be out of sight later
        self.numpy = module.get_state()

    def _see_torch(self, module):
        self.torch = self._torch_seed(module)

    @staticmethod
    def _torch_seed(module):
        # Each way to seed torch's generator, or to give it the state of another one, changes this number.
        generator = getattr(module, "default_generator", None)
        return None if generator is None else generator.initial_seed()

    def forked(self):
        """In a new process: Python has just seeded its own generator again."""
        self.python = random.getstate()

    def seeded(self):
        """The generator that an import has seeded, or None."""
        if not self._python_was_only_drawn_from():
            return "random"
        if self.numpy is not None and not self._numpy_was_only_drawn_from(self.numpy_random):
            return "numpy.random"
        if self.torch is not None and self._torch_seed(sys.modules["torch"]) != self.torch:
            return "torch"
        return None

    def _python_was_only_drawn_from(self):
        before, now = self.python[1], random.getstate()[1]
        twin = random.Random()
        twin.setstate(self.python)

        def next_words():
            twin.getrandbits(32 * WORDS)
            return twin.getstate()[1][:WORDS]

        return leads_to(before[:WORDS], before[WORDS], now[:WORDS], now[WORDS], next_words)

    def _numpy_was_only_drawn_from(self, module):
        name, before, position, *_ = self.numpy
        new_name, now, new_position, *_ = module.get_state()
        if not name == new_name == "MT19937":
            return False
        twin = module.RandomState()
        twin.set_state(self.numpy)

        def next_words():
            twin.bytes(4 * WORDS)
            return bytes(twin.get_state()[1])

        return leads_to(bytes(before), position, bytes(now), new_position, next_words)

    def refresh(self):
        """In a run: fresh entropy for all of them, as at the start of a process; Python does so for its own."""
        sys.meta_path.remove(self.hook)
        if self.numpy is not None:
            self.numpy_random.seed()
        if self.torch is not None:
            sys.modules["torch"].default_generator.seed()


def leads_to(words, position, new_words, new_position, next_words):
    """Whether draws alone lead from one state of a Mersenne Twister to another one.

    A state is a block of words and the position of the next one; a block follows from the block before it.
    """
    if words == new_words:
        return new_position >= position
    return any(next_words() == new_words for _ in range(MAX_BLOCKS))


class LateModules:
    """Modules that were imported ahead, out of sight: a run finds all of them once it imports one of them itself.

    Libraries put off imports that take seconds until one of their functions needs them.  Until then the modules must be
    found neither by name nor as attributes of their packages.  A finder: the import system asks it for modules.
    """

    def __init__(self):
        self.modules = {}
        self.attributes = []

    def make(self, name):
        """Import a module, and put out of sight all that this has imported."""
        before = set(sys.modules)
        make_import(name, None)
        made = {found: module for found, module in sys.modules.items() if found not in before}
        for found, module in made.items():
            parent, _, child = found.rpartition(".")
            if parent in before and vars(sys.modules[parent]).get(child) is module:
                self.attributes.append((sys.modules[parent], child, module))
                delattr(sys.modules[parent], child)
            del sys.modules[found]
        self.modules.update(made)
        sys.meta_path.insert(0, self)
        # The interpreter's end takes down what it finds; some libraries complain about what it does not find.
        atexit.register(self.show)

    def show(self):
        for package, child, made in self.attributes:
            setattr(package, child, made)
        self.attributes.clear()
        sys.modules.update(self.modules)

    def find_spec(self, fullname, path=None, target=None):  # noqa: ARG002 - the import system's signature
        """The spec of a module that was made ahead, at its first import; from then on all of them are in sight."""
        module = self.modules.pop(fullname, None)
        if module is None:
            return None
        self.show()
        return importlib.util.spec_from_loader(fullname, Made(module))


class Made:
    """The loader of a module that has been executed already."""

    def __init__(self, module):
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec):  # noqa: ARG002 - the import system's signature
        return self.module

    def exec_module(self, module):
        module.__spec__ = self.spec


class Zygote:
    """The state of one process: what it was started with, and the socket that it serves."""

    def __init__(self, plan):
        self.bootstrap = load_bootstrap()
        self.control = socket.socket(fileno=plan["control"])
        self.gates = LiftedGates()
        self.bootstrap.open_gates(plan, self.gates)
        self.generators = Generators(self.bootstrap)
        self.late = LateModules()
        self.children = {}
        self.ranks = set()

    def tell(self, message):
        self.control.sendall((json.dumps(message) + "\n").encode())

    def serve(self):
        """Answer requests until the harness closes the socket; returns a request only in the process of its rank."""
        while True:
            ends = list(self.children.values())
            watched = [self.control, *(end for end in ends if end is not None)]
            readable, _, _ = select.select(watched, [], [], POLL_SECONDS if None in ends else None)
            if self.control in readable:
                request, descriptor = self.receive()
                if request is None:
                    for pid in self.children:
                        os.kill(pid, signal.SIGTERM)
                    os._exit(0)
                if "steps" in request:
                    self.branch(request["steps"], descriptor)
                elif "store" in request:
                    self.open_store()
                elif self.start_rank():
                    return request
            self.reap()

    def receive(self):
        """The next request and the descriptor that came with it; (None, None) at the end of the socket."""
        text, descriptor = b"", None
        while not text.endswith(b"\n"):
            try:
                part, ancillary, _, _ = self.control.recvmsg(
                    REQUEST_BYTES, socket.CMSG_SPACE(array.array("i").itemsize)
                )
            except OSError:
                return None, None
            if not part:
                return None, None
            for _level, _kind, data in ancillary:
                descriptor = array.array("i", data[:DESCRIPTOR_BYTES])[0]
            text += part
        return json.loads(text), descriptor

    def fork(self, parent_death_signal):
        """Fork; the child is ended when its parent dies."""
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            die_with_parent(parent_death_signal)
            if os.getppid() != parent:
                os._exit(1)
            for end in self.children.values():
                if end is not None:
                    os.close(end)
            self.children, self.ranks = {}, set()
            self.generators.forked()
        else:
            self.children[pid] = end_of(pid)
        return pid

    def reap(self):
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                end = self.children.pop(pid)
                if end is not None:
                    os.close(end)
                if pid in self.ranks:
                    self.ranks.remove(pid)
                    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                    self.tell({"ended": pid, "code": code})

    def branch(self, steps, descriptor):
        """Fork a process that goes on from here: it makes some imports, and serves a socket of its own."""
        if self.fork(signal.SIGTERM):
            os.close(descriptor)
            return
        self.control.close()
        self.control = socket.socket(fileno=descriptor)
        gc.disable()
        try:
            for module, name in steps:
                if name == LATE:
                    self.late.make(module)
                else:
                    make_import(module, name)
        except BaseException as error:  # noqa: BLE001 - an import may do anything; under torchrun its rank shows it
            self.refuse(repr(error))
        seeded = self.generators.seeded()
        if seeded:
            self.refuse(f"an import seeds the global generator of {seeded}")
        if threads() != 1:
            self.refuse("an import starts threads")
        if cuda_is_initialised():
            self.refuse("an import initialises CUDA, which does not survive a fork")
        gc.enable()
        # What the imports have made lives to the end.  Runs that looked through it again and again for garbage, and at
        # their end once more, would copy its pages and spend most of their time there.
        gc.freeze()
        self.tell({"ready": True})

    def refuse(self, reason):
        self.tell({"ready": False, "reason": reason})
        os._exit(0)

    def open_store(self):
        """Fork a process that keeps the store at which ranks meet, as torchrun's agent does."""
        reader, writer = os.pipe()
        pid = self.fork(signal.SIGKILL)
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
        self.tell({"store": pid, "port": port})

    def start_rank(self):
        """Fork the rank of a run: a supervisor and its child, as torchrun and the bootstrap make them; True in it."""
        pid = self.fork(signal.SIGTERM)
        if pid == 0:
            self.control.close()
            os.setsid()
            return True
        self.ranks.add(pid)
        self.tell({"rank": pid})
        return False

    def run_rank(self, request):
        """In the process of a rank: supervise a child that runs the script."""
        with open(request["job"], encoding="utf-8") as file:
            job = json.load(file)
        os.chdir(job["folder"])
        os.environ.update(HOME=job["folder"], TMPDIR=job["folder"], **request["variables"])
        os.environ.pop(NVML_CHECK, None)  # a run asks for devices as it does under torchrun
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = None
        journal = self.bootstrap.Journal(job["folder"], os.environ["RANK"])
        keeper = load_beside("keeper")
        keeper.become_subreaper()
        child = os.fork()
        if child == 0:
            skip_static_destructors()
            self.bootstrap.become_child(job, os.environ["RANK"])
            journal.write("started", pid=os.getpid())
            self.generators.refresh()
            self.gates.begin(journal)
            self.bootstrap.run_script({**job, "gates": []}, request["flags"], journal)
            return
        status = self.bootstrap.supervise(child, job, journal, int(os.environ["WORLD_SIZE"]))
        keeper.end_all_below({})  # whatever the rank left behind
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number != signal.SIGKILL:
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1)


def end_of(pid):
    """A descriptor that is readable once a child has ended; None where the system has none, so that one must poll.

    Hundreds of processes that poll would take a good part of a core.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def make_import(module, name):
    """``import MODULE``, or ``from MODULE import NAME`` where there is a name, as the interpreter does it."""
    imported = __import__(module, {}, {}, [name] if name else None, 0)
    if name:
        getattr(imported, name)


def threads():
    """Number of threads of this process: a process that has others cannot be forked safely."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def cuda_is_initialised():
    """Whether this process has initialised the CUDA driver, by whatever library; a forked one could not use it."""
    import ctypes

    try:
        # The driver only if it is loaded already: to load it would change the process.
        driver = ctypes.CDLL("libcuda.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except (OSError, AttributeError):
        return False
    return driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) != CUDA_NOT_INITIALIZED


def die_with_parent(number):
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, number)


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


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    # The first entry is the script's folder in a run; here it would be the harness's.
    sys.path[0] = plan["folder"]
    zygote = Zygote(plan)
    # An import that looks at the main module must not find the harness; this module lives on in the variable.
    this = sys.modules["__main__"]  # noqa: F841
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__file__ = os.path.join(plan["folder"], "repro.py")
    sys.argv[:] = ["repro.py"]
    zygote.tell({"ready": True})
    zygote.run_rank(zygote.serve())


if __name__ == "__main__":
    main()
