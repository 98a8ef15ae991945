"""Runs one command, and ends every process that it started, whatever happens to it or to the harness.

It is started as ``keeper.py PARENT GRACE COMMAND...``, see ``repro.files.kept``.  Standard library only, Python 3.9 or
newer, since the warm launcher uses its functions inside the environment under test.

The keeper is a *child subreaper* (Linux): when the parent of a daemon ends, the daemon becomes the keeper's child,
whatever its session, folder and variables.  The keeper ends the command when asked (SIGTERM, SIGINT, SIGHUP) or when
the harness is gone, even by SIGKILL: first by SIGTERM, and after GRACE seconds by SIGKILL to everything below.  It
ends when it has no child left, with the command's exit code or signal.  On systems without subreapers, it ends the
command and its current descendants.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
POLL_SECONDS = 0.1
KILL_SECONDS = 10.0
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SPARED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
"""Signals that the keeper ignores; ranks dump their stacks at the first two."""


def set_process_option(option, value):
    """Call ``prctl`` (Linux); does nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def become_subreaper():
    """Adopt every descendant whose parent ends."""
    set_process_option(PR_SET_CHILD_SUBREAPER, 1)


def parents():
    """The parent of every process of this machine, by process id."""
    found = {}
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        for line in listed.splitlines():
            pid, parent = line.split()
            found[int(pid)] = int(parent)
        return found
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return found


def below(root):
    """All descendants of a process."""
    children = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found, waiting = [], [root]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            found.append(pid)
            waiting.append(pid)
    return found


def reap(statuses):
    """Collect the statuses of ended children, by process id; False if there are no children."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not pid:
            return True
        statuses[pid] = status


def end_all_below(statuses):
    """Kill everything below this process until no child is left; True if that succeeds in time."""
    deadline = time.monotonic() + KILL_SECONDS
    while reap(statuses):
        if time.monotonic() > deadline:
            return False  # a process that is stuck in the kernel
        for pid in below(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.005)
    return True


def start(command):
    """Start the command with default signal handlers; the kernel kills it if this process is killed."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in SPARED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.getppid() == keeper:
            os.execvp(command[0], command)
    except OSError as error:
        os.write(2, ("%s: cannot be started: %s\n" % (command[0], error.strerror)).encode("utf-8", "replace"))
    finally:
        os._exit(127)


def keep(parent, grace, command):
    """Run the command until it ends or must end; returns its wait status, None if it could not be ended."""
    wanted = (*ASKED, signal.SIGCHLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    for number in SPARED:
        signal.signal(number, signal.SIG_IGN)
    become_subreaper()
    if os.getppid() != parent:
        return None
    child = start(command)
    # Inherited files belong to the command alone: while the keeper keeps them open, nobody sees the command close them.
    os.closerange(3, 1024)
    statuses, asked = {}, None
    while child not in statuses and (asked is None or time.monotonic() < asked + grace):
        if hasattr(signal, "sigtimedwait"):
            received = signal.sigtimedwait(wanted, POLL_SECONDS)
            number = received.si_signo if received else 0
        else:
            time.sleep(POLL_SECONDS)
            number = next(iter(signal.sigpending() & set(ASKED)), 0)
        reap(statuses)
        if asked is None and child not in statuses and (number in ASKED or os.getppid() != parent):
            asked = time.monotonic()
            os.kill(child, signal.SIGTERM)
    end_all_below(statuses)
    return statuses.get(child)


def end_as(status):
    """End this process with the status of another one."""
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        try:
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL has no handler
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) if status is not None and os.WIFEXITED(status) else 1)


if __name__ == "__main__":
    end_as(keep(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
