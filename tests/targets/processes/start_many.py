"""Many processes: sys.argv[2:] says how many in turn by fork, in turn by exec, at once; and how deep a tree."""
import os
import subprocess
import sys
import threading

from children import command, say, script, status_of

in_turn, by_exec, at_once, deep = map(int, sys.argv[2:])
MANY = "".join("def f%d():  # hit\n    return %d  # hit\n" % (i, i) for i in range(in_turn))
script("forked", MANY)
sys.path.insert(0, sys.argv[1])
import child_forked  # noqa: E402


def short_lived(i):
    """Each runs one line that no other runs, and ends."""
    pid = os.fork()
    if pid == 0:
        os._exit(getattr(child_forked, "f%d" % i)() % 100)
    return status_of(pid)


def tree_of_forks(depth):
    if depth == 0:
        x = 1  # hit
        return x
    pid = os.fork()
    if pid == 0:
        os._exit(tree_of_forks(depth - 1) + 1)
    return status_of(pid)  # hit


def forks_meanwhile():
    """Threads that fork while others run."""
    stop = threading.Event()
    threads = [threading.Thread(target=busy, args=(stop,)) for _ in range(3)]
    ends = []
    forkers = [threading.Thread(target=lambda: ends.extend(fork_in_thread() for _ in range(5))) for _ in range(3)]
    for t in threads + forkers:
        t.start()
    for t in forkers:
        t.join()
    stop.set()
    for t in threads:
        t.join()
    return sorted(set(ends)), len(ends)


def busy(stop):
    while not stop.is_set():
        exec(compile("def f():\n    return 1\nf()\n", "busy.py", "exec"), {})


def fork_in_thread():
    pid = os.fork()
    if pid == 0:
        x = 3  # hit
        os._exit(x)  # hit
    return status_of(pid)


def main():
    say("in turn", [short_lived(i) for i in range(in_turn)] == [i % 100 for i in range(in_turn)])
    say("by exec", [subprocess.call(command("exec%d" % i), stdout=subprocess.DEVNULL) for i in range(by_exec)])
    all_of_them = [subprocess.Popen(command("at_once%d" % i), stdout=subprocess.DEVNULL) for i in range(at_once)]
    say("at once", [p.wait() for p in all_of_them])
    say("tree of forks", tree_of_forks(deep))
    say("threads that fork", forks_meanwhile())
    say("end")  # hit


main()
