"""A process, a fork of it, a fork of that, and a script: each runs lines of its own after what its parent ran."""
import os
import subprocess
import sys


def before():
    return 1  # first second third


def first():
    return 1  # first


def second_before():
    return 2  # second third


def second():
    return 2  # second


def third():
    return 3  # third


def status_of(pid):
    return os.waitpid(pid, 0)[1] >> 8


def tell(word):
    with open(os.path.join(sys.argv[1], "pid." + word), "w") as f:
        f.write(str(os.getpid()))


def once():
    return 1  # first


before()
once()
if len(sys.argv) > 2:
    sys.exit(subprocess.call([sys.executable, sys.argv[2]]))  # way
pid = os.fork()
if pid == 0:
    before()
    second_before()
    pid = os.fork()
    if pid == 0:
        before()
        second_before()
        third()
        tell("third")
        os._exit(3)
    second()
    tell("second")
    os._exit(status_of(pid) + 2)
first()
tell("first")
print(status_of(pid), flush=True)
