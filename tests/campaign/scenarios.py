"""The faults of the campaign: what a script does, what its record says, and the only verdict that is true.

Every script is a real process under both launchers, in an environment with a small ``torch`` and ``lightning``.
``FAULTY`` is the rank that is faulty; ``NOTES`` a folder in which a process that must not survive leaves its id.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from repro.model.verdict import Verdict

LIGHTNING = '''\
"""Fails, waits for ever, works for ever, or works slowly, as asked."""
import threading, time
__version__ = "2.2.1"

def save_checkpoint(state):
    return state.pop("optimizer_states")

def all_gather(busy=False, pause=None):
    while busy:
        pass
    while pause is not None:
        time.sleep(pause)
    threading.Event().wait()

def all_reduce():
    threading.Event().wait()
'''

HEAD = """\
import lightning, os, signal, sys, threading, time, torch
FAULTY, NOTES = {faulty}, {notes!r}
rank = int(os.environ["RANK"])
faulty = rank == FAULTY
folder = os.environ["TMPDIR"]

def note():
    with open(os.path.join(NOTES, str(os.getpid())), "w") as file:
        file.write(str(time.time()))

def oracle():
    print("oracle passed: yes")

note()
"""

EXCEPTION: dict[str, Any] = {
    "type": "KeyError", "message": "optimizer_states", "function": "save_checkpoint", "library": "lightning",
}  # fmt: skip
HANG: dict[str, Any] = {"kind": "hang", "function": "all_gather", "library": "lightning", "ranks": "all"}
STANDING = HANG | {"ranks": "FAULTY", "others": "all_reduce"}
LOOSE = HANG | {"ranks": "any", "others": "all_reduce"}

DAEMON = """
if faulty and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note()
        os.chdir("/")
        os.closerange(0, 64)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        {then}
    os._exit(0)
time.sleep(0.1)
oracle()
"""

# Each generation lives for a moment; whoever kills a list of processes kills the one before.
GENERATIONS = """
if faulty and os.fork() == 0:
    os.setsid()
    for generation in range(400):
        if os.fork():
            os._exit(0)
        note()
        os.chdir("/")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(0.05)
    time.sleep(600)
time.sleep(0.3)
oracle()
"""

# Takes the place of a file that the harness reads, once the rank has opened its own.
REPLACED = """
if faulty:
    name = os.path.join(folder, "{name}" % rank)
    if os.path.exists(name):
        os.remove(name)
    {make}
{then}
"""

LIMIT = """
import errno, resource
if faulty:
    {body}
else:
    {other}
"""

JOURNAL = """
if faulty:
    with open(os.path.join(folder, "rank%d.jsonl" % rank), "ab") as file:
        file.write({text} + b"\\n")
oracle()
"""


@dataclass(frozen=True)
class Scenario:
    """One kind of fault."""

    name: str
    source: str
    truth: Verdict
    signature: Mapping[str, Any] = field(default_factory=lambda: EXCEPTION)
    timeout: int = 30
    """Short where the run never ends by itself."""
    reason: str = ""
    """Words that the reason of an ``unrunnable`` must hold."""

    def script(self, faulty: int, notes: str) -> str:
        return HEAD.format(faulty=faulty, notes=notes) + self.source

    def record(self, faulty: int, choice: random.Random) -> dict[str, Any]:
        """The record's signature; an exception's ranks are drawn where the truth does not depend on them."""
        signature = dict(self.signature)
        if signature.get("ranks") == "FAULTY":
            signature["ranks"] = faulty
        if signature.get("kind") != "hang":
            signature["ranks"] = "all" if self.truth is Verdict.REPRODUCED else choice.choice(["all", "any", 0, 1])
        return signature


HANGING = 4
U, A, R, D = Verdict.UNRUNNABLE, Verdict.ABSENT, Verdict.REPRODUCED, Verdict.DIFFERENT


def _killed(number: str) -> Scenario:
    source = f"""
if faulty:
    os.kill(os.getpid(), signal.{number})
    time.sleep(60)
lightning.save_checkpoint({{}}) if {number!r} == "SIGKILL" else oracle()
"""
    # Python answers SIGINT by an exception, and ignores SIGXFSZ and SIGPIPE.
    words = {"SIGINT": "KeyboardInterrupt"}.get(number, number)
    reset = f"signal.signal(signal.{number}, signal.SIG_DFL)\n" if number in {"SIGXFSZ", "SIGPIPE"} else ""
    return Scenario(f"killed by {number}", reset + source, U, reason=words)


def _limited(name: str, body: str, reason: str = "limit of the machine") -> tuple[Scenario, ...]:
    """The limit on one rank, beside a rank that passes and beside one that shows the signature."""
    body = body.replace("\n", "\n    ")
    return tuple(
        Scenario(f"{name}, peer {word}", LIMIT.format(body=body, other=other), U, reason=reason)
        for word, other in (("passes", "oracle()"), ("fails", "lightning.save_checkpoint({})"))
    )


SCENARIOS = (
    Scenario("passes", "oracle()", A),
    Scenario("fails as documented", "lightning.save_checkpoint({})", R),
    Scenario("fails otherwise", "raise ValueError('no') if faulty else oracle()", D),
    Scenario("crashes", "os.kill(os.getpid(), signal.SIGSEGV) if faulty else oracle()", D),
    Scenario("aborts", "os.abort() if faulty else oracle()", D),
    Scenario("leaves with a code", "os._exit(3) if faulty else oracle()", D),
    Scenario("leaves with 0", "sys.exit(0) if faulty else oracle()", U, reason="left with exit code 0 before the end"),
    Scenario("leaves with _exit(0)", "oracle()\nif faulty: os._exit(0)", U, reason="after its oracle had passed"),
    Scenario("no oracle", "None if faulty else oracle()", U, reason="its oracle never passed"),
    Scenario("oracle after a progress line", "print('step 3/4 ', end='')\noracle()", A),
    Scenario("oracle after a progress bar", "print('0%\\r100%|####| 4/4 [00:00<00:00]', end='')\noracle()", A),
    # Hangs, and what only looks like one.
    Scenario("hangs on all ranks", "lightning.all_gather()", R, HANG, HANGING),
    Scenario(
        "hangs in two places", "lightning.all_gather() if faulty else lightning.all_reduce()", R, STANDING, HANGING
    ),
    Scenario("hangs on any rank", "lightning.all_gather() if faulty else lightning.all_reduce()", R, LOOSE, HANGING),
    *(
        Scenario(f"{name}, {which}", f"if not faulty: lightning.{peer}()\n{source}", U, signature, HANGING, reason)
        for which, signature, peer, own in (
            ("all", HANG, "all_gather", "lightning.all_gather()"),
            ("any", LOOSE, "all_gather", "lightning.all_reduce()"),
            ("numbered", STANDING, "all_reduce", "lightning.all_gather()"),
        )
        for name, source, reason in (
            ("peer is stopped", "os.kill(os.getpid(), signal.SIGSTOP)", "SIGSTOP"),
            ("peer loops in the script", "while True: pass", ""),
            ("peer loops in the library", "lightning.all_gather(busy=True)", ""),
            ("peer works slowly", "lightning.all_gather(pause=0.01)", ""),
            ("peer sleeps elsewhere", "time.sleep(60)", "does not wait in"),
            ("peer leaves", "os._exit(0)", "had ended"),
            (
                "peer is stopped in its place",
                f"threading.Timer(2, os.kill, (os.getpid(), signal.SIGSTOP)).start()\n{own}",
                "SIGSTOP",
            ),
            ("peer loops in C", "sum(range(1 << 60))", ""),
            (
                "peer has a pipe for a stack",
                f"name = os.path.join(folder, 'rank%d.stacks1' % rank)\nos.remove(name)\nos.mkfifo(name)\n{own}",
                "",
            ),
            ("peer ignores all", "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\ntime.sleep(60)", "dump"),
        )
    ),
    *(
        _killed(name)
        for name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGXCPU", "SIGXFSZ", "SIGBUS", "SIGALRM", "SIGPIPE")
    ),
    Scenario("supervisor is killed", "if faulty:\n    os.kill(os.getppid(), 9)\n    time.sleep(60)\noracle()", U),
    # Limits of the machine.
    *_limited(
        "EMFILE", "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\nheld = [open('/dev/null') for _ in range(99)]"
    ),
    *_limited("EFBIG", "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\nopen('big', 'wb').write(bytes(9999))"),
    *_limited("ENOSPC", "full = open('/dev/full', 'w')\nfull.write('x')\nfull.flush()"),
    *_limited("ENOMEM", "resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\nheld = bytearray(1 << 33)"),
    *_limited("EAGAIN", "pipe = os.pipe()\nos.set_blocking(pipe[0], False)\nos.read(pipe[0], 1)"),
    *_limited(
        "ancdata",
        "import socket\nfrom multiprocessing import reduction\nours, theirs = socket.socketpair()\n"
        "ours.send(b'!')\nreduction.recv_handle(theirs)",
    ),
    *_limited(
        "no thread",
        "threading.stack_size(1 << 30)\nresource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\n"
        "for _ in range(9): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    ),
    # Beside a peer that fails at once it would be ended before its limit.
    _limited("RLIMIT_CPU", "resource.setrlimit(resource.RLIMIT_CPU, (1, 9))\nwhile True: pass", reason="SIGXCPU")[0],
    # What a rank leaves behind for the harness to read.
    *(
        Scenario(f"journal holds {name}", JOURNAL.format(text=text), U)
        for name, text in (
            ("no JSON", r"""b'\x00\xff garbage'"""),
            ("a list", "b'[1, 2]'"),
            ("deep JSON", "b'[' * 100_000"),
            ("deep JSON in an event", """b'{"event": "reached", "imports": ' + b'{"a":' * 50_000"""),
            ("an empty chain", """b'{"event": "exception", "phase": "run", "chain": [], "time": 1}'"""),
            ("another exception", """b'{"event": "exception", "phase": 3, "chain": "x", "time": "y"}'"""),
            ("another end", """b'{"event": "ended", "code": "zero"}'"""),
            ("other imports", """b'{"event": "reached", "imports": [{"a": 1}]}'"""),
            ("odd numbers", """b'{"event": "exception", "phase": "run", "time": 1e999, "chain": [3]}'"""),
            ("five megabytes", """b'{"event": "later", "text": "' + b'x' * (5 << 20) + b'"}'"""),
        )
    ),
    Scenario("journal holds surrogates", JOURNAL.format(text=r"""b'{"event": "later", "x": "\ud800"}'"""), A),
    Scenario(
        "journal is a pipe",
        "if faulty:\n    name = os.path.join(folder, 'rank%d.jsonl' % rank)\n"
        "    os.remove(name)\n    os.mkfifo(name)\noracle()",
        U,
        timeout=HANGING,
        reason="not a regular file",
    ),
    Scenario(
        "journal is a link",
        "if faulty:\n    name = os.path.join(folder, 'rank%d.jsonl' % rank)\n    os.rename(name, name + 'x')\n"
        "    os.symlink(name + 'x', name)\noracle()",
        U,
        reason="cannot be read",
    ),
    Scenario(
        "measures deeply", "print('measured x = ' + '[' * 60_000) if faulty else None\noracle()", U, reason="nested"
    ),
    Scenario(
        "measures much", "print('measured x = \"' + 'y' * 70_000 + '\"') if faulty else None\noracle()", U, reason="KiB"
    ),
    Scenario("measures a surrogate", "print('measured x = \"\\\\ud800\"')\noracle()", A),
    Scenario("measures infinity", "print('measured x = 1e999')\nprint('measured y = [-Infinity]')\noracle()", A),
    Scenario(
        "measures too often", "for i in range(300): print('measured x_%d = 1' % i) if faulty else None\noracle()", U
    ),
    Scenario(
        "writes for ever", "while faulty: os.write(1, bytes(1 << 20))\ntime.sleep(60)", U, reason="32 MiB of output"
    ),
    Scenario(
        "writes much", "os.write(1, b'x' * (40 << 20)) if faulty else None\noracle()", U, reason="32 MiB of output"
    ),
    Scenario(
        "fills the disk",
        "if faulty:\n    with open('big', 'wb') as file:\n"
        "        for _ in range(150): file.write(bytes(4 << 20)); file.flush()\n    time.sleep(60)\noracle()",
        U,
        reason="to disk",
    ),
    Scenario(
        "makes files for ever",
        "if faulty:\n    for n in range(9999): open('small%d' % n, 'w').close()\n    time.sleep(60)\noracle()",
        U,
        reason="files",
    ),
    Scenario("removes its folder", "import shutil\nif faulty: shutil.rmtree(folder, ignore_errors=True)\noracle()", U),
    *(
        Scenario(f"{name} is {word}", REPLACED.format(name=file, make=make, then="oracle()"), U, timeout=HANGING)
        for name, file in (("output", "rank%d.log"), ("stack dump", "rank%d.stacks1"))
        for word, make in (
            ("a pipe", "os.mkfifo(name)"),
            ("a folder", "os.mkdir(name)"),
            ("a link to a device", "os.symlink('/dev/zero', name)"),
        )
    ),
    Scenario("fails with a surrogate", "if faulty: raise ValueError('\\ud800')\noracle()", D),
    Scenario("fails with a megabyte", "if faulty: raise ValueError('x' * 1_000_000)\noracle()", D),
    Scenario("fails with ten megabytes", "if faulty: raise ValueError('x' * 10_000_000)\noracle()", U, reason="4 MiB"),
    Scenario(
        "fails without words",
        "class E(Exception):\n    def __str__(self): raise ValueError('no words')\nif faulty: raise E\noracle()",
        D,
    ),
    Scenario("fails too deeply", "def f(): f()\nif faulty: f()\noracle()", D),
    Scenario(
        "fails in a long chain",
        "if faulty:\n    error = None\n    for n in range(3000):\n        new = ValueError(n)\n"
        "        new.__cause__ = error\n        error = new\n    raise error\noracle()",
        D,
    ),
    Scenario("says no text", "os.write(1, bytes(range(128, 256)) * 99)\noracle()", A),
    # What must not outlive the run.
    Scenario("leaves a daemon", DAEMON.format(then="time.sleep(600)"), A),
    Scenario("leaves an empty daemon", DAEMON.format(then="os.execve('/bin/sleep', ['sleep', '600'], {})"), A),
    Scenario("leaves a stopped daemon", DAEMON.format(then="os.kill(os.getpid(), signal.SIGSTOP)"), A),
    Scenario("leaves a daemon that forks on", GENERATIONS, A),
    Scenario("ignores SIGTERM", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)", U, HANG, HANGING),
    Scenario(
        "fails and ignores SIGTERM",
        "if faulty: lightning.save_checkpoint({})\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)",
        D,
        HANG,
        HANGING,
    ),
)
