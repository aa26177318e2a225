"""clone(2) with flags that no library uses: sys.argv[2] is odd.c as a library."""
import ctypes
import os
import signal
import sys

from children import command, say

odd = ctypes.PyDLL(sys.argv[2])
VM, FS, FILES, UNTRACED, PARENT_SETTID = 0x100, 0x200, 0x400, 0x800000, 0x100000


def in_child(n):
    x = n  # hit
    exec(compile("def g():\n    return 1\ng()\n", "made%d.py" % n, "exec"), {})
    return x  # hit


def untraced_child():
    """Nobody sees it. What it runs first, nobody need see; but it lives."""
    total = 0
    for i in range(50):
        exec(compile("def g(x):\n    return x + 1\n", "made.py", "exec"), globals())
        total = g(total)
    import json
    json.dumps([total])
    return total


def fork(flags, f, *args):
    pid = odd.odd_fork(flags)
    if pid == 0:
        status = 99
        try:
            status = f(*args)
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0x40000000)[1]  # __WALL
    say(hex(flags), os.WIFEXITED(status) and os.WEXITSTATUS(status), hex(status))


def exec_child(name):
    words = command(name)
    os.execv(words[0], words)


def main():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    say("shared memory", odd.shared_memory(signal.SIGCHLD), odd.shared_memory(0), odd.shared_memory(FS | FILES))
    fork(signal.SIGCHLD, in_child, 1)
    fork(0, in_child, 2)
    fork(signal.SIGUSR1, in_child, 3)
    fork(FS | FILES | signal.SIGCHLD, in_child, 4)
    fork(FS | FILES | signal.SIGCHLD, exec_child, "files")
    fork(UNTRACED | signal.SIGCHLD, untraced_child)
    fork(UNTRACED | signal.SIGCHLD, exec_child, "untraced")
    say("end")  # hit


main()
