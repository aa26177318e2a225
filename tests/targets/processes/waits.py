"""Says "ready" and waits for a word, twice; a fork of it does too. sys.argv[1] is the folder of a script to be run."""
import os
import subprocess
import sys

words = "early", "later", "last"


def early():
    return 1  # early


def later():
    return 2  # later


def in_child():
    return 3  # early


def later_in_child():
    return 4  # later


def born_later():
    return 5  # later


def main():
    r, w = os.pipe()
    ready, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        in_child()
        os.write(said, b"x")
        os.read(r, 1)
        later_in_child()
        os._exit(3)
    os.read(ready, 1)
    early()
    print("ready", pid, flush=True)
    sys.stdin.readline()
    later()
    os.write(w, b"x")
    print("child", os.waitpid(pid, 0)[1] >> 8, flush=True)
    pid = os.fork()
    if pid == 0:
        born_later()
        os._exit(4)
    print("born later", os.waitpid(pid, 0)[1] >> 8, flush=True)
    script = os.path.join(sys.argv[1], "script.py")
    print("script", subprocess.call([sys.executable, script]), flush=True)
    sys.stdin.readline()
    last = 1  # last
    sys.exit(7)  # last


main()
