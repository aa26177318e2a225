"""Every way a process below the command ends: what ran is in the file."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

from harness import LIMIT, Skip
from processes import HERE, Talk, compile_c, expect_children, expect_exact, recorded, row, wait_for


@row()
def ways(t):
    library = compile_c(t, "odd.c", "-shared", "-fPIC")
    path = str(HERE / "ends.py")
    command = t.py(path, t.dir, library)
    plain, run = t.run(command), t.trace(command)
    t.expect_same(plain, run)
    t.expect_marks(run, path)
    expect_children(t, run, 23 + 3)


GROUP = """\
import os, sys, threading  # hit
r, w = os.pipe()  # hit
if os.fork() == 0:  # hit
    x = 1  # hit
    os.write(w, b"x")  # hit
    threading.Event().wait()
    x = 1  # miss
os.read(r, 1)  # hit
print("ready", flush=True)  # hit
threading.Event().wait()
x = 1  # miss
"""


@row()
def whole_group_killed(t):
    """The command's own group, at one blow, as a terminal or a job scheduler does it."""
    path = t.write("app.py", GROUP)
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.killpg(talk.pid, signal.SIGKILL)
    run = talk.end()
    t.expect_equal(run.status, -signal.SIGKILL, "status")
    t.expect_marks(run, path)


@row()
def whole_session_terminated(t):
    """The first process ends of SIGTERM, the other ignores it and goes on: its data is added."""
    path = t.write("app.py", "import os, signal, sys, threading  # hit\nif os.fork() == 0:  # hit\n"
                   "    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # hit\n    print('ready', flush=True)  # hit\n"
                   "    sys.stdin.readline()  # hit\n    x = 1  # hit\n    os._exit(0)  # hit\n"
                   "threading.Event().wait()  # hit or not\nx = 1  # miss\n")
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.killpg(talk.pid, signal.SIGTERM)
    t.expect_equal(talk.process.wait(LIMIT), -signal.SIGTERM, "status")
    t.expect({1, 2, 3, 4} <= recorded(t).data[path], "saved when the command ends", recorded(t).data)
    talk.say("go on")
    expect_exact(t, talk.end(), path)


@row()
def hangs_at_exit(t):
    """A program that never comes to its end, and is killed in it."""
    path = t.write("app.py", "import atexit, threading  # hit\ndef f():  # hit\n    print('ready', flush=True)  # hit\n"
                   "    threading.Event().wait()  # hit or not\n    x = 1  # miss\natexit.register(f)  # hit\n")
    talk = Talk(t, t.py(path))
    t.expect_equal(talk.line(), "ready", "line")
    os.kill(talk.pid, signal.SIGKILL)
    run = talk.end()
    t.expect_equal(run.status, -signal.SIGKILL, "status")
    expect_exact(t, run, path)


@contextmanager
def memory_cgroup(t, limit):
    """A cgroup whose processes may use so many bytes in all; of either version, whichever can be had."""
    name = t.dir.name
    for top, knob in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = Path(top, name)
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / knob).write_text(str(limit))
            for swap in (folder / "memory.memsw.limit_in_bytes", folder / "memory.swap.max"):
                if swap.exists():
                    swap.write_text(str(limit if "limit" in swap.name else 0))
        except OSError:
            folder.rmdir()
            continue
        try:
            yield folder
        finally:
            wait_for(t, "the end of the cgroup", lambda: not (folder / "cgroup.procs").read_text())
            folder.rmdir()
        return
    raise Skip("optional: no memory cgroup can be made here; other cases send SIGKILL")


HUNGRY = """\
import sys  # hit
def eat(meals):  # hit
    while True:  # hit or not
        meals.append(b"x" * (1 << 20))  # hit
    return meals  # miss
print("hungry", flush=True)  # hit
eat([])  # hit
x = 1  # miss
"""


@row()
def out_of_memory(t):
    """The kernel kills the child, which uses most; its parent goes on."""
    child = t.write("child_hungry.py", HUNGRY)
    path = t.write("app.py", "import subprocess, sys  # hit\nprint(subprocess.call(sys.argv[1:]))  # hit\n")
    with memory_cgroup(t, 96 << 20) as folder:
        join = ["sh", "-c", f'echo $$ >{folder}/cgroup.procs; exec "$@"', "sh"]
        run = t.both([*join, *t.py(path, t.python.exe, child)])
    t.expect_equal(run.text, "hungry\n-9\n", "end")
    expect_exact(t, run, path)
    expect_exact(t, run, child)
