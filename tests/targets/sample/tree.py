"""A process that starts others in several ways; each spins for a while in a function named for it."""

import os
import subprocess
import sys
import time

SECONDS = 0.2
NAMES = ["forked", "spawned", "below_sh", "empty_environment", "parent"]
SPIN = """
def {0}(end):
    while time.process_time() < end:
        pass
"""
exec("".join(SPIN.format(name) for name in NAMES))


def main(argv):
    if len(argv) > 1:
        globals()[argv[1]](time.process_time() + SECONDS)
        return 0
    pid = os.fork()
    if pid == 0:
        forked(time.process_time() + SECONDS)
        os._exit(0)
    me = [sys.executable, os.path.abspath(__file__)]
    others = [
        subprocess.Popen([*me, "spawned"]),
        subprocess.Popen(["/bin/sh", "-c", '"$@"; true', "sh", *me, "below_sh"]),
        subprocess.Popen([*me, "empty_environment"], env={}),
    ]
    parent(time.process_time() + SECONDS)
    for other in others:
        other.wait()
    os.waitpid(pid, 0)
    return 7


sys.exit(main(sys.argv))
