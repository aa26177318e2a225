"""Children that end in every way; sys.argv[2] is odd.c as a library. Each is a script that marks its own truth."""
import os
import signal
import subprocess
import sys
import threading

from children import command, say, status_of

HEAD = ("import ctypes, os, resource, signal, sys, threading  # hit\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # hit\n"
        "def ran():  # hit\n"
        "    return 1  # hit\n"
        "ran()  # hit\n")
ODD = "odd = ctypes.CDLL(%r)  # hit\n" % sys.argv[2]
WAIT = "print('ready', flush=True)  # hit\nthreading.Event().wait()  # hit or not\n"

# Name, what comes after HEAD, what is sent once it is ready.
WAYS = [
    ("normal", "x = 1  # hit\n", None),
    ("sys_exit", "sys.exit(3)  # hit\nx = 1  # miss\n", None),
    ("uncaught", "sys.stderr = None  # hit\nraise KeyError  # hit\nx = 1  # miss\n", None),
    ("os_exit", "os._exit(4)  # hit\nx = 1  # miss\n", None),
    ("c_exit", "ctypes.CDLL(None)._exit(5)  # hit\nx = 1  # miss\n", None),
    ("thread_ends_all", ODD + "def f():  # hit\n    odd.end_group(6)  # hit\n"
     "threading.Thread(target=f).start()  # hit\nthreading.Event().wait()  # hit or not\n", None),
    ("abort", "os.abort()  # hit\nx = 1  # miss\n", None),
    ("segv", "ctypes.string_at(0)  # hit\nx = 1  # miss\n", None),
    ("overflow", ODD + "odd.overflow(0)  # hit\nx = 1  # miss\n", None),
    ("cpu", "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))  # hit\nwhile True:  # hit or not\n    x = 1  # hit\n", None),
    ("exec", "os.execv('/bin/sh', ['sh', '-c', 'exit 7'])  # hit\nx = 1  # miss\n", None),
    ("exec_env", "os.execve('/bin/sh', ['sh', '-c', 'exit 8'], {})  # hit\nx = 1  # miss\n", None),
    ("daemon_thread", "threading.Thread(target=threading.Event().wait, daemon=True).start()  # hit\nx = 1  # hit\n", None),
    ("hangs_at_exit", "import atexit  # hit\ndef f():  # hit\n    print('ready', flush=True)  # hit\n"
     "    threading.Event().wait()  # hit or not\natexit.register(f)  # hit\nx = 1  # hit\n", "SIGKILL"),
    ("handler", "def f(*args):  # hit\n    os._exit(9)  # hit\nsignal.signal(signal.SIGTERM, f)  # hit\n"
     "print('ready', flush=True)  # hit\nwhile True:  # hit or not\n    threading.Event().wait(0.05)  # hit or not\n", "SIGTERM"),
    ("busy", "print('ready', flush=True)  # hit\nwhile True:  # hit or not\n    x = 1  # hit or not\n", "SIGKILL"),
] + [(name.lower(), WAIT, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR2", "SIGALRM")] + [
    ("sigint", "signal.signal(signal.SIGINT, signal.SIG_DFL)  # hit\n" + WAIT, "SIGINT"),
]


def one(name, text, sent):
    p = subprocess.Popen(command(name, text=HEAD + text), stdout=subprocess.PIPE)
    if sent:
        p.stdout.readline()
        p.send_signal(getattr(signal, sent))
    p.stdout.read()
    say(name, p.wait())


def whole_group():
    """All at once: a process and its fork, in a group of their own."""
    text = HEAD + "if os.fork() == 0:  # hit\n    x = 1  # hit\n    print('one', flush=True)  # hit\n" \
        "    threading.Event().wait()  # hit or not\nprint('two', flush=True)  # hit\nthreading.Event().wait()  # hit or not\n"
    p = subprocess.Popen(command("group", text=text), stdout=subprocess.PIPE, start_new_session=True)
    p.stdout.readline()
    p.stdout.readline()
    os.killpg(p.pid, signal.SIGKILL)
    p.stdout.read()
    say("group", p.wait())


def parent_first():
    """The child lives on, and ends after its parent."""
    text = HEAD + "r, w = os.pipe()  # hit\nif os.fork() == 0:  # hit\n    os.close(w)  # hit\n" \
        "    os.read(r, 1)  # hit\n    x = 1  # hit\n    print('orphan', flush=True)  # hit\n    os._exit(0)  # hit\n" \
        "x = 2  # hit\n"
    p = subprocess.Popen(command("parent_first", text=text), stdout=subprocess.PIPE)
    say("parent first", p.wait(), p.stdout.read())


def hang_up():
    """The controlling terminal goes away."""
    words = command("hang_up", text=HEAD + "os.write(1, b'ready')  # hit\nthreading.Event().wait()  # hit or not\n")
    pid, fd = os.forkpty()
    if pid == 0:
        os.execv(words[0], words)
    os.read(fd, 100)
    os.close(fd)
    say("hang up", status_of(pid))


def fork_ends(name, f):
    pid = os.fork()
    if pid == 0:
        f()
        os._exit(99)
    say("fork", name, status_of(pid))


def in_fork_killed():
    os.kill(os.getpid(), signal.SIGKILL)  # hit


def in_fork_stopped_at_once():
    os.kill(os.getpid(), signal.SIGTERM)  # hit


def in_fork_exits():
    sys.exit(11)  # hit


def in_fork_execs():
    os.execv("/bin/sh", ["sh", "-c", "exit 12"])  # hit


def in_fork_by_thread():
    threading.Thread(target=lambda: os._exit(13)).start()  # hit
    threading.Event().wait()


def main():
    for way in WAYS:
        one(*way)
    whole_group()
    parent_first()
    hang_up()
    fork_ends("killed", in_fork_killed)
    fork_ends("stopped", in_fork_stopped_at_once)
    fork_ends("execs", in_fork_execs)
    fork_ends("by thread", in_fork_by_thread)
    fork_ends("exits", in_fork_exits)


main()
